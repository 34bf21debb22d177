"""`count`: how many members of an array, or of a list of values, meet a condition."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from shared.domain.resource import Json
from shared.engine.clause import Clause, Plain, Test, Visit, Walk, constant
from shared.engine.comparison import Check, checker
from shared.engine.context import Frame
from shared.engine.error import EvaluationError
from shared.engine.evaluate import Computed, compile_operand
from shared.engine.field import Read
from shared.engine.path import members, segments, value_reader
from shared.engine.scope import Scope
from shared.engine.tree import UNNAMED, Condition, Count, Node
from shared.engine.unknown import Partial, Unknown
from shared.engine.value import is_number, kind, number_of

Range = tuple[int, int]
Level = tuple[Read, int]
Place = tuple[int | None, tuple[str, ...], int]
Compile = Callable[[Node, Scope], Clause]
MANY = 1 << 40
_TEXTUAL = frozenset(
    {"contains", "notContains", "like", "notLike", "match", "notMatch", "matchInsensitively", "notMatchInsensitively"}
)
"""Operators that look at the digits of a number: any number may answer in its own way."""
_CONDITIONS_A_STEP = 8
_STAR = re.compile(r"\[\*\]")


def compile_count(node: Condition, count: Count, right: Computed, scope: Scope, compile_node: Compile) -> Clause:
    """The clause of a condition on a count."""
    if count.field is None:
        return _over_values(node, count, right, scope, compile_node)
    path = _array_path(count.field, scope)
    if isinstance(path, Unknown):
        return _unreadable(node, right, count.field, path)
    inner, levels, places = _stars(count.field, path, scope)
    where = compile_node(count.where, inner) if count.where else None
    clause = _clause(node, right, levels, where)
    return replace(clause, field=count.field, resolved=path, plain=_plain(node, right, places))


def _over_values(node: Condition, count: Count, right: Computed, scope: Scope, compile_node: Compile) -> Clause:
    assert count.value is not None
    values = compile_operand(count.value, scope).read
    inner = scope.bind(count.name or UNNAMED, None)
    where = compile_node(count.where, inner) if count.where else None
    level = (lambda body, frame: counted(values(body, frame))), inner.bindings[-1].slot
    return replace(_clause(node, right, (level,), where), field=count.name or "value")


def _stars(name: str, path: str, scope: Scope) -> tuple[Scope, tuple[Level, ...], tuple[Place, ...]]:
    """One level for each star of the path below the member that a surrounding count stands at, if there is one."""
    binding, rest = scope.at(path)
    origin = None if binding is None else binding.slot
    above = len(path) - len(rest)
    levels: list[Level] = []
    places: list[Place] = []
    ends = [found.end() for found in _STAR.finditer(path) if found.end() > above]
    for end, keys in zip(ends, segments(rest), strict=False):
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


def _array(origin: int | None, keys: tuple[str, ...]) -> Read:
    """The reader of an array below the body (None) or below a counted member."""
    read = value_reader(keys)
    if origin is None:
        return lambda body, _: read(body)
    return lambda _, frame: read(frame.slots[origin])


def _plain(node: Condition, right: Computed, places: tuple[Place, ...]) -> Plain | None:
    check = _check(node, right)
    return Plain(check, right.value, levels=places) if check is not None and places else None


def _check(node: Condition, right: Computed) -> Check | None:
    """The check of a right side that no resource changes; None where it is made, or fails, when it is evaluated."""
    try:
        return checker(node.operator, right.value) if right.fixed else None
    except EvaluationError:
        return None


def _level_name(name: str, stars: int) -> str:
    """The alias down to the star that a level stands at."""
    pieces = name.split("[*]")
    return "[*]".join(pieces[:stars]) + "[*]" if stars < len(pieces) else name


def _array_path(name: str, scope: Scope) -> str | Unknown:
    """The path of the counted array; an `Unknown` for a name that no alias has, one of another type counts nothing."""
    if name not in scope.catalog:
        return Unknown(f"alias {name}", "unknownAlias")
    alias = scope.catalog.find(name, scope.type or "")
    path = alias.at(scope.api_version) if alias else "[*]"
    return path if path.endswith("[*]") else (path.rpartition("[*]")[0] or path) + "[*]"


def _unreadable(node: Condition, right: Computed, name: str, gap: Unknown) -> Clause:
    return Clause(
        kind="count",
        path=node.path,
        test=lambda _body, _frame: None,
        field=name,
        operator=node.operator,
        observe=lambda _body, _frame: gap,
        expect=right.read,
    )


def _clause(node: Condition, right: Computed, levels: tuple[Level, ...], where: Clause | None) -> Clause:
    ordered = right.fixed and is_number(right.value) and node.operator not in _TEXTUAL
    limit = max(points(right.value), default=MANY) if ordered else MANY
    inner = where.test if where else constant(answer=True)
    steps = 1 + (_size(where) if where else 0) // _CONDITIONS_A_STEP
    every = _tally(levels, inner, MANY, steps)
    return Clause(
        kind="count",
        path=node.path,
        test=_test(_tally(levels, inner, limit, steps), node, right),
        parts=(where,) if where else (),
        operator=node.operator,
        observe=lambda body, frame: _shown(every(body, frame)),
        expect=right.read,
        each=_walk(levels),
    )


def _shown(found: Range) -> Json:
    low, high = found
    return (
        low
        if low == high
        else Unknown(f"count between {low} and {'any number' if high >= MANY else high}", "notCollected")
    )


def _size(clause: Clause) -> int:
    """The number of clauses."""
    return 1 + sum(map(_size, clause.parts))


def _tally(levels: tuple[Level, ...], where: Test, limit: int, steps: int) -> Callable[[Json, Frame], Range]:
    """The least and the greatest number of members that meet `where`; stops where more cannot change an answer."""
    (array, slot), below = levels[0], levels[1:]
    if below:
        return _nested(array, slot, _tally(below, where, limit, steps), limit)

    def count(body: Json, frame: Frame) -> Range:
        low = high = 0
        slots = frame.slots
        found = array(body, frame)
        if found.__class__ is Unknown or found.__class__ is Partial:
            return low, MANY
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
    array: Read, slot: int, inner: Callable[[Json, Frame], Range], limit: int
) -> Callable[[Json, Frame], Range]:
    def count(body: Json, frame: Frame) -> Range:
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


def _walk(levels: tuple[Level, ...]) -> Walk:
    """Stands at every member in turn and calls a function there with its indexes; for explanations."""

    def walk(body: Json, frame: Frame, visit: Visit, at: tuple[int, ...] = ()) -> None:
        if len(at) == len(levels):
            visit(at)
            return
        array, slot = levels[len(at)]
        for index, each in enumerate(members(array(body, frame))):
            frame.slots[slot] = each
            walk(body, frame, visit, (*at, index))

    return walk


def _test(tally: Callable[[Json, Frame], Range], node: Condition, right: Computed) -> Test:
    check = _check(node, right)
    if check is not None:
        turns = _turns(node, right.value)
        return lambda body, frame: _between(tally(body, frame), check, turns)

    def test(body: Json, frame: Frame) -> bool | None:
        expected = right.read(body, frame)
        return _between(tally(body, frame), checker(node.operator, expected), _turns(node, expected))

    return test


def points(expected: Json) -> list[int]:
    """The numbers around which the answer of an operator can change, those written as text among them."""
    listed = expected if isinstance(expected, list) else [expected]
    numbers: list[Json] = [number_of(each) if isinstance(each, str) else each for each in listed]
    return [int(each) + step for each in numbers if is_number(each) and abs(each) < MANY for step in (-1, 0, 1)]


def _turns(node: Condition, expected: Json) -> list[int] | None:
    return None if node.operator in _TEXTUAL else points(expected)


def _between(found: Range, check: Check, turns: list[int] | None) -> bool | None:
    low, high = found
    if low == high:
        return check(low)
    if turns is None:
        return None
    answers = {check(each) for each in (low, high, *turns) if low <= each <= high}
    return answers.pop() if len(answers) == 1 else None


def counted(value: Json) -> Json:
    """The list of a value count; null counts as an empty one."""
    if value is None:
        return []
    if isinstance(value, list) or value.__class__ is Unknown:
        return value
    raise EvaluationError(f"a count needs a list, found {kind(value)}")
