"""Compiles the tree of a rule to closures: one `Clause` per node, specialised for the resources of one type."""

from __future__ import annotations

from collections.abc import Callable

from shared.domain.resource import Json, plain_location
from shared.engine.clause import Clause, Plain, Test, all_of, any_of, constant, negation
from shared.engine.comparison import Check, checker
from shared.engine.context import Frame
from shared.engine.count import compile_count
from shared.engine.error import EvaluationError
from shared.engine.evaluate import Computed, compile_operand, fixed, lookup_by_name
from shared.engine.field import FieldReader, Read, resolve
from shared.engine.price import EQUALITY, cost_of, looking, looking_directly
from shared.engine.scope import Scope
from shared.engine.tree import AllOf, AnyOf, Condition, Count, Field, Literal, Node, Not, Value
from shared.engine.unknown import Unknown
from shared.engine.value import expect_text

_LOCATION = "location"
_MOST_NAMES = 256


def compile_node(node: Node, scope: Scope) -> Clause:
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


def _parts(nodes: tuple[Node, ...], scope: Scope, *, until: bool) -> tuple[Clause, ...]:
    """The compiled parts, up to the first that settles the whole for this type."""
    parts: list[Clause] = []
    for node in nodes:
        parts.append(compile_node(node, scope))
        if parts[-1].always is until:
            break
    return tuple(parts)


def _condition(node: Condition, scope: Scope) -> Clause:
    right = compile_operand(node.right, scope)
    match node.left:
        case Field():
            return _field(node, node.left, right, scope)
        case Value():
            return _value(node, compile_operand(node.left.value, scope), right, scope)
        case Count():
            return compile_count(node, node.left, right, scope, compile_node)


def _value(node: Condition, left: Computed, right: Computed, scope: Scope) -> Clause:
    test = _test(left.read, node, right)
    always = _settled(test, scope) if left.fixed and right.fixed else None
    return Clause(
        kind="value",
        path=node.path,
        test=test if always is None else constant(always),
        always=always,
        operator=node.operator,
        observe=left.read,
        expect=right.read,
    )


def _settled(test: Test, scope: Scope) -> bool | None:
    """The answer of a test that needs no resource; None when it fails, to fail again when it is evaluated."""
    try:
        return test({}, scope.blank)
    except EvaluationError:
        return None


def _field(node: Condition, left: Field, right: Computed, scope: Scope) -> Clause:
    name = compile_operand(left.name, scope)
    if not name.fixed:
        return _named_later(node, name, right, scope)
    written = expect_text(name.value)
    reader = resolve(written, scope)
    always = _by_type(written, node, right, scope)
    plain_ = _plain(reader, node, right) if always is None else None
    test = _field_test(reader, node, right, plain_) if always is None else constant(always)
    return Clause(
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


def _plain(reader: FieldReader, node: Condition, right: Computed) -> Plain | None:
    """What generated code needs, where the condition takes nothing but the body and constants."""
    if not right.fixed or (reader.keys is None and reader.rest is None):
        return None
    located = reader.name.lower() == _LOCATION
    try:
        check = _check(node, plain(right.value) if located else right.value)
    except EvaluationError:
        return None
    return Plain(_remembered(check) if located else check, right.value, reader)


def _remembered(check: Check) -> Check:
    """The check of a location, which few spellings of few places ever reach."""
    known: dict[str, bool | None] = {}

    def remembered(value: Json) -> bool | None:
        if value.__class__ is not str:
            return check(plain(value))
        answer = known.get(value)
        if answer is None:
            answer = check(plain(value))
            if len(known) < _MOST_NAMES:
                known[value] = answer
        return answer

    return remembered


def _by_type(written: str, node: Condition, right: Computed, scope: Scope) -> bool | None:
    """The answer of a condition on the type, in a program for one type."""
    if written.lower() != "type" or scope.type is None or not right.fixed:
        return None
    try:
        return _check(node, right.value)(scope.type)
    except EvaluationError:
        return None


def _check(node: Condition, expected: Json) -> Check:
    if expected is None and isinstance(node.right, Literal):
        raise EvaluationError(f"{node.path}: the right side of {node.operator} is null")
    return checker(node.operator, expected)


def _test(read: Read, node: Condition, right: Computed) -> Test:
    if right.fixed:
        try:
            check = _check(node, right.value)
        except EvaluationError as error:
            return _failing(error)
        return looking(read, check, node.operator, right.value)
    expect = right.read

    def test(body: Json, frame: Frame) -> bool | None:
        expected = expect(body, frame)
        frame.look(expected)
        check = _check(node, expected)
        value = read(body, frame)
        frame.look(value, cost_of(node.operator, expected))
        return check(value)

    return test


def _failing(error: EvaluationError) -> Test:
    message = str(error)

    def test(_body: Json, _frame: Frame) -> bool | None:
        raise EvaluationError(message)

    return test


def _field_test(reader: FieldReader, node: Condition, right: Computed, ready: Plain | None) -> Test:
    if ready is not None:
        return _direct_test(reader, ready.check, node.operator, right.value)
    if reader.name.lower() == _LOCATION:
        return _test(_plain_location(reader.read), node, _plain_right(right))
    if not right.fixed:
        return _late_test(reader, node, right)
    try:
        return _direct_test(reader, _check(node, right.value), node.operator, right.value)
    except EvaluationError as error:
        return _failing(error)


def _direct_test(reader: FieldReader, check: Check, operator: str, expected: Json) -> Test:
    direct, read = reader.direct, reader.read
    if reader.many:
        cost = 0 if operator in EQUALITY else cost_of(operator, expected)
        return lambda body, frame: every(_looked(read(body, frame), frame, cost), check)
    if direct is None:
        return looking(read, check, operator, expected)
    return looking_directly(direct, check, operator, expected)


def _late_test(reader: FieldReader, node: Condition, right: Computed) -> Test:
    """A test whose right side depends on the resource."""
    if not reader.many:
        return _test(reader.read, node, right)
    collect, expect = reader.read, right.read

    def test(body: Json, frame: Frame) -> bool | None:
        values, expected = collect(body, frame), expect(body, frame)
        frame.look(expected)
        return every(_looked(values, frame, cost_of(node.operator, expected)), _check(node, expected))

    return test


def _looked(values: list[Json], frame: Frame, cost: int) -> list[Json]:
    frame.look(values, cost * len(values))
    return values


def every(values: list[Json], check: Check) -> bool | None:
    """The implicit all-of over the selected members; true for none."""
    answer: bool | None = True
    for value in values:
        found = check(value)
        if found is False:
            return False
        if found is None:
            answer = None
    return answer


def _plain_location(read: Read) -> Read:
    return lambda body, frame: plain(read(body, frame))


def _plain_right(right: Computed) -> Computed:
    if right.fixed:
        return fixed(plain(right.value))
    return Computed(lambda body, frame: plain(right.read(body, frame)))


def plain(location: Json) -> Json:
    """A location, or a list of them, in one spelling; anything else as it is."""
    if isinstance(location, str):
        return plain_location(location)
    return [plain(each) for each in location] if isinstance(location, list) else location


def _named_later(node: Condition, name: Computed, right: Computed, scope: Scope) -> Clause:
    """A field whose name depends on the resource or on a counted member."""
    lookup: Callable[[str, Frame], FieldReader] = lookup_by_name(scope, resolve)
    tests: dict[int, tuple[FieldReader, Test]] = {}

    def test(body: Json, frame: Frame) -> bool | None:
        found = name.read(body, frame)
        if found.__class__ is Unknown:
            return None
        reader = lookup(expect_text(found), frame)
        known = tests.get(id(reader))
        if known is None or known[0] is not reader:
            if len(tests) >= _MOST_NAMES:
                tests.clear()
            known = tests[id(reader)] = (reader, _field_test(reader, node, right, _plain(reader, node, right)))
        return known[1](body, frame)

    def observe(body: Json, frame: Frame) -> Json:
        found = name.read(body, frame)
        return found if found.__class__ is Unknown else lookup(expect_text(found), frame).read(body, frame)

    return Clause(
        kind="field",
        path=node.path,
        test=test,
        field="(computed)",
        operator=node.operator,
        observe=observe,
        expect=right.read,
    )
