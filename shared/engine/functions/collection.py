"""Array and object functions of template expressions ("Array functions" and "Object functions for ARM templates")."""

from collections.abc import Callable

from shared.domain.resource import Json
from shared.domain.spelling import spelled
from shared.engine.error import EvaluationError
from shared.engine.value import expect_array, expect_integer, expect_text, hashable, kind, strictly_equal, text


def length(value: Json) -> int:
    """Count members, keys or characters; null has none."""
    if value is None:
        return 0
    if isinstance(value, list | dict | str):
        return len(value)
    raise EvaluationError(f"expected a string, an array or an object, found {kind(value)}")


def empty(value: Json) -> bool:
    """Return whether it is null or has no members; a number or boolean never is."""
    return value is None or (isinstance(value, list | dict | str) and not value)


def contains(container: Json, sought: Json) -> bool:
    """Return whether a text has a part (with case), an object a key (without case), or an array a member."""
    if isinstance(container, list):
        return any(strictly_equal(each, sought) for each in container)
    if isinstance(container, dict):
        low = expect_text(sought, null=None).lower()
        return any(key.lower() == low for key in container)
    if container is None:
        return False
    return text(sought) in expect_text(container)


def first(value: Json) -> Json:
    """Return the first member or character; null or "" when there is none."""
    return _end(value, slice(1))


def last(value: Json) -> Json:
    """Return the last member or character; null or "" when there is none."""
    return _end(value, slice(-1, None))


def _end(value: Json, part: slice) -> Json:
    if value is None or isinstance(value, str):
        return value and value[part]
    found = expect_array(value)[part]
    return found[0] if found else None


def take(value: Json, count: Json) -> Json:
    """Return the first `count` members or characters; of null null."""
    number = max(expect_integer(count), 0)
    return None if value is None else value[:number] if isinstance(value, str) else expect_array(value)[:number]


def skip(value: Json, count: Json) -> Json:
    """Return all but the first `count` members or characters; of null null."""
    number = max(expect_integer(count), 0)
    return None if value is None else value[number:] if isinstance(value, str) else expect_array(value)[number:]


def intersection(*values: Json) -> Json:
    """Return what all arrays, or all objects (key and value), have in common."""
    if all(isinstance(value, list) for value in values):
        common = set.intersection(*({hashable(each) for each in value} for value in values))
        return _distinct([each for each in values[0] if hashable(each) in common])
    if all(isinstance(value, dict) for value in values):
        return {
            key: value
            for key, value in values[0].items()
            if all(key in other and strictly_equal(value, other[key]) for other in values)
        }
    raise EvaluationError("expected arrays only or objects only")


def _distinct(values: list[Json]) -> list[Json]:
    return list({hashable(each): each for each in reversed(values)}.values())[::-1]


def union(*values: Json) -> Json:
    """Return every member once, or objects merged in depth, later ones winning."""
    if all(isinstance(value, list) for value in values):
        return _distinct([each for value in values for each in value])
    if all(isinstance(value, dict) for value in values):
        merged: dict[str, Json] = {}
        for value in values:
            merged = _merged(merged, value)
        return merged
    raise EvaluationError("expected arrays only or objects only")


def _merged(base: dict[str, Json], patch: dict[str, Json]) -> dict[str, Json]:
    """Merge objects in depth; unlike in a merge patch (`domain.merge_patch`) null is a value and removes nothing."""
    result = dict(base)
    for key, value in patch.items():
        known = result.get(key)
        result[key] = _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return result


def shallow_merge(objects: Json) -> dict[str, Json]:
    """Return the objects of an array as one, later ones winning; what is nested in them is not merged."""
    merged: dict[str, Json] = {}
    for each in expect_array(objects):
        if not isinstance(each, dict):
            raise EvaluationError(f"expected an array of objects, found {kind(each)}")
        merged.update(each)
    return merged


def flatten(arrays: Json) -> list[Json]:
    """Return the members of the arrays in an array, one level deep."""
    return [each for array in expect_array(arrays) for each in expect_array(array)]


def create_object(*pairs: Json) -> dict[str, Json]:
    """Return an object from keys and values in turn."""
    if len(pairs) % 2:
        raise EvaluationError(f"expected an even number of arguments, found {len(pairs)}")
    return {text(pairs[at]): pairs[at + 1] for at in range(0, len(pairs), 2)}


def items(value: Json) -> list[Json]:
    """Return an array of {key, value}, ordered by key without case."""
    if not isinstance(value, dict):
        raise EvaluationError(f"expected an object, found {kind(value)}")
    return [{"key": key, "value": value[key]} for key in sorted(value, key=str.lower)]


def dereference(value: Json, key: Json) -> Json:
    """Return a member by key without case or by index; null where there is none."""
    if isinstance(value, dict) and isinstance(key, str):
        return value[key] if key in value else value.get(spelled(value, key))
    if isinstance(value, list) and isinstance(key, int) and not isinstance(key, bool):
        return value[key] if 0 <= key < len(value) else None
    return None


def try_get(value: Json, *keys: Json) -> Json:
    """Return a member at one or more keys or indexes; null instead of any failure."""
    for key in keys:
        value = dereference(value, key)
    return value


def index_from_end(value: Json, position: Json) -> Json:
    """Return the member counted from the end, 1 being the last."""
    array, at = expect_array(value), expect_integer(position)
    if not 1 <= at <= len(array):
        raise EvaluationError(f"position {at} is out of bounds of an array of {len(array)}")
    return array[-at]


def try_index_from_end(value: Json, position: Json) -> Json:
    """Return the member counted from the end; null instead of a failure."""
    known = isinstance(value, list) and isinstance(position, int) and 1 <= position <= len(value)
    return value[-position] if known else None


COLLECTION: dict[str, tuple[Callable[..., Json], int, int | None]] = {
    "length": (length, 1, 1),
    "empty": (empty, 1, 1),
    "contains": (contains, 2, 2),
    "first": (first, 1, 1),
    "last": (last, 1, 1),
    "take": (take, 2, 2),
    "skip": (skip, 2, 2),
    "intersection": (intersection, 2, None),
    "union": (union, 2, None),
    "shallowMerge": (shallow_merge, 1, 1),
    "flatten": (flatten, 1, 1),
    "array": (lambda value: value if isinstance(value, list) else [value], 1, 1),
    "createArray": (lambda *values: list(values), 0, None),
    "createObject": (create_object, 0, None),
    "items": (items, 1, 1),
    "objectKeys": (lambda value: [each["key"] for each in items(value)], 1, 1),
    "tryGet": (try_get, 2, None),
    "indexFromEnd": (index_from_end, 2, 2),
    "tryIndexFromEnd": (try_index_from_end, 2, 2),
}
