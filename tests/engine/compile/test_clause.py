"""Kleene's logic, truth table by truth table, and what clauses tell of themselves."""

from itertools import product
from typing import Any

import pytest

from shared.domain.resource import Resource
from shared.engine.compile.clause import CompiledClause, all_of, any_of, constant_test, negation
from shared.engine.context import EMPTY_CONTEXT, Frame

BODY: dict[str, Any] = {}
FRAME = Frame(Resource(BODY), EMPTY_CONTEXT)
Answers = tuple[bool | None, ...]
TABLE: list[Answers] = [answers for size in (1, 2, 3, 4) for answers in product((True, False, None), repeat=size)]


def leaf(answer: bool | None) -> CompiledClause:  # noqa: FBT001 - the answer is the subject
    def test(body: Any, frame: Frame) -> bool | None:
        assert body is BODY
        assert frame is FRAME
        return answer

    return CompiledClause("field", "$.x", test)


def fixed(answer: bool) -> CompiledClause:  # noqa: FBT001 - the answer is the subject
    return CompiledClause("value", "$.x", constant_test(answer), always=answer)


@pytest.mark.parametrize("answers", TABLE)
def test_all_of_and_any_of(answers: Answers) -> None:
    parts = tuple(map(leaf, answers))
    every, some = all_of("$.all", parts), any_of("$.any", parts)
    assert every.test(BODY, FRAME) is (False if False in answers else None if None in answers else True)
    assert some.test(BODY, FRAME) is (True if True in answers else None if None in answers else False)
    assert (every.kind, every.path, every.parts, every.always) == ("allOf", "$.all", parts, None)
    assert (some.kind, some.path, some.parts, some.always) == ("anyOf", "$.any", parts, None)


@pytest.mark.parametrize("answers", [answers for answers in TABLE if None not in answers])
def test_what_does_not_depend_on_the_resource_is_known_before(answers: Answers) -> None:
    parts = tuple(fixed(bool(answer)) for answer in answers)
    every, some = all_of("$.all", parts), any_of("$.any", parts)
    assert every.test(BODY, FRAME) is every.always is all(answers)
    assert some.test(BODY, FRAME) is some.always is any(answers)
    assert (every.kind, every.path, every.parts) == ("allOf", "$.all", parts)
    assert (some.kind, some.path, some.parts) == ("anyOf", "$.any", parts)


def test_constant_parts_decide_or_drop_out() -> None:
    open_ = leaf(None)
    assert all_of("$", (open_, fixed(answer=False))).always is False
    assert any_of("$", (open_, fixed(answer=True))).always is True
    assert all_of("$", (open_, fixed(answer=True))).test(BODY, FRAME) is None
    assert any_of("$", (open_, fixed(answer=False))).test(BODY, FRAME) is None


@pytest.mark.parametrize(("answer", "wanted"), [(True, False), (False, True), (None, None)])
def test_not_negates_and_keeps_unknown(answer: bool | None, wanted: bool | None) -> None:  # noqa: FBT001 - a table
    part = leaf(answer)
    found = negation("$.not", part)
    assert found.test(BODY, FRAME) is wanted
    assert (found.kind, found.path, found.parts, found.always) == ("not", "$.not", (part,), None)


@pytest.mark.parametrize("answer", [True, False])
def test_not_of_a_constant(answer: bool) -> None:  # noqa: FBT001 - a table
    part = fixed(answer)
    found = negation("$.not", part)
    assert found.test(BODY, FRAME) is (not answer)
    assert found.always is (not answer)
    assert (found.kind, found.path, found.parts) == ("not", "$.not", (part,))
