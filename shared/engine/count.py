"""`count`: how many members of an array, or of a list of values, meet a condition."""

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
from shared.engine.tree import Condition, Count, Node
from shared.engine.unknown import Unknown
from shared.engine.value import is_number, kind

Range = tuple[int, int]
Level = tuple[Read, int]
Place = tuple[int | None, tuple[str, ...], int]
Compile = Callable[[Node, Scope], Clause]
MANY = 1 << 40
MOST_MEMBERS = 1_000_000


def compile_count(node: Condition, count: Count, right: Computed, scope: Scope, compile_node: Compile) -> Clause:
    """The clause of a condition on a count."""
    if count.field is None:
        return _over_values(node, count, right, scope, compile_node)
    return _over_field(node, count, count.field, right, scope, compile_node)


def _over_values(node: Condition, count: Count, right: Computed, scope: Scope, compile_node: Compile) -> Clause:
    assert count.value is not None
    values = compile_operand(count.value, scope)
    inner = scope.bind(count.name or "", None)
    where = compile_node(count.where, inner) if count.where else None
    level = (lambda body, frame: counted(values.read(body, frame))), inner.bindings[-1].slot
    return _clause(node, right, (level,), where, field=count.name or "", resolved=None)


def _over_field(
    node: Condition, count: Count, name: str, right: Computed, scope: Scope, compile_node: Compile
) -> Clause:
    path = _array_path(name, scope)
    if isinstance(path, Unknown):
        return _unreadable(node, right, name, path)
    binding, rest = scope.at(path)
    start = _root if binding is None else _slot(binding.slot)
    parts = segments(rest)
    if rest.startswith("[*]"):
        start, parts = start, ((), *parts[1:])
    prefix = path[: len(path) - len(rest)]
    inner, taken = scope, ""
    levels: list[Level] = []
    places: list[Place] = []
    origin = None if binding is None else binding.slot
    for keys in parts[:-1]:
        taken += ("." if keys and (taken or prefix) and not prefix.endswith(".") else "") + ".".join(keys) + "[*]"
        inner = inner.bind(_level_name(name, taken), (prefix + taken).lstrip("."))
        slot = inner.bindings[-1].slot
        levels.append((_below(start, keys), slot))
        places.append((origin, keys, slot))
        start, origin = _slot(slot), slot
    where = compile_node(count.where, inner) if count.where else None
    clause = _clause(node, right, tuple(levels), where, field=name, resolved=path)
    return replace(clause, plain=_plain(node, right, tuple(places)))


def _plain(node: Condition, right: Computed, places: tuple[Place, ...]) -> Plain | None:
    try:
        return Plain(checker(node.operator, right.value), right.value, levels=places) if right.fixed else None
    except EvaluationError:
        return None


def _level_name(name: str, taken: str) -> str:
    """The alias down to the star that this level stands at."""
    stars = taken.count("[*]")
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


def _root(body: Json, _: Frame) -> Json:
    return body


def _slot(slot: int) -> Read:
    return lambda _, frame: frame.slots[slot]


def _below(start: Read, keys: tuple[str, ...]) -> Read:
    if not keys:
        return start
    read = value_reader(keys)
    return lambda body, frame: read(start(body, frame))


def _clause(
    node: Condition,
    right: Computed,
    levels: tuple[Level, ...],
    where: Clause | None,
    *,
    field: str,
    resolved: str | None,
) -> Clause:
    expected = right.value if right.fixed else None
    limit = int(expected) + 1 if is_number(expected) else MANY
    tally = _tally(levels, where.test if where else constant(answer=True), limit)
    full = _tally(levels, where.test if where else constant(answer=True), MANY)
    return Clause(
        kind="count",
        path=node.path,
        test=_test(tally, node, right),
        parts=(where,) if where else (),
        field=field,
        resolved=resolved,
        operator=node.operator,
        observe=lambda body, frame: _shown(full(body, frame)),
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


def _tally(levels: tuple[Level, ...], where: Test, limit: int) -> Callable[[Json, Frame], Range]:
    """The least and the greatest number of members that meet `where`; stops where more cannot change an answer."""
    (array, slot), below = levels[0], levels[1:]
    if below:
        return _nested(array, slot, _tally(below, where, limit), limit)

    def count(body: Json, frame: Frame) -> Range:
        low = high = 0
        slots = frame.slots
        for each in _members(array(body, frame)):
            if each.__class__ is Unknown:
                return low, MANY
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
        for each in _members(array(body, frame)):
            if each.__class__ is Unknown:
                return low, MANY
            frame.slots[slot] = each
            least, most = inner(body, frame)
            low, high = low + least, high + most
            if low >= limit:
                break
        return low, high

    return count


def _members(array: Json) -> list[Json]:
    found = members(array)
    if len(found) > MOST_MEMBERS:
        raise EvaluationError(f"the array has {len(found)} members; at most {MOST_MEMBERS} are counted")
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
    if right.fixed:
        try:
            check = checker(node.operator, right.value)
        except EvaluationError:
            check = None
        if check is not None:
            points = tuple(_points(right.value))
            return _by_check(tally, check, points)

    def test(body: Json, frame: Frame) -> bool | None:
        expected = right.read(body, frame)
        return _between(tally(body, frame), checker(node.operator, expected), tuple(_points(expected)))

    return test


def _by_check(tally: Callable[[Json, Frame], Range], check: Check, points: tuple[int, ...]) -> Test:
    def test(body: Json, frame: Frame) -> bool | None:
        found = tally(body, frame)
        return check(found[0]) if found[0] == found[1] else _between(found, check, points)

    return test


def _points(expected: Json) -> list[int]:
    """The numbers around which the answer of an operator can change."""
    listed = expected if isinstance(expected, list) else [expected]
    return [int(each) + step for each in listed if is_number(each) for step in (-1, 0, 1)]


def _between(found: Range, check: Check, points: tuple[int, ...]) -> bool | None:
    low, high = found
    answers = {check(each) for each in (low, high, *(point for point in points if low < point < high))}
    return answers.pop() if len(answers) == 1 else None


def counted(value: Json) -> Json:
    """The list of a value count; null counts as an empty one."""
    if value is None:
        return []
    if isinstance(value, list) or value.__class__ is Unknown:
        return value
    raise EvaluationError(f"a count needs a list, found {kind(value)}")
