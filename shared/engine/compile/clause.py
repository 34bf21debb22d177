"""A compiled condition: the test that runs, and what an explanation needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.domain.resource import Json
from shared.engine.compile.field import FieldReader, FrameReader
from shared.engine.context import Frame

ClauseTest = Callable[[Json, Frame], bool | None]
MemberVisitor = Callable[[tuple[int, ...]], None]
MemberWalk = Callable[[Json, Frame, MemberVisitor], None]


@dataclass(frozen=True, slots=True, eq=False)
class PlainCondition:
    """A condition that needs nothing but the body and constants: what generating code for it takes.

    `check` answers for one value. A field is read at `reader`; a count goes through `levels`, each an array (the slot
    it starts from, None for the body, and the keys below it) and the slot of its members.
    """

    check: Callable[[Json], bool | None]
    expected: Json
    reader: FieldReader | None = None
    levels: tuple[tuple[int | None, tuple[str, ...], int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class CompiledClause:
    """One node of a compiled rule.

    `kind` is allOf, anyOf, not, field, value or count; `path` its JSON path. `always` is the answer where it does not
    depend on the resource, else None. For conditions: `field` as written, `resolved` the property path, `observe` and
    `expect` the two sides; `plain` where code can be generated. For a count: `parts` holds the where clause and `each`
    stands at every member in turn.
    """

    kind: str
    path: str
    test: ClauseTest
    parts: tuple[CompiledClause, ...] = ()
    always: bool | None = None
    field: str = ""
    resolved: str | None = None
    operator: str = ""
    observe: FrameReader | None = None
    expect: FrameReader | None = None
    many: bool = False
    each: MemberWalk | None = None
    plain: PlainCondition | None = None


def all_of(path: str, parts: tuple[CompiledClause, ...]) -> CompiledClause:
    """Combine clauses by Kleene's and."""
    if any(part.always is False for part in parts):
        return CompiledClause("allOf", path, _false, parts, always=False)
    # What is settled for this type needs no test.
    tests = [part.test for part in parts if part.always is None]
    if not tests:
        return CompiledClause("allOf", path, _true, parts, always=True)
    return CompiledClause("allOf", path, _conjunction(tests), parts)


def any_of(path: str, parts: tuple[CompiledClause, ...]) -> CompiledClause:
    """Combine clauses by Kleene's or."""
    if any(part.always is True for part in parts):
        return CompiledClause("anyOf", path, _true, parts, always=True)
    tests = [part.test for part in parts if part.always is None]
    if not tests:
        return CompiledClause("anyOf", path, _false, parts, always=False)
    return CompiledClause("anyOf", path, _disjunction(tests), parts)


def negation(path: str, part: CompiledClause) -> CompiledClause:
    """Negate a clause by Kleene's not."""
    if part.always is not None:
        return CompiledClause("not", path, _false if part.always else _true, (part,), always=not part.always)
    inner = part.test

    def test(body: Json, frame: Frame) -> bool | None:
        answer = inner(body, frame)
        return None if answer is None else not answer

    return CompiledClause("not", path, test, (part,))


def constant_test(answer: bool) -> ClauseTest:  # noqa: FBT001 - the answer is the subject
    """Return the test of a clause that does not depend on the resource."""
    return _true if answer else _false


def _true(_body: Json, _frame: Frame) -> bool:
    return True


def _false(_body: Json, _frame: Frame) -> bool:
    return False


def _conjunction(tests: list[ClauseTest]) -> ClauseTest:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:  # noqa: PLR2004 - the most frequent case, without a loop
        return _both(*tests)

    def test(body: Json, frame: Frame) -> bool | None:
        answer: bool | None = True
        for each in tests:
            found = each(body, frame)
            if found is False:
                return False
            if found is None:  # matters only when no other part is false
                answer = None
        return answer

    return test


def _both(one: ClauseTest, two: ClauseTest) -> ClauseTest:
    def test(body: Json, frame: Frame) -> bool | None:
        first = one(body, frame)
        if first is False:
            return False
        second = two(body, frame)
        return second if first or second is False else None

    return test


def _disjunction(tests: list[ClauseTest]) -> ClauseTest:
    if len(tests) == 1:
        return tests[0]

    def test(body: Json, frame: Frame) -> bool | None:
        answer: bool | None = False
        for each in tests:
            found = each(body, frame)
            if found:
                return True
            if found is None:  # matters only when no other part is true
                answer = None
        return answer

    return test
