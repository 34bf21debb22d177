"""The change of one value that makes one condition answer as wanted."""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher
from functools import partial

from shared.domain.property_path import join, tag_path
from shared.domain.resource import Json
from shared.engine.compile.field import tag_name
from shared.engine.error import EvaluationError
from shared.engine.explain.fix import CandidateFix
from shared.engine.explain.sentence import OPPOSITE_OPERATORS, condition_words, is_set_wanted
from shared.engine.language.comparison import OperatorCheck, operator_check
from shared.engine.value import flag_of

CHOICES = 20
"""Values of a list that are tried."""
_PROBES: tuple[Json, ...] = ("example", "", 1, 0, True, False, 1_000_000, ["example"], {"example": "example"})
_ANYTHING: tuple[Json, ...] = ("example", {"example": "example"}, ["example"], 1, True)
_OPPOSITES = {
    "allow": "Deny", "deny": "Allow", "enabled": "Disabled", "disabled": "Enabled", "on": "Off", "off": "On",
    "enable": "Disable", "disable": "Enable", "yes": "No", "no": "Yes",
    "public": "Private", "private": "Public", "encrypted": "Plaintext", "plaintext": "Encrypted",
}  # fmt: skip
"""The other value of properties that Azure gives two values, in lower case."""
_ABOUT_TEXT = frozenset({
    "like", "notLike", "match", "notMatch", "matchInsensitively", "notMatchInsensitively", "notContains",
})  # fmt: skip
_ABOUT_KEYS = frozenset({"containsKey", "notContainsKey"})
_TIMES = ("9999-12-31T00:00:00Z", "2000-01-01T00:00:00Z")
_PATTERN_MARKS = {"#": "0", "?": "a", ".": "a"}


def condition_fix(
    path: str, operator: str, expected: Json, *, wanted: bool, observed: Json = None
) -> CandidateFix | None:
    """Return the change that makes one value answer a condition as wanted; None where no value is known that does."""
    meets = partial(_meets, operator_check(operator, expected), wanted=wanted)
    if operator == "exists":
        if is_set_wanted(expected) is wanted:
            return CandidateFix("set", path, (), _ANYTHING, "set", meets=meets)
        return CandidateFix("remove", path, words="not set", meets=meets)
    holds = operator if wanted else OPPOSITE_OPERATORS[operator]
    if holds in _ABOUT_KEYS:
        return _key_fix(path, holds, str(expected))
    named = _choices(path, holds, expected, observed)
    choices = tuple(each for each in named if each not in (None, "") and meets(each))
    made = () if holds in {"equals", "in"} else (*_probes(holds, expected), *_PROBES)
    if holds in _ABOUT_TEXT:
        made = tuple(each for each in made if isinstance(each, str))
    probes = tuple(each for each in made if meets(each))
    if not choices and not probes:
        return CandidateFix("remove", path, words="not set", meets=meets) if meets(None) else None
    return CandidateFix("set", path, choices, probes, condition_words(holds, expected), meets=meets)


def _key_fix(path: str, holds: str, key: str) -> CandidateFix:
    """Return the change of the property that an object has to have, or must not have."""
    inner = tag_path(key) if path.lower() == "tags" else join(path, key)
    if holds == "notContainsKey":
        return CandidateFix("remove", inner, words="not set", meets=_is_null)
    return CandidateFix("set", inner, (), _ANYTHING, "set", meets=lambda value: value is not None)


def _is_null(value: Json) -> bool:
    return value is None


def _meets(check: OperatorCheck, value: Json, *, wanted: bool) -> bool:
    try:
        return check(value) is wanted
    except EvaluationError:
        return False


def _choices(path: str, holds: str, expected: Json, observed: Json) -> Sequence[Json]:
    """Return the values that a condition names, the nearest to what is there first."""
    if tag_name(path) is not None:  # tags are text, whatever a rule compares them with
        return [_tag_text(each) for each in _named(holds, expected, observed) if each is not None]
    return [_typed(each) for each in _named(holds, expected, observed)]


def _named(holds: str, expected: Json, observed: Json) -> Sequence[Json]:
    if holds == "in" and isinstance(expected, list):
        return sorted(expected[:CHOICES], key=lambda each: _distance(each, observed))
    make = _EXACT_VALUES.get(holds)
    return [] if make is None else [make(expected)]


def _distance(value: Json, observed: Json) -> float:
    if not isinstance(value, str) or not isinstance(observed, str):
        return 0
    return -SequenceMatcher(None, value.lower(), observed.lower()).ratio()


def _typed(value: Json) -> Json:
    """Return the value to write: a boolean written as a string becomes one."""
    flag = flag_of(value)
    return value if flag is None else flag


def _tag_text(value: Json) -> Json:
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int | float) else value


def _opposite(value: Json) -> Json:
    """Return the other of two values; None where there are more."""
    flag = flag_of(value)
    return _OPPOSITES.get(str(value).lower()) if flag is None else not flag


def _next(value: Json, *, step: int) -> Json:
    return value + step if isinstance(value, int) and not isinstance(value, bool) else None


_EXACT_VALUES: Mapping[str, Callable[[Json], Json]] = {
    "equals": lambda value: value,
    "notEquals": _opposite,
    "notIn": lambda values: _opposite(values[0]) if isinstance(values, list) and len(values) == 1 else None,
    "like": lambda value: None if "*" in str(value) else value,
    "greaterOrEquals": lambda value: value,
    "lessOrEquals": lambda value: value,
    "greater": partial(_next, step=1),
    "less": partial(_next, step=-1),
}


def _probes(holds: str, expected: Json) -> Sequence[Json]:
    """Return values made after the pattern of a condition."""
    text = str(expected)
    match holds:
        case "like":
            return [text.replace("*", ""), text.replace("*", "x")]
        case "match" | "matchInsensitively":
            return ["".join(_PATTERN_MARKS.get(each, each) for each in text)]
        case "contains":
            return [expected, [expected], f"example{text}example"]
        case "less" | "lessOrEquals" | "greater" | "greaterOrEquals":
            return [*_TIMES, *_around(expected)]
        case _:
            return []


def _around(expected: Json) -> Sequence[Json]:
    if isinstance(expected, str):
        return ["", f"{expected}z"] + ([str(int(expected) + 1)] if re.fullmatch(r"\d{1,15}", expected) else [])
    return [expected - 1, expected + 1] if isinstance(expected, int | float) else []
