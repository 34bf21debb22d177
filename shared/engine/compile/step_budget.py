"""What a condition costs: tests that count the steps of looking at large values, so that their work stays bounded."""

from __future__ import annotations

from shared.domain.resource import Json
from shared.engine.compile.clause import ClauseTest
from shared.engine.compile.field import FrameReader
from shared.engine.compile.path import BodyReader
from shared.engine.context import EVALUATION_STEPS, Frame
from shared.engine.language.comparison import OperatorCheck
from shared.engine.unknown import Partial
from shared.engine.value import weight

EQUALITY_OPERATORS = frozenset({"equals", "notEquals", "in", "notIn"})
"""Operators that look at a text no longer than their right side is."""
_PATTERN_OPERATORS = frozenset({"match", "notMatch", "matchInsensitively", "notMatchInsensitively"})
_FREE_CHARACTERS = 256
"""Characters that cost nothing to look at."""
_CONTAINER_CLASSES = frozenset({list, dict, Partial})


def step_cost(operator: str, expected: Json) -> int:
    """Return the steps that a right side adds to those of looking at a left side."""
    found = 0 if isinstance(expected, str) and operator in EQUALITY_OPERATORS else weight(expected, EVALUATION_STEPS)
    return found * 8 if operator in _PATTERN_OPERATORS else found


def budgeted_test(read: FrameReader, check: OperatorCheck, operator: str, expected: Json) -> ClauseTest:
    """Return a test that counts the steps of looking at large values; its right side is fixed."""
    if operator == "exists":
        return lambda body, frame: check(read(body, frame))
    cost = step_cost(operator, expected)
    always = cost > 0 and operator not in EQUALITY_OPERATORS

    def test(body: Json, frame: Frame) -> bool | None:
        value = read(body, frame)
        sort = value.__class__
        if (len(value) > _FREE_CHARACTERS if sort is str else sort in _CONTAINER_CLASSES) or always:
            frame.look(value, cost)
        return check(value)

    return test


def budgeted_body_test(read: BodyReader, check: OperatorCheck, operator: str, expected: Json) -> ClauseTest:
    """Return the same for a value that the body alone gives, without a call more: most conditions are of this kind."""
    if operator == "exists":
        return lambda body, _: check(read(body))
    cost = step_cost(operator, expected)
    always = cost > 0 and operator not in EQUALITY_OPERATORS

    def test(body: Json, frame: Frame) -> bool | None:
        value = read(body)
        sort = value.__class__
        if (len(value) > _FREE_CHARACTERS if sort is str else sort in _CONTAINER_CLASSES) or always:
            frame.look(value, cost)
        return check(value)

    return test
