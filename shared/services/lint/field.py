"""Lint rules about fields: aliases that there are, of types that the rule asks for, in a mode that looks at them."""

from collections.abc import Iterator

from shared.domain.lint import Level
from shared.engine.applicability import RESOURCES, conditions, field_name, possible_types
from shared.engine.error import nearest
from shared.engine.expression import Literal
from shared.engine.field import COMMON, tag_name
from shared.engine.operand import calls
from shared.services.lint.subject import DETAILS, Found, Rule, Subject, Types

_SETTLED_BY = ("equals", "notEquals", "in", "notIn")
_MOST_SEARCHES = 8
"""Near misses are looked for so many times: each look goes through all aliases of a type."""
_PLAIN_TAG = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")


def _named(subject: Subject) -> Iterator[tuple[str, str, Types]]:
    """Every literal field name with its path and the types that reach it; none of a data plane, which has its own."""
    return _written(subject) if subject.managed else iter(())


def _written(subject: Subject) -> Iterator[tuple[str, str, Types]]:
    for place in subject.places:
        left = place.condition.left
        name = place.name or getattr(left, "field", None)
        if name:
            yield f"{place.condition.path}.field", name, place.types
    for path, operand, types in subject.operands:
        for each in calls(operand):
            if each.name.lower() == "field" and isinstance(each.arguments[0], Literal):
                yield path, str(each.arguments[0].value), types
    for at, change in enumerate(subject.details.changes if subject.details else ()):
        if isinstance(change.field, Literal):
            path = f"{DETAILS}[{at}]" if change.operation == "append" else f"{DETAILS}.operations[{at}]"
            yield f"{path}.field", str(change.field.value), possible_types(subject.tree.condition, {})


def _is_alias(name: str) -> bool:
    return "/" in name or (tag_name(name) is None and name.lower().split(".")[0] not in COMMON)


def _is_covered(subject: Subject, name: str) -> bool:
    """Whether the catalog knows other aliases of the same type, so that a miss means something."""
    return "/" not in name or name.rpartition("/")[0].lower() in subject.facts.groups


def unknown(subject: Subject) -> Iterator[Found]:
    """A field is neither a common property nor a known alias; every condition on it stays unknown.

    Mend its spelling. The aliases of a type: `az provider show --namespace NAME --expand "resourceTypes/aliases"`.
    """
    aliases = subject.facts.aliases
    found = 0
    for path, name, _ in _named(subject):
        if _is_alias(name) and name not in aliases and _is_covered(subject, name):
            found += 1
            known = found <= _MOST_SEARCHES and "/" in name
            near = aliases.suggest(name) if known else nearest(name, COMMON)
            yield Found(path, f"there is no alias {name!r}", f"use {near!r}" if near else None)


def unchecked(subject: Subject) -> Iterator[Found]:
    """The catalog knows no alias of the resource type, so the field could not be checked.

    Give a catalog that covers the type, with `--aliases` or from the tenant.
    """
    seen: set[str] = set()
    for path, name, _ in _named(subject):
        group = name.rpartition("/")[0].lower()
        if name not in subject.facts.aliases and group not in seen and not _is_covered(subject, name):
            seen.add(group)
            yield Found(
                path,
                f"no alias of {name.rpartition('/')[0]} is known, so {name!r} was not checked",
                "give a catalog with --aliases",
            )


def other_type(subject: Subject) -> Iterator[Found]:
    """An alias belongs to other resource types than those that reach the condition, so it is always absent.

    Use the alias of the type that the rule asks for, or ask for the other type.
    """
    for path, name, types in _named(subject):
        rows = subject.facts.aliases.rows(name)
        known = frozenset().union(*(row.types for row in rows))
        if types and known and all(row.types for row in rows) and not known & types:
            message = f"{name!r} is a property of {', '.join(sorted(known)[:3])}, not of {', '.join(sorted(types)[:3])}"
            yield Found(path, message, "use the alias of the type that the rule asks for")


def not_modifiable(subject: Subject) -> Iterator[Found]:
    """A modify operation changes an alias that Azure does not let modify change.

    Use an alias whose `Modifiable` attribute is set, or another effect.
    """
    for at, change in enumerate(subject.details.changes if subject.details else ()):
        name = str(change.field.value) if isinstance(change.field, Literal) else ""
        rows = subject.facts.aliases.rows(name)
        if change.operation != "append" and rows and all(row.modifiable is False for row in rows):
            yield Found(
                f"{DETAILS}.operations[{at}].field", f"the alias {name!r} is not modifiable", "use deployIfNotExists"
            )


def half_type(subject: Subject) -> Iterator[Found]:
    """A condition on `type` names something that is no resource type.

    Write the whole type: Microsoft.Storage/storageAccounts.
    """
    for place in subject.places if subject.managed else ():
        if (place.name or "").lower() == "type" and place.condition.operator in _SETTLED_BY:
            listed = place.literal if isinstance(place.literal, list) else [place.literal]
            for each in listed:
                if isinstance(each, str) and "/" not in each:
                    path = f"{place.condition.path}.{place.condition.operator}"
                    yield Found(path, f"{each!r} is no resource type", "write it with its provider: provider/type")


def untyped(subject: Subject) -> Iterator[Found]:
    """The rule reads properties of a resource type, but does not ask for the type.

    Add a condition on `type`: on every other resource the properties are absent, which `notEquals` and `exists` take
    for an answer.
    """
    found = [each for each in conditions(subject.tree.condition) if "/" in (field_name(each) or "")]
    if subject.managed and found and not any(field_name(each) == "type" for each in conditions(subject.tree.condition)):
        yield Found(found[0].path, "no condition asks for the resource type", "add a condition on type")


def never_indexed(subject: Subject) -> Iterator[Found]:
    """Mode Indexed leaves out the types that the rule asks for.

    Use mode All: Indexed looks only at resources that have tags and a location, and at no subscription.
    """
    types = possible_types(subject.tree.condition, {})
    if subject.tree.mode != "Indexed" or not types:
        return
    left = sorted(each for each in types if _is_left_out(subject, each))
    if len(left) == len(types):
        yield Found("$.mode", f"mode Indexed leaves out {', '.join(left[:3])}", "use mode All")


def _is_left_out(subject: Subject, resource_type: str) -> bool:
    known = subject.facts.aliases.capability(resource_type)
    return resource_type == RESOURCES + "subscriptions" or known.tags is False or known.location is False


def indexed(subject: Subject) -> Iterator[Found]:
    """The rule is about tags or locations of any resource, and the mode is not Indexed.

    Use mode Indexed: others have no tags or location, and would be found not compliant for it.
    """
    names = {field_name(each) or "" for each in conditions(subject.tree.condition)}
    about = {name for name in names if name == "location" or tag_name(name) is not None}
    if about and subject.tree.mode == "All" and "type" not in names and not any("/" in name for name in names):
        yield Found(
            "$.mode", f"mode All also looks at resources without {', '.join(sorted(about)[:3])}", "use mode Indexed"
        )


def odd_tag(subject: Subject) -> Iterator[Found]:
    """A tag with other characters than letters, digits, `_` and `-` is named without quotes.

    Write `tags['name']`.
    """
    for path, name, _ in _named(subject):
        tag = tag_name(name)
        if tag and not name.lower().startswith("tags['") and not set(tag.lower()) <= _PLAIN_TAG:
            yield Found(path, f"{name!r} may be read as something else", f"use \"tags['{tag}']\"")


RULES = (
    Rule("alias-unknown", Level.ERROR, unknown),
    Rule("alias-unchecked", Level.NOTE, unchecked),
    Rule("alias-other-type", Level.WARNING, other_type),
    Rule("alias-not-modifiable", Level.ERROR, not_modifiable),
    Rule("type-incomplete", Level.WARNING, half_type),
    Rule("type-missing", Level.WARNING, untyped),
    Rule("mode-excludes", Level.WARNING, never_indexed),
    Rule("mode-all", Level.NOTE, indexed),
    Rule("tag-quotes", Level.NOTE, odd_tag),
)
