"""What befalls stores: bytes that change, disks that are full, files that may not be written."""

import contextlib
import ctypes
import os
import resource
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

_CAPABILITY_VERSION = 0x20080522
_OVERRIDES = 0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what lets root read and write everything


def checkpoint(path: Path) -> None:
    """Let all that was written be in the file itself."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def spoil(path: Path, *, at: int, length: int) -> None:
    """Write nonsense over a part of a file."""
    descriptor = os.open(path, os.O_WRONLY)
    os.pwrite(descriptor, b"\xa5" * length, at)
    os.close(descriptor)


@contextlib.contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """No file of this process grows past a size: what a full disk is to a program."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Permissions count in this thread, and in those it starts, though root runs it (capabilities(7), capset(2))."""
    if os.geteuid() != 0:
        yield
        return
    library = ctypes.CDLL(None, use_errno=True)
    header = ctypes.create_string_buffer(struct.pack("Ii", _CAPABILITY_VERSION, 0))
    before = ctypes.create_string_buffer(24)
    if library.capget(header, before) != 0:
        pytest.skip("capabilities cannot be read here")
    effective, *rest = struct.unpack("6I", before.raw)
    if library.capset(header, struct.pack("6I", effective & ~_OVERRIDES, *rest)) != 0:
        pytest.skip("capabilities cannot be given up here")
    try:
        yield
    finally:
        library.capset(header, before)
