"""Split JSON text of any length into the records it holds, in memory bounded by the longest record.

Only brackets and quotes are followed here; each record is parsed on its own. So one bad record costs nothing but
itself, and every record has a byte offset.
"""

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, NamedTuple

from shared.domain import jsonc
from shared.domain.json_text import Unreadable
from shared.domain.jsonc import COMMENT, SPACE, TEXT
from shared.importing import buffer, hint
from shared.importing.bracket import OUTSIDE_BRACKETS, nearest_bracket, next_bracket
from shared.importing.buffer import OPENING_BRACKETS, ScanBuffer, ScanError
from shared.importing.page_tracker import PageTracker
from shared.importing.record_text import NO_HEAD, RecordFormat, RecordText

RECORD_LEVELS = 100
_FOLLOWED_LEVELS = 20 * RECORD_LEVELS
"""Levels of nesting beyond which the end of a record is not looked for."""


class _Container(NamedTuple):
    """What holds a document's records. `head` is what is said of each of them, `said` of all, before the first."""

    format: RecordFormat
    head: Mapping[str, Any]
    said: Mapping[str, Any]


_BROKEN_TEXT = re.compile(OUTSIDE_BRACKETS + TEXT + rb"\\?[\x00-\x1f]")
# Before a document: white space, comments, the record separator of RFC 7464, commas, a byte order mark.
_START = re.compile(
    rb"(?:[\s\x1e,]|\xef\xbb\xbf|" + COMMENT + rb")*+(?=[^\s\x1e,\xef/]|\xef[^\xbb]|\xef\xbb[^\xbf]|/[^/*])"
)
_OPEN_COMMENT = re.compile(rb"(?:[\s\x1e,]|" + COMMENT + rb")*+/\*")
_NAME = re.compile(TEXT + rb'"' + SPACE + rb":" + SPACE + rb"(?=[^\s/]|/[^/*])")
_SCALAR = re.compile(TEXT + rb'"|[^\s,\[\]{}"]++(?=[\s,\[\]{}"])')
_LINE = re.compile(rb"[^\n]++\n?|\n")
_WHOLE_LINE = re.compile(rb"[^\n]*+\n")
_UNFINISHED = (b"{", b"[", b",", b":")
_CONTINUING = b'}]",'
_BEGINNING, _AVAILABLE = re.compile(rb"(?s:.{1000})"), re.compile(rb"(?s:.{1,1000})")
_TEMPLATE_SCHEMA = b"deploymenttemplate.json"
_NO_DOCUMENT = "neither an object nor an array begins here"
# A line from { to } with another { after it: JSON lines, the usual case, need no bracket to be followed.
_RECORD_LINE = re.compile(rb"\{[^\n]*+(?:(?<=\})|(?<=\}\r))\n(?=\{)")
_ADJACENT_OBJECTS = re.compile(rb"\}\s*+\{")
_CONTAINER = re.compile(rb'"(data|value|resources)"' + SPACE + rb":" + SPACE + rb"\Z")
_CONTAINER_NAMES = (b'"data"', b'"value"', b'"resources"')
_IDS = frozenset({"id", "Id", "ResourceId"})  # as Azure and PowerShell call it
_ROWS = re.compile(rb'"rows"' + SPACE + rb":" + SPACE + rb"\Z")
_CONTAINER_FORMATS = {
    b"data": RecordFormat.GRAPH_PAGE,
    b"value": RecordFormat.ARM_PAGE,
    b"resources": RecordFormat.TEMPLATE,
}
_OPENING_OF = {ord("]"): ord("["), ord("}"): ord("{")}
_LOOK_BACK_BYTES = 256
_TAIL_BYTES = 4 << 20
"""As much is read of what a page says after its records."""
_TEMPLATE_BYTES = 4 << 20
"""Text of the resources of a template that is held until the sections behind them are known: all that Azure takes."""
_CONTAINER_DEPTH = 3
"""Brackets open where a document's records begin, at most: {"data": {"rows": [."""


class RecordScanner:
    """Iterates over the pieces of a text: documents one after the other, in any mixture, with or without line ends.

    `count` is how many it has found so far, and `pages` which pages of lists, after those of texts before this one.
    Once the text was followed to its end, `ended` says so.
    """

    def __init__(self, chunks: Iterator[bytes], pages: PageTracker | None = None) -> None:
        self._text = ScanBuffer(chunks)
        self._at = 0
        self.count = 0
        self.pages = pages or PageTracker()
        self.ended = False
        self._lined = self._is_other = False

    def __iter__(self) -> Iterator[RecordText]:
        for piece in self._pieces():
            self.count += 1
            yield piece
        self.ended = True

    def _pieces(self) -> Iterator[RecordText]:
        more = True
        while more:
            start = self._at
            try:
                more = self._skip(_START)
                start = self._at
                yield from self._document() if more else self._end()
            # One broken document costs itself only: the next is looked for line by line.
            except ScanError as broken:
                start = max(start, self._text.keep)
                yield self._broken_piece(start, broken.reason)._replace(offset=broken.offset)
                if self._text.failure is not None or (broken.offset == 0 and hint.is_binary(self._first_bytes())):
                    return
                more = yield from self._rest(start)
        if self._text.failure is not None:
            yield self._broken_piece(self._at, self._text.failure.message)

    def _end(self) -> Iterator[RecordText]:
        """Yield what is wrong with the end of the text, behind the last document: a comment that goes on to it."""
        if self._text.held(_OPEN_COMMENT, self._at):
            yield self._broken_piece(self._at, "a comment begins here and is not closed: what follows is not read")

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
        kind: RecordFormat = RecordFormat.OBJECT,
        text: bytes = b"",
        reason: str = "",
        head: Mapping[str, Any] = NO_HEAD,
    ) -> RecordText:
        return RecordText(start, kind, text, reason, head, self._text.line(start))

    def _broken_piece(self, start: int, reason: str) -> RecordText:
        return self._piece(start, reason=reason)._replace(is_broken=True)

    def _rest(self, start: int) -> Generator[RecordText, None, bool]:
        """Go on at the next line that begins a document: JSON lines survive broken lines, each of which is reported.

        Where the broken document spans lines, those that may belong to it are passed over, as all lines of a file are
        that seems to be something else, which has been told.
        """
        lined = self._is_line(start)
        for begun, at in self._lines(start):
            first = self._text.peek(at)
            if first in OPENING_BRACKETS and (lined or at == begun):
                self._at = self._text.keep = at
                self._is_other = False  # what is broken from here on is a record
                return True
            if not self._is_other and (lined or (at == begun and first not in _CONTINUING)):
                yield self._broken_piece(at, _NO_DOCUMENT)
        return False

    def _is_line(self, start: int) -> bool:
        """Return whether a document seems to be a line of its own, not the first of its lines."""
        self._text.keep = start
        try:
            found = self._text.match(_WHOLE_LINE, start)
        except ScanError:
            return True  # longer than a record may be
        return found is None or found[0][0] not in OPENING_BRACKETS or found[0].rstrip()[-1:] not in _UNFINISHED

    def _lines(self, start: int) -> Iterator[tuple[int, int]]:
        """Yield where each line after this one begins, and where its first character that is no space stands."""
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

    def _document(self) -> Iterator[RecordText]:
        first, self._lined = self._text.peek(self._at), False
        if line := self._line():
            yield line
        elif first == ord("["):
            self._at += 1
            yield from self._elements(RecordFormat.LIST, {}, named=False)
        elif first == ord("{"):
            yield from self._object()
        else:
            raise ScanError(self._at, self._no_document())

    def _no_document(self) -> str:
        """Return why no document begins here; of the first, what the file seems to be."""
        seems = hint.seems_text(self._first_bytes()) if not self.count else ""
        self._is_other = self._is_other or bool(seems)
        return f"this seems to be {seems}" if seems else _NO_DOCUMENT

    def _first_bytes(self) -> bytes:
        self._text.match(_BEGINNING, self._at)  # however small the chunks are
        found = self._text.held(_AVAILABLE, self._at)
        return found[0] if found else b""

    def _line(self) -> RecordText | None:
        """Return a line of JSON lines that is one record as a whole, without following its brackets.

        Within one JSON value no object begins right after another one and a line end.
        """
        found = self._text.held(_RECORD_LINE, self._at)
        if found is None or len(found[0]) > buffer.RECORD_BYTES:
            return None
        text = found[0].rstrip()
        if any(name in text for name in _CONTAINER_NAMES) or _ADJACENT_OBJECTS.search(text):
            return None
        start, self._at = self._at, self._text.end(found)
        return self._piece(start, text=text)

    def _elements(self, kind: RecordFormat, head: Mapping[str, Any], *, named: bool) -> Iterator[RecordText]:
        """Yield the records of a container, from after its opening bracket to after its closing one."""
        while self._skip(_START):
            if self._text.peek(self._at) in b"]}":
                self._at += 1
                return
            if named and not self._skip(_NAME):
                raise self._broken("a name and a colon are missing")
            yield self._element(kind, head)
        raise self._broken("the text ends within a list")

    def _element(self, kind: RecordFormat, head: Mapping[str, Any]) -> RecordText:
        start = self._at
        if self._text.peek(start) in OPENING_BRACKETS:
            return self._balanced(kind, head)
        found = self._text.match(_SCALAR, self._at)
        if found is None:
            raise self._broken("the text ends within a value")
        self._at = self._text.end(found)
        return self._piece(start, kind, reason="not an object")

    def _balanced(self, kind: RecordFormat, head: Mapping[str, Any]) -> RecordText:
        """Return the value that begins here, to its closing bracket."""
        start, reason, opened = self._at, "", bytearray()
        while True:
            bracket = self._bracket(opened, next_bracket)
            if len(opened) > RECORD_LEVELS:
                reason = f"nests deeper than {RECORD_LEVELS} levels"
            if self._is_long(start):
                reason = f"longer than {buffer.RECORD_BYTES} bytes"
            if not opened and bracket not in OPENING_BRACKETS:
                text = b"" if reason else self._text.cut(start, self._at)
                return self._piece(start, kind, text, reason, head)

    def _is_long(self, start: int) -> bool:
        """Return whether the value that begins at a position is too long to be kept, or was given up for it already."""
        return self._text.keep > start or self._at - start > buffer.RECORD_BYTES

    def _bracket(self, opened: bytearray, pattern: Callable[..., re.Pattern[bytes]]) -> int:
        """Step over the next bracket, keeping account of the open ones; the pattern may step over whole values."""
        found = self._text.match(pattern(lined=self._lined), self._at)
        if found is None:
            raise self._broken("the text ends within a value")
        at = self._text.end(found) - 1
        bracket = self._text.peek(at)
        if bracket in OPENING_BRACKETS:
            if opened and self._text.before(at) not in b":,[" and not self._follows_comment(found[0][:-1]):
                raise ScanError(at, "a comma, a colon or a closing bracket is missing before this one")
            opened.append(bracket)
            if len(opened) > _FOLLOWED_LEVELS:
                raise ScanError(at, f"nests deeper than {_FOLLOWED_LEVELS} levels")
        elif not opened or opened.pop() != _OPENING_OF[bracket]:
            raise ScanError(at, "a closing bracket that closes nothing")
        self._at = at + 1
        return bracket

    def _follows_comment(self, between: bytes) -> bool:
        """Return whether a bracket is in its place once comments are taken out of what lies between it and another."""
        plain = jsonc.without_comments(between)
        last = plain.rstrip()[-1:] or bytes([self._text.peek(self._at - 1)])
        return plain != between and last in {b":", b",", b"["}

    def _object(self) -> Iterator[RecordText]:
        """Yield a document that is an object: one record, or a page of records with what is said of it."""
        start, opened = self._at, bytearray()
        # Of templates alone strings go over several lines: elsewhere a line end tells that a quote is missing.
        self._lined = _TEMPLATE_SCHEMA in self._first_bytes().lower()
        while True:
            # Where records can still begin each bracket is looked at; deeper, whole values are stepped over.
            bracket = self._bracket(opened, nearest_bracket if len(opened) < _CONTAINER_DEPTH else next_bracket)
            if bracket in OPENING_BRACKETS and (container := self._container(start, opened)):
                yield from self._page(container, opened, named=bracket == ord("{"))
                return
            if not opened:
                break
        if self._is_long(start):
            yield self._piece(start, reason=f"longer than {buffer.RECORD_BYTES} bytes")
        else:
            yield self._piece(start, text=self._text.cut(start, self._at))

    def _page(self, container: _Container, opened: bytearray, *, named: bool) -> Iterator[RecordText]:
        """Yield the records of a page, from after their opening bracket, and then what it says of itself to its end."""
        opened.pop()
        levels, before = len(opened), self.count
        elements = self._elements(container.format, container.head, named=named)
        if container.format == RecordFormat.TEMPLATE:
            yield from self._template(elements, container, opened)
            return
        yield from elements
        records, tail = self.count - before, self._at
        self._end_page(opened, tail)
        said = {**container.said, **self._tail(tail, levels)}
        self.pages.add(said, records, is_graph=container.format != RecordFormat.ARM_PAGE)

    def _template(
        self, elements: Iterator[RecordText], container: _Container, opened: bytearray
    ) -> Iterator[RecordText]:
        """Yield the resources of a template once its sections are known, which stand before or behind them.

        Of one larger than Azure takes, those behind are not waited for.
        """
        held: list[RecordText] = []
        head, levels, room = container.head, len(opened), _TEMPLATE_BYTES
        try:
            while room > 0 and (element := next(elements, None)):
                held.append(element)
                room -= len(element.text)
            if room > 0:
                tail = self._at
                self._end_page(opened, tail)
                head = {**head, **self._tail(tail, levels)}
        except ScanError:
            yield from held
            raise
        yield from (each._replace(head=head) for each in held)
        if room <= 0:
            yield from elements
            self._end_page(opened, self._at)

    def _end_page(self, opened: bytearray, tail: int) -> None:
        """Step over what a page says behind its records, to its end."""
        while opened:
            self._bracket(opened, next_bracket)
            # Too long to keep: brackets are still followed, to find where the page ends.
            if self._at - tail > _TAIL_BYTES:
                self._text.keep = self._at - 1

    def _container(self, start: int, opened: bytearray) -> _Container | None:
        """Return what the bracket just stepped over opens, if it holds the document's records."""
        if self._text.keep > start or not 1 < len(opened) <= _CONTAINER_DEPTH:
            return None
        before = self._text.cut(max(start, self._at - _LOOK_BACK_BYTES), self._at - 1)
        if len(opened) == _CONTAINER_DEPTH:
            # What stands before the records is made whole by closing it, with null in the place of the records.
            said = self._head(start, b"null}}") if _ROWS.search(before) and opened == b"{{[" else None
            table = said.get("data") if said else None
            return _Container(RecordFormat.GRAPH_TABLE, table, said) if said and isinstance(table, dict) else None
        found = _CONTAINER.search(before)
        if not found or (opened[-1] == ord("{") and found[1] != b"resources"):
            return None
        said = self._head(start, b"null}")
        # A resource may have such members itself: a virtual machine lists its extensions as `resources`.
        if said is None or not _IDS.isdisjoint(said):
            return None
        return _Container(_CONTAINER_FORMATS[found[1]], said, said)

    def _tail(self, start: int, levels: int) -> dict[str, Any]:
        """Return what the document says after its records, which end so many levels deep; {} where it is too long."""
        if self._text.keep > start:
            return {}
        try:
            # What stands after the records is made whole by opening it, with 0 in the place of the records.
            tail = jsonc.read_record(b'{"":' * levels + b"0" + self._text.cut(start, self._at))
        except Unreadable:
            return {}
        return tail if isinstance(tail, dict) else {}

    def _head(self, start: int, ending: bytes) -> dict[str, Any] | None:
        """Return what the document says before its records."""
        try:
            head = jsonc.read_record(self._text.cut(start, self._at - 1) + ending)
        except Unreadable:
            return None
        return head if isinstance(head, dict) else None

    def _broken(self, reason: str) -> ScanError:
        if self._text.failure is not None:
            return ScanError(self._at, self._text.failure.message)
        if self._text.held(_BROKEN_TEXT, self._at):
            return ScanError(self._at, "a text lacks its closing quote, or holds a control character")
        return ScanError(self._at, reason)
