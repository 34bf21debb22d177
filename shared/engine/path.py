"""Property paths below a resource body: compiled once to functions that read them.

Keys compare without case. A missing property and a JSON null both read as None. A step `name[*]` collects over
the members of an array; an array that is missing, null or not an array collects nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from shared.domain.resource import Json
from shared.engine.unknown import Partial, Unknown

Reader = Callable[[Json], Json]
Places = Mapping[str, int]  # the index at which a count stands, by the array's path in lower case
NOWHERE: Places = {}
_STAR = re.compile(r"\[\*\]")


def pick(node: Json, low: str) -> Json:
    """The member `low` (lower case) of an object in whatever spelling; an unread part gives its `Unknown`."""
    if isinstance(node, dict):
        size = len(low)
        for key, value in node.items():
            if len(key) == size and key.lower() == low and value is not None:
                return value
        return node.unread if node.__class__ is Partial else None
    return node if node.__class__ is Unknown else None


def value_reader(keys: tuple[str, ...]) -> Reader:
    """A function that reads one value at `keys`."""
    pairs = tuple((key, key.lower()) for key in keys)
    if not pairs:
        return _itself
    if len(pairs) == 1:
        return _one(*pairs[0])
    if len(pairs) == 2:  # noqa: PLR2004 - the most frequent depth, without a loop
        return _two(*pairs[0], *pairs[1])
    return _many(pairs)


def _itself(node: Json) -> Json:
    return node


def _one(key: str, low: str) -> Reader:
    def read(node: Json) -> Json:
        if node.__class__ is dict:
            value = node.get(key)
            if value is not None:
                return value
        return pick(node, low)

    return read


def _two(key: str, low: str, inner: str, inner_low: str) -> Reader:
    def read(node: Json) -> Json:
        if node.__class__ is dict:
            value = node.get(key)
            if value is None:
                value = pick(node, low)
        else:
            value = pick(node, low)
        if value.__class__ is dict:
            found = value.get(inner)
            return pick(value, inner_low) if found is None else found
        return None if value is None else pick(value, inner_low)

    return read


def _many(pairs: tuple[tuple[str, str], ...]) -> Reader:
    def read(node: Json) -> Json:
        for key, low in pairs:
            if node.__class__ is dict:
                value = node.get(key)
                node = pick(node, low) if value is None else value
            else:
                node = pick(node, low)
            if node is None:
                return None
        return node

    return read


def split(path: str) -> tuple[str, ...]:
    """The steps of a path; `[*]` stays at the end of its step."""
    return tuple(path.split(".")) if path else ()


def is_collection(path: str) -> bool:
    """Whether the path goes through the members of an array."""
    return "[*]" in path


def arrays(path: str) -> tuple[str, ...]:
    """The arrays that a path goes through: `a[*].b[*].c` gives (`a[*]`, `a[*].b[*]`)."""
    return tuple(path[: found.end()] for found in _STAR.finditer(path))


def placed(path: str, at: Places) -> str:
    """The path with the indexes of the members that counts stand at; other stars stay open."""
    for array in reversed(arrays(path)):
        index = at.get(array.lower())
        if index is not None:
            path = f"{array[:-3]}[{index}]{path[len(array) :]}"
    return path


def standing(path: str | None, indexes: tuple[int, ...], at: Places) -> Places:
    """The places, and those of a count over the array at `path`; None for a count of values."""
    found = [array.lower() for array in arrays(path or "")[-len(indexes) :]]
    return {**dict(zip(found, indexes, strict=False)), **at}


def segments(path: str) -> tuple[tuple[str, ...], ...]:
    """The keys between the stars: `a.b[*].c` gives (("a", "b"), ("c",)); `a[*]` gives (("a",), ())."""
    return tuple(tuple(key for key in part.split(".") if key) for part in path.split("[*]"))


def collector(path: str) -> Callable[[Json], list[Json]]:
    """A function that collects the values at a path with stars, in order."""
    return _collect(segments(path))


def _collect(parts: tuple[tuple[str, ...], ...]) -> Callable[[Json], list[Json]]:
    head = value_reader(parts[0])
    if len(parts) == 1:
        return lambda node: [head(node)]
    if len(parts) == 2:  # noqa: PLR2004 - one star: the common case, without a further level
        return _members(head) if not parts[1] else _below(head, value_reader(parts[1]))
    rest = _collect(parts[1:])

    def collect(node: Json) -> list[Json]:
        return [value for each in members(head(node)) for value in rest(each)]

    return collect


def members(array: Json) -> list[Json]:
    """The members of an array; of an unread one a single `Unknown`; of anything else none."""
    if array.__class__ is list:
        return array
    return [array] if array.__class__ is Unknown else _unread_members(array)


def _unread_members(array: Json) -> list[Json]:
    return [array.unread] if array.__class__ is Partial else []


def _members(head: Reader) -> Callable[[Json], list[Json]]:
    return lambda node: members(head(node))


def _below(head: Reader, rest: Reader) -> Callable[[Json], list[Json]]:
    return lambda node: [rest(each) for each in members(head(node))]
