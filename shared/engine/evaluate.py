"""Compiles operands to functions that compute them; whatever does not depend on the resource is computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from shared.domain.resource import Json
from shared.engine.context import Frame
from shared.engine.error import EvaluationError
from shared.engine.expression import Access, Call, Literal
from shared.engine.field import FieldReader, Read, resolve
from shared.engine.function import FUNCTIONS, Function, call
from shared.engine.function.date import formatted, written
from shared.engine.function.logic import choose
from shared.engine.path import is_collection, pick
from shared.engine.scope import Scope
from shared.engine.tree import ArrayOf, ObjectOf, Operand
from shared.engine.unknown import Partial, Unknown, hole
from shared.engine.value import expect_boolean, expect_text, kind

_MOST_NAMES = 256
_SHORT = 16
"""Characters of an argument that a step pays for."""
_ON_THE_SURFACE = frozenset(
    {"length", "empty", "first", "last", "take", "skip", "array", "createArray", "flatten", "items", "objectKeys"}
    | {"tryGet", "indexFromEnd", "tryIndexFromEnd", "access"}
)
"""Functions that look at members, and not at what is in them."""


@dataclass(frozen=True, slots=True)
class Computed:
    """An operand ready to use: `read(body, frame)`; `fixed` when it gives `value` whatever the resource."""

    read: Read
    fixed: bool = False
    value: Json = None


def fixed(value: Json) -> Computed:
    """A constant."""
    return Computed(partial(_given, value), fixed=True, value=value)


def _given(value: Json, _body: Json, _frame: Frame) -> Json:
    return value


def compile_operand(node: Operand, scope: Scope) -> Computed:
    """The function that computes an operand."""
    match node:
        case Literal():
            return fixed(node.value)
        case Call():
            return _call(node, scope)
        case Access():
            return _pure(_ACCESS, [compile_operand(node.base, scope), compile_operand(node.key, scope)], scope)
        case ArrayOf():
            return _gathered([compile_operand(each, scope) for each in node.members], list)
        case ObjectOf():
            names = [name for name, _ in node.pairs]
            parts = [compile_operand(each, scope) for _, each in node.pairs]
            return _gathered(parts, lambda values: dict(zip(names, values, strict=True)))


def _gathered(parts: list[Computed], build: Callable[[list[Json]], Json]) -> Computed:
    if all(each.fixed for each in parts):
        return fixed(build([each.value for each in parts]))
    reads = [each.read for each in parts]
    return Computed(lambda body, frame: build([read(body, frame) for read in reads]))


def _call(node: Call, scope: Scope) -> Computed:
    name = node.name.lower()
    special = _SPECIAL.get(name)
    if special is not None:
        return special(node, scope)
    function = FUNCTIONS.get(name)
    if function is None:
        raise EvaluationError(f"unknown function {node.name!r}")
    return _pure(function, [compile_operand(each, scope) for each in node.arguments], scope)


def _pure(function: Function, parts: list[Computed], scope: Scope) -> Computed:
    reads = [each.read for each in parts]
    shallow = function.name in _ON_THE_SURFACE

    def read(body: Json, frame: Frame) -> Json:
        values = [each(body, frame) for each in reads]
        for value in values:
            sort = value.__class__
            if sort is Unknown:
                return value
            if sort is str:
                frame.spend(len(value) // _SHORT)
            elif sort in _CONTAINERS and (gap := _gap(value, frame, function, shallow=shallow)):
                return gap
        return _result(function, values, frame)

    if all(each.fixed for each in parts):
        try:
            return fixed(read({}, scope.blank))
        except EvaluationError:
            return Computed(read)  # fails when it is evaluated, if it is, or takes more than compiling may
    return Computed(read)


_CONTAINERS = frozenset({list, dict, Partial})


def _result(function: Function, values: list[Json], frame: Frame) -> Json:
    frame.spend(1)
    found = call(function, values)
    if found.__class__ is list:
        frame.spend(len(found) // _SHORT)
    return found


def _gap(value: Json, frame: Frame, function: Function, *, shallow: bool) -> Unknown | None:
    """A part of an argument that was not read; counts the steps of looking at its members, or at all that is in it."""
    if not shallow or (frame.partial and function is not _ACCESS):
        frame.look(value)
    else:
        frame.spend(len(value) if value.__class__ is list else len(value) // _SHORT)
    return hole(value) if function is not _ACCESS and (frame.partial or value.__class__ is Partial) else None


def access(base: Json, key: Json) -> Json:
    """`base.key` and `base[key]`: keys without case, null where there is none; an index must be in range."""
    if isinstance(base, list):
        if not isinstance(key, int) or isinstance(key, bool):
            raise EvaluationError(f"an array has no property {key!r}")
        if not 0 <= key < len(base):
            raise EvaluationError(f"index {key} is outside an array of {len(base)}")
        return base[key]
    if base is None or isinstance(base, Mapping):
        return pick(base if isinstance(base, dict) else dict(base or {}), expect_text(key).lower())
    raise EvaluationError(f"a {kind(base)} has no member {key!r}")


_ACCESS = Function("access", access, 2, 2)


def _parameters(node: Call, scope: Scope) -> Computed:
    name = compile_operand(node.arguments[0], scope)
    if isinstance(name.value, str) and name.value.lower() in scope.parameters:
        return fixed(scope.parameters[name.value.lower()])

    def reader(written: str, _: Frame) -> Read:
        if written.lower() not in scope.parameters:
            raise EvaluationError(f"the parameter {written[:60]!r} has no value")
        return fixed(scope.parameters[written.lower()]).read

    return _by_text(name, reader)


def _by_text(text: Computed, reader: Callable[[str, Frame], Read]) -> Computed:
    """What is read by a text that the resource decides; a text that was not read gives its gap."""

    def read(body: Json, frame: Frame) -> Json:
        found = text.read(body, frame)
        return found if found.__class__ is Unknown else reader(expect_text(found), frame)(body, frame)

    return Computed(read)


def _field(node: Call, scope: Scope) -> Computed:
    name = compile_operand(node.arguments[0], scope)
    if name.fixed:
        return Computed(_field_read(expect_text(name.value), scope))
    return _by_text(name, lookup_by_name(scope, _field_read))


def _field_read(name: str, scope: Scope) -> Read:
    """In an existenceCondition field() is about the resource of the `if`, save for aliases only the related one has."""
    origin = scope.origin
    if origin is None or _is_related_alias(name, scope, origin):
        return function_reader(resolve(name, scope))
    inner = function_reader(resolve(name, origin))

    def read(body: Json, frame: Frame) -> Json:
        about = frame.origin
        return inner(body, frame) if about is None else inner(about.body, about)

    return read


def _is_related_alias(name: str, scope: Scope, origin: Scope) -> bool:
    catalog = scope.catalog
    if name not in catalog:
        return False
    return catalog.find(name, origin.type or "") is None and catalog.find(name, scope.type or "") is not None


def function_reader(reader: FieldReader) -> Read:
    """What field() gives: "" for a missing property, a list for a name with [*] even where one member is selected."""
    read = reader.read
    if reader.many:
        return read
    if is_collection(reader.name):
        return lambda body, frame: _listed(read(body, frame))
    return lambda body, frame: "" if (value := read(body, frame)) is None else value


def _listed(value: Json) -> Json:
    return value if value.__class__ is Unknown else [value]


def lookup_by_name[Found](scope: Scope, find: Callable[[str, Scope], Found]) -> Callable[[str, Frame], Found]:
    """Resolves names that are known only when a resource is there; remembers a bounded number of them."""
    known: dict[tuple[str, str], Found] = {}

    def lookup(name: str, frame: Frame) -> Found:
        key = (name, frame.type)
        reader = known.get(key)
        if reader is None:
            if len(known) >= _MOST_NAMES:
                known.clear()
            reader = known[key] = find(name, scope.on(frame.type, frame.resource.api_version))
        return reader

    return lookup


def _current(node: Call, scope: Scope) -> Computed:
    if not scope.bindings:
        raise EvaluationError("current() stands outside a count")
    if not node.arguments:
        slot = scope.bindings[-1].slot
        return Computed(lambda _, frame: frame.slots[slot])
    name = compile_operand(node.arguments[0], scope)
    if name.fixed:
        return Computed(_current_reader(expect_text(name.value), scope))
    return _by_text(name, lambda written, _: _current_reader(written, scope))


def _current_reader(name: str, scope: Scope) -> Read:
    binding = scope.named(name)
    if binding is not None:
        slot = binding.slot
        return lambda _, frame: frame.slots[slot]
    reader = resolve(name, scope)
    if reader.path is not None and scope.at(reader.path)[0] is None:
        raise EvaluationError(f"current({name!r}) names no count around it")
    return reader.read


def _if(node: Call, scope: Scope) -> Computed:
    test, then, other = (compile_operand(each, scope) for each in node.arguments)
    if test.fixed and isinstance(test.value, bool):
        return then if test.value else other

    def read(body: Json, frame: Frame) -> Json:
        value = test.read(body, frame)
        return value if value.__class__ is Unknown else choose(value, then, other).read(body, frame)

    return Computed(read)


def _coalesce(node: Call, scope: Scope) -> Computed:
    reads = [compile_operand(each, scope).read for each in node.arguments]

    def read(body: Json, frame: Frame) -> Json:
        return next((value for each in reads if (value := each(body, frame)) is not None), None)

    return Computed(read)


def _logical(node: Call, scope: Scope, *, decisive: bool) -> Computed:
    """and() and or() by Kleene's logic: an unread argument matters only when no other decides."""
    reads = [compile_operand(each, scope).read for each in node.arguments]

    def read(body: Json, frame: Frame) -> Json:
        gap: Json = None
        for each in reads:
            value = each(body, frame)
            if value.__class__ is Unknown:
                gap = value
            elif expect_boolean(value) is decisive:
                return decisive
        return not decisive if gap is None else gap

    return Computed(read)


def _utc_now(node: Call, scope: Scope) -> Computed:
    if not node.arguments:
        return Computed(lambda _, frame: written(_now(frame), 7))
    pattern = compile_operand(node.arguments[0], scope)
    return _by_text(pattern, lambda found, frame: fixed(formatted(_now(frame), found)).read)


def _now(frame: Frame) -> datetime:
    if frame.context.now is None:
        raise EvaluationError("utcNow(): the context has no time")
    return frame.context.now


SURROUNDINGS = frozenset({"field", "current", "utcnow", "resourcegroup", "subscription", "requestcontext", "policy"})
"""Functions (lower case) that give what the definition and its parameters alone do not tell."""
_SPECIAL: Mapping[str, Callable[[Call, Scope], Computed]] = {
    "parameters": _parameters,
    "field": _field,
    "current": _current,
    "if": _if,
    "coalesce": _coalesce,
    "and": partial(_logical, decisive=False),
    "or": partial(_logical, decisive=True),
    "utcnow": _utc_now,
    "resourcegroup": lambda _node, _scope: Computed(lambda _, frame: frame.resource_group()),
    "subscription": lambda _node, _scope: Computed(lambda _, frame: frame.subscription()),
    "requestcontext": lambda _node, _scope: Computed(lambda _, frame: frame.request_context()),
    "policy": lambda _node, _scope: Computed(lambda _, frame: frame.policy()),
}
