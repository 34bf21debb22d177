"""Values and conditions in plain English: values as JSON spells them, what is cut marked as cut."""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import islice

from shared.domain.resource import Json
from shared.engine.value import flag_of

SHOWN_CHARACTERS = 80
SHOWN_MEMBERS = 6
SHOWN_LEVELS = 2
"""Levels of lists and objects in one another that are shown."""
_BREAKS = " /,;|"
_WORDS = {
    "equals": "{}",
    "notEquals": "not {}",
    "in": "one of {}",
    "notIn": "none of {}",
    "like": "like {}",
    "notLike": "not like {}",
    "match": "of the form {}",
    "notMatch": "not of the form {}",
    "matchInsensitively": "of the form {}",
    "notMatchInsensitively": "not of the form {}",
    "contains": "containing {}",
    "notContains": "not containing {}",
    "containsKey": "with the key {}",
    "notContainsKey": "without the key {}",
    "less": "less than {}",
    "lessOrEquals": "at most {}",
    "greater": "more than {}",
    "greaterOrEquals": "at least {}",
}
_CURRENT = re.compile(r"\[current\((?:'([^']*)')?\)\]", re.IGNORECASE)
_ORDERS = ("less", "lessOrEquals", "greater", "greaterOrEquals")
_NEGATED_OPERATORS = {
    "equals": "notEquals",
    "in": "notIn",
    "like": "notLike",
    "match": "notMatch",
    "matchInsensitively": "notMatchInsensitively",
    "contains": "notContains",
    "containsKey": "notContainsKey",
    "less": "greaterOrEquals",
    "lessOrEquals": "greater",
}
OPPOSITE_OPERATORS = {**_NEGATED_OPERATORS, **{negative: positive for positive, negative in _NEGATED_OPERATORS.items()}}


def value_text(value: Json, levels: int = SHOWN_LEVELS) -> str:
    """Return a value as JSON spells it, on one line; what is left out of a long or deep one is marked by `…`."""
    match value:
        case str():
            return json.dumps(shortened(value), ensure_ascii=False)
        case list() if value:
            return f"[{list_text(value, levels - 1) if levels else '…'}]"
        case dict() if value:
            return f"{{{_members_text(value, levels - 1) if levels else '…'}}}"
        case _:
            return json.dumps(value, default=str)


def _members_text(value: Mapping[str, Json], levels: int) -> str:
    shown = [(json.dumps(str(key), ensure_ascii=False), each) for key, each in islice(value.items(), SHOWN_MEMBERS + 1)]
    return cut_list([f"{key}: {value_text(each, levels)}" for key, each in shown], len(value))


def list_text(values: Sequence[Json], levels: int = SHOWN_LEVELS) -> str:
    """Return values with commas between them: the first ones, and how many more there are."""
    return cut_list([value_text(each, levels) for each in values[: SHOWN_MEMBERS + 1]], len(values))


def cut_list(texts: Sequence[str], number: int) -> str:
    """Return the first texts of a `number` of them, and how many more there are."""
    # One more takes no more room than the words that would stand for it.
    if number <= SHOWN_MEMBERS + 1:
        return ", ".join(texts)
    return f"{', '.join(texts[:SHOWN_MEMBERS])}, … and {number - SHOWN_MEMBERS:,} more"


def shortened(text: str) -> str:
    """Return a long text up to the last break within `SHOWN_CHARACTERS`, with the mark of a cut; of an id, its end."""
    if len(text) <= SHOWN_CHARACTERS:
        return text
    if text.lower().startswith("/subscriptions/"):
        return f"…/{'/'.join(text.split('/')[-2:])}"
    end = max(text.rfind(each, 0, SHOWN_CHARACTERS) for each in _BREAKS)
    return f"{text[: end + 1 if end > 0 else SHOWN_CHARACTERS].rstrip()}…"


def subject_text(field: str) -> str:
    """Return what a condition is about as it is called in a sentence: the value that a count stands at by its name."""
    found = _CURRENT.fullmatch(field)
    return shortened(field) if found is None else found[1] or "it"


def and_text(texts: Sequence[str], word: str = "and") -> str:
    """Return texts as a list in a sentence: `a`, `a and b`, `a, b and c`."""
    *first, last = texts
    return f"{', '.join(first)} {word} {last}" if first else last


def is_set_wanted(expected: Json) -> bool:
    """Return whether `exists` asks for a value, rather than for none."""
    return str(expected).lower() == "true"


def condition_words(operator: str, expected: Json) -> str:
    """Return what a condition asks of a value, as it follows `is`: `at least 90`, `one of "a", "b"`, `not set`."""
    if operator == "exists":
        return "set" if is_set_wanted(expected) else "not set"
    if expected is None or expected == "":
        return {"equals": "empty", "notEquals": "not empty"}.get(
            operator, _WORDS[operator].format(value_text(expected))
        )
    listed = operator in {"in", "notIn"} and isinstance(expected, list)
    if listed and len(expected) == 1:
        return condition_words("equals" if operator == "in" else "notEquals", expected[0])
    return _WORDS[operator].format(list_text(expected) if listed else value_text(expected))


def expression_words(operator: str, expression: str) -> str:
    """Return what a condition asks of a value whose right side is another for each member: the expression, as it is."""
    return _WORDS[operator].format(expression)


def holding(operator: str, expected: Json, *, result: bool | None) -> tuple[str, Json]:
    """Return the condition that holds of what was seen: the one asked where it is true, else its opposite."""
    if result is not False:
        return operator, expected
    if operator == "exists":
        return operator, not is_set_wanted(expected)
    return OPPOSITE_OPERATORS[operator], expected


def observed_text(subject: str, observed: Json, operator: str, expected: Json) -> str:
    """Return what was seen of a property, and which condition, one that holds, it meets by that."""
    words = condition_words(operator, expected)
    if observed is None:
        # That nothing is less than something says no more than that there is nothing.
        told = "" if operator == "exists" or operator in _ORDERS or words == "empty" else f" ({words})"
        return f"{subject} is not set{told}"
    seen = value_text(observed)
    if isinstance(observed, bool) and (flag := flag_of(expected)) is not None:
        words = condition_words(operator, flag)
    return f"{subject} is {seen}{'' if operator == 'exists' or words.lower() == seen.lower() else f' ({words})'}"
