"""A buffer over a text of any length that holds no more of it than is needed."""

import re
from collections.abc import Iterator

from shared.domain.error import InvalidInput
from shared.domain.model import DOCUMENT_BYTES

RECORD_BYTES = DOCUMENT_BYTES
"""Bytes of the longest record: as many as are kept of a resource."""
OPENING_BRACKETS = b"[{"
JSON_SPACE = b" \t\r\n"


class ScanError(Exception):
    """The text cannot be scanned any further."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


class ScanBuffer:
    """The part of a text that is being scanned. Positions count from the beginning of the text.

    `keep` is the oldest position that is still needed. It moves on by itself when a record becomes too long to keep.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._window = b""
        self._base = 0
        self.keep = 0
        self._line = 1
        self._counted = 0
        self.failure: InvalidInput | None = None

    def match(self, pattern: re.Pattern[bytes], at: int) -> re.Match[bytes] | None:
        """Return the match at a position, reading on until there is one; None when the text ends first."""
        while not (found := pattern.match(self._window, at - self._base)):
            if self._base + len(self._window) - self.keep > RECORD_BYTES:
                if self.keep >= at - 1:
                    raise ScanError(at, f"a text is longer than {RECORD_BYTES} bytes")
                # The record is given up; the byte before the position stays, to know what came before it.
                self.keep = at - 1
            if not self._more():
                return None
        return found

    def end(self, found: re.Match[bytes]) -> int:
        """Return the position after a match."""
        return self._base + found.end()

    def peek(self, at: int) -> int:
        """Return the byte at a position that was matched before."""
        return self._window[at - self._base]

    def line(self, at: int) -> int:
        """Return the number of the line, from 1, that a position is in; positions are asked for in their order."""
        if at > self._counted:
            self._line += self._window.count(b"\n", self._counted - self._base, at - self._base)
            self._counted = at
        return self._line

    def cut(self, start: int, end: int) -> bytes:
        """Return the text between two positions."""
        return self._window[start - self._base : end - self._base]

    def before(self, at: int) -> int:
        """Return the last byte before a position that is no space."""
        index = at - self._base - 1
        while index > 0 and self._window[index] in JSON_SPACE:
            index -= 1
        return self._window[index]

    def held(self, pattern: re.Pattern[bytes], at: int) -> re.Match[bytes] | None:
        """Return the match at a position in what is held, without reading on."""
        return pattern.match(self._window, at - self._base)

    def _more(self) -> bool:
        """Read as much again as is held, so that reading on costs the same per byte however long the record."""
        # Lines are counted before their bytes are dropped.
        self.line(self.keep)
        pieces = [self._window[self.keep - self._base :]]
        # Doubling keeps the bytes that are copied in proportion to those that are read; a record is all that is needed.
        held = len(pieces[0])
        wanted = max(min(held, RECORD_BYTES - held), 1)
        while wanted > 0 and (piece := self._next()):
            pieces.append(piece)
            wanted -= len(piece)
        self._base = self.keep
        self._window = b"".join(pieces)
        return len(pieces) > 1

    def _next(self) -> bytes:
        try:
            while not (piece := next(self._chunks, None)):
                if piece is None:
                    return b""
        except InvalidInput as error:
            self.failure = error
            return b""
        return piece
