"""Lint rules about initiatives: members and their names, groups, parameters, effects that can be chosen."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared.domain.lint import Level
from shared.domain.resource import Json
from shared.engine.expression import Literal
from shared.engine.initiative import MOST_MEMBERS, MOST_PARAMETERS, Initiative, Member, uses
from shared.engine.tree import Definition
from shared.services.library import Library, Shape, effect_parameter
from shared.services.lint.reference import Reference, Referring, lead
from shared.services.lint.subject import Found, Rule, near

_SHAPES = (Shape.DEFINITION,)


@dataclass(frozen=True, kw_only=True)
class InitiativeSubject(Referring):
    """An initiative to look at: its references are its members, in their order."""

    tree: Initiative


def subject_of(properties: Mapping[str, Json], tree: Initiative, library: Library) -> InitiativeSubject:
    """An initiative with what its members lead to."""
    return InitiativeSubject(
        properties=properties,
        library=library,
        references=tuple(lead(_reference(each), library, _SHAPES) for each in tree.members),
        shapes=_SHAPES,
        parameters=tree.parameters,
        metadata=tree.metadata,
        tree=tree,
    )


def _reference(each: Member) -> Reference:
    return Reference(each.path, each.label, each.definition, each.version, each.parameters)


def empty(subject: InitiativeSubject) -> Iterator[Found]:
    """An initiative has no members.

    Add one: it judges nothing.
    """
    if not subject.tree.members:
        yield Found("$.policyDefinitions", "the initiative has no members", "add one")


def large(subject: InitiativeSubject) -> Iterator[Found]:
    """An initiative has more than 1,000 members or more than 400 parameters: Azure refuses it.

    Split it.
    """
    for key, found, most in (
        ("policyDefinitions", len(subject.tree.members), MOST_MEMBERS),
        ("parameters", len(subject.parameters), MOST_PARAMETERS),
    ):
        if found > most:
            yield Found(f"$.{key}", f"there are {found:,} {key}, {most:,} are allowed", "split the initiative")


def unnamed(subject: InitiativeSubject) -> Iterator[Found]:
    """A member has no `policyDefinitionReferenceId`, so Azure makes one up.

    Give it a name: overrides, exemptions and messages go by it.
    """
    for each in subject.tree.members:
        if not each.reference:
            yield Found(each.path, f"{each.label!r} has no policyDefinitionReferenceId", "name it")


def name_repeated(subject: InitiativeSubject) -> Iterator[Found]:
    """Two members have the same `policyDefinitionReferenceId`; case does not count.

    Rename one of them: Azure refuses the initiative.
    """
    for each in _repeated((member, member.reference.lower()) for member in subject.tree.members if member.reference):
        yield Found(
            f"{each.path}.policyDefinitionReferenceId", f"{each.reference!r} names two members", "rename one of them"
        )


def repeated(subject: InitiativeSubject) -> Iterator[Found]:
    """Two members have the same definition and pass it the same values.

    Remove one of them.
    """
    members = ((each, (each.definition.lower(), each.version, _said(each))) for each in subject.tree.members)
    for each in _repeated(members):
        yield Found(each.path, f"{each.label!r} repeats another member: same definition, same values", "remove it")


def _said(each: Member) -> frozenset[tuple[str, str]]:
    return frozenset((name.lower(), repr(operand)) for name, operand in each.parameters.items())


def _repeated[T](keyed: Iterable[tuple[T, object]]) -> Iterator[T]:
    """What has a key that something before it had."""
    seen: set[object] = set()
    for each, key in keyed:
        if key in seen:
            yield each
        seen.add(key)


def unused(subject: InitiativeSubject) -> Iterator[Found]:
    """A parameter of an initiative is passed to no member.

    Remove it, or pass it on.
    """
    used = {name.lower() if name is not None else None for _, name in _uses(subject)}
    for low, each in subject.parameters.items() if None not in used else ():
        if low not in used:
            yield Found(f"$.parameters.{each.name}", f"the parameter {each.name!r} is passed to no member", "remove it")


def undeclared(subject: InitiativeSubject) -> Iterator[Found]:
    """A member is passed a parameter that the initiative does not declare.

    Declare it under `parameters`, or mend its name.
    """
    names = tuple(each.name for each in subject.parameters.values())
    for path, name in _uses(subject):
        if name is not None and name.lower() not in subject.parameters:
            close = near(name, names)
            hint = f"use {close!r}" if close else f"declare {name!r}"
            yield Found(path, f"the initiative has no parameter {name[:80]!r}", hint)


def _uses(subject: InitiativeSubject) -> Iterator[tuple[str, str | None]]:
    for each in subject.tree.members:
        for name, operand in each.parameters.items():
            for used in uses(operand):
                yield f"{each.path}.parameters.{name}", used


def fixed_effect(subject: InitiativeSubject) -> Iterator[Found]:
    """A member's effect could be chosen, but the initiative passes none of its parameters to it.

    Pass a parameter: whoever assigns the initiative can then begin with `Audit`, or switch the member off.
    """
    for each in subject.references:
        name = effect_parameter(each.target) if isinstance(each.target, Definition) else None
        if name is None:
            continue
        given = next((operand for key, operand in each.given.items() if key.lower() == name), None)
        if given is None or isinstance(given, Literal):
            how = "is left to its default" if given is None else f"is always {given.value!r}"
            message = f"the effect of {each.label!r} {how}, so an assignment cannot choose it"
            yield Found(each.path, message, f"pass a parameter of the initiative as {name!r}")


def unknown_group(subject: InitiativeSubject) -> Iterator[Found]:
    """A member is in a group that `policyDefinitionGroups` does not declare.

    Declare the group, or mend its name: Azure refuses the initiative.
    """
    known = {each.lower() for each in subject.tree.groups}
    for each in subject.tree.members:
        for at, name in enumerate(each.groups):
            if name.lower() not in known:
                close = near(name, subject.tree.groups)
                hint = f"use {close!r}" if close else f"declare {name!r} in policyDefinitionGroups"
                yield Found(f"{each.path}.groupNames[{at}]", f"there is no group {name[:80]!r}", hint)


def unused_group(subject: InitiativeSubject) -> Iterator[Found]:
    """No member is in a declared group.

    Remove the group, or put those members into it that show it.
    """
    used = {name.lower() for each in subject.tree.members for name in each.groups}
    for at, name in enumerate(subject.tree.groups):
        if name.lower() not in used:
            yield Found(f"$.policyDefinitionGroups[{at}]", f"no member is in the group {name!r}", "remove it")


def repeated_group(subject: InitiativeSubject) -> Iterator[Found]:
    """A group is declared twice, or named twice by one member; case does not count.

    Remove one of the two.
    """
    numbered = ((at, name.lower()) for at, name in enumerate(subject.tree.groups))
    for at in _repeated(numbered):
        name = subject.tree.groups[at]
        yield Found(f"$.policyDefinitionGroups[{at}].name", f"the group {name!r} is declared twice", "remove one")
    for each in subject.tree.members:
        for name, number in Counter(name.lower() for name in each.groups).items():
            if number > 1:
                yield Found(f"{each.path}.groupNames", f"{each.label!r} is in the group {name!r} twice", "remove one")


RULES: tuple[Rule[InitiativeSubject], ...] = (
    Rule("initiative-empty", Level.WARNING, empty),
    Rule("initiative-large", Level.ERROR, large),
    Rule("member-unnamed", Level.WARNING, unnamed),
    Rule("member-name-repeated", Level.ERROR, name_repeated),
    Rule("member-repeated", Level.WARNING, repeated),
    Rule("member-effect-fixed", Level.NOTE, fixed_effect),
    Rule("initiative-parameter-unused", Level.WARNING, unused),
    Rule("initiative-parameter-undeclared", Level.ERROR, undeclared),
    Rule("group-undeclared", Level.ERROR, unknown_group),
    Rule("group-unused", Level.NOTE, unused_group),
    Rule("group-repeated", Level.ERROR, repeated_group),
)
