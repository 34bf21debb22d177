"""Lint policy files: everything that is wrong, doubtful or could be said better, by a table of small rules."""

from collections.abc import Mapping, Sequence
from itertools import chain, islice
from typing import Any

from shared.domain.lint import Level, Remark
from shared.domain.resource import Json
from shared.engine import InvalidDefinition, compile_definition, load_definition
from shared.engine.assignment import parse_assignment
from shared.engine.effect import Details, parse_details
from shared.engine.initiative import parse_initiative
from shared.engine.parser import parse_definition
from shared.engine.tree import Definition
from shared.services.library import Library, Shape, shape_of
from shared.services.lint import (
    argument,
    assignment,
    comparison,
    effect,
    field,
    form,
    initiative,
    parameter,
    reference,
    truth,
    word,
)
from shared.services.lint.subject import Facts, Found, Rule, Subject

INVALID = "definition-invalid"
MOST = 100
"""Remarks of one rule on one definition; whoever has more has seen enough."""
_BARE = "$ is the rule"
_DEFINITION: Mapping[str, Sequence[Rule]] = {
    "Words": word.RULES,
    "Parameters": parameter.RULES,
    "Effects and modes": effect.RULES,
    "Fields": field.RULES,
    "Comparisons": comparison.RULES,
    "Truth": truth.RULES,
    "Form": form.RULES,
}
_ON_DEFINITIONS = tuple(chain.from_iterable(_DEFINITION.values()))
_ON_INITIATIVES: tuple[Rule[initiative.InitiativeSubject], ...] = (
    *word.TEXTS,
    *word.RECORDS,
    *parameter.DECLARED,
    *initiative.RULES,
    *reference.RULES,
    *argument.RULES,
)
_ON_ASSIGNMENTS: tuple[Rule[assignment.AssignmentSubject], ...] = (
    *word.TEXTS,
    *assignment.RULES,
    *reference.RULES,
    *argument.RULES,
)
CHAPTERS: Mapping[str, Sequence[Rule[Any]]] = {
    **_DEFINITION,
    "References": reference.RULES,
    "Arguments": argument.RULES,
    "Initiatives": initiative.RULES,
    "Assignments": assignment.RULES,
}
"""Every rule, by what it is about."""

_ORDER = {level: at for at, level in enumerate(Level)}
_NOTHING = Library()


def lint_text(text: str | bytes, facts: Facts, library: Library = _NOTHING) -> tuple[Remark, ...]:
    """Remarks on a policy file as it stands, broken JSON and duplicate keys included."""
    try:
        return lint(load_definition(text), facts, library)
    except InvalidDefinition as error:
        return (_invalid(error, "$"),)


def lint(source: Mapping[str, Json], facts: Facts, library: Library = _NOTHING) -> tuple[Remark, ...]:
    """Remarks on a definition, an initiative or an assignment, {properties: …} or bare, or a bare rule; worst first.

    `library` has what initiatives and assignments refer to. Never raises for what the source holds: what the language
    does not allow is a remark `definition-invalid`.
    """
    base, properties = _opened(source)
    try:
        remarks = _LINTERS[shape_of(source) or Shape.DEFINITION](source, properties, facts, library)
    except (InvalidDefinition, RecursionError) as error:
        return (_invalid(error, base),)
    placed = (each.model_copy(update={"path": _placed(each.path, base)}) for each in remarks)
    return tuple(sorted(dict.fromkeys(placed), key=lambda each: _ORDER[each.level]))


def _definition(
    source: Mapping[str, Json], properties: Mapping[str, Json], facts: Facts, _library: Library
) -> list[Remark]:
    tree = parse_definition(source)
    details, broken = _details(tree)
    remarks = _looked(_ON_DEFINITIONS, Subject(properties, tree, details, facts))
    refused = broken or _refusal(source, facts)
    if refused and not any(each.level is Level.ERROR for each in remarks):
        remarks.append(_invalid(refused, "$"))
    return remarks


def _initiative(
    source: Mapping[str, Json], properties: Mapping[str, Json], _facts: Facts, library: Library
) -> list[Remark]:
    return _looked(_ON_INITIATIVES, initiative.subject_of(properties, parse_initiative(source), library))


def _assignment(
    source: Mapping[str, Json], properties: Mapping[str, Json], _facts: Facts, library: Library
) -> list[Remark]:
    return _looked(_ON_ASSIGNMENTS, assignment.subject_of(source, properties, parse_assignment(source), library))


_LINTERS = {Shape.DEFINITION: _definition, Shape.INITIATIVE: _initiative, Shape.ASSIGNMENT: _assignment}


def _looked[S](rules: Sequence[Rule[S]], subject: S) -> list[Remark]:
    return [_remark(rule, found) for rule in rules for found in islice(rule.look(subject), MOST)]


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


def _remark(rule: Rule[Any], found: Found) -> Remark:
    return Remark(
        rule=rule.id, level=rule.level, path=found.path, message=found.message[:1000], suggestion=found.suggestion
    )


def _invalid(error: InvalidDefinition | RecursionError, base: str) -> Remark:
    if isinstance(error, RecursionError):
        return Remark(rule=INVALID, level=Level.ERROR, path="$", message="the definition nests too deeply")
    path = error.path or "$"
    told = error.message.removeprefix(f"{path}: ").partition("; did you mean")[0]
    hint = f"use {error.suggestion!r}" if error.suggestion else None
    return Remark(rule=INVALID, level=Level.ERROR, path=_placed(path, base), message=told[:1000], suggestion=hint)
