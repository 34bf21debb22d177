"""Apply append and modify to a resource body. Idempotent: a second application changes nothing.

Source: "Azure Policy definitions append effect", "… modify effect".
"""

from collections.abc import Callable
from copy import copy

from shared.domain.resource import Body, Json
from shared.domain.spelling import respell
from shared.engine.effects.detail import EffectDetails, EffectOperation
from shared.engine.error import EffectConflict
from shared.engine.value import loosely_equal

PropertyEdit = Callable[[Json, str], None]


def apply_effects(body: Body, effects: EffectDetails, *, request: bool = False) -> dict[str, Json]:
    """Return a new body with the operations of `effects` carried out; the given one stays as it is.

    The two share what no operation writes into: only the objects on the way to a change are copied, at any depth.
    In the body of a `request` modify leaves a nested property alone whose parent the request leaves out.

    Raises:
        EffectConflict: an append or add meets another value and the conflict effect is deny; with audit or disabled
            the operation is left out.
    """
    result = dict(body)
    for each in effects.operations:
        if each.applies:
            result = _try_operation(result, each, effects.conflict, create=not request or _stands_alone(each))
    return result


def _try_operation(
    body: dict[str, Json], operation: EffectOperation, conflict: str, *, create: bool
) -> dict[str, Json]:
    """Return the body, which may be changed, after one operation, which is carried out in whole or left out."""
    try:
        if operation.operation in {"append", "add"}:  # looked at before anything is changed
            _visit(body, operation.steps, _conflict_finder(operation), create=False)
    except EffectConflict:
        if conflict == "deny":
            raise
        return body
    _apply_operation(body, operation, create=create)
    return body


def _stands_alone(operation: EffectOperation) -> bool:
    """Return whether a request need not name what the property stands in; append never asks."""
    *above, _ = operation.steps
    return operation.operation == "append" or not above or above in (["properties"], ["tags"], ["identity"])


def _apply_operation(body: dict[str, Json], operation: EffectOperation, *, create: bool) -> None:
    match operation.operation:
        case "remove":
            _visit(body, operation.steps, _remove, create=False)
        case "addOrReplace":
            _visit(body, operation.steps, _replacer(operation.value), create=create)
        case "append" | "add":
            _visit(body, operation.steps, _adder(operation), create=create)


def _visit(node: Json, steps: tuple[str, ...], act: PropertyEdit, *, create: bool) -> None:
    """Go down the steps, copying what is on the way, and act at the last one, in every member of an array."""
    step, rest = steps[0], steps[1:]
    if not rest:
        act(node, respell(node, step))
        return
    if step.endswith("[*]"):
        key = respell(node, step[:-3])
        members = node.get(key)
        if isinstance(members, list):
            node[key] = members = [copy(each) if isinstance(each, dict) else each for each in members]
            for each in members:
                if isinstance(each, dict):
                    _visit(each, rest, act, create=create)
        return
    key = respell(node, step)
    inner = node.get(key)
    if isinstance(inner, dict):
        inner = copy(inner)
    elif not create or any(each.endswith("[*]") for each in rest[:-1]):  # no members, nothing to write into
        return
    else:
        inner = {}
    node[key] = inner
    _visit(inner, rest, act, create=create)


def _remove(node: dict[str, Json], step: str) -> None:
    node.pop(respell(node, step.removesuffix("[*]")), None)


def _replacer(value: Json) -> PropertyEdit:
    def act(node: dict[str, Json], step: str) -> None:
        if step.endswith("[*]"):
            node[respell(node, step[:-3])] = [value]
        else:
            node[step] = value

    return act


def _adder(operation: EffectOperation) -> PropertyEdit:
    value = operation.value

    def act(node: dict[str, Json], step: str) -> None:
        if step.endswith("[*]"):
            _add_member(node, respell(node, step[:-3]), value)
        elif node.get(step) is None:
            node[step] = value

    return act


def _conflict_finder(operation: EffectOperation) -> PropertyEdit:
    """Return an edit that changes nothing and raises where another value than the one to add stands."""

    def act(node: dict[str, Json], step: str) -> None:
        known = None if step.endswith("[*]") else node.get(step)
        if known is not None and not loosely_equal(known, operation.value):
            raise EffectConflict(
                f"{operation.operation} of {operation.field}: the resource already has another value, "
                "which only addOrReplace may change",
                path=".".join(operation.steps),
            )

    return act


def _add_member(node: dict[str, Json], key: str, value: Json) -> None:
    members = node.get(key)
    members = members if isinstance(members, list) else []
    node[key] = members if any(loosely_equal(each, value) for each in members) else [*members, value]
