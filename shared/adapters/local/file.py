"""The file of a SQLite store: made whole or not at all, recognized, and checked for damage.

Only SQLite opens the file: closing a handle of our own would drop the locks that SQLite holds for this process.
Source: SQLite, "How To Corrupt An SQLite Database File", 2.2; "Database File Format", 1.3.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.adapters.local.private import FILE_MODE, close_to_others, make_folder
from shared.domain.error import CortexError, Damaged, Unusable

REMEDY = "restore it from a backup, or move it away to start empty"
FREE_BYTES = 4 << 20
"""Bytes that must be free on the disk for a store to count as ready."""
CHECK_SECONDS = 0.5
_PROGRESS_OPCODES = 10_000
"""Instructions of SQLite's virtual machine between two checks of the time."""
_ADVICE = {
    sqlite3.SQLITE_BUSY: "somebody else is writing for too long",
    sqlite3.SQLITE_LOCKED: "somebody else is writing for too long",
    sqlite3.SQLITE_FULL: "free some space",
    sqlite3.SQLITE_IOERR: "check the disk, and limits on the size of files",
    sqlite3.SQLITE_READONLY: "let this user write the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "let this user read and write the file and its folder",
    sqlite3.SQLITE_PERM: "let this user read and write the file and its folder",
    sqlite3.SQLITE_AUTH: "let this user read and write the file and its folder",
}
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})


@dataclass(frozen=True, slots=True)
class FileHeader:
    """The header of a store's file: the application it belongs to, and the version of its schema."""

    application: int
    version: int


def translate(error: sqlite3.Error, path: Path) -> CortexError:
    """Translate an error of SQLite: the file's name, SQLite's message, and what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGE:
        return Damaged(f"{path.name} is damaged ({error}): {REMEDY}", place=str(path))
    if code in _ADVICE:
        return Unusable(f"{path.name} cannot be used ({error}): {_ADVICE[code]}", retry_after=1.0)
    return Unusable(f"{path.name} does not answer ({error})", retry_after=1.0)


def claim(path: Path, mark: FileHeader) -> tuple[int, int]:
    """Make the file when there is none, check that it is ours and whole, and return its device and inode.

    Damaged when it is not, or is empty; it is left as it is.
    """
    with _describe_path(path):
        make_folder(path.parent)
        if not path.exists():
            _make(path, mark)
        identity = identity_of(path)
        close_to_others(path)
        check_room(path)
        inspect(path, mark)
    return identity


def identity_of(path: Path) -> tuple[int, int]:
    """Return the device and inode of the file; Damaged when it cannot be a store."""
    found = path.stat()
    if not path.is_file():
        raise Damaged(f"{path.name} is not a file: move it away", place=str(path))
    if not found.st_size:
        raise Damaged(f"{path.name} is empty, which the product never leaves it: {REMEDY}", place=str(path))
    return found.st_dev, found.st_ino


def inspect(path: Path, mark: FileHeader) -> None:
    """Check the header, and the pages for as long as `CHECK_SECONDS`: of a large file, only some of them.

    Raises Damaged where they are not those of a sound store of ours.
    """
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=CHECK_SECONDS)) as connection:
        _check_mark(connection, path, mark)
        until = time.monotonic() + CHECK_SECONDS
        # SQLite has no time limit of its own; the handler interrupts the check after a while.
        connection.set_progress_handler(lambda: time.monotonic() > until, _PROGRESS_OPCODES)
        try:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            return
    if found != "ok":
        raise Damaged(f"{path.name} is damaged ({found.splitlines()[-1]}): {REMEDY}", place=str(path))


def check_room(path: Path) -> None:
    """Raise Unusable when a file or folder may not be written, or its disk is all but full."""
    with _describe_path(path):
        if not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise Unusable(f"{path.name} cannot be written: {_ADVICE[sqlite3.SQLITE_PERM]}", retry_after=1.0)
        free = shutil.disk_usage(path.parent if path.is_file() else path).free
    if free < FREE_BYTES:
        raise Unusable(f"the disk of {path.name} is full: free some space", retry_after=30.0)


def _check_mark(connection: sqlite3.Connection, path: Path, mark: FileHeader) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != mark.application:
        raise Damaged(f"{path.name} belongs to another application: move it away", place=str(path))
    if version > mark.version:
        raise Damaged(
            f"{path.name} was written by a newer version of the product (schema {version}, known here: {mark.version}):"
            " run that version, or move the file away to start empty",
            place=str(path),
        )


def _make(path: Path, mark: FileHeader) -> None:
    """Make a temporary file and link it to its place, so that nobody ever sees half of one; others may be faster."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists():
        raise Damaged(f"{path.name} is gone, but {log.name} is there: restore both, or move {log.name} away")
    with TemporaryDirectory(dir=path.parent, prefix=f"{path.name}.") as folder:
        temporary = Path(folder) / path.name
        temporary.touch(FILE_MODE)
        with closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = OFF")  # nobody sees the file before it is whole
            connection.execute(f"PRAGMA application_id = {mark.application}")
            connection.execute(f"PRAGMA user_version = {mark.version}")
        try:
            # A link fails where another process was faster, where a rename would replace its file.
            os.link(temporary, path)
        except FileExistsError:
            return


@contextmanager
def _describe_path(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, path) from error
    except OSError as error:
        raise Unusable(f"{path.name} cannot be used ({error.strerror}): check its folder") from error
