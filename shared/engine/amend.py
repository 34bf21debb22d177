"""Carries out append and modify on a resource body. Idempotent: a second application changes nothing.

Source: "Azure Policy definitions append effect", "… modify effect".
"""

from collections.abc import Callable
from copy import deepcopy

from shared.domain.resource import Body, Json
from shared.engine.error import EffectConflict
from shared.engine.resolve import Effects, Operation
from shared.engine.value import alike

Act = Callable[[Json, str], None]


def apply(body: Body, effects: Effects, *, request: bool = False) -> dict[str, Json]:
    """A new body with the operations of `effects` carried out; the given one stays as it is.

    In the body of a `request` modify leaves a nested property alone whose parent the request leaves out.

    Raises:
        EffectConflict: an append or add meets another value and the conflict effect is deny; with audit or disabled
            the operation is left out.
    """
    result: dict[str, Json] = deepcopy(dict(body))
    for each in effects.operations:
        if each.applies:
            result = _attempted(result, each, effects.conflict, create=not request or _stands_alone(each))
    return result


def _attempted(body: dict[str, Json], operation: Operation, conflict: str, *, create: bool) -> dict[str, Json]:
    """The body, which may be changed, after one operation, which is carried out in whole or left out."""
    try:
        if operation.operation in {"append", "add"}:  # looked at before anything is changed
            _visit(body, operation.steps, _refuser(operation), create=False)
    except EffectConflict:
        if conflict == "deny":
            raise
        return body
    _carry_out(body, operation, create=create)
    return body


def _stands_alone(operation: Operation) -> bool:
    """Whether a request need not name what the property stands in; append never asks."""
    *above, _ = operation.steps
    return operation.operation == "append" or not above or above in (["properties"], ["tags"], ["identity"])


def _carry_out(body: dict[str, Json], operation: Operation, *, create: bool) -> None:
    match operation.operation:
        case "remove":
            _visit(body, operation.steps, _remove, create=False)
        case "addOrReplace":
            _visit(body, operation.steps, _replacer(operation.value), create=create)
        case "append" | "add":
            _visit(body, operation.steps, _adder(operation), create=create)


def _visit(node: Json, steps: tuple[str, ...], act: Act, *, create: bool) -> None:
    """Go down the steps and act at the last one, in every member of an array on the way."""
    step, rest = steps[0], steps[1:]
    if not rest:
        act(node, _spelling(node, step))
        return
    if step.endswith("[*]"):
        key = _spelling(node, step[:-3])
        members = node.get(key)
        for each in members if isinstance(members, list) else ():
            if isinstance(each, dict):
                _visit(each, rest, act, create=create)
        return
    key = _spelling(node, step)
    if not isinstance(node.get(key), dict):
        if not create or any(each.endswith("[*]") for each in rest[:-1]):  # no members, nothing to write into
            return
        node[key] = {}
    _visit(node[key], rest, act, create=create)


def _spelling(node: dict[str, Json], key: str) -> str:
    """The key as the object spells it."""
    return key if key in node else next((each for each in node if each.lower() == key.lower()), key)


def _remove(node: dict[str, Json], step: str) -> None:
    node.pop(_spelling(node, step.removesuffix("[*]")), None)


def _replacer(value: Json) -> Act:
    def act(node: dict[str, Json], step: str) -> None:
        if step.endswith("[*]"):
            node[_spelling(node, step[:-3])] = [deepcopy(value)]
        else:
            node[step] = deepcopy(value)

    return act


def _adder(operation: Operation) -> Act:
    value = operation.value

    def act(node: dict[str, Json], step: str) -> None:
        if step.endswith("[*]"):
            _add_member(node, _spelling(node, step[:-3]), value)
        elif node.get(step) is None:
            node[step] = deepcopy(value)

    return act


def _refuser(operation: Operation) -> Act:
    """Says where a value stands that is not the one to add."""

    def act(node: dict[str, Json], step: str) -> None:
        known = None if step.endswith("[*]") else node.get(step)
        if known is not None and not alike(known, operation.value):
            raise EffectConflict(
                f"{operation.operation} of {operation.field}: the resource already has another value, "
                "which only addOrReplace may change",
                path=".".join(operation.steps),
            )

    return act


def _add_member(node: dict[str, Json], key: str, value: Json) -> None:
    members = node.get(key)
    members = members if isinstance(members, list) else []
    node[key] = members if any(alike(each, value) for each in members) else [*members, deepcopy(value)]
