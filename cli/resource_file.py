"""Files of resources: named one by one, in folders, or in a pipe."""

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, NamedTuple

import typer

from cli.special_file import special_reason
from shared.domain.error import CortexError, InvalidInput
from shared.importing import inventory_reader
from shared.importing.inventory_reader import InventoryRecord
from shared.importing.page_tracker import PageTracker
from shared.importing.seen_ids import SeenIds

STDIN = "-"
_SUFFIXES = (".json", ".jsonc", ".jsonl", ".ndjson")
"""How the names of the files end that are read of a folder, which may end in .gz behind that."""


class ResourceFile(NamedTuple):
    """A file of resources and what people call it."""

    name: str
    path: Path


def check_there(places: Sequence[str], option: str) -> None:
    """Raise BadParameter where none of the files or folders is there; where only some are, reading tells the others."""
    # A link that leads nowhere is there, and opening it says so.
    if not any(each == STDIN or os.path.lexists(each) for each in places):
        raise typer.BadParameter(f"there is no file {', '.join(places)}", param_hint=option)


def regular(place: str, folder: Path) -> ResourceFile:
    """Return a file that can be read twice: standard input and pipes are copied into the folder first."""
    if place != STDIN and not _is_pipe(Path(place)):
        return ResourceFile(place, Path(place))
    with open_input(place) as pipe, NamedTemporaryFile(dir=folder, delete=False) as copy:
        shutil.copyfileobj(pipe, copy)
    return ResourceFile("standard input" if place == STDIN else place, Path(copy.name))


def _is_pipe(path: Path) -> bool:
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except OSError:
        return False  # whoever opens it says what is wrong


def read_records(
    files: Sequence[ResourceFile], report: Callable[[str], None] = lambda _: None
) -> Iterator[InventoryRecord]:
    """Yield the records of files and folders, one after the other; the same resource may occur many times.

    `report` is called with each file that cannot be read to its end or changes meanwhile, and when pages of a list are
    missing. Records name their file where there may be several.

    Raises:
        CortexError: the only file cannot be read.
    """
    pages = PageTracker()
    alone = len(files) == 1 and not files[0].path.is_dir()
    for each in files_within(files, report):
        try:
            with open_input(str(each.path)) as file:
                before = os.fstat(file.fileno())
                found = inventory_reader.scan_records(file, pages)
                yield from found if alone else (record._replace(file=each.name) for record in found)
                if is_changed(before, os.fstat(file.fileno())):
                    report(f"{each.name} was changed while it was read: evaluate it again")
        except (CortexError, OSError) as error:
            if alone and isinstance(error, CortexError):
                raise
            report(f"{each.name}: {error}")
    if pages.missing:
        report(f"the resources are {pages.missing}")


def is_changed(before: os.stat_result, after: os.stat_result) -> bool:
    """Return whether a file was written between two looks at it."""
    return (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)


def files_within(files: Iterable[ResourceFile], report: Callable[[str], None]) -> Iterator[ResourceFile]:
    """Yield files, and of folders the JSON files inside; links to folders are not followed, as they may form circles.

    A file that has several names, as by a link, is yielded once. Of folders, only the names of one at a time are held.
    """
    seen = SeenIds()
    for each in files:
        within = _json_files(each, report) if each.path.is_dir() else (each,)
        yield from (file for file in within if seen.add(_identity(file.path)))


def _json_files(within: ResourceFile, report: Callable[[str], None]) -> Iterator[ResourceFile]:
    empty = True
    for folder, folders, names in os.walk(within.path, onerror=lambda error: report(f"{error.filename}: {error}")):
        folders.sort()
        for name in sorted(names):
            if name.lower().removesuffix(".gz").endswith(_SUFFIXES):
                empty, path = False, Path(folder, name)
                if reason := special_reason(path):
                    report(reason)
                else:
                    yield ResourceFile(str(path), path)
    if empty:
        report(f"{within.name} is a folder without JSON files: {', '.join(_SUFFIXES)}, plain or .gz")


def _identity(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return str(path)  # whoever opens it says what is wrong
    return f"{found.st_dev}:{found.st_ino}"


def open_input(place: str) -> AbstractContextManager[BinaryIO]:
    """Open a file of resources, or standard input for `-`."""
    if place == STDIN:
        # Not ours to close.
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(place).open("rb")
    except FileNotFoundError:
        raise InvalidInput(f"there is no file {place}", path="--resource") from None
    except OSError as error:
        raise InvalidInput(f"{place} cannot be opened: {error.strerror}", path="--resource") from None
