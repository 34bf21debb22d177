"""Lint rules about comparisons: arrays, literals, and operators that suit what they compare."""

from collections.abc import Iterator

from shared.authoring.lint.subject import (
    DETAILS,
    ConditionPlace,
    DefinitionSubject,
    LintFinding,
    LintRule,
    repeated,
)
from shared.domain.lint import LintLevel
from shared.domain.resource import Json
from shared.engine.language.comparison import ORDER_OPERATORS
from shared.engine.language.expression import Literal
from shared.engine.value import kind, number_of
from shared.engine.value import text as text_of

_NEGATIVE_OPERATORS = frozenset(("notEquals", "notIn", "notLike", "notContains", "notMatch", "notMatchInsensitively"))
_WHOLE_VALUE_OPERATORS = frozenset(
    ("equals", "notEquals", "in", "notIn", "like", "notLike", "match", "notMatch", *ORDER_OPERATORS)
)
_VALUE_OPERATORS = ("equals", "notEquals", "in", "notIn")
_NUMBER_TYPES = frozenset(("integer", "number"))


def negated_array(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a `not` around a condition on `[*]` outside a count: it means "not all members", not "no member".

    Say which is meant with a count: `{"count": {"field": "x[*]", "where": …}, "equals": 0}` for no member.
    """
    for place in subject.places:
        if place.negated and _implicit(place):
            yield LintFinding(
                place.condition.path,
                "this is true as soon as one member fails the condition",
                "count the members: equals 0 for none, greater 0 for any",
            )


def all_members(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a condition on `[*]` outside a count: it means "all members", and is true for an empty or absent array.

    Use a count to say "any member" or "at least one". Of several such conditions the first is named.
    """
    found = [place.condition for place in subject.places if not place.negated and _implicit(place)]
    for first in found[:1]:
        meant = "no member may" if first.operator in _NEGATIVE_OPERATORS else "every member must"
        opposite = first.operator.removeprefix("not")
        others = f"; conditions like this: {len(found)}" if len(found) > 1 else ""
        yield LintFinding(
            first.path,
            f"{meant} meet {opposite[0].lower()}{opposite[1:]}, and an empty array counts as true{others}",
            "count the members where 'any' or 'at least one' is meant",
        )


def _implicit(place: ConditionPlace) -> bool:
    """Return whether the condition goes through an array that no count stands at: the implicit all-of."""
    name = (place.name or "").lower()
    around = max((each for each in place.counted if each and name.startswith(each)), key=len, default="")
    return "[*]" in name[len(around) :]


def whole_array(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an array that is compared as a whole with a single value, which it never equals.

    Append `[*]` to the name, or use `contains`.
    """
    for place in subject.places:
        name = place.name or ""
        single = place.literal is not None and not (place.condition.operator in ORDER_OPERATORS and place.counted)
        if (
            "/" not in name
            or name.endswith("[*]")
            or place.condition.operator not in _WHOLE_VALUE_OPERATORS
            or not single
        ):
            continue
        # An array has its members as an alias of their own.
        rows = subject.facts.aliases.rows(name + "[*]") if not isinstance(place.literal, list) else ()
        if any(row.path.endswith("[*]") for row in rows):
            yield LintFinding(
                f"{place.condition.path}.field", f"{name!r} is an array", f"use {name + '[*]'!r} or contains"
            )


def impossible_literal(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a comparison of a property with a value of a type that it never has.

    Write the value in the property's type.
    """
    for path, name, wanted, operator in _literals(subject):
        held = subject.facts.kinds.get(name.lower())
        if held is not None and not _can_meet(held, wanted, operator):
            yield LintFinding(
                path, f"{name!r} is of type {held}, {wanted!r} is a {kind(wanted)}", f"write a value of type {held}"
            )


def text_literal(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a boolean or number that is written as text: Azure converts it, people and other tools may not.

    Write it without quotes.
    """
    for path, name, wanted, operator in _literals(subject):
        held = subject.facts.kinds.get(name.lower(), "string")
        if isinstance(wanted, str) and held != "string" and _can_meet(held, wanted, operator):
            yield LintFinding(
                path, f"{name!r} is of type {held}, {wanted!r} is text", f"write {wanted.lower()} without quotes"
            )


def _literals(subject: DefinitionSubject) -> Iterator[tuple[str, str, Json, str]]:
    """Yield each literal that an alias is compared with or set to: path, alias, literal, operator ("" where set)."""
    for place in subject.places:
        operator = place.condition.operator
        if place.name and (operator in _VALUE_OPERATORS or operator in ORDER_OPERATORS):
            # `in` and `notIn` have a list of literals, each of which is compared by itself.
            listed = place.literal if isinstance(place.literal, list) else [place.literal]
            for each in listed:
                yield f"{place.condition.path}.{operator}", place.name, each, operator
    for at, change in enumerate(subject.details.changes if subject.details else ()):
        if isinstance(change.field, Literal) and isinstance(change.value, Literal) and change.operation != "append":
            yield f"{DETAILS}.operations[{at}].value", str(change.field.value), change.value.value, ""


def _can_meet(held: str, wanted: Json, operator: str) -> bool:
    """Return whether a value of this type can equal, be ordered against or be set to the literal."""
    if wanted is None or wanted == "" or held not in {"string", "boolean", *_NUMBER_TYPES}:
        return True
    found = kind(wanted)
    if operator in ORDER_OPERATORS:
        return (found == "number") is (held in _NUMBER_TYPES) and found != "boolean"
    if operator == "" or found == ("number" if held in _NUMBER_TYPES else held):
        return found == ("number" if held in _NUMBER_TYPES else held)
    # `equals` converts: booleans and numbers equal their text.
    if held == "boolean":
        return isinstance(wanted, str) and wanted.lower() in {"true", "false"}
    if held in _NUMBER_TYPES:
        return isinstance(wanted, str) and number_of(wanted) is not None
    return isinstance(wanted, bool | int | float)


def stars(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find `like` with more than one `*`; only one is documented.

    Use two conditions, or `contains` for a part in the middle.
    """
    for path, _, text in _patterns(subject):
        if text.count("*") > 1:
            yield LintFinding(
                path, f"{text!r} has {text.count('*')} stars, one is allowed", "use contains, or two conditions"
            )


def contains_star(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find `contains` with a `*`, which stands for itself there.

    Leave the `*` out, or use `like` for a pattern.
    """
    for place in subject.places:
        operator, wanted = place.condition.operator, place.literal
        if operator in {"contains", "notContains"} and isinstance(wanted, str) and "*" in wanted:
            yield LintFinding(
                f"{place.condition.path}.{operator}", f"{operator} takes no wildcard: {wanted!r}", "leave the star out"
            )


def no_star(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find `like` without a `*`, which is `equals`.

    Write `equals`, or put the `*` where it is meant; `?` stands for itself.
    """
    for path, operator, text in _patterns(subject):
        if "*" not in text:
            better = "equals" if operator == "like" else "notEquals"
            yield LintFinding(path, f"{operator} {text!r} has no star", f"use {better}")


def _patterns(subject: DefinitionSubject) -> Iterator[tuple[str, str, str]]:
    for place in subject.places:
        operator, wanted = place.condition.operator, place.literal
        if operator in {"like", "notLike"} and isinstance(wanted, str):
            yield f"{place.condition.path}.{operator}", operator, wanted


def plain_match(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find `match` without `#`, `?` or `.`, which is `equals` with case.

    Write `equals` unless case is meant to count.
    """
    for place in subject.places:
        operator, wanted = place.condition.operator, place.literal
        if "atch" in operator and isinstance(wanted, str) and not set(wanted) & set("#?."):
            better = "notEquals" if operator.startswith("not") else "equals"
            yield LintFinding(
                f"{place.condition.path}.{operator}", f"{operator} {wanted!r} has no pattern", f"use {better}"
            )


def lists(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a list of `in` or `notIn` that is empty, or has a member twice.

    Remove a condition on an empty list, which is always true or false.
    """
    for path, operator, wanted in _lists(subject):
        if not wanted:
            yield LintFinding(
                path, f"{operator} an empty list is always {str(operator == 'notIn').lower()}", "remove it"
            )
        elif (twice := next(repeated((each, text_of(each).lower()) for each in wanted), None)) is not None:
            yield LintFinding(path, f"{twice!r} is in the list twice", "remove one")


def single_member(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a list of `in` or `notIn` with one member.

    Write `equals` or `notEquals`, unless others are to follow.
    """
    for path, operator, wanted in _lists(subject):
        if len(wanted) == 1:
            yield LintFinding(path, "the list has one member", f"use {'equals' if operator == 'in' else 'notEquals'}")


def _lists(subject: DefinitionSubject) -> Iterator[tuple[str, str, list[Json]]]:
    """Yield each list of `in` or `notIn`: path, operator, members."""
    for place in subject.places:
        operator, wanted = place.condition.operator, place.literal
        if operator in {"in", "notIn"} and isinstance(wanted, list):
            yield f"{place.condition.path}.{operator}", operator, wanted


RULES = (
    LintRule("array-negated", LintLevel.WARNING, negated_array),
    LintRule("array-all-of", LintLevel.NOTE, all_members),
    LintRule("array-whole", LintLevel.WARNING, whole_array),
    LintRule("literal-type", LintLevel.WARNING, impossible_literal),
    LintRule("literal-text", LintLevel.NOTE, text_literal),
    LintRule("like-stars", LintLevel.WARNING, stars),
    LintRule("contains-star", LintLevel.WARNING, contains_star),
    LintRule("like-plain", LintLevel.NOTE, no_star),
    LintRule("match-plain", LintLevel.NOTE, plain_match),
    LintRule("list-odd", LintLevel.WARNING, lists),
    LintRule("list-single", LintLevel.NOTE, single_member),
)
