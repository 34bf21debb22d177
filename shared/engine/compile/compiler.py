"""Compile the tree of a rule to closures: one `CompiledClause` per node, specialised for the resources of one type."""

from __future__ import annotations

from collections.abc import Callable

from shared.domain.resource import Json, plain_location
from shared.engine.compile.clause import (
    ClauseTest,
    CompiledClause,
    PlainCondition,
    all_of,
    any_of,
    constant_test,
    negation,
)
from shared.engine.compile.count import compile_count
from shared.engine.compile.evaluate import CompiledOperand, compile_operand, constant_operand, lookup_by_name
from shared.engine.compile.field import FieldReader, FrameReader, resolve_field
from shared.engine.compile.scope import CompileScope
from shared.engine.compile.step_budget import EQUALITY_OPERATORS, budgeted_body_test, budgeted_test, step_cost
from shared.engine.context import Frame
from shared.engine.error import EvaluationError
from shared.engine.language.comparison import OperatorCheck, operator_check
from shared.engine.language.expression_text import operand_text
from shared.engine.language.tree import AllOf, AnyOf, Condition, CountExpression, Field, Literal, Node, Not, Value
from shared.engine.unknown import Unknown
from shared.engine.value import expect_text

_LOCATION_FIELD = "location"
_CACHE_ENTRIES = 256


def compile_node(node: Node, scope: CompileScope) -> CompiledClause:
    """Compile a condition and everything below it."""
    match node:
        case AllOf():
            return all_of(node.path, _parts(node.parts, scope, until=False))
        case AnyOf():
            return any_of(node.path, _parts(node.parts, scope, until=True))
        case Not():
            return negation(node.path, compile_node(node.part, scope))
        case Condition():
            return _condition(node, scope)


def _parts(nodes: tuple[Node, ...], scope: CompileScope, *, until: bool) -> tuple[CompiledClause, ...]:
    """Return the compiled parts, up to the first that settles the whole for this type."""
    parts: list[CompiledClause] = []
    for node in nodes:
        parts.append(compile_node(node, scope))
        if parts[-1].always is until:
            break
    return tuple(parts)


def _condition(node: Condition, scope: CompileScope) -> CompiledClause:
    right = compile_operand(node.right, scope)
    match node.left:
        case Field():
            return _field(node, node.left, right, scope)
        case Value():
            return _value(node, node.left, right, scope)
        case CountExpression():
            return compile_count(node, node.left, right, scope, compile_node)


def _value(node: Condition, value: Value, right: CompiledOperand, scope: CompileScope) -> CompiledClause:
    left = compile_operand(value.value, scope)
    test = _test(left.read, node, right)
    always = _constant_answer(test, scope) if left.fixed and right.fixed else None
    return CompiledClause(
        kind="value",
        path=node.path,
        test=test if always is None else constant_test(always),
        always=always,
        field=operand_text(value.value),
        operator=node.operator,
        observe=left.read,
        expect=right.read,
    )


def _constant_answer(test: ClauseTest, scope: CompileScope) -> bool | None:
    """Return the answer of a test that needs no resource; None when it fails, to fail again when it is evaluated."""
    try:
        return test({}, scope.blank)
    except EvaluationError:
        return None


def _field(node: Condition, left: Field, right: CompiledOperand, scope: CompileScope) -> CompiledClause:
    name = compile_operand(left.name, scope)
    if not name.fixed:
        return _named_later(node, name, right, scope)
    written = expect_text(name.value)
    reader = resolve_field(written, scope)
    always = _by_type(written, node, right, scope)
    plain_ = _plain(reader, node, right) if always is None else None
    test = _field_test(reader, node, right, plain_) if always is None else constant_test(always)
    return CompiledClause(
        kind="field",
        path=node.path,
        test=test,
        always=always,
        field=written,
        resolved=reader.path,
        operator=node.operator,
        observe=reader.read,
        expect=right.read,
        many=reader.many,
        plain=plain_,
    )


def _plain(reader: FieldReader, node: Condition, right: CompiledOperand) -> PlainCondition | None:
    """Return what generated code needs, where the condition takes nothing but the body and constants."""
    if not right.fixed or (reader.keys is None and reader.rest is None):
        return None
    located = reader.name.lower() == _LOCATION_FIELD
    try:
        check = _check(node, normalize_location(right.value) if located else right.value)
    except EvaluationError:
        return None
    return PlainCondition(_cached(check) if located else check, right.value, reader)


def _cached(check: OperatorCheck) -> OperatorCheck:
    """Return the check of a location, which few spellings of few places ever reach."""
    known: dict[str, bool | None] = {}

    def remembered(value: Json) -> bool | None:
        if value.__class__ is not str:
            return check(normalize_location(value))
        answer = known.get(value)
        if answer is None:  # new, or not read, which is rare enough to ask again
            answer = check(normalize_location(value))
            if len(known) < _CACHE_ENTRIES:
                known[value] = answer
        return answer

    return remembered


def _by_type(written: str, node: Condition, right: CompiledOperand, scope: CompileScope) -> bool | None:
    """Return the answer of a condition on the type, in a program for one type."""
    if written.lower() != "type" or scope.type is None or not right.fixed:
        return None
    try:
        return _check(node, right.value)(scope.type)
    except EvaluationError:
        return None


def _check(node: Condition, expected: Json) -> OperatorCheck:
    if expected is None and isinstance(node.right, Literal):
        raise EvaluationError(f"{node.path}: the right side of {node.operator} is null")
    return operator_check(node.operator, expected)


def _test(read: FrameReader, node: Condition, right: CompiledOperand) -> ClauseTest:
    if right.fixed:
        try:
            check = _check(node, right.value)
        # It fails for every resource, but only where the condition is reached.
        except EvaluationError as error:
            return _failing(error)
        return budgeted_test(read, check, node.operator, right.value)
    expect = right.read

    def test(body: Json, frame: Frame) -> bool | None:
        expected = expect(body, frame)
        frame.look(expected)
        check = _check(node, expected)
        value = read(body, frame)
        frame.look(value, step_cost(node.operator, expected))
        return check(value)

    return test


def _failing(error: EvaluationError) -> ClauseTest:
    message = str(error)

    def test(_body: Json, _frame: Frame) -> bool | None:
        raise EvaluationError(message)

    return test


def _field_test(
    reader: FieldReader, node: Condition, right: CompiledOperand, ready: PlainCondition | None
) -> ClauseTest:
    if ready is not None:
        return _direct_test(reader, ready.check, node.operator, right.value)
    if reader.name.lower() == _LOCATION_FIELD:
        read = reader.read
        return _test(lambda body, frame: normalize_location(read(body, frame)), node, _plain_right(right))
    if not right.fixed:
        return _late_test(reader, node, right)
    try:
        return _direct_test(reader, _check(node, right.value), node.operator, right.value)
    except EvaluationError as error:
        return _failing(error)


def _direct_test(reader: FieldReader, check: OperatorCheck, operator: str, expected: Json) -> ClauseTest:
    direct, read = reader.direct, reader.read
    if reader.many:
        cost = 0 if operator in EQUALITY_OPERATORS else step_cost(operator, expected)
        return lambda body, frame: all_selected(_spend_steps(read(body, frame), frame, cost), check)
    if direct is None:
        return budgeted_test(read, check, operator, expected)
    return budgeted_body_test(direct, check, operator, expected)


def _late_test(reader: FieldReader, node: Condition, right: CompiledOperand) -> ClauseTest:
    """Return a test whose right side depends on the resource."""
    if not reader.many:
        return _test(reader.read, node, right)
    collect, expect = reader.read, right.read

    def test(body: Json, frame: Frame) -> bool | None:
        values, expected = collect(body, frame), expect(body, frame)
        frame.look(expected)
        return all_selected(_spend_steps(values, frame, step_cost(node.operator, expected)), _check(node, expected))

    return test


def _spend_steps(values: list[Json], frame: Frame, cost: int) -> list[Json]:
    frame.look(values, cost * len(values))
    return values


def all_selected(values: list[Json], check: OperatorCheck) -> bool | None:
    """Return the implicit all-of over the selected members; true for none."""
    answer: bool | None = True
    for value in values:
        found = check(value)
        if found is False:
            return False
        if found is None:
            answer = None
    return answer


def _plain_right(right: CompiledOperand) -> CompiledOperand:
    if right.fixed:
        return constant_operand(normalize_location(right.value))
    return CompiledOperand(lambda body, frame: normalize_location(right.read(body, frame)))


def normalize_location(location: Json) -> Json:
    """Return a location, or a list of them, in one spelling; anything else as it is."""
    if isinstance(location, str):
        return plain_location(location)
    return [normalize_location(each) for each in location] if isinstance(location, list) else location


def _named_later(node: Condition, name: CompiledOperand, right: CompiledOperand, scope: CompileScope) -> CompiledClause:
    """Return a field whose name depends on the resource or on a counted member."""
    lookup: Callable[[str, Frame], FieldReader] = lookup_by_name(scope, resolve_field)
    tests: dict[int, tuple[FieldReader, ClauseTest]] = {}

    def test(body: Json, frame: Frame) -> bool | None:
        found = name.read(body, frame)
        if found.__class__ is Unknown:
            return None
        reader = lookup(expect_text(found), frame)
        # By identity: as long as the lookup remembers a name it gives the same reader, and comparing readers is slow.
        known = tests.get(id(reader))
        if known is None or known[0] is not reader:
            if len(tests) >= _CACHE_ENTRIES:
                tests.clear()
            known = tests[id(reader)] = (reader, _field_test(reader, node, right, _plain(reader, node, right)))
        return known[1](body, frame)

    def observe(body: Json, frame: Frame) -> Json:
        found = name.read(body, frame)
        return found if found.__class__ is Unknown else lookup(expect_text(found), frame).read(body, frame)

    return CompiledClause(
        kind="field",
        path=node.path,
        test=test,
        field=operand_text(node.left.name) if isinstance(node.left, Field) else "",
        operator=node.operator,
        observe=observe,
        expect=right.read,
    )
