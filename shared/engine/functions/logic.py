"""Comparison and logical functions of template expressions ("Comparison", "Logical functions for ARM templates")."""

from collections.abc import Callable

from shared.domain.resource import Json
from shared.engine.error import EvaluationError
from shared.engine.value import expect_boolean, is_number, kind, sort_key, strictly_equal


def equals(left: Json, right: Json) -> bool:
    """Compare exactly: strings with case, numbers by value."""
    return strictly_equal(left, right)


def _order(left: Json, right: Json) -> int:
    """Compare numbers, or strings as in the invariant culture: a capital letter comes after the small one."""
    one, two = ("" if left is None else left), ("" if right is None else right)
    if isinstance(one, str) and isinstance(two, str):
        first, second = (*sort_key(one), one.swapcase()), (*sort_key(two), two.swapcase())
        return (first > second) - (first < second)
    if is_number(one) and is_number(two):
        return (one > two) - (one < two)
    raise EvaluationError(f"cannot order {kind(left)} and {kind(right)}")


def boolean(value: Json) -> bool:
    """Convert to a boolean: a number (0 is false), or a string that writes a boolean or 0 or 1."""
    if isinstance(value, bool):
        return value
    if is_number(value):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in {"true", "false", "1", "0"}:
        return value.strip().lower() in {"true", "1"}
    raise EvaluationError(f"cannot make a boolean from a value of type {kind(value)}")


def choose(condition: Json, if_true: Json, if_false: Json) -> Json:
    """Return one of two values; within policies only the chosen one is computed."""
    return if_true if expect_boolean(condition) else if_false


def coalesce(*values: Json) -> Json:
    """Return the first value that is not null."""
    return next((value for value in values if value is not None), None)


LOGIC: dict[str, tuple[Callable[..., Json], int, int | None]] = {
    "equals": (equals, 2, 2),
    "less": (lambda left, right: _order(left, right) < 0, 2, 2),
    "lessOrEquals": (lambda left, right: _order(left, right) <= 0, 2, 2),
    "greater": (lambda left, right: _order(left, right) > 0, 2, 2),
    "greaterOrEquals": (lambda left, right: _order(left, right) >= 0, 2, 2),
    "bool": (boolean, 1, 1),
    "and": (lambda *values: all(list(map(expect_boolean, values))), 2, None),
    "or": (lambda *values: any(list(map(expect_boolean, values))), 2, None),
    "not": (lambda value: not expect_boolean(value), 1, 1),
    "if": (choose, 3, 3),
    "coalesce": (coalesce, 1, None),
    "true": (lambda: True, 0, 0),
    "false": (lambda: False, 0, 0),
    "null": (lambda: None, 0, 0),
}
