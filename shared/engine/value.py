"""What JSON values are to the policy language: their kinds, equality, order and text."""

import json
import re
from collections.abc import Hashable
from datetime import datetime
from math import isfinite
from unicodedata import combining, normalize

from shared.domain.resource import Json
from shared.domain.spelling import lowered
from shared.engine.error import EvaluationError
from shared.engine.unknown import first_unknown

Number = int | float
_Timestamp = tuple[datetime, str]
RESULT_CHARACTERS = 131_072
_CHARACTERS_PER_UNIT_BITS = 6  # as a power of two
_TICK = re.compile(r"\.\d{6}(\d)")
_SORTED = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789"
_RANKS = str.maketrans({character: chr(rank) for rank, character in enumerate(_SORTED, 1)})


def kind(value: Json) -> str:
    """Return the JSON name of a value's type."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list() | tuple():
            return "array"
        case _:
            return "object"


def is_number(value: Json) -> bool:
    """Return whether it is a number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def text(value: Json) -> str:
    """Return the text of a value as .NET and JSON write it: true, 3, {"a":1}."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:  # noqa: PLR2004 - exact in a double
        return str(int(value))
    if isinstance(value, float):
        return repr(value).replace("e", "E")
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def check_text_length(result: str) -> str:
    """Refuse strings longer than a policy function may return."""
    check_length(len(result))
    return result


def check_length(size: int, what: str = "result") -> None:
    """Refuse a result of so many characters before it is made, or a text that takes long to read."""
    if size > RESULT_CHARACTERS:
        raise EvaluationError(f"the {what} has more than {RESULT_CHARACTERS} characters")


def weight(value: Json, most: int) -> int:
    """Count what is in a value, as far as `most`: members, and every 64 characters; shared parts count each time."""
    found = 0
    left = [value]
    for each in left:  # grows on the way
        sort = each.__class__
        if sort is str:
            found += len(each) >> _CHARACTERS_PER_UNIT_BITS
        elif isinstance(each, list | dict):
            found += len(each)
            if found > most:
                break
            left += (*each, *each.values()) if isinstance(each, dict) else each
    return found


def flag_of(value: Json) -> bool | None:
    """Return a boolean, also one written as text; None for anything else."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def expect_text(value: Json, *, null: str | None = "") -> str:
    """Require a string argument and return it; null counts as `null` where that is not None."""
    if isinstance(value, str):
        return value
    if value is None and null is not None:
        return null
    raise EvaluationError(f"expected a string, found {_shown(value)}")


def expect_integer(value: Json) -> int:
    """Require an integer argument and return it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise EvaluationError(f"expected an integer, found {_shown(value)}")


def expect_boolean(value: Json) -> bool:
    """Require a boolean argument and return it."""
    if isinstance(value, bool):
        return value
    raise EvaluationError(f"expected a boolean, found {_shown(value)}")


def expect_array(value: Json) -> list[Json]:
    """Require an array argument and return it."""
    if isinstance(value, list):
        return value
    raise EvaluationError(f"expected an array, found {_shown(value)}")


def strictly_equal(left: Json, right: Json) -> bool:
    """Compare as JSON: no coercion, booleans are not numbers, strings with case."""
    if kind(left) != kind(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(strictly_equal, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(strictly_equal(left[key], right[key]) for key in left)
    return bool(left == right)


def hashable(value: Json) -> Hashable:
    """Return something hashable that is equal where `strictly_equal` holds."""
    if isinstance(value, list):
        return tuple(map(hashable, value))
    if isinstance(value, dict):
        return frozenset((key, hashable(each)) for key, each in value.items())
    return (kind(value), value)


def equality_key(value: Json) -> Hashable:
    """Return something hashable that is equal where `loosely_equal` holds, and seldom elsewhere."""
    if isinstance(value, list):
        return tuple(map(equality_key, value))
    if isinstance(value, dict):
        return frozenset((key.lower(), equality_key(each)) for key, each in value.items())
    if is_number(value):
        return value  # type: ignore[no-any-return]
    low = scalar_text(value) or ""
    number = number_of(low)
    return low if number is None else number


def loosely_equal(left: Json, right: Json) -> bool:
    """Compare as operators do: strings without case; null is ""; booleans and numbers equal their text."""
    if left is None or right is None:
        return (left is None or left == "") and (right is None or right == "")
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(loosely_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        one, two = lowered(left), lowered(right)
        return one.keys() == two.keys() and all(loosely_equal(one[key], two[key]) for key in one)
    return _loosely_equal_scalars(left, right)


def _loosely_equal_scalars(left: Json, right: Json) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    if isinstance(left, bool) or isinstance(right, bool):
        return scalar_text(left) == scalar_text(right)
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, str) and is_number(right):
        return bool(number_of(left) == right)
    return isinstance(right, str) and is_number(left) and number_of(right) == left


def scalar_text(value: Json) -> str | None:
    """Return a string or boolean as lower-case text, for comparing one with the other; None for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.lower() if isinstance(value, str) else None


def number_of(value: str) -> Number | None:
    """Return the number that a string writes, if it writes one."""
    if len(value) > 40 or value[:1].strip("+-.0123456789"):  # noqa: PLR2004 - no JSON number is longer
        return None
    if "_" in value or not value.isascii():  # which Python takes
        return None
    try:
        return int(value)
    except ValueError:
        return _decimal(value)


def _decimal(value: str) -> float | None:
    try:
        found = float(value)
    except ValueError:
        return None
    return found if isfinite(found) else None


def compare(left: Json, right: Json) -> int:
    """Return -1, 0 or 1; numbers, dates and strings compare with their own kind only, anything else is an error."""
    if isinstance(left, str) and isinstance(right, str):
        return _compare_numbers(*(_timestamps(left, right) or (sort_key(left), sort_key(right))))
    if is_number(left) and is_number(right):
        return _compare_numbers(left, right)
    raise EvaluationError(f"cannot order {_shown(left)} and {_shown(right)}: the types differ")


def sort_key(written: str) -> tuple[str, str]:
    """Return what strings sort by without case, as in .NET's invariant culture: signs, digits, letters, accents."""
    check_length(len(written), "text to order")
    low = written.lower()
    if low.isascii():
        return low.translate(_RANKS), ""
    parts = normalize("NFD", low)
    return "".join(each for each in parts if not combining(each)).translate(_RANKS), parts


def _compare_numbers(left: Json, right: Json) -> int:
    return int(left > right) - int(left < right)


def _timestamps(left: str, right: str) -> tuple[_Timestamp, _Timestamp] | None:
    """Return both as points in time, if both are written as full ISO 8601 times with an offset or both without."""
    if left[10:11].upper() != "T" or right[10:11].upper() != "T":
        return None
    try:
        one, two = _timestamp(left), _timestamp(right)
    except ValueError:
        return None
    return (one, two) if (one[0].tzinfo is None) == (two[0].tzinfo is None) else None


def _timestamp(written: str) -> _Timestamp:
    """Return the time to the microsecond, and the tenth of one below it."""
    tick = _TICK.search(written)
    return datetime.fromisoformat(written), tick[1] if tick else "0"


def _shown(value: Json) -> str:
    return (
        f"{kind(value)} {text(value)[:60]}"
        if first_unknown(value) is None
        else f"{kind(value)} that was not read in full"
    )
