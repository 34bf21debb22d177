"""Lint rules about assignments: exclusions, enforcement, overrides, messages, the identity that changes need."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.domain.lint import Level
from shared.domain.resource import Json
from shared.engine import InvalidDefinition
from shared.engine.assignment import Assignment, Selector, within
from shared.engine.effect import EFFECTS
from shared.engine.expression import Literal
from shared.engine.initiative import MOST_MEMBERS, Initiative, Member, name_of
from shared.engine.tree import Definition
from shared.services.library import Library, Shape, effect_of, effect_parameter
from shared.services.lint.reference import Reference, Referring, lead
from shared.services.lint.subject import Found, Rule, effect_spelled, member, near

MOST_EXCLUSIONS = 400
"""Source: "What is Azure Policy?", maximum count of Azure Policy objects."""

_MODES = ("Default", "DoNotEnforce", "Enroll")
_SHAPES = (Shape.DEFINITION, Shape.INITIATIVE)
_CHANGING = frozenset(("modify", "deployifnotexists"))
_REFERENCE = "policydefinitionreferenceid"


@dataclass(frozen=True, kw_only=True)
class AssignmentSubject(Referring):
    """An assignment to look at: it refers to one definition or initiative. `outer` is what is around `properties`."""

    tree: Assignment
    outer: Mapping[str, Json]

    @property
    def target(self) -> Definition | Initiative | None:
        """What is assigned, where that is at hand."""
        return self.references[0].target

    @property
    def names(self) -> tuple[str, ...] | None:
        """The reference ids of the members; none for a single definition; None where the target is not at hand."""
        if isinstance(self.target, Initiative):
            return tuple(each.reference for each in self.target.members)
        return () if self.target else None


def subject_of(
    source: Mapping[str, Json], properties: Mapping[str, Json], tree: Assignment, library: Library
) -> AssignmentSubject:
    """An assignment with what it leads to."""
    given = {name: Literal(next(iter(value.values()))) for name, value in tree.parameters.items()}
    version = str(properties.get("definitionversion") or "")
    reference = Reference("$", name_of(tree.definition), tree.definition, version, given)
    return AssignmentSubject(
        properties=properties,
        library=library,
        references=(lead(reference, library, _SHAPES),),
        shapes=_SHAPES,
        tree=tree,
        outer=source,
    )


def many_exclusions(subject: AssignmentSubject) -> Iterator[Found]:
    """There are more than 400 `notScopes`: Azure refuses it.

    Assign at narrower scopes, or exempt.
    """
    found = len(subject.tree.excluded)
    if found > MOST_EXCLUSIONS:
        yield Found("$.notScopes", f"there are {found:,} notScopes, {MOST_EXCLUSIONS} are allowed", "use exemptions")


def idle_exclusion(subject: AssignmentSubject) -> Iterator[Found]:
    """An excluded scope is not below the scope of the assignment, so that excluding it changes nothing.

    Remove it, or mend its id.
    """
    scope = subject.tree.scope
    for at, each in enumerate(subject.tree.excluded):
        if not within(each, scope):
            yield Found(f"$.notScopes[{at}]", f"{each[:120]!r} is not below {scope!r}", "remove it")


def unknown_mode(subject: AssignmentSubject) -> Iterator[Found]:
    """There is no such `enforcementMode`.

    Write `Default`, `DoNotEnforce` or `Enroll`.
    """
    if subject.tree.mode.lower() not in {each.lower() for each in _MODES}:
        close = near(subject.tree.mode, _MODES)
        hint = f"use {close!r}" if close else f"use one of {', '.join(_MODES)}"
        yield Found("$.enforcementMode", f"there is no enforcementMode {subject.tree.mode[:60]!r}", hint)


def unknown_member(subject: AssignmentSubject) -> Iterator[Found]:
    """An override, a selector or a message names a reference id that the initiative does not have.

    Mend the name: it is the `policyDefinitionReferenceId` of a member.
    """
    names = subject.names
    if names is None:
        return
    known = {each.lower() for each in names}
    for path, name in _named(subject.tree):
        if name.lower() not in known:
            close = near(name, names)
            hint = f"use {close!r}" if close else None if names else "a single definition has no members"
            yield Found(path, f"{subject.references[0].label!r} has no member {name[:80]!r}", hint)


def _named(tree: Assignment) -> Iterator[tuple[str, str]]:
    """Every reference id with the path where it stands."""
    for at, override in enumerate(tree.overrides):
        yield from _selected(override.selectors, f"$.overrides[{at}]")
    for at, selectors in enumerate(tree.selectors):
        yield from _selected(selectors, f"$.resourceSelectors[{at}]")
    for at, message in enumerate(tree.messages):
        if message.reference:
            yield f"$.nonComplianceMessages[{at}].policyDefinitionReferenceId", message.reference


def _selected(selectors: tuple[Selector, ...], path: str) -> Iterator[tuple[str, str]]:
    for at, each in enumerate(selectors):
        if each.kind == _REFERENCE:
            yield from ((f"{path}.selectors[{at}]", name) for name in sorted(each.members))


def unknown_override(subject: AssignmentSubject) -> Iterator[Found]:
    """An override puts an effect in place that there is not.

    Mend its spelling.
    """
    for at, each in enumerate(subject.tree.overrides):
        if each.effect.lower() not in EFFECTS:
            close = near(each.effect, tuple(EFFECTS.values()))
            hint = f"use {close!r}" if close else None
            yield Found(f"$.overrides[{at}].value", f"there is no effect {each.effect[:60]!r}", hint)


def unfit_override(subject: AssignmentSubject) -> Iterator[Found]:
    """An override puts an effect in place that the definition was not written for.

    Take one of the effects that its effect parameter allows.
    """
    members = [(name, _allowed(tree)) for name, tree, _ in _members(subject)] if subject.tree.overrides else []
    for at, each in enumerate(subject.tree.overrides):
        low = each.effect.lower()
        for name, allowed in members if low in EFFECTS else ():
            if allowed and low not in allowed and each.may_select(name):
                shown = ", ".join(map(effect_spelled, sorted(allowed)))
                message = f"{name or subject.references[0].label!r} does not allow {effect_spelled(low)!r}"
                yield Found(f"$.overrides[{at}].value", message, f"it allows {shown}")


def _allowed(definition: Definition) -> frozenset[str]:
    """The effects (lower case) that the effect parameter allows; none where anything goes."""
    parameter = definition.parameters.get(effect_parameter(definition) or "")
    return frozenset(str(each).lower() for each in (parameter.allowed if parameter else None) or ())


def without_identity(subject: AssignmentSubject) -> Iterator[Found]:
    """The assignment can change resources, and has no identity to do it with.

    Add `identity` (and `location`), and give it the roles that the definitions name.
    """
    kind = str(member(subject.outer, "identity", "type") or "None")
    if kind.lower() != "none" or not subject.tree.enforced:
        return
    effects = {each.effect.lower() for each in subject.tree.overrides} | set(_effects(subject))
    for each in sorted(effects & _CHANGING):
        yield Found("$", f"{effect_spelled(each)} needs an identity, and the assignment has none", "add an identity")


def _members(subject: AssignmentSubject) -> Iterator[tuple[str, Definition, Member | None]]:
    """What is assigned and at hand: reference id, definition, and the member of the initiative if there is one."""
    target = subject.target
    if isinstance(target, Definition):
        yield "", target, None
    for each in target.members[:MOST_MEMBERS] if isinstance(target, Initiative) else ():
        reference = Reference(each.path, each.label, each.definition, each.version, {})
        found = lead(reference, subject.library, (Shape.DEFINITION,)).target
        if isinstance(found, Definition):
            yield each.reference, found, each


def _effects(subject: AssignmentSubject) -> Iterator[str]:
    """The effects (lower case) of what is assigned, with the values that the assignment gives."""
    given = {name.lower(): next(iter(each.values())) for name, each in subject.tree.parameters.items()}
    defaults = {low: each.default for low, each in (subject.references[0].declared or {}).items() if not each.required}
    for _, definition, inside in _members(subject):
        try:
            passed = given if inside is None else inside.arguments(defaults | given)
        except InvalidDefinition:
            continue
        yield effect_of(definition, passed)


RULES: tuple[Rule[AssignmentSubject], ...] = (
    Rule("exclusions-many", Level.ERROR, many_exclusions),
    Rule("exclusion-idle", Level.WARNING, idle_exclusion),
    Rule("enforcement-unknown", Level.ERROR, unknown_mode),
    Rule("member-unknown", Level.ERROR, unknown_member),
    Rule("override-unknown", Level.ERROR, unknown_override),
    Rule("override-unfit", Level.WARNING, unfit_override),
    Rule("identity-missing", Level.WARNING, without_identity),
)
