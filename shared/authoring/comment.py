"""The comments of a JSONC text: where each one stands, and the text of a value with them.

A comment belongs to the value before it on its line, else to the value after it, or to the end of what is around it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shared.domain.resource import Json

_TOKEN = re.compile(
    r'(?P<text>"(?:[^"\\]|\\(?s:.))*+")|(?P<comment>//[^\n]*+|/\*(?s:.*?)\*/)|(?P<mark>[{}\[\],:])|[^\s{}\[\],:"/]+'
)
_CLOSING = {"{": "}", "[": "]"}
_LEVEL = "  "

_Steps = tuple[str, ...]
_END: _Steps = ("\0",)
"""Where comments are that follow the whole value on lines of their own: no key is called so."""


@dataclass(slots=True)
class AttachedComments:
    """The comments of one value: on lines before it, on its own line, and at its end inside of it."""

    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)


Comments = Mapping[_Steps, AttachedComments]


def read_comments(text: str) -> Comments:
    """Return the comments of a text in JSONC by the steps to their value, keys in lower case."""
    return _Reader(text).comments


class _Reader:
    """One pass over the tokens, which are known to be well-formed."""

    def __init__(self, text: str) -> None:
        self.comments: dict[_Steps, AttachedComments] = {}
        self._text = text
        self._tokens = list(_TOKEN.finditer(text))
        self._at = 0
        self._waiting: list[str] = []
        self._collect(None)
        self._value(())
        self._of(_END).before += self._waiting

    def _of(self, steps: _Steps) -> AttachedComments:
        return self.comments.setdefault(steps, AttachedComments())

    def _collect(self, owner: _Steps | None) -> None:
        """Take the comments that come next: those on the line of the value before them are its own."""
        end = self._tokens[self._at - 1].end() if self._at else 0
        while self._at < len(self._tokens) and (found := self._tokens[self._at])["comment"]:
            same_line = owner is not None and "\n" not in self._text[end : found.start()]
            (self._of(owner or ()).after if same_line else self._waiting).append(found[0].rstrip())
            self._at += 1

    def _take(self) -> str:
        token = self._tokens[self._at]
        self._at += 1
        return token[0]

    def _value(self, steps: _Steps) -> None:
        self._of(steps).before += self._waiting
        self._waiting = []
        opening = self._take()
        if opening in _CLOSING:
            self._members(steps, opening)
        self._collect(steps)

    def _members(self, steps: _Steps, opening: str) -> None:
        self._collect(None)
        number = 0
        while self._tokens[self._at][0] != _CLOSING[opening]:
            inner = (*steps, str(number))
            if opening == "{":
                inner = (*steps, str(json.loads(self._take(), strict=False)).lower())
                self._collect(None)
                self._take()  # the colon
                self._collect(None)
            self._value(inner)
            if self._tokens[self._at][0] == ",":
                self._take()
                self._collect(inner)
            number += 1
        self._of(steps).inside += self._waiting
        self._waiting = []
        self._take()


def write_commented(value: Json, comments: Comments) -> str:
    """Return the JSON text of a value, as `json.dumps` with two spaces writes it, with comments at their values."""
    following = comments.get(_END, AttachedComments()).before
    return "".join(f"{line}\n" for line in (*_lines(value, comments, (), ""), *following))


def _lines(value: Json, comments: Comments, steps: _Steps, key: str, end: str = "") -> Iterator[str]:
    """Yield the lines of a member: its key, if it has one, its value, what follows it, and its comments."""
    own = comments.get(steps, AttachedComments())
    last = " ".join((end, *own.after)) if own.after else end
    yield from own.before
    if not isinstance(value, dict | list) or not (value or own.inside):
        yield key + json.dumps(value, ensure_ascii=False, allow_nan=False) + last
        return
    yield key + ("{" if isinstance(value, dict) else "[")
    pairs = list(value.items() if isinstance(value, dict) else enumerate(value))
    for at, (name, each) in enumerate(pairs, 1):
        inner = f"{json.dumps(name, ensure_ascii=False)}: " if isinstance(value, dict) else ""
        comma = "," if at < len(pairs) else ""
        for line in _lines(each, comments, (*steps, str(name).lower()), inner, comma):
            yield _LEVEL + line
    yield from (_LEVEL + each for each in own.inside)
    yield ("}" if isinstance(value, dict) else "]") + last
