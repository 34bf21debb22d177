"""Lint policy files: everything that is wrong, doubtful or could be said better, by a table of small rules."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from shared.authoring.filed_policy import FiledPolicy
from shared.authoring.library import DocumentShape, Library, shape_of
from shared.authoring.lint import (
    argument,
    assignment,
    comparison,
    effect,
    field,
    initiative,
    limit,
    logic,
    metadata,
    parameter,
    reference,
    style,
)
from shared.authoring.lint.subject import DefinitionSubject, LintFacts, LintRule
from shared.authoring.policy_file import read_policies
from shared.domain.error import InvalidInput
from shared.domain.lint import LintLevel, LintResult
from shared.domain.resource import Json
from shared.domain.spelling import lowered
from shared.engine import InvalidDefinition, compile_definition
from shared.engine.compile.effect import parse_details
from shared.engine.compile.initiative import parse_initiative
from shared.engine.language.assignment import parse_assignment
from shared.engine.language.parser import parse_definition

INVALID = "definition-invalid"
UNREADABLE = "file-unreadable"
OPEN = "template-open"
ESCAPED = "expressions-escaped"
RULE_REMARKS = 100
"""Remarks of one rule on one definition; more of them help nobody."""
_BARE_RULE_MESSAGE = "$ is the rule"
_DEFINITION: Mapping[str, Sequence[LintRule]] = {
    "Metadata": metadata.RULES,
    "Parameters": parameter.RULES,
    "Effects and modes": effect.RULES,
    "Fields": field.RULES,
    "Comparisons": comparison.RULES,
    "Logic": logic.RULES,
    "Limits": limit.RULES,
    "Style": style.RULES,
}
_ON_DEFINITIONS = tuple(chain.from_iterable(_DEFINITION.values()))
_ON_INITIATIVES: tuple[LintRule[initiative.InitiativeSubject], ...] = (
    *metadata.TEXT_RULES,
    *metadata.METADATA_RULES,
    *parameter.DECLARED,
    *initiative.RULES,
    *reference.RULES,
    *argument.RULES,
)
_ON_ASSIGNMENTS: tuple[LintRule[assignment.AssignmentSubject], ...] = (
    *metadata.TEXT_RULES,
    *assignment.RULES,
    *reference.RULES,
    *argument.RULES,
)
RULE_GROUPS: Mapping[str, Sequence[LintRule[Any]]] = {
    **_DEFINITION,
    "References": reference.RULES,
    "Arguments": argument.RULES,
    "Initiatives": initiative.RULES,
    "Assignments": assignment.RULES,
}
"""Every rule, by what it is about."""

_ON_WHOLE = frozenset(each.id for each in (*metadata.TEXT_RULES, *metadata.METADATA_RULES))
_ORDER = {level: at for at, level in enumerate(LintLevel)}
_EMPTY_LIBRARY = Library()


def unreadable(problem: InvalidInput) -> LintResult:
    """Return the remark on a file without a policy that can be read, or a folder without a policy."""
    if isinstance(problem, InvalidDefinition):
        return _invalid(problem, "$")
    return LintResult(rule=UNREADABLE, level=LintLevel.ERROR, path="$", message=problem.message[:1000])


def lint_text(text: str | bytes, facts: LintFacts, library: Library = _EMPTY_LIBRARY) -> tuple[LintResult, ...]:
    """Lint the policies of a file's text, broken JSON and duplicate keys included."""
    try:
        return lint_policies(read_policies(text), facts, library)
    except InvalidDefinition as error:
        return (unreadable(error),)


def lint_policies(
    policies: Iterable[FiledPolicy], facts: LintFacts, library: Library = _EMPTY_LIBRARY
) -> tuple[LintResult, ...]:
    """Lint the policies of one file; the paths of the remarks are those in the file.

    A note on what could be said better is made once for each rule, at its first place.
    """
    found = [
        each.model_copy(update={"path": policy.place(each.path)})
        for policy in policies
        for each in _lint_filed(policy, facts, library)
    ]
    # Of a tree of assignments a remark on what several of them share is one.
    return tuple(_with_notes_once(dict.fromkeys(found)))


def _with_notes_once(found: Collection[LintResult]) -> Iterator[LintResult]:
    others = Counter(each.rule for each in found if each.level is LintLevel.NOTE)
    seen: set[str] = set()
    for each in found:
        if each.rule in seen:
            continue
        more = others[each.rule] - 1
        if each.level is LintLevel.NOTE:
            seen.add(each.rule)
        yield each if more < 1 else each.model_copy(update={"message": f"{each.message}; {more:,} more like this"})


def _lint_filed(policy: FiledPolicy, facts: LintFacts, library: Library) -> tuple[LintResult, ...]:
    if policy.unknown:
        message = f"what this policy will be is known only when the template is deployed: {policy.unknown}"
        return (LintResult(rule=OPEN, level=LintLevel.NOTE, path="$", message=message[:1000]),)
    if policy.problem:
        return (LintResult(rule=INVALID, level=LintLevel.ERROR, path="$", message=policy.problem[:1000]),)
    remarks = lint(policy.source, facts, library)
    if policy.selective:
        remarks = tuple(each for each in remarks if each.rule != argument.UNKNOWN)
    if policy.within:
        # A part has no place for texts, versions and a mode: they are where the parts are put together.
        remarks = tuple(each for each in remarks if each.rule not in _ON_WHOLE and each.path != "$.mode")
    if not policy.escaped:
        return remarks
    message = "the expressions are escaped with '[[' for an ARM template: it is read as it is once that is deployed"
    return (*remarks, LintResult(rule=ESCAPED, level=LintLevel.NOTE, path="$", message=message))


def lint(source: Mapping[str, Json], facts: LintFacts, library: Library = _EMPTY_LIBRARY) -> tuple[LintResult, ...]:
    """Lint a definition, an initiative or an assignment, {properties: …} or bare, or a bare rule; worst remarks first.

    `library` has what initiatives and assignments refer to. Never raises for what the source holds: what the language
    does not allow is a remark `definition-invalid`.
    """
    base, properties = _split_definition(source)
    try:
        match shape_of(source):
            case DocumentShape.INITIATIVE:
                members = initiative.subject_of(properties, parse_initiative(source), library)
                remarks = _apply_rules(_ON_INITIATIVES, members)
            case DocumentShape.ASSIGNMENT:
                assigned = assignment.subject_of(source, properties, parse_assignment(source), library)
                remarks = _apply_rules(_ON_ASSIGNMENTS, assigned)
            case _:
                remarks = _lint_definition(source, properties, facts)
    except (InvalidDefinition, RecursionError) as error:
        return (_invalid(error, base),)
    # Rules speak of the tree; people read the file, where `properties` may be around it or the rule may stand alone.
    placed = (each.model_copy(update={"path": _document_path(each.path, base)}) for each in remarks)
    # Sorting is stable: within a level the remarks stay in the order of the rules.
    return tuple(sorted(dict.fromkeys(placed), key=lambda each: _ORDER[each.level]))


def _lint_definition(source: Mapping[str, Json], properties: Mapping[str, Json], facts: LintFacts) -> list[LintResult]:
    tree = parse_definition(source)
    details, refused = None, None
    try:
        details = parse_details("", tree.details)
    except InvalidDefinition as error:
        refused = error
    remarks = _apply_rules(_ON_DEFINITIONS, DefinitionSubject(properties, tree, details, facts))
    try:
        if refused is None:
            compile_definition(source, aliases=facts.aliases)
    except InvalidDefinition as error:
        refused = error
    # Compiling finds what no rule looks for; after an error of a rule it would mostly report the same again.
    if refused and not any(each.level is LintLevel.ERROR for each in remarks):
        remarks.append(_invalid(refused, "$"))
    return remarks


def _apply_rules[S](rules: Sequence[LintRule[S]], subject: S) -> list[LintResult]:
    return [
        LintResult(
            rule=rule.id, level=rule.level, path=found.path, message=found.message[:1000], suggestion=found.suggestion
        )
        for rule in rules
        for found in islice(rule.look(subject), RULE_REMARKS)
    ]


def _split_definition(definition: Mapping[str, Json]) -> tuple[str, Mapping[str, Json]]:
    """Return the JSON path that the tree's `$` stands for, and the properties with lower-case keys."""
    low = lowered(definition)
    if isinstance(low.get("properties"), Mapping):
        return "$.properties", lowered(low["properties"])
    return (_BARE_RULE_MESSAGE, {"policyrule": definition}) if "if" in low else ("$", low)


def path_in(source: Mapping[str, Json], path: str) -> str:
    """Return the path in a document, as it was given, of a path that an error has."""
    return _document_path(path, _split_definition(source)[0])


def _document_path(path: str, base: str) -> str:
    """Translate a path of the tree to one of the document as it was given."""
    if base == _BARE_RULE_MESSAGE:
        return "$" + path.removeprefix("$.policyRule").removeprefix("$")
    return path if path == "$" or path.startswith("$.properties") else base + path[1:]


def _invalid(error: InvalidDefinition | RecursionError, base: str) -> LintResult:
    if isinstance(error, RecursionError):
        return LintResult(rule=INVALID, level=LintLevel.ERROR, path="$", message="the definition nests too deeply")
    path = error.path or "$"
    message = error.message.removeprefix(f"{path}: ").partition("; did you mean")[0]
    hint = f"use {error.suggestion!r}" if error.suggestion else None
    return LintResult(
        rule=INVALID, level=LintLevel.ERROR, path=_document_path(path, base), message=message[:1000], suggestion=hint
    )
