"""Property paths below a resource body: compiled once to functions that read them.

Keys compare without case. A missing property and a JSON null both read as None. A step `name[*]` collects over
the members of an array; an array that is missing, null or not an array collects nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from shared.domain.resource import Json
from shared.engine.unknown import Partial, Unknown, get_member

BodyReader = Callable[[Json], Json]
MemberIndexes = Mapping[str, int]  # the index at which a count stands, by the array's path in lower case
NO_INDEXES: MemberIndexes = {}
_ARRAY_MARK = re.compile(r"\[\*\]")


def value_reader(keys: tuple[str, ...]) -> BodyReader:
    """Return a function that reads one value at `keys`."""
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


def _one(key: str, low: str) -> BodyReader:
    def read(node: Json) -> Json:
        if node.__class__ is dict:
            value = node.get(key)
            if value is not None:
                return value
        return get_member(node, low)

    return read


def _two(key: str, low: str, inner: str, inner_low: str) -> BodyReader:
    def read(node: Json) -> Json:
        if node.__class__ is dict:
            value = node.get(key)
            if value is None:
                value = get_member(node, low)
        else:
            value = get_member(node, low)
        if value.__class__ is dict:
            found = value.get(inner)
            return get_member(value, inner_low) if found is None else found
        return None if value is None else get_member(value, inner_low)

    return read


def _many(pairs: tuple[tuple[str, str], ...]) -> BodyReader:
    def read(node: Json) -> Json:
        for key, low in pairs:
            if node.__class__ is dict:
                value = node.get(key)
                node = get_member(node, low) if value is None else value
            else:
                node = get_member(node, low)
            if node is None:
                return None
        return node

    return read


def split_path(path: str) -> tuple[str, ...]:
    """Return the steps of a path; `[*]` stays at the end of its step."""
    return tuple(path.split(".")) if path else ()


def is_collection(path: str) -> bool:
    """Return whether the path goes through the members of an array."""
    return "[*]" in path


def array_paths(path: str) -> tuple[str, ...]:
    """Return the arrays that a path goes through: `a[*].b[*].c` gives (`a[*]`, `a[*].b[*]`)."""
    return tuple(path[: found.end()] for found in _ARRAY_MARK.finditer(path))


def indexed_path(path: str, at: MemberIndexes) -> str:
    """Return the path with the indexes of the members that counts stand at; other stars stay open."""
    for array in reversed(array_paths(path)):
        index = at.get(array.lower())
        if index is not None:
            path = f"{array[:-3]}[{index}]{path[len(array) :]}"
    return path


def member_indexes(path: str | None, indexes: tuple[int, ...], at: MemberIndexes) -> MemberIndexes:
    """Return the places, and those of a count over the array at `path`; None for a count of values."""
    found = [array.lower() for array in array_paths(path or "")[-len(indexes) :]]
    return {**dict(zip(found, indexes, strict=False)), **at}


def path_segments(path: str) -> tuple[tuple[str, ...], ...]:
    """Return the keys between the stars: `a.b[*].c` gives (("a", "b"), ("c",)); `a[*]` gives (("a",), ())."""
    return tuple(tuple(key for key in part.split(".") if key) for part in path.split("[*]"))


def collector(path: str) -> Callable[[Json], list[Json]]:
    """Return a function that collects the values at a path with stars, in order."""
    return _collect(path_segments(path))


def _collect(parts: tuple[tuple[str, ...], ...]) -> Callable[[Json], list[Json]]:
    head = value_reader(parts[0])
    if len(parts) == 1:
        return lambda node: [head(node)]
    if parts[1:] == ((),):
        return lambda node: members(head(node))
    if len(parts) == 2:  # noqa: PLR2004 - one star: the common case, without a further level
        below = value_reader(parts[1])
        return lambda node: [below(each) for each in members(head(node))]
    rest = _collect(parts[1:])

    def collect(node: Json) -> list[Json]:
        return [value for each in members(head(node)) for value in rest(each)]

    return collect


def members(array: Json) -> list[Json]:
    """Return the members of an array; of an unread one a single `Unknown`; of anything else none."""
    if array.__class__ is list:
        return array
    if array.__class__ is Unknown:
        return [array]
    return [array.unread] if array.__class__ is Partial else []
