"""Apply fixes to a body, to see whether they do what they promise."""

from collections.abc import Iterable
from copy import copy
from itertools import chain, pairwise

from shared.domain.resource import Body, Json
from shared.domain.spelling import respell
from shared.engine.explain.fix import EXACT_ACTIONS, Fix
from shared.engine.explain.place import PathStep, path_steps


def apply_fixes(body: Body, fixes: Iterable[Fix]) -> dict[str, Json] | None:
    """Return a new body with the fixes applied, sharing what they leave alone; None where one leaves the value open.

    Exact are `set`, `remove` and `add` at paths of this body without open stars.
    """
    result = dict(body)
    owned = {id(result)}
    for steps, fix in _in_order(fixes):
        if fix.action not in EXACT_ACTIONS or not steps:
            return None
        _edit(_container(result, steps, owned), steps[-1], fix)
    return result


def _in_order(fixes: Iterable[Fix]) -> list[tuple[list[PathStep], Fix]]:
    """Return fixes with their steps: first what is set, an object before what is in it; then what is added and removed.

    Members are removed from the last to the first: none moves that is still to be changed.
    """
    found: dict[str, list[tuple[list[PathStep], Fix]]] = {"set": [], "add": [], "remove": []}
    for pair in sorted(((path_steps(fix.path) or [], fix) for fix in fixes), key=lambda each: _order(each[0])):
        found.setdefault(pair[1].action, []).append(pair)
    return [*chain(*(pairs for action, pairs in found.items() if action != "remove")), *reversed(found["remove"])]


def _order(steps: list[PathStep]) -> list[tuple[str, int]]:
    return [("", step) if isinstance(step, int) else (step, 0) for step in steps]


def _container(node: Json, steps: list[PathStep], owned: set[int]) -> Json:
    """Return what the last step is in; what is on the way is copied once, so that the caller's body stays as it is."""
    for step, following in pairwise(steps):
        wanted = list if isinstance(following, int) else dict
        key = _key(node, step)
        present = node[key] if isinstance(key, int) else node.get(key)
        if not isinstance(present, wanted):
            present = wanted()
        elif id(present) not in owned:
            present = copy(present)
        owned.add(id(present))
        node[key] = node = present
    return node


def _key(node: Json, step: PathStep) -> PathStep:
    """Return the key or index of a step; a member just behind the end of an array is made first."""
    if isinstance(step, str):
        return respell(node, step)
    if step == len(node):
        node.append(None)
    return step


def _edit(node: Json, step: PathStep, fix: Fix) -> None:
    if fix.action == "remove":
        key = step if isinstance(step, int) else respell(node, step)
        if isinstance(key, int) or key in node:
            del node[key]
        return
    key = _key(node, step)
    if fix.action == "set":
        node[key] = fix.value
        return
    members = node[key] if isinstance(key, int) else node.get(key)
    node[key] = [*(members if isinstance(members, list) else ()), fix.value]
