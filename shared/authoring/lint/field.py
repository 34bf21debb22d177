"""Lint rules about fields: aliases that there are, of types that the rule asks for, in a mode that looks at them."""

from collections.abc import Iterator

from shared.authoring.lint.subject import DETAILS, DefinitionSubject, LintFinding, LintRule, Types
from shared.domain.lint import LintLevel
from shared.engine.compile.applicability import field_name, possible_types
from shared.engine.compile.exempt_type import exemption_of
from shared.engine.compile.field import COMMON_FIELDS, tag_name
from shared.engine.error import nearest
from shared.engine.language.expression import Literal
from shared.engine.language.traversal import function_calls, walk_conditions

_VALUE_OPERATORS = ("equals", "notEquals", "in", "notIn")
_ALIAS_SEARCHES = 8
"""Near misses are looked for so many times: each look goes through all aliases of a type."""
_PLAIN_TAG = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")


def _named(subject: DefinitionSubject) -> Iterator[tuple[str, str, Types]]:
    """Yield every literal field name with its path and the types that reach it; none in a data-plane mode."""
    if not subject.managed:
        return
    for place in subject.places:
        left = place.condition.left
        name = place.name or getattr(left, "field", None)
        if name:
            yield f"{place.condition.path}.field", name, place.types
    origin = possible_types(subject.tree.condition, {})
    for path, operand, types in subject.operands:
        # In an existenceCondition field() is about the resource of the `if`, unless only the related type has the name.
        related = path.startswith(f"{DETAILS}.existenceCondition")
        reached = types if not related else types | origin if types and origin else None
        names = (each.arguments[0] for each in function_calls(operand, "field"))
        yield from ((path, str(name.value), reached) for name in names if isinstance(name, Literal))
    for at, change in enumerate(subject.details.changes if subject.details else ()):
        if isinstance(change.field, Literal):
            path = f"{DETAILS}[{at}]" if change.operation == "append" else f"{DETAILS}.operations[{at}]"
            yield f"{path}.field", str(change.field.value), origin


def unknown_field(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a field that is neither a property of every resource nor an alias, which has a slash in its name.

    Write `name`, `type`, `location` or another common property, `tags['name']`, or an alias.
    """
    for path, name, _ in _named(subject):
        if "/" not in name and tag_name(name) is None and name.lower().split(".")[0] not in COMMON_FIELDS:
            near = nearest(name, COMMON_FIELDS)
            yield LintFinding(path, f"there is no field {name!r}", f"use {near!r}" if near else None)


def unknown_alias(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an alias that the newest listing does not have: conditions on it stay unknown.

    Correct its spelling. Where Azure has it since that day, give a newer listing with `--aliases`: the output of
    `az provider list --expand resourceTypes/aliases`.
    """
    aliases = subject.facts.aliases
    named = ((path, name) for path, name, _ in _named(subject) if "/" in name and tag_name(name) is None)
    missing = ((path, name) for path, name in named if name not in aliases)
    for found, (path, name) in enumerate(missing):
        near = aliases.suggest(name) if found < _ALIAS_SEARCHES else None
        known = f" among those of {aliases.as_of}" if aliases.as_of else ""
        yield LintFinding(path, f"there is no alias {name!r}{known}", f"use {near!r}" if near else None)


def other_type(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an alias of resource types that never reach the condition, so that it is always absent.

    Use the alias of the type that the rule asks for, or ask for the other type.
    """
    for path, name, types in _named(subject):
        rows = subject.facts.aliases.rows(name)
        known = frozenset().union(*(row.types for row in rows))
        if types and known and all(row.types for row in rows) and not known & types:
            message = f"{name!r} is a property of {', '.join(sorted(known)[:3])}, not of {', '.join(sorted(types)[:3])}"
            yield LintFinding(path, message, "use the alias of the type that the rule asks for")


def not_modifiable(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a modify operation on an alias that Azure does not let `modify` change.

    Use an alias whose `Modifiable` attribute is set, or another effect.
    """
    for at, change in enumerate(subject.details.changes if subject.details else ()):
        name = str(change.field.value) if isinstance(change.field, Literal) else ""
        rows = subject.facts.aliases.rows(name)
        if change.operation != "append" and rows and all(row.modifiable is False for row in rows):
            yield LintFinding(
                f"{DETAILS}.operations[{at}].field", f"the alias {name!r} is not modifiable", "use deployIfNotExists"
            )


def incomplete_type(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a condition on `type` whose value is not a resource type.

    Write the whole type: `Microsoft.Storage/storageAccounts`.
    """
    for place in subject.places if subject.managed else ():
        if (place.name or "").lower() == "type" and place.condition.operator in _VALUE_OPERATORS:
            listed = place.literal if isinstance(place.literal, list) else [place.literal]
            for each in listed:
                if isinstance(each, str) and "/" not in each:
                    path = f"{place.condition.path}.{place.condition.operator}"
                    yield LintFinding(
                        path, f"{each!r} is not a resource type", "write it with its provider: provider/type"
                    )


def untyped(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a rule that reads properties of a resource type and does not ask for the type.

    Add a condition on `type`: the properties are absent from every other resource, and `notEquals` and `exists` are
    answered for absent properties too.
    """
    found = [each for each in walk_conditions(subject.tree.condition) if "/" in (field_name(each) or "")]
    if (
        subject.managed
        and found
        and not any(field_name(each) == "type" for each in walk_conditions(subject.tree.condition))
    ):
        yield LintFinding(found[0].path, "no condition asks for the resource type", "add a condition on type")


def never_evaluated(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a rule that is only about types that Azure Policy never evaluates: nothing is ever reported.

    Ask for a type that is evaluated, such as the parent; secrets, keys and certificates of a vault have a mode of their
    own, `Microsoft.KeyVault.Data`.
    """
    types = possible_types(subject.tree.condition, {}) if subject.managed else None
    reasons = {each: exemption_of(each) for each in sorted(types or ())}
    if reasons and all(reasons.values()):
        asked = [each for each in walk_conditions(subject.tree.condition) if field_name(each) == "type"]
        first = next(iter(reasons))
        path = asked[0].path if asked else subject.tree.condition.path
        yield LintFinding(path, f"Azure Policy does not evaluate {', '.join(list(reasons)[:3])}: {reasons[first]}")


def never_indexed(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a rule about types that mode Indexed leaves out.

    Use mode All: Indexed evaluates only resources that have tags and a location, and no subscriptions.
    """
    types = possible_types(subject.tree.condition, {})
    if subject.tree.mode != "Indexed" or not types:
        return
    known = {each: subject.facts.aliases.capability(each) for each in types}
    left = sorted(each for each, can in known.items() if can.tags is False or can.location is False)
    left = sorted({*left, *(types & {"microsoft.resources/subscriptions"})})
    if len(left) == len(types):
        yield LintFinding("$.mode", f"mode Indexed leaves out {', '.join(left[:3])}", "use mode All")


def indexed(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a rule about tags or locations of any resource in mode All.

    Use mode Indexed: resources without tags or location would be reported as not compliant.
    """
    names = {field_name(each) or "" for each in walk_conditions(subject.tree.condition)}
    about = {name for name in names if name == "location" or tag_name(name) is not None}
    if about and subject.tree.mode == "All" and "type" not in names and not any("/" in name for name in names):
        yield LintFinding(
            "$.mode", f"mode All also looks at resources without {', '.join(sorted(about)[:3])}", "use mode Indexed"
        )


def unquoted_tag(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a tag name without quotes that has characters other than letters, digits, `_` and `-`.

    Write `tags['name']`.
    """
    for path, name, _ in _named(subject):
        tag = tag_name(name)
        if tag and not name.lower().startswith("tags['") and not set(tag.lower()) <= _PLAIN_TAG:
            yield LintFinding(path, f"{name!r} may be read as something else", f"use \"tags['{tag}']\"")


RULES = (
    LintRule("field-unknown", LintLevel.ERROR, unknown_field),
    LintRule("alias-unknown", LintLevel.WARNING, unknown_alias),
    LintRule("alias-other-type", LintLevel.WARNING, other_type),
    LintRule("alias-not-modifiable", LintLevel.ERROR, not_modifiable),
    LintRule("type-incomplete", LintLevel.WARNING, incomplete_type),
    LintRule("type-missing", LintLevel.WARNING, untyped),
    LintRule("type-exempt", LintLevel.WARNING, never_evaluated),
    LintRule("mode-excludes", LintLevel.WARNING, never_indexed),
    LintRule("mode-all", LintLevel.NOTE, indexed),
    LintRule("tag-quotes", LintLevel.NOTE, unquoted_tag),
)
