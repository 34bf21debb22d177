"""Carries out exact fixes on a body, to see that they do what they promise."""

from collections.abc import Iterable
from copy import deepcopy
from itertools import pairwise

from shared.domain.resource import Body, Json
from shared.engine.field import tag_name
from shared.engine.fix import Fix

Step = str | int


def repair(body: Body, fixes: Iterable[Fix]) -> dict[str, Json] | None:
    """A new body with the fixes carried out; None when one of them leaves open what to write.

    Exact are `set` and `remove` at paths of this body without open stars.
    """
    # From the last index to the first: removing a member moves none that is still to be changed.
    ways = [(steps(fix.path), fix) for fix in fixes]
    result: dict[str, Json] = deepcopy(dict(body))
    for way, fix in sorted(ways, key=lambda each: _order(each[0]), reverse=True):
        if fix.action not in {"set", "remove"} or way is None:
            return None
        _put(result, way, fix)
    return result


def _order(way: list[Step] | None) -> list[tuple[str, int]]:
    return [("", step) if isinstance(step, int) else (step, 0) for step in way or ()]


def steps(path: str) -> list[Step] | None:
    """The keys and indexes of a fix's path; None for a path that is open or of another resource."""
    tag = tag_name(path)
    if tag is not None:
        return ["tags", tag]
    if "[*]" in path or "#" in path:
        return None
    found: list[Step] = []
    for part in path.split("."):
        name, *indexes = part.replace("]", "").split("[")
        found += [name, *map(int, indexes)]
    return found


def _put(node: Json, way: list[Step], fix: Fix) -> None:
    for step, following in pairwise(way):
        key = _spelled(node, step)
        wanted = list if isinstance(following, int) else dict
        present = node[key] if isinstance(key, int) else node.get(key)
        if not isinstance(present, wanted):
            node[key] = wanted()
        node = node[key]
    last = _spelled(node, way[-1])
    if fix.action == "set":
        node[last] = deepcopy(fix.value)
    elif isinstance(last, int) or last in node:
        del node[last]


def _spelled(node: Json, step: Step) -> Step:
    """The key as the object spells it."""
    if isinstance(step, int) or step in node:
        return step
    return next((name for name in node if name.lower() == step.lower()), step)
