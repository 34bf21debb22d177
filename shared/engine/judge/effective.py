"""Effective policies: a policy where it is in force, with what the assignment and the initiative around it decide."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from shared.domain.resource import Json, Resource
from shared.domain.verdict import State, Verdict, policy_key
from shared.engine.compile.policy import Policy
from shared.engine.context import Context
from shared.engine.judge.verdict import judge
from shared.engine.language.assignment import Assignment

OUTSIDE_ASSIGNMENT_REASON = "outside of the assignment: not in its scope, excluded, or not selected"


@dataclass(frozen=True, eq=False)
class EffectivePolicy:
    """A policy as it is in force. Immutable; picklable.

    `assignment` and `reference` (the definition reference id) are what brings it, `initiative` is the id of the
    initiative between them; None and "" where there is none. `overrides` has the policy with each effect (lower case)
    that an override of the assignment may put in place of its own; `values` are the parameter values it gets.
    `digest` is the SHA-256 of all that decides its verdicts, "" where nobody asked for it.
    """

    policy: Policy
    assignment: Assignment | None = None
    reference: str = ""
    initiative: str = ""
    overrides: Mapping[str, Policy] = field(default_factory=dict)
    values: Mapping[str, Json] = field(default_factory=dict)
    digest: str = ""
    is_everywhere: bool = field(init=False, repr=False)
    """Whether it is in force on every resource in the same way, so that nothing has to be looked at for each."""
    may_be_undecided: bool = field(init=False, repr=False)
    """Whether the assignment asks for what is not read, so that verdicts may be unknown for that alone."""
    place: Mapping[str, Json] = field(init=False, repr=False)
    """What policy() returns: where the policy is in force, without what is not known."""

    def __post_init__(self) -> None:
        """Find out once what each evaluation asks for."""
        undecided = self.assignment is not None and self.assignment.may_be_undecided(self.reference)
        everywhere = self.assignment is None or (self.assignment.covers_all and not self.overrides and not undecided)
        object.__setattr__(self, "may_be_undecided", undecided)
        object.__setattr__(self, "is_everywhere", everywhere)
        object.__setattr__(self, "place", self._place() if self.initiative or self.assignment else {})

    @property
    def assignment_id(self) -> str:
        """Return the id of the assignment, its name while it has no id, "" without one."""
        return (self.assignment.id or self.assignment.name) if self.assignment else ""

    @cached_property
    def key(self) -> str:
        """Return the key of (assignment id, definition reference id); without an assignment, of the definition."""
        return policy_key(self.assignment_id, self.reference or ("" if self.assignment else self.definition))

    @property
    def definition(self) -> str:
        """Return the id of the definition, its name while it has no id."""
        return self.policy.id or self.policy.name

    @property
    def name(self) -> str:
        """Return what people call it: where it is in force, and which policy."""
        outer = self.assignment.name if self.assignment else self.initiative
        return "/".join(each for each in (outer, self.reference or self.policy.name) if each)

    @property
    def enforced(self) -> bool:
        """Return whether the effect is carried out; otherwise the policy only reports compliance."""
        return self.assignment is None or self.assignment.enforced

    def _place(self) -> dict[str, Json]:
        known = {
            "assignmentId": self.assignment_id,
            "definitionId": self.policy.id,
            "setDefinitionId": self.initiative,
            "definitionReferenceId": self.reference,
        }
        return {name: each for name, each in known.items() if each}

    @property
    def variants(self) -> Iterator[Policy]:
        """Yield the policy with its own effect, and with each that an override may put in its place."""
        yield self.policy
        yield from self.overrides.values()

    def may_apply_to(self, resource_type: str) -> bool:
        """Return whether the type (lower case) alone allows the policy to be about a resource."""
        return any(each.may_apply_to(resource_type) for each in self.variants)

    def on(self, resource: Resource) -> Policy | None:
        """Return the policy as it is in force on a resource; None where the assignment leaves the resource out."""
        if self.assignment is None:
            return self.policy
        return None if self.assignment.covers(resource) is False else self.variant(resource)

    def variant(self, resource: Resource) -> Policy:
        """Return the policy with the effect that it has on a resource which the assignment does not leave out.

        It is undecided where that depends on what is not read.
        """
        effect = self.assignment.effect(resource, self.reference) if self.assignment and self.overrides else None
        policy = self.policy if effect is None else self.overrides[effect.lower()]
        if self.assignment and self.may_be_undecided:
            reason = self.assignment.undecided(resource, self.reference)
            return replace(policy, undecided=reason) if reason else policy
        return policy

    def message(self, verdict: Verdict) -> str:
        """Return the assignment's message for a resource that does not comply; "" for others, or where it has none."""
        applies = self.assignment and verdict.state is State.NON_COMPLIANT
        return self.assignment.message(self.reference) if self.assignment and applies else ""

    def to_json(self, verdict: Verdict) -> dict[str, Json]:
        """Return where the policy is in force, for a record of a verdict: names, message, whether it is enforced."""
        found: dict[str, Json] = {
            "policy": self.policy.name,
            "assignment": self.assignment_id,
            "initiative": self.initiative,
            "reference": self.reference,
            "message": self.message(verdict),
        }
        return {name: each for name, each in found.items() if each} | ({} if self.enforced else {"enforced": False})

    def around(self, context: Context) -> Context:
        """Return the context with what policy() returns here."""
        return replace(context, policy={**self.place, **context.policy}) if self.place else context

    def judge(self, resource: Resource, context: Context) -> Verdict:
        """Judge a resource; the verdict is not applicable where the assignment leaves it out."""
        policy = self.on(resource)
        if policy is not None:
            return judge(policy, resource, self.around(context))
        return Verdict(
            policy=self.definition,
            resource=resource.id,
            state=State.NOT_APPLICABLE,
            effect=self.policy.effect,
            reason=OUTSIDE_ASSIGNMENT_REASON,
            assignment=self.assignment_id,
            reference=self.reference,
        )
