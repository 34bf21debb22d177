"""The nineteen condition operators: from the right side a check of the left side.

Source: "Azure Policy definition structure policy rule, conditions". A check answers True or False; for a value that
was not read it answers None. Strings compare without case except in `match` and `notMatch`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import ge, gt, le, lt

from shared.domain.resource import Json
from shared.engine.context import CACHE_ENTRIES, CACHED_CHARACTERS
from shared.engine.error import EvaluationError
from shared.engine.unknown import Partial, Unknown, first_unknown
from shared.engine.value import (
    compare,
    equality_key,
    flag_of,
    is_number,
    kind,
    loosely_equal,
    number_of,
    scalar_text,
    text,
)

OperatorCheck = Callable[[Json], bool | None]
_CONTAINER_CLASSES = frozenset({dict, list, Partial})


@dataclass(frozen=True, slots=True)
class Operator:
    """How to make a check, and what a literal right side may not be (`refuses` says why, or None)."""

    check: Callable[[Json], OperatorCheck]
    refuses: Callable[[Json], str | None]


def _has_unread(value: Json) -> bool:
    """Return whether something in the value was not read, so that comparing it as a whole says nothing."""
    found = value.__class__
    return found is Unknown or (found in _CONTAINER_CLASSES and first_unknown(value) is not None)


def _equals(expected: Json, *, wanted: bool) -> OperatorCheck:
    """Make the check of `equals`: strings without case; null equals ""; booleans and numbers equal their text."""
    if isinstance(expected, str):
        return _equals_text(expected, wanted=wanted)

    def check(value: Json) -> bool | None:
        return None if _has_unread(value) else loosely_equal(value, expected) is wanted

    return check


def _equals_text(expected: str, *, wanted: bool) -> OperatorCheck:
    low, empty, other = expected.lower(), (expected == "") is wanted, not wanted
    size = len(low)  # no text grows shorter in lower case

    def check(value: Json) -> bool | None:
        if value.__class__ is str:
            return wanted if value == expected or (len(value) <= size and value.lower() == low) else other
        if value is None:
            return empty
        return None if _has_unread(value) else loosely_equal(value, expected) is wanted

    return check


def _is_in(expected: Json, *, wanted: bool) -> OperatorCheck:
    """Make the check of `in`: equal to a member of a list."""
    if not isinstance(expected, list):
        raise EvaluationError(f"the right side of in must be a list, found {kind(expected)}")
    # Lists of thousands are common: members are looked up by what they equal, not compared one by one.
    known = [each for each in expected if not _has_unread(each)]
    scalars = _Scalars(known)
    containers: dict[Hashable, list[Json]] = {}
    for each in known:
        if isinstance(each, list | dict):
            # Equal containers have equal keys; others may too, so those that a key finds are compared.
            containers.setdefault(equality_key(each), []).append(each)
    # A member that was not read could be the one: absence is unknown then.
    absent = not wanted if len(known) == len(expected) else None

    def check(value: Json) -> bool | None:
        if value.__class__ is str:
            return wanted if scalars.has_text(value) else absent
        if isinstance(value, list | dict):
            if _has_unread(value):
                return None
            near = containers.get(equality_key(value), ()) if containers else ()
            return wanted if any(loosely_equal(value, each) for each in near) else absent
        return None if value.__class__ is Unknown else wanted if scalars.has(value) else absent

    return check


class _Scalars:
    """The texts, numbers, booleans and nulls of a list, found by what they equal without going through them."""

    __slots__ = ("longest", "numbers", "texts", "written")

    def __init__(self, members: list[Json]) -> None:
        texts = {each for each in members if isinstance(each, str)}
        flags = {scalar_text(each) or "" for each in members if each is None or isinstance(each, bool)}
        self.texts = frozenset({each.lower() for each in texts} | flags)
        self.longest = max(map(len, self.texts), default=0)  # no text grows shorter in lower case
        self.numbers = frozenset(each for each in members if is_number(each) and each == each)  # noqa: PLR0124 - NaN
        self.written = frozenset(map(number_of, texts)) - {None}

    def has_text(self, value: str) -> bool:
        if len(value) <= self.longest and value.lower() in self.texts:
            return True
        return bool(self.numbers) and number_of(value) in self.numbers

    def has(self, value: Json) -> bool:
        if is_number(value):
            return value in self.numbers or value in self.written
        return (scalar_text(value) or "") in self.texts


def contains(expected: Json) -> OperatorCheck:
    """Make the check of `contains`: a part of a text, or a member of an array."""
    sought = "" if expected is None else text(expected).lower()

    def check(value: Json) -> bool | None:
        if value.__class__ is str:
            return sought in value.lower()
        if isinstance(value, list):
            answers = [None if _has_unread(each) else loosely_equal(each, expected) for each in value]
            return True if True in answers else None if None in answers else False
        if _has_unread(value):
            return None
        return value is not None and not isinstance(value, dict) and sought in text(value).lower()

    return check


def _written(expected: Json) -> str:
    """Return the right side of an operator on text; null, as a missing property gives it, is ""."""
    if isinstance(expected, list | dict):
        raise EvaluationError(f"the right side must be a string, found {kind(expected)}")
    return "" if expected is None else text(expected)


def like(expected: Json) -> OperatorCheck:
    """Make the check of `like`: the whole text, with `*` for any characters."""
    pieces = _written(expected).lower().split("*")
    once, head, tail = len(pieces) == 2, pieces[0], pieces[-1]  # noqa: PLR2004 - one star, as documented
    shortest = len(head) + len(tail)

    def check(value: Json) -> bool | None:
        if value.__class__ is str:
            low = value.lower()
            if once:
                return len(low) >= shortest and low.startswith(head) and low.endswith(tail)
            return matches_wildcard(low, pieces)
        if _has_unread(value):
            return None
        return (
            value is not None and not isinstance(value, list | dict) and matches_wildcard(text(value).lower(), pieces)
        )

    return check


def matches_wildcard(value: str, pieces: list[str]) -> bool:
    """Return whether the text is the pieces in order with anything between; one pass, no backtracking."""
    head, tail = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return value == head
    if len(value) < len(head) + len(tail) or not (value.startswith(head) and value.endswith(tail)):
        return False
    at, end = len(head), len(value) - len(tail)
    for piece in pieces[1:-1]:
        found = value.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def _matcher(expected: Json, fold: Callable[[str], str]) -> OperatorCheck:
    pattern = fold(_written(expected))

    def check(value: Json) -> bool | None:
        if _has_unread(value):
            return None
        if value is None or isinstance(value, list | dict | bool):
            return False
        return matches_pattern(fold(text(value)), pattern)

    return check


def matches_pattern(value: str, pattern: str) -> bool:
    """Match a text: `#` stands for a digit, `?` for a letter, `.` for any character, all else for itself."""
    return len(value) == len(pattern) and all(map(_stands_for, pattern, value))


def _stands_for(mark: str, character: str) -> bool:
    if mark == "#":
        return "0" <= character <= "9"
    if mark == "?":
        return character.isalpha()
    return mark in {".", character}


def match(expected: Json) -> OperatorCheck:
    """Make the check of `match`: a pattern, with case."""
    return _matcher(expected, lambda value: value)


def match_insensitively(expected: Json) -> OperatorCheck:
    """Make the check of `matchInsensitively`: a pattern, without case."""
    return _matcher(expected, str.lower)


def contains_key(expected: Json) -> OperatorCheck:
    """Make the check of `containsKey`: an object that has the key."""
    low = _written(expected).lower()

    def check(value: Json) -> bool | None:
        if isinstance(value, dict) and any(key.lower() == low for key in value):
            return True
        return None if value.__class__ is Unknown or value.__class__ is Partial else False

    return check


def exists(expected: Json) -> OperatorCheck:
    """Make the check of `exists`: whether the property is there and not null."""
    wanted = flag_of(expected)
    if wanted is None:
        raise EvaluationError(f"the right side of exists must be true or false, found {text(expected)[:40]}")

    def check(value: Json) -> bool | None:
        if value.__class__ is Unknown:
            return None
        return (value is not None) is wanted

    return check


def _ordered(expected: Json, *, accepts: Callable[[int, int], bool]) -> OperatorCheck:
    """Make the check of an order: before, equal to or after; null is none of them."""

    def check(value: Json) -> bool | None:
        if value is None:
            return False
        return None if _has_unread(value) else accepts(compare(value, expected), 0)

    return check


def _negated(expected: Json, *, positive: Callable[[Json], OperatorCheck]) -> OperatorCheck:
    inner = positive(expected)

    def check(value: Json) -> bool | None:
        answer = inner(value)
        return None if answer is None else not answer

    return check


def _any_operand(_: Json) -> str | None:
    return None


def _needs_list(expected: Json) -> str | None:
    return None if isinstance(expected, list) else "expected a list"


def _needs_flag(expected: Json) -> str | None:
    return "expected true or false" if flag_of(expected) is None else None


def _needs_scalar(expected: Json) -> str | None:
    return "expected a string, number or boolean" if isinstance(expected, list | dict) else None


def _needs_text(expected: Json) -> str | None:
    return None if expected is None or isinstance(expected, str) or is_number(expected) else "expected a string"


OPERATORS: dict[str, Operator] = {
    "equals": Operator(partial(_equals, wanted=True), _any_operand),
    "notEquals": Operator(partial(_equals, wanted=False), _any_operand),
    "like": Operator(like, _needs_text),
    "notLike": Operator(partial(_negated, positive=like), _needs_text),
    "match": Operator(match, _needs_text),
    "notMatch": Operator(partial(_negated, positive=match), _needs_text),
    "matchInsensitively": Operator(match_insensitively, _needs_text),
    "notMatchInsensitively": Operator(partial(_negated, positive=match_insensitively), _needs_text),
    "contains": Operator(contains, _any_operand),
    "notContains": Operator(partial(_negated, positive=contains), _any_operand),
    "in": Operator(partial(_is_in, wanted=True), _needs_list),
    "notIn": Operator(partial(_is_in, wanted=False), _needs_list),
    "containsKey": Operator(contains_key, _needs_text),
    "notContainsKey": Operator(partial(_negated, positive=contains_key), _needs_text),
    "less": Operator(partial(_ordered, accepts=lt), _needs_scalar),
    "lessOrEquals": Operator(partial(_ordered, accepts=le), _needs_scalar),
    "greater": Operator(partial(_ordered, accepts=gt), _needs_scalar),
    "greaterOrEquals": Operator(partial(_ordered, accepts=ge), _needs_scalar),
    "exists": Operator(exists, _needs_flag),
}


ORDER_OPERATORS = frozenset({"less", "lessOrEquals", "greater", "greaterOrEquals"})
"""Operators that are false for an absent value, and so is the opposite one."""


def operator_check(operator: str, expected: Json) -> OperatorCheck:
    """Return the check of an operator for a right side; one that was not read makes every answer unknown.

    Lists of in and notIn answer for the members that were read.
    """
    if isinstance(expected, str) and len(expected) <= CACHED_CHARACTERS:
        return _text_check(operator, expected)
    if isinstance(expected, Unknown) or (operator not in {"in", "notIn"} and first_unknown(expected) is not None):
        return _unknown
    return OPERATORS[operator].check(expected)


@lru_cache(CACHE_ENTRIES)
def _text_check(operator: str, expected: str) -> OperatorCheck:
    return OPERATORS[operator].check(expected)


def _unknown(_: Json) -> None:
    return None
