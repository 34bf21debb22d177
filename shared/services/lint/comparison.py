"""Lint rules about comparisons: arrays, literals, and operators that suit what they compare."""

from collections.abc import Iterator

from shared.domain.lint import Level
from shared.domain.resource import Json
from shared.engine.expression import Literal
from shared.engine.value import kind, number_of
from shared.engine.value import text as text_of
from shared.services.lint.subject import DETAILS, UNTURNED, Found, Place, Rule, Subject

_NEGATIVE = frozenset(("notEquals", "notIn", "notLike", "notContains", "notMatch", "notMatchInsensitively"))
_WHOLE = frozenset(("equals", "notEquals", "in", "notIn", "like", "notLike", "match", "notMatch", *UNTURNED))
_SETTLED_BY = ("equals", "notEquals", "in", "notIn")
_NUMBERS = frozenset(("integer", "number"))


def negated_array(subject: Subject) -> Iterator[Found]:
    """A `not` stands around a condition on `[*]` outside a count: it means "not all members", not "no member".

    Say which is meant with a count: `{"count": {"field": "x[*]", "where": …}, "equals": 0}` for no member.
    """
    for place in subject.places:
        if place.negated and _implicit(place):
            yield Found(
                place.condition.path,
                "this means that not all members meet the condition, none need to fail it",
                "count the members: equals 0 for none, greater 0 for any",
            )


def all_members(subject: Subject) -> Iterator[Found]:
    """A condition on `[*]` outside a count means "all members", and an empty or absent array meets it.

    Use a count to say "any member" or "at least one".
    """
    for place in subject.places:
        if not place.negated and _implicit(place):
            meant = "no member may" if place.condition.operator in _NEGATIVE else "every member must"
            opposite = place.condition.operator.removeprefix("not")
            operator = opposite[0].lower() + opposite[1:]
            yield Found(
                place.condition.path,
                f"{meant} meet {operator}, and an empty array counts as true",
                "count the members where 'any' or 'at least one' is meant",
            )


def _implicit(place: Place) -> bool:
    """Whether the condition goes through an array that no count stands at: the implicit all-of."""
    name = (place.name or "").lower()
    around = max((each for each in place.counted if each and name.startswith(each)), key=len, default="")
    return "[*]" in name[len(around) :]


def whole_array(subject: Subject) -> Iterator[Found]:
    """An array as a whole is compared with a single value, which it never equals.

    Put `[*]` behind the name, or use `contains`.
    """
    for place in subject.places:
        name = place.name or ""
        single = place.literal is not None and not (place.condition.operator in UNTURNED and place.counted)
        if "/" not in name or name.endswith("[*]") or place.condition.operator not in _WHOLE or not single:
            continue
        if name + "[*]" in subject.facts.aliases and not isinstance(place.literal, list) and _is_listed(subject, name):
            yield Found(f"{place.condition.path}.field", f"{name!r} is an array", f"use {name + '[*]'!r} or contains")


def _is_listed(subject: Subject, name: str) -> bool:
    """Whether the catalog has the members of the array as an alias of their own."""
    return any(row.path.endswith("[*]") for row in subject.facts.aliases.rows(name + "[*]"))


def impossible_literal(subject: Subject) -> Iterator[Found]:
    """A property is compared with a value of a type that it never has.

    Write the value in the property's type.
    """
    for path, name, wanted, operator in _literals(subject):
        held = subject.facts.kinds.get(name.lower())
        if held is not None and not _can_meet(held, wanted, operator):
            yield Found(
                path, f"{name!r} is of type {held}, {wanted!r} is a {kind(wanted)}", f"write a value of type {held}"
            )


def text_literal(subject: Subject) -> Iterator[Found]:
    """A boolean or number is written as text; Azure converts it, people and other tools may not.

    Write it without quotes.
    """
    for path, name, wanted, operator in _literals(subject):
        held = subject.facts.kinds.get(name.lower(), "string")
        if isinstance(wanted, str) and held != "string" and _can_meet(held, wanted, operator):
            yield Found(
                path, f"{name!r} is of type {held}, {wanted!r} is text", f"write {wanted.lower()} without quotes"
            )


def _literals(subject: Subject) -> Iterator[tuple[str, str, Json, str]]:
    """Each literal that an alias is compared with or set to: path, alias, value, operator ("" where it is set)."""
    for place in subject.places:
        operator = place.condition.operator
        if place.name and (operator in _SETTLED_BY or operator in UNTURNED):
            listed = place.literal if isinstance(place.literal, list) else [place.literal]
            for each in listed:
                yield f"{place.condition.path}.{operator}", place.name, each, operator
    for at, change in enumerate(subject.details.changes if subject.details else ()):
        if isinstance(change.field, Literal) and isinstance(change.value, Literal) and change.operation != "append":
            yield f"{DETAILS}.operations[{at}].value", str(change.field.value), change.value.value, ""


def _can_meet(held: str, wanted: Json, operator: str) -> bool:
    """Whether a value of this type can equal, be ordered against or be set to the literal."""
    if wanted is None or wanted == "" or held not in {"string", "boolean", *_NUMBERS}:
        return True
    found = kind(wanted)
    if operator in UNTURNED:
        return (found == "number") is (held in _NUMBERS) and found != "boolean"
    if operator == "":
        return found == ("number" if held in _NUMBERS else held)
    return found == ("number" if held in _NUMBERS else held) or _converts(held, wanted)


def _converts(held: str, wanted: Json) -> bool:
    """Whether `equals` takes the literal for a value of this type: booleans and numbers equal their text."""
    if held == "boolean":
        return isinstance(wanted, str) and wanted.lower() in {"true", "false"}
    if held in _NUMBERS:
        return isinstance(wanted, str) and number_of(wanted) is not None
    return isinstance(wanted, bool | int | float)


def stars(subject: Subject) -> Iterator[Found]:
    """`like` has more than one `*`; only one is documented.

    Use two conditions, or `contains` for a part in the middle.
    """
    for path, _, text in _patterns(subject):
        if text.count("*") > 1:
            yield Found(
                path, f"{text!r} has {text.count('*')} stars, one is allowed", "use contains, or two conditions"
            )


def no_star(subject: Subject) -> Iterator[Found]:
    """`like` has no `*`, so it is `equals`.

    Write `equals`, or put the `*` where it is meant; `?` stands for itself.
    """
    for path, operator, text in _patterns(subject):
        if "*" not in text:
            better = "equals" if operator == "like" else "notEquals"
            yield Found(path, f"{operator} {text!r} has no star", f"use {better}")


def _patterns(subject: Subject) -> Iterator[tuple[str, str, str]]:
    for place in subject.places:
        operator, wanted = place.condition.operator, place.literal
        if operator in {"like", "notLike"} and isinstance(wanted, str):
            yield f"{place.condition.path}.{operator}", operator, wanted


def plain_match(subject: Subject) -> Iterator[Found]:
    """`match` has no `#`, `?` or `.`, so it is `equals` with case.

    Write `equals` unless case is meant to count.
    """
    for place in subject.places:
        operator, wanted = place.condition.operator, place.literal
        if "atch" in operator and isinstance(wanted, str) and not set(wanted) & set("#?."):
            better = "notEquals" if operator.startswith("not") else "equals"
            yield Found(f"{place.condition.path}.{operator}", f"{operator} {wanted!r} has no pattern", f"use {better}")


def lists(subject: Subject) -> Iterator[Found]:
    """A list of `in` or `notIn` is empty, has one member, or has one twice.

    An empty list settles the condition; one member is `equals` or `notEquals`.
    """
    for place in subject.places:
        operator, wanted = place.condition.operator, place.literal
        if operator not in {"in", "notIn"} or not isinstance(wanted, list):
            continue
        path = f"{place.condition.path}.{operator}"
        if not wanted:
            yield Found(path, f"{operator} an empty list is always {str(operator == 'notIn').lower()}", "remove it")
        elif len(wanted) == 1:
            yield Found(path, "the list has one member", f"use {'equals' if operator == 'in' else 'notEquals'}")
        elif (twice := _repeated(wanted)) is not None:
            yield Found(path, f"{twice!r} stands in the list twice", "remove one")


def _repeated(listed: list[Json]) -> Json:
    """The first member that was there before; None when there is none."""
    seen: set[str] = set()
    for each in listed:
        low = text_of(each).lower()
        if low in seen:
            return each
        seen.add(low)
    return None


RULES = (
    Rule("array-negated", Level.WARNING, negated_array),
    Rule("array-all-of", Level.NOTE, all_members),
    Rule("array-whole", Level.WARNING, whole_array),
    Rule("literal-type", Level.WARNING, impossible_literal),
    Rule("literal-text", Level.NOTE, text_literal),
    Rule("like-stars", Level.WARNING, stars),
    Rule("like-plain", Level.NOTE, no_star),
    Rule("match-plain", Level.NOTE, plain_match),
    Rule("list-odd", Level.WARNING, lists),
)
