"""Lint a policy definition: everything that is wrong, doubtful or could be said better, by a table of small rules."""

from collections.abc import Mapping, Sequence
from itertools import chain, islice

from shared.domain.lint import Level, Remark
from shared.domain.resource import Json
from shared.engine import InvalidDefinition, compile_definition, load_definition
from shared.engine.effect import Details, parse_details
from shared.engine.parser import parse_definition
from shared.engine.tree import Definition
from shared.services import (
    lint_comparison,
    lint_effect,
    lint_field,
    lint_form,
    lint_parameter,
    lint_truth,
    lint_word,
)
from shared.services.lint_subject import Facts, Found, Rule, Subject

INVALID = "definition-invalid"
MOST = 100
"""Remarks of one rule on one definition; whoever has more has seen enough."""
_BARE = "$ is the rule"
CHAPTERS: Mapping[str, Sequence[Rule]] = {
    "Words": lint_word.RULES,
    "Parameters": lint_parameter.RULES,
    "Effects and modes": lint_effect.RULES,
    "Fields": lint_field.RULES,
    "Comparisons": lint_comparison.RULES,
    "Truth": lint_truth.RULES,
    "Form": lint_form.RULES,
}
"""Every rule, by what it is about."""

_ORDER = {level: at for at, level in enumerate(Level)}


def lint_text(text: str | bytes, facts: Facts) -> tuple[Remark, ...]:
    """Remarks on a definition as it stands in a file, broken JSON and duplicate keys included."""
    try:
        return lint(load_definition(text), facts)
    except InvalidDefinition as error:
        return (_invalid(error, "$"),)


def lint(definition: Mapping[str, Json], facts: Facts) -> tuple[Remark, ...]:
    """Remarks on a definition {properties: …}, bare properties or a bare rule, worst first.

    Never raises for what the definition holds: what the language does not allow is a remark `definition-invalid`.
    """
    base, properties = _opened(definition)
    try:
        tree = parse_definition(definition)
    except (InvalidDefinition, RecursionError) as error:
        return (_invalid(error, base),)
    details, broken = _details(tree)
    subject = Subject(properties, tree, details, facts)
    rules = chain.from_iterable(CHAPTERS.values())
    remarks = [_remark(rule, found, base) for rule in rules for found in islice(rule.look(subject), MOST)]
    refused = broken or _refusal(definition, facts)
    if refused and not any(each.level is Level.ERROR for each in remarks):
        remarks.append(_invalid(refused, base))
    return tuple(sorted(dict.fromkeys(remarks), key=lambda each: _ORDER[each.level]))


def _opened(definition: Mapping[str, Json]) -> tuple[str, Mapping[str, Json]]:
    """The JSON path that the tree's `$` stands for, and the properties with lower-case keys."""
    low = {str(key).lower(): value for key, value in definition.items()}
    if isinstance(low.get("properties"), Mapping):
        return "$.properties", {str(key).lower(): value for key, value in low["properties"].items()}
    return (_BARE, {"policyrule": definition}) if "if" in low else ("$", low)


def _placed(path: str, base: str) -> str:
    """A path of the tree as one of the definition as it was given."""
    if base == _BARE:
        return "$" + path.removeprefix("$.policyRule").removeprefix("$")
    return path if path == "$" or path.startswith("$.properties") else base + path[1:]


def _details(tree: Definition) -> tuple[Details | None, InvalidDefinition | None]:
    try:
        return parse_details("", tree.details), None
    except InvalidDefinition as error:
        return None, error


def _refusal(definition: Mapping[str, Json], facts: Facts) -> InvalidDefinition | None:
    """What only compiling finds."""
    try:
        compile_definition(definition, aliases=facts.aliases)
    except InvalidDefinition as error:
        return error
    return None


def _remark(rule: Rule, found: Found, base: str) -> Remark:
    return Remark(
        rule=rule.id,
        level=rule.level,
        path=_placed(found.path, base),
        message=found.message[:1000],
        suggestion=found.suggestion,
    )


def _invalid(error: InvalidDefinition | RecursionError, base: str) -> Remark:
    if isinstance(error, RecursionError):
        return Remark(rule=INVALID, level=Level.ERROR, path="$", message="the definition nests too deeply")
    path = error.path or "$"
    told = error.message.removeprefix(f"{path}: ").partition("; did you mean")[0]
    hint = f"use {error.suggestion!r}" if error.suggestion else None
    return Remark(rule=INVALID, level=Level.ERROR, path=_placed(path, base), message=told[:1000], suggestion=hint)
