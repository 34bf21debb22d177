"""A folder as one file to import: its files one after the other, each of which has to be whole."""

import gzip
import os
from bisect import bisect_right
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from cli.resource_file import ResourceFile, files_within, is_changed, open_input
from shared.domain.error import CortexError, InvalidInput
from shared.importing import inventory_reader
from shared.importing.decompression import decompress

_COMPRESSION_LEVEL = 1
"""What gzip does least: repeated names are most of an inventory, whatever the effort."""


class FilePlace(NamedTuple):
    """A file and the number of a line in it, from 1."""

    name: str
    line: int


class JoinedFolder:
    """The files of a folder in one; it tells which of them a line is in."""

    def __init__(self, source: ResourceFile) -> None:
        self.source = source
        self._begins: list[int] = []
        self._names: list[str] = []

    def add(self, name: str, begins: int) -> None:
        """Note the line, from 1, that a file begins in."""
        self._names.append(name)
        self._begins.append(begins)

    def place(self, line: int) -> FilePlace:
        """Return the file that a line is in, and its number there."""
        at = max(bisect_right(self._begins, line) - 1, 0)
        return FilePlace(self._names[at], line - self._begins[at] + 1)


def join_files(folder: Path, into: Path, report: Callable[[str], None]) -> JoinedFolder:
    """Write the files of a folder one after the other, as gzip, in bounded memory.

    `report` is called with each file that is left out: one that cannot be read, or that is not whole, as its open
    brackets would take in the files behind it.

    Raises:
        InvalidInput: no file is left.
    """
    joined, line, known = JoinedFolder(ResourceFile(f"{folder.resolve().name}.json.gz", into)), 1, 0
    with gzip.open(into, "wb", compresslevel=_COMPRESSION_LEVEL) as out:
        for each in files_within([ResourceFile(str(folder), folder)], report):
            known += 1
            try:
                lines = _append(each, out.write)
            except (CortexError, OSError) as error:
                report(f"{each.name}: {error}")
                continue
            joined.add(each.name, line)
            line += lines
    if line == 1:
        reason = "none of its files can be read whole" if known else "it has no JSON files"
        raise InvalidInput(f"nothing was imported from {folder}: {reason}", path="FILE")
    return joined


def _append(file: ResourceFile, write: Callable[[bytes], object]) -> int:
    """Write the text of a file, once it is known to be whole; return the number of its lines."""
    with open_input(str(file.path)) as opened:
        before = os.fstat(opened.fileno())
        _check_whole(inventory_reader.scan_records(opened))
        opened.seek(0)
        lines = 1
        for piece in decompress(opened):
            lines += piece.count(b"\n")
            write(piece)
        write(b"\n")
        if is_changed(before, os.fstat(opened.fileno())):
            raise InvalidInput("it was changed while it was read: import it again", path="FILE")
    return lines


def _check_whole(records: Iterable[inventory_reader.InventoryRecord]) -> None:
    """Raise InvalidInput where the end of a file belongs to no whole record."""
    first = last = None
    for record in records:
        last = record.piece
        first = first or (last if last.is_broken else None)
    if first is not None and last is not None and last.is_broken:
        raise InvalidInput(f"line {first.line}: {first.reason}; by itself it is imported as far as it is whole")
