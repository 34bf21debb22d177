"""What a condition costs: tests that count the steps of looking at large values, so that their work stays bounded."""

from __future__ import annotations

from shared.domain.resource import Json
from shared.engine.clause import Test
from shared.engine.comparison import Check
from shared.engine.context import MOST_STEPS, Frame
from shared.engine.field import Read
from shared.engine.path import Reader
from shared.engine.unknown import Partial
from shared.engine.value import weight

EQUALITY = frozenset({"equals", "notEquals", "in", "notIn"})
"""Operators that look at a text no longer than their right side is."""
_MATCHING = frozenset({"match", "notMatch", "matchInsensitively", "notMatchInsensitively"})
_LONG = 256
"""Characters that cost nothing to look at."""
_CONTAINERS = frozenset({list, dict, Partial})


def cost_of(operator: str, expected: Json) -> int:
    """The steps that a right side adds to those of looking at a left side."""
    found = 0 if isinstance(expected, str) and operator in EQUALITY else weight(expected, MOST_STEPS)
    return found * 8 if operator in _MATCHING else found


def looking(read: Read, check: Check, operator: str, expected: Json) -> Test:
    """A test that pays for what is large; its right side is fixed."""
    if operator == "exists":
        return lambda body, frame: check(read(body, frame))
    cost = cost_of(operator, expected)
    always = cost > 0 and operator not in EQUALITY

    def test(body: Json, frame: Frame) -> bool | None:
        value = read(body, frame)
        sort = value.__class__
        if (len(value) > _LONG if sort is str else sort in _CONTAINERS) or always:
            frame.look(value, cost)
        return check(value)

    return test


def looking_directly(read: Reader, check: Check, operator: str, expected: Json) -> Test:
    """The same for a value that the body alone gives, without a call more: most conditions are of this kind."""
    if operator == "exists":
        return lambda body, _: check(read(body))
    cost = cost_of(operator, expected)
    always = cost > 0 and operator not in EQUALITY

    def test(body: Json, frame: Frame) -> bool | None:
        value = read(body)
        sort = value.__class__
        if (len(value) > _LONG if sort is str else sort in _CONTAINERS) or always:
            frame.look(value, cost)
        return check(value)

    return test
