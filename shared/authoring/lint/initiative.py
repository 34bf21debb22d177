"""Lint rules about initiatives: members and their names, groups, parameters, effects that can be chosen."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.authoring.library import DocumentShape, Library
from shared.authoring.lint.reference import LintReference, ReferringSubject, resolve_reference
from shared.authoring.lint.subject import LintFinding, LintRule, repeated, use_nearest
from shared.domain.lint import LintLevel
from shared.domain.resource import Json
from shared.domain.spelling import respell
from shared.engine.compile.initiative import (
    INITIATIVE_MEMBERS,
    INITIATIVE_PARAMETERS,
    Initiative,
    parameters_used,
)
from shared.engine.language.expression import Literal
from shared.engine.language.traversal import parameter_name
from shared.engine.language.tree import Definition

_SHAPES = (DocumentShape.DEFINITION,)


@dataclass(frozen=True, kw_only=True)
class InitiativeSubject(ReferringSubject):
    """An initiative to look at: its references are its members, in their order."""

    tree: Initiative


def subject_of(properties: Mapping[str, Json], tree: Initiative, library: Library) -> InitiativeSubject:
    """Return an initiative with what its members lead to."""
    return InitiativeSubject(
        properties=properties,
        library=library,
        references=tuple(
            resolve_reference(
                LintReference(each.path, each.label, each.definition, each.version, each.parameters), library, _SHAPES
            )
            for each in tree.members
        ),
        shapes=_SHAPES,
        parameters=tree.parameters,
        metadata=tree.metadata,
        tree=tree,
    )


def empty(subject: InitiativeSubject) -> Iterator[LintFinding]:
    """Find an initiative without members.

    Add one: the initiative evaluates nothing.
    """
    if not subject.tree.members:
        yield LintFinding("$.policyDefinitions", "the initiative has no members", "add one")


def large(subject: InitiativeSubject) -> Iterator[LintFinding]:
    """Find an initiative with more than 1,000 members or 400 parameters: Azure refuses it.

    Split it.
    """
    for key, found, most in (
        ("policyDefinitions", len(subject.tree.members), INITIATIVE_MEMBERS),
        ("parameters", len(subject.parameters), INITIATIVE_PARAMETERS),
    ):
        if found > most:
            yield LintFinding(f"$.{key}", f"there are {found:,} {key}, {most:,} are allowed", "split the initiative")


def unnamed(subject: InitiativeSubject) -> Iterator[LintFinding]:
    """Find a member without a `policyDefinitionReferenceId`, for which Azure makes one up.

    Name it: overrides, exemptions and messages refer to the name.
    """
    for each in subject.tree.members:
        if not each.reference:
            yield LintFinding(each.path, f"{each.label!r} has no policyDefinitionReferenceId", "name it")


def name_repeated(subject: InitiativeSubject) -> Iterator[LintFinding]:
    """Find two members with the same `policyDefinitionReferenceId`, whatever its case.

    Rename one of them: Azure refuses the initiative.
    """
    for each in repeated((member, member.reference.lower()) for member in subject.tree.members if member.reference):
        yield LintFinding(
            f"{each.path}.policyDefinitionReferenceId", f"{each.reference!r} names two members", "rename one of them"
        )


def repeated_member(subject: InitiativeSubject) -> Iterator[LintFinding]:
    """Find two members with the same definition and the same values.

    Remove one of them.
    """
    # By their representation: operands are trees, and trees that say the same look the same.
    values = (
        frozenset((name.lower(), repr(operand)) for name, operand in each.parameters.items())
        for each in subject.tree.members
    )
    keyed = zip(subject.tree.members, values, strict=True)
    for each in repeated((each, (each.definition.lower(), each.version, given)) for each, given in keyed):
        yield LintFinding(
            each.path, f"{each.label!r} repeats another member: same definition, same values", "remove it"
        )


def unused(subject: InitiativeSubject) -> Iterator[LintFinding]:
    """Find a parameter of an initiative that is passed to no member.

    Remove it, or pass it on.
    """
    used = {name.lower() if name is not None else None for _, name in _uses(subject)}
    for low, each in subject.parameters.items() if None not in used else ():
        if low not in used:
            yield LintFinding(
                f"$.parameters.{each.name}", f"the parameter {each.name!r} is passed to no member", "remove it"
            )


def undeclared(subject: InitiativeSubject) -> Iterator[LintFinding]:
    """Find a parameter that is passed to a member and not declared by the initiative.

    Declare it under `parameters`, or correct its name.
    """
    names = tuple(each.name for each in subject.parameters.values())
    for path, name in _uses(subject):
        if name is not None and name.lower() not in subject.parameters:
            hint = use_nearest(name, names, f"declare {name!r}")
            yield LintFinding(path, f"the initiative has no parameter {name[:80]!r}", hint)


def _uses(subject: InitiativeSubject) -> Iterator[tuple[str, str | None]]:
    for each in subject.tree.members:
        for name, operand in each.parameters.items():
            for used in parameters_used(operand):
                yield f"{each.path}.parameters.{name}", used


def fixed_effect(subject: InitiativeSubject) -> Iterator[LintFinding]:
    """Find a member with an effect parameter to which the initiative passes no parameter of its own.

    Pass a parameter, so that an assignment can begin with `Audit`, or switch the member off.
    """
    for each in subject.references:
        name = parameter_name(each.target.effect) if isinstance(each.target, Definition) else None
        if name is None:
            continue
        given = each.given.get(respell(each.given, name))
        if given is None or isinstance(given, Literal):
            how = "is left to its default" if given is None else f"is always {given.value!r}"
            message = f"the effect of {each.label!r} {how}, so an assignment cannot choose it"
            yield LintFinding(each.path, message, f"pass a parameter of the initiative as {name!r}")


def unknown_group(subject: InitiativeSubject) -> Iterator[LintFinding]:
    """Find a group of a member that `policyDefinitionGroups` does not declare.

    Declare the group, or correct its name: Azure refuses the initiative. With EPAC's `importPolicyDefinitionGroups`
    it may come from elsewhere.
    """
    if subject.properties.get("importpolicydefinitiongroups"):
        return
    known = {each.lower() for each in subject.tree.groups}
    for each in subject.tree.members:
        for at, name in enumerate(each.groups):
            if name.lower() not in known:
                hint = use_nearest(name, subject.tree.groups, f"declare {name!r} in policyDefinitionGroups")
                yield LintFinding(f"{each.path}.groupNames[{at}]", f"there is no group {name[:80]!r}", hint)


def unused_group(subject: InitiativeSubject) -> Iterator[LintFinding]:
    """Find a declared group without members.

    Remove the group, or add the members that belong to it.
    """
    used = {name.lower() for each in subject.tree.members for name in each.groups}
    for at, name in enumerate(subject.tree.groups):
        if name.lower() not in used:
            yield LintFinding(f"$.policyDefinitionGroups[{at}]", f"no member is in the group {name!r}", "remove it")


def repeated_group(subject: InitiativeSubject) -> Iterator[LintFinding]:
    """Find a group that is declared twice, or named twice by one member, whatever its case.

    Remove one of the two.
    """
    numbered = ((at, name.lower()) for at, name in enumerate(subject.tree.groups))
    for at in repeated(numbered):
        name = subject.tree.groups[at]
        yield LintFinding(f"$.policyDefinitionGroups[{at}].name", f"the group {name!r} is declared twice", "remove one")
    for each in subject.tree.members:
        for name, number in Counter(name.lower() for name in each.groups).items():
            if number > 1:
                yield LintFinding(
                    f"{each.path}.groupNames", f"{each.label!r} is in the group {name!r} twice", "remove one"
                )


RULES: tuple[LintRule[InitiativeSubject], ...] = (
    LintRule("initiative-empty", LintLevel.WARNING, empty),
    LintRule("initiative-large", LintLevel.ERROR, large),
    LintRule("member-unnamed", LintLevel.WARNING, unnamed),
    LintRule("member-name-repeated", LintLevel.ERROR, name_repeated),
    LintRule("member-repeated", LintLevel.WARNING, repeated_member),
    LintRule("member-effect-fixed", LintLevel.NOTE, fixed_effect),
    LintRule("initiative-parameter-unused", LintLevel.NOTE, unused),
    LintRule("initiative-parameter-undeclared", LintLevel.ERROR, undeclared),
    LintRule("group-undeclared", LintLevel.ERROR, unknown_group),
    LintRule("group-unused", LintLevel.NOTE, unused_group),
    LintRule("group-repeated", LintLevel.ERROR, repeated_group),
)
