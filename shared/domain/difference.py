"""What differs between two JSON values, path by path."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shared.domain.model import Model
from shared.domain.resource import Json

MANY = 200
LONG = 2_000
_PLAIN = re.compile(r"[^.\[\]']+")


class Difference(Model):
    """One value that differs. `before` or `after` is None where there is none, which ARM does not tell from null.

    `path` is written as in the policy language, with indexes: `properties.rules[2].name`, `tags['cost.center']`.
    """

    path: str
    before: Any = None
    after: Any = None


def differences(before: Json, after: Json, *, limit: int = MANY) -> list[Difference]:
    """The values that differ, in the order of the paths, at most `limit`; arrays are compared index by index.

    Objects and arrays that only one side has are told by the values in them. Strings over 2,000 characters are
    cut, so that a list of differences stays small whatever it tells of; do not rebuild bodies from it.
    """
    found: list[Difference] = []
    waiting = [("", before, after)]
    while waiting and len(found) < limit:
        path, old, new = waiting.pop()
        if _same(old, new):
            continue
        parts = list(_parts(path, old, new))
        if parts:
            waiting.extend(reversed(parts))
        else:
            found.append(Difference(path=path, before=_short(old), after=_short(new)))
    return found


def join(path: str, key: str) -> str:
    """The path of a property; names that hold a dot, a bracket or a quote are put in brackets."""
    if not _PLAIN.fullmatch(key):
        quoted = key.replace("'", "''")
        return f"{path}['{quoted}']"
    return f"{path}.{key}" if path else key


def _same(old: Json, new: Json) -> bool:
    """Equality as JSON has it, where true is not 1; of objects and arrays only for empty ones, the rest has parts."""
    if isinstance(old, Mapping | list) or isinstance(new, Mapping | list):
        return type(old) is type(new) and not old and not new
    return type(old) is type(new) and bool(old == new)


def _parts(path: str, old: Json, new: Json) -> Iterator[tuple[str, Json, Json]]:
    """The children to compare; none when the two are to be told as they are."""
    some = [each for each in (old, new) if each is not None]
    if all(isinstance(each, Mapping) for each in some):
        for key in _keys(some):
            yield join(path, key), (old or {}).get(key), (new or {}).get(key)
    elif all(isinstance(each, list) for each in some):
        yield from _elements(path, old or [], new or [])


def _keys(objects: Iterable[Mapping[str, Json]]) -> list[str]:
    return sorted({key for each in objects for key in each})


def _elements(path: str, old: list[Json], new: list[Json]) -> Iterator[tuple[str, Json, Json]]:
    for index in range(max(len(old), len(new))):
        left = old[index] if index < len(old) else None
        right = new[index] if index < len(new) else None
        yield f"{path}[{index}]", left, right


def _short(value: Json) -> Json:
    if isinstance(value, str) and len(value) > LONG:
        return f"{value[:LONG]}… ({len(value):,} characters)"
    return value
