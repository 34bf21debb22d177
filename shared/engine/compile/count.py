"""`count`: how many members of an array, or of a list of values, meet a condition."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from shared.domain.resource import Json
from shared.engine.compile.clause import (
    ClauseTest,
    CompiledClause,
    MemberVisitor,
    MemberWalk,
    PlainCondition,
    constant_test,
)
from shared.engine.compile.evaluate import CompiledOperand, compile_operand
from shared.engine.compile.field import FrameReader, version_gap
from shared.engine.compile.path import members, path_segments, value_reader
from shared.engine.compile.scope import CompileScope
from shared.engine.context import Frame
from shared.engine.error import EvaluationError
from shared.engine.language.comparison import OperatorCheck, operator_check
from shared.engine.language.expression_text import operand_text
from shared.engine.language.tree import UNNAMED_COUNT, Condition, CountExpression, Node
from shared.engine.unknown import Partial, Unknown
from shared.engine.value import is_number, kind, number_of

CountRange = tuple[int, int]
CountLevel = tuple[FrameReader, int]
ArrayStep = tuple[int | None, tuple[str, ...], int]
CompileNode = Callable[[Node, CompileScope], CompiledClause]
UNBOUNDED_COUNT = 1 << 40
_TEXT_OPERATORS = frozenset(
    {"contains", "notContains", "like", "notLike", "match", "notMatch", "matchInsensitively", "notMatchInsensitively"}
)
"""Operators that look at the digits of a number: any number may answer in its own way."""
# A step pays for so many conditions on one member.
_CONDITIONS_PER_STEP = 8
_ARRAY_MARK = re.compile(r"\[\*\]")


def compile_count(
    node: Condition, count: CountExpression, right: CompiledOperand, scope: CompileScope, compile_node: CompileNode
) -> CompiledClause:
    """Return the clause of a condition on a count."""
    if count.field is None:
        return _over_values(node, count, right, scope, compile_node)
    path = _array_path(count.field, scope)
    if isinstance(path, Unknown):
        return _unreadable(node, right, count.field, path)
    inner, levels, places = _array_levels(count.field, path, scope)
    gap = version_gap(count.field, scope)
    if gap is not None:
        levels, places = ((_or_gap(levels[0][0], gap), levels[0][1]), *levels[1:]), ()
    where = compile_node(count.where, inner) if count.where else None
    clause = _clause(node, right, levels, where)
    return replace(clause, field=count.field, resolved=path, plain=_plain(node, right, places))


def _over_values(
    node: Condition, count: CountExpression, right: CompiledOperand, scope: CompileScope, compile_node: CompileNode
) -> CompiledClause:
    assert count.value is not None
    values = compile_operand(count.value, scope).read
    inner = scope.bind(count.name or UNNAMED_COUNT, None)
    where = compile_node(count.where, inner) if count.where else None
    level = (lambda body, frame: counted_members(values(body, frame))), inner.bindings[-1].slot
    return replace(_clause(node, right, (level,), where), field=operand_text(count.value))


def _array_levels(
    name: str, path: str, scope: CompileScope
) -> tuple[CompileScope, tuple[CountLevel, ...], tuple[ArrayStep, ...]]:
    """Return one level for each star of the path, below the member of a surrounding count if it goes through one."""
    binding, rest = scope.at(path)
    origin = None if binding is None else binding.slot
    above = len(path) - len(rest)
    levels: list[CountLevel] = []
    places: list[ArrayStep] = []
    ends = [found.end() for found in _ARRAY_MARK.finditer(path) if found.end() > above]
    for end, keys in zip(ends, path_segments(rest), strict=False):
        array = path[:end]
        scope = scope.bind(_level_name(name, array.count("[*]")), array)
        slot = scope.bindings[-1].slot
        levels.append((_array(origin, keys), slot))
        places.append((origin, keys, slot))
        origin = slot
    if not levels and binding is not None:  # the array that a surrounding count goes through: its one member
        inner = scope.bind(name, path)
        slot, same = inner.bindings[-1].slot, binding.slot
        return inner, ((lambda _, frame: [frame.slots[same]], slot),), ()
    return scope, tuple(levels), tuple(places)


def _array(origin: int | None, keys: tuple[str, ...]) -> FrameReader:
    """Return the reader of an array below the body (None) or below a counted member."""
    read = value_reader(keys)
    if origin is None:
        return lambda body, _: read(body)
    return lambda _, frame: read(frame.slots[origin])


def _or_gap(read: FrameReader, gap: Unknown) -> FrameReader:
    """Return the reader of an array that gives the gap where there is none."""
    return lambda body, frame: gap if (found := read(body, frame)) is None else found


def _plain(node: Condition, right: CompiledOperand, places: tuple[ArrayStep, ...]) -> PlainCondition | None:
    check = _check(node, right)
    return PlainCondition(check, right.value, levels=places) if check is not None and places else None


def _check(node: Condition, right: CompiledOperand) -> OperatorCheck | None:
    """Return the check of a fixed right side; None where it depends on the resource, or fails when it is evaluated."""
    try:
        return operator_check(node.operator, right.value) if right.fixed else None
    except EvaluationError:
        return None


def _level_name(name: str, stars: int) -> str:
    """Return the alias down to the star that a level stands at."""
    pieces = name.split("[*]")
    return "[*]".join(pieces[:stars]) + "[*]" if stars < len(pieces) else name


def _array_path(name: str, scope: CompileScope) -> str | Unknown:
    """Return the path of the counted array; `Unknown` for an unknown alias; nothing counts by one of another type."""
    if name not in scope.catalog:
        return Unknown(f"alias {name}", "unknownAlias")
    alias = scope.catalog.find(name, scope.type or "")
    path = alias.at(scope.api_version) if alias else "[*]"
    return path if path.endswith("[*]") else (path.rpartition("[*]")[0] or path) + "[*]"


def _unreadable(node: Condition, right: CompiledOperand, name: str, gap: Unknown) -> CompiledClause:
    return CompiledClause(
        kind="count",
        path=node.path,
        test=lambda _body, _frame: None,
        field=name,
        operator=node.operator,
        observe=lambda _body, _frame: gap,
        expect=right.read,
    )


def _clause(
    node: Condition, right: CompiledOperand, levels: tuple[CountLevel, ...], where: CompiledClause | None
) -> CompiledClause:
    # Counting stops where more members cannot change the answer. Operators on text look at digits: any number may.
    ordered = right.fixed and is_number(right.value) and node.operator not in _TEXT_OPERATORS
    limit = max(turning_points(right.value), default=UNBOUNDED_COUNT) if ordered else UNBOUNDED_COUNT
    inner = where.test if where else constant_test(answer=True)
    steps = 1 + (_size(where) if where else 0) // _CONDITIONS_PER_STEP
    every = _count_members(levels, inner, UNBOUNDED_COUNT, steps)
    return CompiledClause(
        kind="count",
        path=node.path,
        test=_test(_count_members(levels, inner, limit, steps), node, right),
        parts=(where,) if where else (),
        operator=node.operator,
        observe=lambda body, frame: _shown(every(body, frame)),
        expect=right.read,
        each=_walk(levels),
    )


def _shown(found: CountRange) -> Json:
    low, high = found
    return (
        low
        if low == high
        else Unknown(f"count between {low} and {'any number' if high >= UNBOUNDED_COUNT else high}", "notCollected")
    )


def _size(clause: CompiledClause) -> int:
    """Return the number of clauses."""
    return 1 + sum(map(_size, clause.parts))


def _count_members(
    levels: tuple[CountLevel, ...], where: ClauseTest, limit: int, steps: int
) -> Callable[[Json, Frame], CountRange]:
    """Count the members that meet `where`, at least and at most; stops where more cannot change an answer."""
    (array, slot), below = levels[0], levels[1:]
    if below:
        return _nested(array, slot, _count_members(below, where, limit, steps), limit)

    def count(body: Json, frame: Frame) -> CountRange:
        low = high = 0
        slots = frame.slots
        found = array(body, frame)
        if found.__class__ is Unknown or found.__class__ is Partial:
            return low, UNBOUNDED_COUNT
        # A member that was not read may match: it counts at most, and not at least.
        for each in _members(found, frame, steps):
            slots[slot] = each
            answer = where(body, frame)
            if answer is not False:
                high += 1
                if answer:
                    low += 1
                    if low >= limit:
                        break
        return low, high

    return count


def _nested(
    array: FrameReader, slot: int, inner: Callable[[Json, Frame], CountRange], limit: int
) -> Callable[[Json, Frame], CountRange]:
    def count(body: Json, frame: Frame) -> CountRange:
        low = high = 0
        for each in _members(array(body, frame), frame):
            frame.slots[slot] = each
            least, most = inner(body, frame)
            low, high = low + least, high + most
            if low >= limit:
                break
        return low, high

    return count


def _members(array: Json, frame: Frame, steps: int = 1) -> list[Json]:
    found = members(array)
    frame.spend(len(found) * steps)
    return found


def _walk(levels: tuple[CountLevel, ...]) -> MemberWalk:
    """Return a function that visits every member in turn, for explanations: it passes the member's indexes."""

    def walk(body: Json, frame: Frame, visit: MemberVisitor, at: tuple[int, ...] = ()) -> None:
        if len(at) == len(levels):
            visit(at)
            return
        array, slot = levels[len(at)]
        for index, each in enumerate(members(array(body, frame))):
            frame.slots[slot] = each
            walk(body, frame, visit, (*at, index))

    return walk


def _test(count: Callable[[Json, Frame], CountRange], node: Condition, right: CompiledOperand) -> ClauseTest:
    check = _check(node, right)
    if check is not None:
        turns = _turning_points_of(node, right.value)
        return lambda body, frame: _between(count(body, frame), check, turns)

    def test(body: Json, frame: Frame) -> bool | None:
        expected = right.read(body, frame)
        return _between(count(body, frame), operator_check(node.operator, expected), _turning_points_of(node, expected))

    return test


def turning_points(expected: Json) -> list[int]:
    """Return the numbers around which the answer of an operator can change, those written as text among them."""
    listed = expected if isinstance(expected, list) else [expected]
    numbers: list[Json] = [number_of(each) if isinstance(each, str) else each for each in listed]
    return [
        int(each) + step for each in numbers if is_number(each) and abs(each) < UNBOUNDED_COUNT for step in (-1, 0, 1)
    ]


def _turning_points_of(node: Condition, expected: Json) -> list[int] | None:
    return None if node.operator in _TEXT_OPERATORS else turning_points(expected)


def _between(found: CountRange, check: OperatorCheck, turns: list[int] | None) -> bool | None:
    low, high = found
    if low == high:
        return check(low)
    if turns is None:
        return None
    # Between two turning points the answer is the same for every number.
    answers = {check(each) for each in (low, high, *turns) if low <= each <= high}
    return answers.pop() if len(answers) == 1 else None


def counted_members(value: Json) -> Json:
    """Return the list of a value count; null counts as an empty one."""
    if value is None:
        return []
    if isinstance(value, list) or value.__class__ is Unknown:
        return value
    raise EvaluationError(f"a count needs a list, found {kind(value)}")
