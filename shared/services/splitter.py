"""Splits JSON text of any length into the records it holds, in memory bounded by the longest record.

Only brackets and quotes are followed here; each record is parsed on its own. So one bad record costs nothing but
itself, and every record has a byte offset.
"""

import re
from collections.abc import Generator, Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

import orjson

from shared.services import window
from shared.services.window import OPENING, Broken, Window

DEPTH_LIMIT = 100
_HOPELESS = 20 * DEPTH_LIMIT
"""Levels at which the end of a record is no longer looked for."""


class Format(StrEnum):
    """What a record was found in."""

    LIST = "list"
    OBJECT = "object"
    GRAPH_PAGE = "graphPage"
    GRAPH_TABLE = "graphTable"
    ARM_PAGE = "armPage"
    TEMPLATE = "template"


_NOTHING: Mapping[str, Any] = {}


class Piece(NamedTuple):
    """One record's text, which need not be JSON, or why there is none. A tuple goes to another process cheaply.

    `head` is what the container says before its records, `line` the number of the line that the record begins in.
    """

    offset: int
    format: Format
    text: bytes = b""
    reason: str = ""
    head: Mapping[str, Any] = _NOTHING
    line: int = 1


_TEXT = rb'"(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+'
_BETWEEN = rb'(?:[^"\[\]{}]++|' + _TEXT + rb'")*+'
_BRACKET = re.compile(_BETWEEN + rb"([\[\]{}])")
_BROKEN_TEXT = re.compile(_BETWEEN + _TEXT + rb"\\?[\x00-\x1f]")
_START = re.compile(rb"(?:[\s\x1e,]|\xef\xbb\xbf)*+(?=[^\s\x1e,\xef]|\xef[^\xbb]|\xef\xbb[^\xbf])")
_NAME = re.compile(_TEXT + rb'"\s*+:\s*+(?=\S)')
_SCALAR = re.compile(_TEXT + rb'"|[^\s,\[\]{}"]++(?=[\s,\[\]{}"])')
_LINE = re.compile(rb"[^\n]++\n?|\n")
_WHOLE_LINE = re.compile(rb"[^\n]*+\n")
_UNFINISHED = (b"{", b"[", b",", b":")
_CONTINUING = b'}]",'
_NO_DOCUMENT = "neither an object nor an array begins here"
_RECORD_LINE = re.compile(rb"\{[^\n]*+(?:(?<=\})|(?<=\}\r))\n(?=\{)")
_TOGETHER = re.compile(rb"\}\s*+\{")
_CONTAINER = re.compile(rb'"(data|value|resources)"\s*+:\s*+\Z')
_CONTAINERS = (b'"data"', b'"value"', b'"resources"')
_ROWS = re.compile(rb'"rows"\s*+:\s*+\Z')
_KINDS = {b"data": Format.GRAPH_PAGE, b"value": Format.ARM_PAGE, b"resources": Format.TEMPLATE}
_PAIRS = {ord("]"): ord("["), ord("}"): ord("{")}
_LOOK_BACK = 256
_CONTAINER_DEPTH = 3
"""Brackets open where a document's records begin, at most: {"data": {"rows": [."""


def _values(levels: int) -> bytes:
    """A pattern of what stands between two brackets, with whole values in between that nest so many levels.

    A regular expression steps over those far faster than a loop over their brackets does. It only takes a value
    that follows a colon, a comma or an opening bracket, so that what lacks them is left to the loop to find.
    """
    if levels == 0:
        return _BETWEEN
    inner = _values(levels - 1)
    value = rb"(?:\{" + inner + rb"\}|\[(?:\s*+\{" + inner + rb"\})?+" + inner + rb"\])?+"
    return rb'(?:[^"\[\]{}:,]++|' + _TEXT + rb'"|[:,]\s*+' + value + rb")*+"


@cache
def _next() -> re.Pattern[bytes]:
    """The next bracket, whole values stepped over; made when first needed, because making it takes 50 ms."""
    return re.compile(_values(4) + rb"([\[\]{}])")


class Splitter:
    """Iterates over the pieces of a text: documents one after the other, in any mixture, with or without line ends."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._text = Window(chunks)
        self._at = 0

    def __iter__(self) -> Iterator[Piece]:
        more = True
        while more:
            start = self._at
            try:
                more = self._skip(_START)
                start = self._at
                yield from self._document() if more else ()
            except Broken as broken:
                start = max(start, self._text.keep)
                yield self._piece(start, reason=broken.reason)._replace(offset=broken.offset)
                if self._text.failure is not None:
                    return
                more = yield from self._rest(start)
        if self._text.failure is not None:
            yield self._piece(self._at, reason=self._text.failure.message)

    def _skip(self, pattern: re.Pattern[bytes]) -> bool:
        self._text.keep = self._at
        found = self._text.match(pattern, self._at)
        if found:
            self._at = self._text.end(found)
            self._text.keep = self._at
        return found is not None

    def _piece(
        self,
        start: int,
        kind: Format = Format.OBJECT,
        text: bytes = b"",
        reason: str = "",
        head: Mapping[str, Any] = _NOTHING,
    ) -> Piece:
        return Piece(start, kind, text, reason, head, self._text.line(start))

    def _rest(self, start: int) -> Generator[Piece, None, bool]:
        """Go on at the next line that begins a document: JSON lines survive broken lines, each of which is told.

        Where the broken document spans lines, those that may belong to it are passed over.
        """
        lined = self._is_line(start)
        for begun, at in self._lines(start):
            first = self._text.peek(at)
            if first in OPENING and (lined or at == begun):
                self._at = self._text.keep = at
                return True
            if lined or (at == begun and first not in _CONTINUING):
                yield self._piece(at, reason=_NO_DOCUMENT)
        return False

    def _is_line(self, start: int) -> bool:
        """Whether a document seems to be a line of its own, not the first of its lines."""
        self._text.keep = start
        try:
            found = self._text.match(_WHOLE_LINE, start)
        except Broken:
            return True  # longer than a record may be
        return found is None or found[0][0] not in OPENING or found[0].rstrip()[-1:] not in _UNFINISHED

    def _lines(self, start: int) -> Iterator[tuple[int, int]]:
        """Where each line after this one begins, and where its first character that is no space stands."""
        self._at, begun, fresh = start, start, False
        while self._text.failure is None:
            at = self._at
            if not self._skip(_LINE):
                return
            part = self._text.cut(at, self._at)
            if fresh and (words := part.strip()):
                fresh = False
                yield begun, at + part.index(words)
            if part.endswith(b"\n"):
                begun, fresh = self._at, True

    def _document(self) -> Iterator[Piece]:
        first = self._text.peek(self._at)
        if line := self._line():
            yield line
        elif first == ord("["):
            self._at += 1
            yield from self._elements(Format.LIST, {}, named=False)
        elif first == ord("{"):
            yield from self._object()
        else:
            raise Broken(self._at, _NO_DOCUMENT)

    def _line(self) -> Piece | None:
        """A line of JSON lines that is one record as a whole, without following its brackets.

        Within one JSON value no object begins right after another one and a line end.
        """
        found = self._text.held(_RECORD_LINE, self._at)
        if found is None or len(found[0]) > window.RECORD_LIMIT:
            return None
        text = found[0].rstrip()
        if any(name in text for name in _CONTAINERS) or _TOGETHER.search(text):
            return None
        start, self._at = self._at, self._text.end(found)
        return self._piece(start, text=text)

    def _elements(self, kind: Format, head: Mapping[str, Any], *, named: bool) -> Iterator[Piece]:
        """The records of a container, from after its opening bracket to after its closing one."""
        while self._skip(_START):
            if self._text.peek(self._at) in b"]}":
                self._at += 1
                return
            if named and not self._skip(_NAME):
                raise self._broken("a name and a colon are missing")
            yield self._element(kind, head)
        raise self._broken("the text ends within a list")

    def _element(self, kind: Format, head: Mapping[str, Any]) -> Piece:
        start = self._at
        if self._text.peek(start) in OPENING:
            return self._balanced(kind, head)
        if not self._skip_scalar():
            raise self._broken("the text ends within a value")
        return self._piece(start, kind, reason="not an object")

    def _skip_scalar(self) -> bool:
        found = self._text.match(_SCALAR, self._at)
        self._at = self._text.end(found) if found else self._at
        return found is not None

    def _balanced(self, kind: Format, head: Mapping[str, Any]) -> Piece:
        """The value that begins here, to its closing bracket."""
        start, reason, opened = self._at, "", bytearray()
        while True:
            bracket = self._bracket(opened, _next())
            if len(opened) > DEPTH_LIMIT:
                reason = f"nests deeper than {DEPTH_LIMIT} levels"
            if self._text.keep > start:
                reason = f"longer than {window.RECORD_LIMIT} bytes"
            if not opened and bracket not in OPENING:
                text = b"" if reason else self._text.cut(start, self._at)
                return self._piece(start, kind, text, reason, head)

    def _bracket(self, opened: bytearray, pattern: re.Pattern[bytes]) -> int:
        """Step over the next bracket, keeping account of the open ones; the pattern may step over whole values."""
        found = self._text.match(pattern, self._at)
        if found is None:
            raise self._broken("the text ends within a value")
        at = self._text.end(found) - 1
        bracket = self._text.peek(at)
        if bracket in OPENING:
            if opened and self._text.before(at) not in b":,[":
                raise Broken(at, "a comma, a colon or a closing bracket is missing before this one")
            opened.append(bracket)
            if len(opened) > _HOPELESS:
                raise Broken(at, f"nests deeper than {_HOPELESS} levels")
        elif not opened or opened.pop() != _PAIRS[bracket]:
            raise Broken(at, "a closing bracket that closes nothing")
        self._at = at + 1
        return bracket

    def _object(self) -> Iterator[Piece]:
        """A document that is an object: one record, or a page of records with what is said of it."""
        start, opened, taken = self._at, bytearray(), False
        while True:
            bracket = self._bracket(opened, _BRACKET if len(opened) < _CONTAINER_DEPTH else _next())
            if bracket in OPENING and (container := self._container(start, opened, taken=taken)):
                kind, head = container
                taken = True
                opened.pop()
                yield from self._elements(kind, head, named=bracket == ord("{"))
            if not opened:
                break
            self._text.keep = self._at - 1 if taken else self._text.keep
        if taken:
            return
        if self._text.keep > start:
            yield self._piece(start, reason=f"longer than {window.RECORD_LIMIT} bytes")
        else:
            yield self._piece(start, text=self._text.cut(start, self._at))

    def _container(self, start: int, opened: bytearray, *, taken: bool) -> tuple[Format, Mapping[str, Any]] | None:
        """What the bracket just stepped over opens, if it holds the document's records."""
        if taken or self._text.keep > start or not 1 < len(opened) <= _CONTAINER_DEPTH:
            return None
        before = self._text.cut(max(start, self._at - _LOOK_BACK), self._at - 1)
        if len(opened) == _CONTAINER_DEPTH:
            head = self._head(start, b"null}}") if _ROWS.search(before) and opened == b"{{[" else None
            return (Format.GRAPH_TABLE, head["data"]) if head and isinstance(head.get("data"), dict) else None
        found = _CONTAINER.search(before)
        if not found or (opened[-1] == ord("{") and found[1] != b"resources"):
            return None
        head = self._head(start, b"null}")
        return (_KINDS[found[1]], head) if head is not None and "id" not in head else None

    def _head(self, start: int, ending: bytes) -> dict[str, Any] | None:
        """What the document says before its records."""
        try:
            head = orjson.loads(self._text.cut(start, self._at - 1) + ending)
        except orjson.JSONDecodeError:
            return None
        return head if isinstance(head, dict) else None

    def _broken(self, reason: str) -> Broken:
        if self._text.failure is not None:
            return Broken(self._at, self._text.failure.message)
        if self._text.held(_BROKEN_TEXT, self._at):
            return Broken(self._at, "a text lacks its closing quote, or holds a control character")
        return Broken(self._at, reason)
