"""Lint rules about assignments: exclusions, enforcement, overrides, messages, the identity that changes need."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.authoring.library import DocumentShape, Library, effect_of
from shared.authoring.lint.reference import LintReference, ReferringSubject, resolve_reference
from shared.authoring.lint.subject import LintFinding, LintRule, effect_spelled, member, use_nearest
from shared.domain.lint import LintLevel
from shared.domain.resource import Json
from shared.engine import InvalidDefinition
from shared.engine.compile.effect import EFFECTS
from shared.engine.compile.initiative import INITIATIVE_MEMBERS, Initiative, InitiativeMember, name_from_id
from shared.engine.language.assignment import Assignment, Selector, is_within
from shared.engine.language.expression import Literal
from shared.engine.language.traversal import parameter_name
from shared.engine.language.tree import Definition

ASSIGNMENT_EXCLUSIONS = 400
"""Source: "What is Azure Policy?", maximum count of Azure Policy objects."""

_MODES = ("Default", "DoNotEnforce", "Enroll")
_SHAPES = (DocumentShape.DEFINITION, DocumentShape.INITIATIVE)
_CHANGING_EFFECTS = frozenset(("modify", "deployifnotexists"))
_REFERENCE_KIND = "policydefinitionreferenceid"


@dataclass(frozen=True, kw_only=True)
class AssignmentSubject(ReferringSubject):
    """An assignment to look at: it refers to one definition or initiative. `outer` is what is around `properties`."""

    tree: Assignment
    outer: Mapping[str, Json]

    @property
    def target(self) -> Definition | Initiative | None:
        """Return what is assigned, where the library has it."""
        return self.references[0].target

    @property
    def names(self) -> tuple[str, ...] | None:
        """Return the members' reference ids; () for a single definition, None where the library lacks the target."""
        if isinstance(self.target, Initiative):
            return tuple(each.reference for each in self.target.members)
        return () if self.target else None


def subject_of(
    source: Mapping[str, Json], properties: Mapping[str, Json], tree: Assignment, library: Library
) -> AssignmentSubject:
    """Return an assignment with what it leads to."""
    given = {name: Literal(next(iter(value.values()))) for name, value in tree.parameters.items()}
    version = str(properties.get("definitionversion") or "")
    reference = LintReference("$", name_from_id(tree.definition), tree.definition, version, given)
    return AssignmentSubject(
        properties=properties,
        library=library,
        references=(resolve_reference(reference, library, _SHAPES),),
        shapes=_SHAPES,
        tree=tree,
        outer=source,
    )


def many_exclusions(subject: AssignmentSubject) -> Iterator[LintFinding]:
    """Find more than 400 `notScopes`: Azure refuses them.

    Assign at narrower scopes, or use exemptions.
    """
    found = len(subject.tree.excluded)
    if found > ASSIGNMENT_EXCLUSIONS:
        yield LintFinding(
            "$.notScopes", f"there are {found:,} notScopes, {ASSIGNMENT_EXCLUSIONS} are allowed", "use exemptions"
        )


def idle_exclusion(subject: AssignmentSubject) -> Iterator[LintFinding]:
    """Find an excluded scope outside the scope of the assignment, so that excluding it changes nothing.

    Remove it, or correct its id.
    """
    scope = subject.tree.scope
    for at, each in enumerate(subject.tree.excluded):
        if not is_within(each, scope):
            yield LintFinding(f"$.notScopes[{at}]", f"{each[:120]!r} is not below {scope!r}", "remove it")


def unknown_mode(subject: AssignmentSubject) -> Iterator[LintFinding]:
    """Find an `enforcementMode` that does not exist.

    Write `Default`, `DoNotEnforce` or `Enroll`.
    """
    if subject.tree.mode.lower() not in {each.lower() for each in _MODES}:
        hint = use_nearest(subject.tree.mode, _MODES, f"use one of {', '.join(_MODES)}")
        yield LintFinding("$.enforcementMode", f"there is no enforcementMode {subject.tree.mode[:60]!r}", hint)


def unknown_member(subject: AssignmentSubject) -> Iterator[LintFinding]:
    """Find a reference id, in an override, a selector or a message, that the initiative does not have.

    Correct it: it is the `policyDefinitionReferenceId` of a member.
    """
    names = subject.names
    if names is None:
        return
    known = {each.lower() for each in names}
    for path, name in _named(subject.tree):
        if name.lower() not in known:
            hint = use_nearest(name, names, None if names else "a single definition has no members")
            yield LintFinding(path, f"{subject.references[0].label!r} has no member {name[:80]!r}", hint)


def _named(tree: Assignment) -> Iterator[tuple[str, str]]:
    """Yield every reference id with the path where it stands."""
    for at, override in enumerate(tree.overrides):
        yield from _selected(override.selectors, f"$.overrides[{at}]")
    for at, selectors in enumerate(tree.selectors):
        yield from _selected(selectors, f"$.resourceSelectors[{at}]")
    for at, message in enumerate(tree.messages):
        if message.reference:
            yield f"$.nonComplianceMessages[{at}].policyDefinitionReferenceId", message.reference


def _selected(selectors: tuple[Selector, ...], path: str) -> Iterator[tuple[str, str]]:
    for at, each in enumerate(selectors):
        if each.kind == _REFERENCE_KIND:
            yield from ((f"{path}.selectors[{at}]", name) for name in sorted(each.members))


def unknown_override(subject: AssignmentSubject) -> Iterator[LintFinding]:
    """Find an override with an effect that does not exist.

    Correct its spelling.
    """
    for at, each in enumerate(subject.tree.overrides):
        if not each.version and each.effect.lower() not in EFFECTS:
            hint = use_nearest(each.effect, EFFECTS.values())
            yield LintFinding(f"$.overrides[{at}].value", f"there is no effect {each.effect[:60]!r}", hint)


def unfit_override(subject: AssignmentSubject) -> Iterator[LintFinding]:
    """Find an override with an effect that the definition was not written for.

    Use one of the effects that its effect parameter allows.
    """
    members: list[tuple[str, frozenset[str]]] = []
    for name, tree, _ in _members(subject) if subject.tree.overrides else ():
        parameter = tree.parameters.get(parameter_name(tree.effect) or "")
        choices = parameter.allowed if parameter else None
        members.append((name, frozenset(str(each).lower() for each in choices or ())))  # empty where anything goes
    for at, each in enumerate(subject.tree.overrides):
        low = each.effect.lower()
        for name, allowed in members if low in EFFECTS else ():
            if allowed and low not in allowed and each.may_select(name):
                shown = ", ".join(map(effect_spelled, sorted(allowed)))
                message = f"{name or subject.references[0].label!r} does not allow {effect_spelled(low)!r}"
                yield LintFinding(f"$.overrides[{at}].value", message, f"it allows {shown}")


def without_identity(subject: AssignmentSubject) -> Iterator[LintFinding]:
    """Find an assignment that can change resources and has no identity to do it with.

    Add `identity` (and `location`), and give it the roles that the definitions name.
    """
    kind = str(member(subject.outer, "identity", "type") or "None")
    if kind.lower() != "none" or not subject.tree.enforced:
        return
    effects = {each.effect.lower() for each in subject.tree.overrides} | set(_effects(subject))
    for each in sorted(effects & _CHANGING_EFFECTS):
        yield LintFinding(
            "$", f"{effect_spelled(each)} needs an identity, and the assignment has none", "add an identity"
        )


def _members(subject: AssignmentSubject) -> Iterator[tuple[str, Definition, InitiativeMember | None]]:
    """Yield the assigned definitions that the library has: reference id, definition, member of the initiative."""
    target = subject.target
    if isinstance(target, Definition):
        yield "", target, None
    for each in target.members[:INITIATIVE_MEMBERS] if isinstance(target, Initiative) else ():
        reference = LintReference(each.path, each.label, each.definition, each.version, {})
        found = resolve_reference(reference, subject.library, (DocumentShape.DEFINITION,)).target
        if isinstance(found, Definition):
            yield each.reference, found, each


def _effects(subject: AssignmentSubject) -> Iterator[str]:
    """Yield the effects (lower case) of what is assigned, with the values that the assignment gives."""
    given = {name.lower(): next(iter(each.values())) for name, each in subject.tree.parameters.items()}
    defaults = {low: each.default for low, each in (subject.references[0].declared or {}).items() if not each.required}
    for _, definition, inside in _members(subject):
        try:
            passed = given if inside is None else inside.arguments(defaults | given)
        except InvalidDefinition:
            continue
        yield effect_of(definition, passed)


RULES: tuple[LintRule[AssignmentSubject], ...] = (
    LintRule("exclusions-many", LintLevel.ERROR, many_exclusions),
    LintRule("exclusion-idle", LintLevel.WARNING, idle_exclusion),
    LintRule("enforcement-unknown", LintLevel.ERROR, unknown_mode),
    LintRule("member-unknown", LintLevel.ERROR, unknown_member),
    LintRule("override-unknown", LintLevel.ERROR, unknown_override),
    LintRule("override-unfit", LintLevel.WARNING, unfit_override),
    LintRule("identity-missing", LintLevel.WARNING, without_identity),
)
