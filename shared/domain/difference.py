"""Differences between two JSON values, path by path."""

from collections.abc import Iterator, Mapping
from itertools import chain, zip_longest
from typing import Any

from shared.domain.model import Model
from shared.domain.property_path import join
from shared.domain.resource import Json
from shared.domain.truncation import truncate

DIFFERENCE_ITEMS = 200
DIFFERENCE_BYTES = 100_000
"""Bytes of JSON after which no more differences are listed."""


class Difference(Model):
    """One value that differs. `before` or `after` is null where there is no value, as in ARM.

    `path` is written as in the policy language, with indexes: `properties.rules[2].name`, `tags['cost.center']`.
    """

    path: str
    before: Any = None
    after: Any = None


def differences(
    before: Json, after: Json, *, limit: int = DIFFERENCE_ITEMS, room: int = DIFFERENCE_BYTES
) -> list[Difference]:
    """Return the values that differ, in the order of the paths, at most `limit` and some `room` bytes of them.

    Arrays are compared index by index. Objects and arrays that only one side has are listed by the values in them.
    Long text is truncated, so that a list of differences stays small; do not rebuild bodies from it.
    """
    found: list[Difference] = []
    # A stack of iterators instead of recursion: values nest deeper than Python's stack allows.
    waiting = [iter([("", before, after)])]
    while waiting and len(found) < limit and room > 0:
        each = next(waiting[-1], None)
        if each is None:
            waiting.pop()
            continue
        path, old, new = each
        if _same(old, new):
            continue
        parts = _parts(path, old, new)
        # Values without parts differ as a whole; looking for the first part tells, without making the others.
        first = next(parts, None)
        if first is not None:
            waiting.append(chain((first,), parts))
            continue
        difference = Difference(path=str(truncate(path)), before=truncate(old), after=truncate(new))
        room -= len(difference.model_dump_json())
        found.append(difference)
    return found


def _same(old: Json, new: Json) -> bool:
    """Return whether two values are equal JSON, where true is not 1; of objects and arrays, only empty ones are."""
    if isinstance(old, Mapping | list) or isinstance(new, Mapping | list):
        return type(old) is type(new) and not old and not new
    return type(old) is type(new) and bool(old == new)


def _parts(path: str, old: Json, new: Json) -> Iterator[tuple[str, Json, Json]]:
    """Yield the children to compare; none when the two differ as a whole."""
    some = [each for each in (old, new) if each is not None]
    if all(isinstance(each, Mapping) for each in some):
        for key in sorted({key for each in some for key in each}):
            yield join(path, key), (old or {}).get(key), (new or {}).get(key)
    elif all(isinstance(each, list) for each in some):
        for index, (left, right) in enumerate(zip_longest(old or [], new or [])):
            yield f"{path}[{index}]", left, right
