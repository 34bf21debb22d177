"""Where in a JSON text the value of a JSON path stands: for messages that people and editors follow to a line."""

import contextlib
import json
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from shared.domain import jsonc

_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_PATH_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['((?:[^']|'')*)'\]")

JsonToken = re.Match[str]


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """A place in a text; lines and columns count from one."""

    line: int
    column: int


class SourceLocations:
    """The locations of every value of one JSON text, compared without case; one pass over the text."""

    def __init__(self, text: str) -> None:
        text = self._text = jsonc.plain_text(text)
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._offsets: dict[tuple[str, ...], int] = {}
        self._tokens = _JSON_TOKEN.finditer(text)
        with contextlib.suppress(StopIteration, RecursionError):  # broken or hostile JSON: what was read counts
            self._value(next(self._tokens), (), None)

    def find(self, path: str) -> SourceLocation:
        """Return the location of a path, or of the nearest value around it that is there.

        The whole of a text that is not JSON is where it breaks off.
        """
        # "$.a[2]" has the steps ("a", "2").
        steps = tuple((found[1] or found[2] or found[3] or "").lower() for found in _PATH_STEP.finditer(path))
        # What is missing has no place of its own: the nearest value around it is where it would stand.
        while steps and steps not in self._offsets:
            steps = steps[:-1]
        offset = self._offsets.get(steps, 0) if steps else self._root
        line = bisect_right(self._starts, offset)
        return SourceLocation(line, offset - self._starts[line - 1] + 1)

    @cached_property
    def _root(self) -> int:
        """Return the offset of the whole value; of a text that is not JSON, of the first character that is wrong."""
        try:
            json.loads(self._text, strict=False)  # strings over several lines are taken
        except json.JSONDecodeError as error:
            return error.pos
        except (RecursionError, ValueError):
            pass
        return self._offsets.get((), 0)

    def _value(self, token: JsonToken, steps: tuple[str, ...], key: int | None) -> None:
        """Note the place of a value; of a member of an object that of its key."""
        # Of a key that is there twice, the first place counts.
        self._offsets.setdefault(steps, token.start() if key is None else key)
        if token[0] == "{":
            while (name := next(self._tokens))[0] != "}":
                if name[0] != ",":
                    next(self._tokens)  # the colon
                    self._value(next(self._tokens), (*steps, name[0][1:-1].lower()), name.start())
        elif token[0] == "[":
            at = 0
            while (item := next(self._tokens))[0] != "]":
                if item[0] != ",":
                    self._value(item, (*steps, str(at)), None)
                    at += 1
