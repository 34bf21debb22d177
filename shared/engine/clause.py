"""A compiled condition: the test that runs, and beside it what an explanation needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.domain.resource import Json
from shared.engine.context import Frame
from shared.engine.field import FieldReader, Read

Test = Callable[[Json, Frame], bool | None]
Visit = Callable[[tuple[int, ...]], None]
Walk = Callable[[Json, Frame, Visit], None]


@dataclass(frozen=True, slots=True, eq=False)
class Plain:
    """A condition that needs nothing but the body and constants: what fusing it into generated code takes.

    `check` answers for one value. A field is read at `reader`; a count goes through `levels`, each an array (the slot
    it starts from, None for the body, and the keys below it) and the slot of its members.
    """

    check: Callable[[Json], bool | None]
    expected: Json
    reader: FieldReader | None = None
    levels: tuple[tuple[int | None, tuple[str, ...], int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Clause:
    """One node of a compiled rule.

    `kind` is allOf, anyOf, not, field, value or count; `path` its JSON path. `always` is the answer where it does not
    depend on the resource, else None. For conditions: `field` as written, `resolved` the property path, `observe` and
    `expect` the two sides; `plain` where code can be generated. For a count: `parts` holds the where clause and `each`
    stands at every member in turn.
    """

    kind: str
    path: str
    test: Test
    parts: tuple[Clause, ...] = ()
    always: bool | None = None
    field: str = ""
    resolved: str | None = None
    operator: str = ""
    observe: Read | None = None
    expect: Read | None = None
    many: bool = False
    each: Walk | None = None
    plain: Plain | None = None


def all_of(path: str, parts: tuple[Clause, ...]) -> Clause:
    """Kleene's and."""
    if any(part.always is False for part in parts):
        return Clause("allOf", path, _false, parts, always=False)
    tests = [part.test for part in parts if part.always is None]
    if not tests:
        return Clause("allOf", path, _true, parts, always=True)
    return Clause("allOf", path, _conjunction(tests), parts)


def any_of(path: str, parts: tuple[Clause, ...]) -> Clause:
    """Kleene's or."""
    if any(part.always is True for part in parts):
        return Clause("anyOf", path, _true, parts, always=True)
    tests = [part.test for part in parts if part.always is None]
    if not tests:
        return Clause("anyOf", path, _false, parts, always=False)
    return Clause("anyOf", path, _disjunction(tests), parts)


def negation(path: str, part: Clause) -> Clause:
    """Kleene's not."""
    if part.always is not None:
        return Clause("not", path, _false if part.always else _true, (part,), always=not part.always)
    inner = part.test

    def test(body: Json, frame: Frame) -> bool | None:
        answer = inner(body, frame)
        return None if answer is None else not answer

    return Clause("not", path, test, (part,))


def constant(answer: bool) -> Test:  # noqa: FBT001 - the answer is the subject
    """The test of a clause that does not depend on the resource."""
    return _true if answer else _false


def _true(_body: Json, _frame: Frame) -> bool:
    return True


def _false(_body: Json, _frame: Frame) -> bool:
    return False


def _conjunction(tests: list[Test]) -> Test:
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
            if found is None:
                answer = None
        return answer

    return test


def _both(one: Test, two: Test) -> Test:
    def test(body: Json, frame: Frame) -> bool | None:
        first = one(body, frame)
        if first is False:
            return False
        second = two(body, frame)
        return second if first or second is False else None

    return test


def _disjunction(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def test(body: Json, frame: Frame) -> bool | None:
        answer: bool | None = False
        for each in tests:
            found = each(body, frame)
            if found:
                return True
            if found is None:
                answer = None
        return answer

    return test
