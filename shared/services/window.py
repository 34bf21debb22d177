"""A window that moves over a text of any length, and holds no more of it than is needed."""

import re
from collections.abc import Iterator

from shared.domain.error import InvalidInput

RECORD_LIMIT = 1 << 20
"""Bytes of the longest record: larger resources than that are neither answered by Azure nor stored as one document."""
OPENING = b"[{"
SPACE = b" \t\r\n"


class Broken(Exception):
    """The text cannot be followed any further."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


class Window:
    """Positions count from the beginning of the text.

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
        """The match at a position, reading on until there is one; None when the text ends first."""
        while not (found := pattern.match(self._window, at - self._base)):
            if self._base + len(self._window) - self.keep > RECORD_LIMIT:
                self._let_go(at)
            if not self._more():
                return None
        return found

    def _let_go(self, at: int) -> None:
        """Give up the record at hand; the byte before the position stays, to tell what came before it."""
        if self.keep >= at - 1:
            raise Broken(at, f"a text is longer than {RECORD_LIMIT} bytes")
        self.keep = at - 1

    def end(self, found: re.Match[bytes]) -> int:
        """The position after a match."""
        return self._base + found.end()

    def peek(self, at: int) -> int:
        """The byte at a position that was matched before."""
        return self._window[at - self._base]

    def line(self, at: int) -> int:
        """The number of the line, from 1, that a position is in; positions are asked for in their order."""
        if at > self._counted:
            self._line += self._window.count(b"\n", self._counted - self._base, at - self._base)
            self._counted = at
        return self._line

    def cut(self, start: int, end: int) -> bytes:
        """The text between two positions."""
        return self._window[start - self._base : end - self._base]

    def before(self, at: int) -> int:
        """The last byte before a position that is no space."""
        index = at - self._base - 1
        while index > 0 and self._window[index] in SPACE:
            index -= 1
        return self._window[index]

    def held(self, pattern: re.Pattern[bytes], at: int) -> re.Match[bytes] | None:
        """The match at a position in what is held, without reading on."""
        return pattern.match(self._window, at - self._base)

    def _more(self) -> bool:
        """Read as much again as is held, so that reading on costs the same per byte however long the record."""
        self.line(self.keep)
        pieces = [self._window[self.keep - self._base :]]
        wanted = len(pieces[0]) or 1
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
