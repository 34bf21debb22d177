"""Numeric functions of template expressions ("Numeric functions for ARM templates")."""

from collections.abc import Callable
from math import isfinite

from shared.domain.resource import Json
from shared.engine.error import EvaluationError
from shared.engine.value import Number, expect_integer, is_number, kind

_RANGE_MEMBERS = 10_000
_INT32_MAX = (1 << 31) - 1
_INT64_BOUND = 1 << 63
_NUMBER_CHARACTERS = 400


def _within(result: int) -> int:
    if not -_INT64_BOUND <= result < _INT64_BOUND:
        raise EvaluationError("the result does not fit in 64 bits")
    return result


def add(left: Json, right: Json) -> int:
    """Return the sum of two integers."""
    return _within(expect_integer(left) + expect_integer(right))


def sub(left: Json, right: Json) -> int:
    """Return the difference of two integers."""
    return _within(expect_integer(left) - expect_integer(right))


def mul(left: Json, right: Json) -> int:
    """Return the product of two integers."""
    return _within(expect_integer(left) * expect_integer(right))


def div(left: Json, right: Json) -> int:
    """Return the quotient of two integers, rounded towards zero."""
    one, two = expect_integer(left), expect_integer(right)
    if two == 0:
        raise EvaluationError("division by zero")
    # Python rounds down, Resource Manager towards zero.
    quotient, rest = divmod(one, two)
    return _within(quotient + 1 if quotient < 0 and rest else quotient)


def mod(left: Json, right: Json) -> int:
    """Return the remainder of two integers, with the sign of the first."""
    return expect_integer(left) - expect_integer(right) * div(left, right)


def to_int(value: Json) -> int:
    """Return a number or a string as an integer, rounded towards zero."""
    # Not through float where there is no fraction: it holds 53 bits only.
    whole = isinstance(value, str) and "." not in value
    return _within(int(_written(value)) if whole else int(to_float(value)))


def to_float(value: Json) -> float:
    """Return a number or a string as a floating-point number."""
    if is_number(value):
        return float(value) if isinstance(value, float) else value
    if isinstance(value, str):
        found = float(_written(value))
        if isfinite(found):
            return found
        raise EvaluationError(f"{value.strip()!r} is no finite number")
    raise EvaluationError(f"cannot make a number from a value of type {kind(value)}")


def _written(text: str) -> str:
    """Return the text of a number, refused where no number needs so much."""
    number = text.strip()
    if len(number) > _NUMBER_CHARACTERS:
        raise EvaluationError(f"the number has more than {_NUMBER_CHARACTERS} characters")
    if "_" in number or not number.isascii():  # which Python takes
        raise EvaluationError(f"{number[:40]!r} is no number")
    return number


def _numbers(values: tuple[Json, ...]) -> list[Number]:
    found = values[0] if len(values) == 1 and isinstance(values[0], list) else list(values)
    if not found or not all(is_number(each) for each in found):
        raise EvaluationError("expected numbers")
    return found


def smallest(*values: Json) -> Number:
    """Return the least of an array or of the arguments."""
    return min(_numbers(values))


def largest(*values: Json) -> Number:
    """Return the greatest of an array or of the arguments."""
    return max(_numbers(values))


def sequence(start: Json, count: Json) -> list[Json]:
    """Return `count` integers from `start`."""
    first, size = expect_integer(start), expect_integer(count)
    if not 0 <= size <= _RANGE_MEMBERS:
        raise EvaluationError(f"the count must be between 0 and {_RANGE_MEMBERS}")
    if first + size - 1 > _INT32_MAX:
        raise EvaluationError(f"the last number exceeds maximum of {_INT32_MAX}")
    return list(range(first, first + size))


NUMBER: dict[str, tuple[Callable[..., Json], int, int | None]] = {
    "add": (add, 2, 2),
    "sub": (sub, 2, 2),
    "mul": (mul, 2, 2),
    "div": (div, 2, 2),
    "mod": (mod, 2, 2),
    "int": (to_int, 1, 1),
    "float": (lambda value: float(to_float(value)), 1, 1),
    "min": (smallest, 1, None),
    "max": (largest, 1, None),
    "range": (sequence, 2, 2),
}
