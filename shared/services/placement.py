"""Place policies: what definitions, initiatives and assignments come to, each policy with the values it gets there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from shared.domain.resource import Json, Resource
from shared.domain.verdict import State, Verdict
from shared.engine import AliasCatalog, Context, Explanation, InvalidDefinition, Policy, explain, judge
from shared.engine.assignment import Assignment, parse_assignment
from shared.engine.effect import EFFECTS
from shared.engine.error import nearest
from shared.engine.expression import Literal
from shared.engine.initiative import MOST_MEMBERS, Initiative, Member, name_of
from shared.engine.policy import compile_tree
from shared.engine.tree import Definition
from shared.services.library import Entry, Library, Shape

Values = Mapping[str, Json]
OUTSIDE = "outside of the assignment: not in its scope, excluded, or not selected"


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """One policy where it is in force. `reference`, `initiative` and `assignment` tell where, "" and None for nowhere.

    `overridden` has the policy with each effect (lower case) that an override of the assignment may put in place;
    `given` are the values that its parameters get.
    """

    policy: Policy
    reference: str = ""
    initiative: str = ""
    assignment: Assignment | None = None
    overridden: Mapping[str, Policy] = field(default_factory=dict)
    given: Values = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What people call it: where it is in force, and which policy."""
        held = self.assignment.name if self.assignment else self.initiative
        return "/".join(each for each in (held, self.reference or self.policy.name) if each)

    def on(self, resource: Resource) -> Policy | None:
        """The policy as it is in force on a resource; None where the assignment leaves the resource out."""
        if self.assignment is None:
            return self.policy
        if not self.assignment.covers(resource):
            return None
        effect = self.assignment.effect(resource, self.reference)
        return self.policy if effect is None else self.overridden[effect.lower()]

    def message(self, verdict: Verdict) -> str:
        """What the assignment tells those who do not comply, if it does."""
        wanted = self.assignment is not None and verdict.state is State.NON_COMPLIANT
        return self.assignment.message(self.reference) if wanted and self.assignment else ""

    def told(self, verdict: Verdict) -> dict[str, Json]:
        """Where the policy is in force, for a record of the verdict: names, the message, and whether it acts."""
        found: dict[str, Json] = {
            "policy": self.policy.name,
            "assignment": self.assignment.name if self.assignment else "",
            "initiative": self.initiative,
            "reference": self.reference,
            "message": self.message(verdict),
        }
        enforced = self.assignment is None or self.assignment.enforced
        return {name: each for name, each in found.items() if each} | ({} if enforced else {"enforced": False})

    def around(self, context: Context) -> Context:
        """The context with what policy() tells about this place."""
        told = {
            "assignmentId": self.assignment.id if self.assignment else "",
            "definitionId": self.policy.id,
            "setDefinitionId": self.initiative,
            "definitionReferenceId": self.reference,
        }
        known = {name: each for name, each in told.items() if each}
        return replace(context, policy={**known, **context.policy}) if self.initiative or self.assignment else context

    def judge(self, resource: Resource, context: Context) -> Verdict:
        """The verdict on a resource; not applicable where the assignment leaves it out."""
        policy = self.on(resource)
        return self._outside(resource) if policy is None else judge(policy, resource, self.around(context))

    def explain(self, resource: Resource, context: Context) -> Explanation:
        """The verdict on a resource, explained."""
        policy = self.on(resource)
        if policy is None:
            return Explanation(self._outside(resource), None)
        return explain(policy, resource, self.around(context))

    def _outside(self, resource: Resource) -> Verdict:
        return Verdict(
            self.policy.id or self.policy.name, resource.id, State.NOT_APPLICABLE, self.policy.effect, OUTSIDE
        )


def place(entry: Entry, library: Library, *, aliases: AliasCatalog, parameters: Values) -> tuple[Placement, ...]:
    """The policies of a definition, an initiative or an assignment, with values for its parameters.

    Raises:
        InvalidDefinition: it cannot be used, a value does not fit or is missing, or a reference leads nowhere.
    """
    if entry.shape is Shape.ASSIGNMENT:
        return tuple(_assigned(entry, library, aliases, parameters))
    found = library.read(entry)
    if isinstance(found, Definition):
        return (Placement(compile_tree(_named(found, entry), aliases, parameters), given=parameters),)
    return tuple(_members(found, entry, library, aliases, found.values(parameters)))


def _named(tree: Definition, entry: Entry) -> Definition:
    return tree if tree.name or tree.id else replace(tree, name=entry.name)


def _members(
    tree: Initiative, entry: Entry, library: Library, aliases: AliasCatalog, values: Values
) -> Iterator[Placement]:
    if len(tree.members) > MOST_MEMBERS:
        message = f"there are {len(tree.members):,} members, {MOST_MEMBERS:,} are allowed"
        raise InvalidDefinition(message, path="$.policyDefinitions")
    seen: set[str] = set()
    for each in tree.members:
        if each.label.lower() in seen:
            path = f"{each.path}.policyDefinitionReferenceId"
            raise InvalidDefinition(f"{each.label!r} names two members", path=path, offending=each.label)
        seen.add(each.label.lower())
        found = _lead(each, library)
        try:
            given = _wrapped(each.arguments(values))
            policy = compile_tree(found, aliases, given)
        except InvalidDefinition as error:
            raise _inside(each, error) from None
        if policy.missing:
            message = f"{each.label!r} needs values for {', '.join(policy.missing[:10])}"
            raise InvalidDefinition(message, path=f"{each.path}.parameters", offending=policy.missing[0])
        yield Placement(policy, each.label, entry.id or entry.name, given=given)


def _lead(member: Member, library: Library) -> Definition:
    entry = library.find(member.definition, Shape.DEFINITION)
    if entry is None:
        raise InvalidDefinition(
            f"there is no definition {name_of(member.definition)[:80]!r} at hand",
            path=f"{member.path}.policyDefinitionId",
            offending=member.definition,
            suggestion=library.near(member.definition, Shape.DEFINITION),
        )
    try:
        found = library.read(entry)
    except InvalidDefinition as error:
        raise _inside(member, error) from None
    assert isinstance(found, Definition)  # it was asked for
    return _named(found, entry)


def _inside(member: Member, error: InvalidDefinition) -> InvalidDefinition:
    """An error in what a member leads to, told at the member: at its argument where that is what does not fit."""
    path = error.path or "$"
    told = error.message.partition("; did you mean")[0]
    if path.startswith((member.path, "$.parameters.")):
        told = told.removeprefix(f"{path}: ")
        path = path if path.startswith(member.path) else member.path + path[1:]
    else:
        path = member.path
    return InvalidDefinition(
        f"{member.label!r}: {told}", path=path, offending=error.offending, suggestion=error.suggestion
    )


def _assigned(entry: Entry, library: Library, aliases: AliasCatalog, parameters: Values) -> Iterator[Placement]:
    tree = parse_assignment(entry.source)
    tree = tree if tree.name else replace(tree, name=entry.name)
    target = library.find(tree.definition, Shape.DEFINITION, Shape.INITIATIVE)
    if target is None:
        raise InvalidDefinition(
            f"there is no definition or initiative {name_of(tree.definition)[:80]!r} at hand",
            path="$.policyDefinitionId",
            offending=tree.definition,
            suggestion=library.near(tree.definition, Shape.DEFINITION, Shape.INITIATIVE),
        )
    given = {name.lower(): (name, each) for name, each in [*tree.parameters.items(), *parameters.items()]}
    for placed in place(target, library, aliases=aliases, parameters=dict(given.values())):
        _complete(placed, tree)
        yield replace(placed, assignment=tree, overridden=dict(_overridden(placed, tree, aliases)))


def _complete(placed: Placement, tree: Assignment) -> None:
    """An assignment gives every value."""
    if placed.policy.missing:
        message = f"the assignment {tree.name!r} needs values for {', '.join(placed.policy.missing[:10])}"
        raise InvalidDefinition(message, path="$.parameters", offending=placed.policy.missing[0])


def _overridden(placed: Placement, tree: Assignment, aliases: AliasCatalog) -> Iterator[tuple[str, Policy]]:
    """The policy with each effect that an override may put in place of its own."""
    policy, seen = placed.policy, set[str]()
    for at, each in enumerate(tree.overrides):
        path, effect = f"$.overrides[{at}].value", EFFECTS.get(each.effect.lower())
        if effect is None:
            near = nearest(each.effect, tuple(EFFECTS.values()))
            raise InvalidDefinition(f"unknown effect {each.effect[:60]!r}", path=path, suggestion=near)
        if effect not in seen and each.may_select(placed.reference):
            seen.add(effect)
            definition = replace(policy.definition, effect=Literal(effect))
            try:
                yield effect.lower(), compile_tree(definition, aliases, placed.given)
            except InvalidDefinition as error:
                raise InvalidDefinition(f"{placed.name!r} cannot have it: {error}", path=path) from None


def _wrapped(values: Values) -> dict[str, Json]:
    """Values as an assignment writes them, so that an object with a single `value` is none of its wrappings."""
    return {name: {"value": each} for name, each in values.items()}
