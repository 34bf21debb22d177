"""The nesting of JSON values, which stores and readers bound."""

from shared.domain.resource import Json

_CONTAINERS = (dict, list)


def nests_deeper(value: Json, limit: int) -> bool:
    """Return whether more than `limit` objects and arrays are nested, checked level by level."""
    level = [value] if isinstance(value, _CONTAINERS) else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, _CONTAINERS)
        ]
    return bool(level)
