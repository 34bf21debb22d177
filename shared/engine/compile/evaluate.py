"""Compile operands to functions that compute them; whatever does not depend on the resource is computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from shared.domain.resource import Json
from shared.engine.compile.field import FieldReader, FrameReader, resolve_field
from shared.engine.compile.path import is_collection
from shared.engine.compile.scope import CompileScope
from shared.engine.context import Frame
from shared.engine.error import EvaluationError
from shared.engine.functions import FUNCTIONS, TemplateFunction, call_function
from shared.engine.functions.date import format_timestamp, iso_text
from shared.engine.functions.logic import choose
from shared.engine.language.expression import FunctionCall, Literal, MemberAccess
from shared.engine.language.tree import ArrayOf, ObjectOf, Operand
from shared.engine.unknown import Partial, Unknown, first_unknown, get_member
from shared.engine.value import expect_boolean, expect_text, kind

_CACHE_ENTRIES = 256
_CONTAINER_CLASSES = frozenset({list, dict, Partial})
_CHARACTERS_PER_STEP = 16
"""Characters of an argument that a step pays for."""
_SHALLOW_FUNCTIONS = frozenset(
    {"length", "empty", "first", "last", "take", "skip", "array", "createArray", "flatten", "items", "objectKeys"}
    | {"tryGet", "indexFromEnd", "tryIndexFromEnd", "access"}
)
"""Functions that look at members, and not at what is in them."""


@dataclass(frozen=True, slots=True)
class CompiledOperand:
    """An operand ready to use: `read(body, frame)`; `fixed` when it gives `value` whatever the resource."""

    read: FrameReader
    fixed: bool = False
    value: Json = None


def constant_operand(value: Json) -> CompiledOperand:
    """Make an operand of a constant."""
    return CompiledOperand(partial(_constant_value, value), fixed=True, value=value)


def _constant_value(value: Json, _body: Json, _frame: Frame) -> Json:
    return value


def compile_operand(node: Operand, scope: CompileScope) -> CompiledOperand:
    """Return the function that computes an operand."""
    match node:
        case Literal():
            return constant_operand(node.value)
        case FunctionCall():
            return _call(node, scope)
        case MemberAccess():
            return _pure(_ACCESS_FUNCTION, [compile_operand(node.base, scope), compile_operand(node.key, scope)], scope)
        case ArrayOf():
            return _compiled_parts([compile_operand(each, scope) for each in node.members], list)
        case ObjectOf():
            names = [name for name, _ in node.pairs]
            parts = [compile_operand(each, scope) for _, each in node.pairs]
            return _compiled_parts(parts, lambda values: dict(zip(names, values, strict=True)))


def _compiled_parts(parts: list[CompiledOperand], build: Callable[[list[Json]], Json]) -> CompiledOperand:
    if all(each.fixed for each in parts):
        return constant_operand(build([each.value for each in parts]))
    reads = [each.read for each in parts]
    return CompiledOperand(lambda body, frame: build([read(body, frame) for read in reads]))


def _call(node: FunctionCall, scope: CompileScope) -> CompiledOperand:
    name = node.name.lower()
    special = _SPECIAL.get(name)
    if special is not None:
        return special(node, scope)
    function = FUNCTIONS.get(name)
    if function is None:
        raise EvaluationError(f"unknown function {node.name!r}")
    return _pure(function, [compile_operand(each, scope) for each in node.arguments], scope)


def _pure(function: TemplateFunction, parts: list[CompiledOperand], scope: CompileScope) -> CompiledOperand:
    reads = [each.read for each in parts]
    shallow = function.name in _SHALLOW_FUNCTIONS

    def read(body: Json, frame: Frame) -> Json:
        # Looking at an argument is paid for by its size before the function works on it.
        values = [each(body, frame) for each in reads]
        for value in values:
            sort = value.__class__
            if sort is Unknown:
                return value
            if sort is str:
                frame.spend(len(value) // _CHARACTERS_PER_STEP)
            elif sort in _CONTAINER_CLASSES and (gap := _gap(value, frame, function, shallow=shallow)):
                return gap
        frame.spend(1)
        found = call_function(function, values)
        if found.__class__ is list:
            frame.spend(len(found) // _CHARACTERS_PER_STEP)
        return found

    return _computed_once(read, scope) if all(each.fixed for each in parts) else CompiledOperand(read)


def _computed_once(read: FrameReader, scope: CompileScope) -> CompiledOperand:
    """Return the constant that a function of constants gives."""
    try:
        return constant_operand(read({}, scope.blank))
    except EvaluationError:
        return CompiledOperand(read)  # fails when it is evaluated, if it is, or takes more than compiling may


def _gap(value: Json, frame: Frame, function: TemplateFunction, *, shallow: bool) -> Unknown | None:
    """Return a part of an argument that was not read; counts the steps of looking at its members, or at all of it."""
    if not shallow or (frame.partial and function is not _ACCESS_FUNCTION):
        frame.look(value)
    else:
        frame.spend(len(value) if value.__class__ is list else len(value) // _CHARACTERS_PER_STEP)
    return (
        first_unknown(value)
        if function is not _ACCESS_FUNCTION and (frame.partial or value.__class__ is Partial)
        else None
    )


def access_member(base: Json, key: Json) -> Json:
    """Return `base.key` or `base[key]`: keys without case, null where there is none; an index must be in range."""
    if isinstance(base, list):
        if not isinstance(key, int) or isinstance(key, bool):
            raise EvaluationError(f"an array has no property {key!r}")
        if not 0 <= key < len(base):
            raise EvaluationError(f"index {key} is outside an array of {len(base)}")
        return base[key]
    if base is None or isinstance(base, Mapping):
        return get_member(base if isinstance(base, dict) else dict(base or {}), expect_text(key).lower())
    raise EvaluationError(f"a {kind(base)} has no member {key!r}")


_ACCESS_FUNCTION = TemplateFunction("access", access_member, 2, 2)


def _parameters(node: FunctionCall, scope: CompileScope) -> CompiledOperand:
    name = compile_operand(node.arguments[0], scope)
    if isinstance(name.value, str) and name.value.lower() in scope.parameters:
        return constant_operand(scope.parameters[name.value.lower()])

    def reader(written: str, _: Frame) -> FrameReader:
        if written.lower() not in scope.parameters:
            raise EvaluationError(f"the parameter {written[:60]!r} has no value")
        return constant_operand(scope.parameters[written.lower()]).read

    return _by_text(name, reader)


def _by_text(text: CompiledOperand, reader: Callable[[str, Frame], FrameReader]) -> CompiledOperand:
    """Read by a text that the resource decides; where the text was not read its gap is the value."""

    def read(body: Json, frame: Frame) -> Json:
        found = text.read(body, frame)
        return found if found.__class__ is Unknown else reader(expect_text(found), frame)(body, frame)

    return CompiledOperand(read)


def _field(node: FunctionCall, scope: CompileScope) -> CompiledOperand:
    name = compile_operand(node.arguments[0], scope)
    if name.fixed:
        return CompiledOperand(_field_read(expect_text(name.value), scope))
    return _by_text(name, lookup_by_name(scope, _field_read))


def _field_read(name: str, scope: CompileScope) -> FrameReader:
    """Return the reader of field(name).

    In an existenceCondition it reads the resource of the `if`, except by aliases that only the related type has.
    """
    origin = scope.origin
    if origin is None or _is_related_alias(name, scope, origin):
        return function_reader(resolve_field(name, scope))
    inner = function_reader(resolve_field(name, origin))

    def read(body: Json, frame: Frame) -> Json:
        about = frame.origin
        return inner(body, frame) if about is None else inner(about.body, about)

    return read


def _is_related_alias(name: str, scope: CompileScope, origin: CompileScope) -> bool:
    catalog = scope.catalog
    if name not in catalog:
        return False
    return catalog.find(name, origin.type or "") is None and catalog.find(name, scope.type or "") is not None


def function_reader(reader: FieldReader) -> FrameReader:
    """Return what field() gives: "" for a missing property, a list for a name with [*] even of one member."""
    read = reader.read
    if reader.many:
        return read
    if is_collection(reader.name):
        return lambda body, frame: value if (value := read(body, frame)).__class__ is Unknown else [value]
    return lambda body, frame: "" if (value := read(body, frame)) is None else value


def lookup_by_name[Found](
    scope: CompileScope, find: Callable[[str, CompileScope], Found]
) -> Callable[[str, Frame], Found]:
    """Return a lookup of names that only a resource decides; it remembers a bounded number of them."""
    known: dict[tuple[str, str], Found] = {}

    def lookup(name: str, frame: Frame) -> Found:
        key = (name, frame.type)
        reader = known.get(key)
        if reader is None:
            if len(known) >= _CACHE_ENTRIES:
                known.clear()
            reader = known[key] = find(name, scope.on(frame.type, frame.api_version))
        return reader

    return lookup


def _current(node: FunctionCall, scope: CompileScope) -> CompiledOperand:
    if not scope.bindings:
        raise EvaluationError("current() stands outside a count")
    if not node.arguments:
        slot = scope.bindings[-1].slot
        return CompiledOperand(lambda _, frame: frame.slots[slot])
    name = compile_operand(node.arguments[0], scope)
    if name.fixed:
        return CompiledOperand(_current_reader(expect_text(name.value), scope))
    return _by_text(name, lambda written, _: _current_reader(written, scope))


def _current_reader(name: str, scope: CompileScope) -> FrameReader:
    binding = scope.named(name)
    if binding is not None:
        slot = binding.slot
        return lambda _, frame: frame.slots[slot]
    reader = resolve_field(name, scope)
    if reader.path is not None and scope.at(reader.path)[0] is None:
        raise EvaluationError(f"current({name!r}) names no count around it")
    return reader.read


def _if(node: FunctionCall, scope: CompileScope) -> CompiledOperand:
    # Only the chosen branch is computed: the other one may fail, or need what was not read.
    test, then, other = (compile_operand(each, scope) for each in node.arguments)
    if test.fixed and isinstance(test.value, bool):
        return then if test.value else other

    def read(body: Json, frame: Frame) -> Json:
        value = test.read(body, frame)
        return value if value.__class__ is Unknown else choose(value, then, other).read(body, frame)

    return CompiledOperand(read)


def _coalesce(node: FunctionCall, scope: CompileScope) -> CompiledOperand:
    reads = [compile_operand(each, scope).read for each in node.arguments]

    def read(body: Json, frame: Frame) -> Json:
        return next((value for each in reads if (value := each(body, frame)) is not None), None)

    return CompiledOperand(read)


def _logical(node: FunctionCall, scope: CompileScope, *, decisive: bool) -> CompiledOperand:
    """Compile and() or or() by Kleene's logic: an unread argument matters only when no other decides."""
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

    return CompiledOperand(read)


def _utc_now(node: FunctionCall, scope: CompileScope) -> CompiledOperand:
    if not node.arguments:
        return CompiledOperand(lambda _, frame: iso_text(_now(frame), 7))
    pattern = compile_operand(node.arguments[0], scope)
    return _by_text(pattern, lambda found, frame: constant_operand(format_timestamp(_now(frame), found)).read)


def _now(frame: Frame) -> datetime:
    if frame.context.now is None:
        raise EvaluationError("utcNow(): the context has no time")
    return frame.context.now


CONTEXT_FUNCTION_NAMES = frozenset(
    {"field", "current", "utcnow", "resourcegroup", "subscription", "requestcontext", "policy"}
)
"""Functions (lower case) that give what the definition and its parameters alone do not tell."""
_SPECIAL: Mapping[str, Callable[[FunctionCall, CompileScope], CompiledOperand]] = {
    "parameters": _parameters,
    "field": _field,
    "current": _current,
    "if": _if,
    "coalesce": _coalesce,
    "and": partial(_logical, decisive=False),
    "or": partial(_logical, decisive=True),
    "utcnow": _utc_now,
    "resourcegroup": lambda _node, _scope: CompiledOperand(lambda _, frame: frame.resource_group()),
    "subscription": lambda _node, _scope: CompiledOperand(lambda _, frame: frame.subscription()),
    "requestcontext": lambda _node, _scope: CompiledOperand(lambda _, frame: frame.request_context()),
    "policy": lambda _node, _scope: CompiledOperand(lambda _, frame: frame.policy()),
}
