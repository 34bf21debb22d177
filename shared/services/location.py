"""Where in a JSON text the value of a JSON path stands: for messages that people and editors follow to a line."""

import contextlib
import re
from bisect import bisect_right
from dataclasses import dataclass

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['((?:[^']|'')*)'\]")

Token = re.Match[str]


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a text; lines and columns count from one."""

    line: int
    column: int


class Locations:
    """The locations of every value of one JSON text, compared without case; one pass over the text."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._offsets: dict[tuple[str, ...], int] = {}
        self._tokens = _TOKEN.finditer(text)
        with contextlib.suppress(StopIteration, RecursionError):  # broken or hostile JSON: what was read counts
            self._value(next(self._tokens), (), None)

    def find(self, path: str) -> Location:
        """The location of a path, or of the nearest value around it that is there."""
        steps = _steps(path)
        while steps and steps not in self._offsets:
            steps = steps[:-1]
        offset = self._offsets.get(steps, 0)
        line = bisect_right(self._starts, offset)
        return Location(line, offset - self._starts[line - 1] + 1)

    def _value(self, token: Token, steps: tuple[str, ...], key: int | None) -> None:
        """Note the place of a value; of a member of an object that of its key."""
        self._offsets.setdefault(steps, token.start() if key is None else key)
        if token[0] == "{":
            self._members(steps)
        elif token[0] == "[":
            self._items(steps)

    def _members(self, steps: tuple[str, ...]) -> None:
        while (name := next(self._tokens))[0] != "}":
            if name[0] != ",":
                next(self._tokens)  # the colon
                self._value(next(self._tokens), (*steps, name[0][1:-1].lower()), name.start())

    def _items(self, steps: tuple[str, ...]) -> None:
        at = 0
        while (token := next(self._tokens))[0] != "]":
            if token[0] != ",":
                self._value(token, (*steps, str(at)), None)
                at += 1


def _steps(path: str) -> tuple[str, ...]:
    """The steps of a path, lower case: "$.a[2]" is ("a", "2")."""
    return tuple((found[1] or found[2] or found[3] or "").lower() for found in _STEP.finditer(path))
