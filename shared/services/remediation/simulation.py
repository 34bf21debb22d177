"""Simulate fixes: what a resource, and what belongs to it, would be after one fix, and after all of them together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from shared.domain.arm_id import type_of
from shared.domain.body import contradicts, fingerprint
from shared.domain.error import Forbidden, InvalidInput
from shared.domain.finding import Finding
from shared.domain.plan import Refusal
from shared.domain.resource import Body, Resource, Snapshot
from shared.domain.verdict import State
from shared.engine import Context, deployed_over
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.remediation import fix

SnapshotReader = Callable[[str, str], Snapshot | None]
"""(resource id, api-version) -> the resource now."""

States = Mapping[str, State]


@dataclass(frozen=True, slots=True)
class Target:
    """A resource that would be written: as it is, and as it would be."""

    resource_id: str
    api_version: str
    before: Snapshot | None
    after: Body

    @property
    def differs(self) -> bool:
        """Return whether there is anything to write."""
        return fingerprint(self.before.body if self.before else None) != fingerprint(self.after)


@dataclass(slots=True)
class Simulation:
    """The resource as fixes make it. `targets` is by lower-case id, in the order of writing."""

    resource: Resource
    snapshot: Snapshot
    context: Context
    policies: EffectivePolicies
    read: SnapshotReader
    targets: dict[str, Target] = field(default_factory=dict)

    def add_all(self, findings: Sequence[Finding]) -> list[Refusal]:
        """Add the fixes of findings, in an order of our own; the first that cannot be computed exactly is refused."""
        for each in sorted(findings, key=lambda found: found.id):
            try:
                self.add(each)
            except (Forbidden, InvalidInput) as error:
                return [Refusal(finding=each.id, reason=error.message)]
        return []

    def add(self, finding: Finding) -> None:
        """Add the fix of a finding; InvalidInput when it has none that can be told exactly."""
        for wanted in fix.wanted(finding.policy_key, self.resource, self.context, self.policies):
            key = wanted.resource_id.lower()
            known = self.targets.get(key)
            target = known or self._target(wanted)
            present = known.after if known else target.before.body if target.before else None
            after: Body = wanted.body
            if wanted.over and present:
                after = deployed_over(present, after)
            self.targets[key] = replace(target, after=after)
            self.resource = _with(self.resource, self.targets[key])

    def _target(self, wanted: fix.DesiredResource) -> Target:
        if wanted.resource_id.lower() == self.resource.id.lower():
            return Target(self.resource.id, self.resource.api_version or "", self.snapshot, self.snapshot.body)
        version = wanted.api_version or self.policies.versions.get(type_of(wanted.resource_id).lower())
        if version is None:
            raise InvalidInput(f"no api-version is known to write {wanted.resource_id} with")
        return Target(wanted.resource_id, version, self.read(wanted.resource_id, version), wanted.body)

    def states(self) -> States:
        """Return how the policies would judge the resource; what does not apply is left out."""
        return states(self.resource, self.context, self.policies)

    def unproven(self, findings: list[Finding], before: States) -> list[Refusal]:
        """Return the findings whose fix would not make the resource comply, or would break what complies now."""
        after = self.states()
        failing = [each for each in findings if after.get(each.policy_key, State.COMPLIANT) != State.COMPLIANT]
        # Those first: what a fix breaks is only worth telling once it fixes what it is for.
        if failing:
            return [
                Refusal(finding=each.id, reason=f"the fix would leave the resource {after[each.policy_key]}")
                for each in failing
            ]
        broken = sorted(
            name_of(key, self.policies)
            for key, state in after.items()
            if state == State.NON_COMPLIANT and before.get(key) != state
        )
        reason = f"the fix would violate {', '.join(broken)}, which the resource does not violate now"
        return [Refusal(finding=each.id, reason=reason) for each in findings] if broken else []


def states(resource: Resource, context: Context, policies: EffectivePolicies) -> States:
    """Return how the policies in force judge a resource, by their keys; what does not apply is left out."""
    return {effective.key: verdict.state for effective, verdict in policies.compiled.judge(resource, context)}


def conflicts(findings: Sequence[Finding], simulate: Callable[[], Simulation]) -> list[Refusal]:
    """Refuse the fixes that cannot be told exactly, and those that contradict others, each naming all of them.

    Each is simulated on the resource as it is: what a fix wants does not depend on those that came before it.
    """
    refused: list[Refusal] = []
    alone: dict[str, Mapping[str, Target]] = {}
    for each in findings:
        simulation = simulate()
        refused += simulation.add_all([each])
        alone[each.id] = simulation.targets
    hopeless = {each.finding for each in refused}
    others: dict[str, list[str]] = {}
    for one, other in combinations([each for each in findings if each.id not in hopeless], 2):
        if _contradict(alone[one.id], alone[other.id]):
            others.setdefault(one.id, []).append(name_of(other.policy_key, simulation.policies))
            others.setdefault(other.id, []).append(name_of(one.policy_key, simulation.policies))
    return refused + [Refusal(finding=each, reason=_contradiction(sorted(names))) for each, names in others.items()]


def name_of(key: str, policies: EffectivePolicies) -> str:
    """Return the name of a policy in force; its key when it is in force no more."""
    effective = policies.get(key)
    return effective.name if effective else key


def _contradict(one: Mapping[str, Target], other: Mapping[str, Target]) -> bool:
    """Return whether two fixes, each simulated alone, want different values for the same part of a resource."""
    shared = ((one[key], other[key]) for key in one.keys() & other.keys())
    return any(
        contradicts(left.before.body if left.before else None, left.after, right.after) for left, right in shared
    )


def _contradiction(names: Sequence[str]) -> str:
    *first, last = names
    whom = f"those of {', '.join(first)} and {last}" if first else f"that of {last}"
    return f"its fix and {whom} want different values for the same part of the resource"


def _with(resource: Resource, target: Target) -> Resource:
    """Return the resource with a target as it would be: itself, or one that belongs to it."""
    if target.resource_id.lower() == resource.id.lower():
        return replace(resource, body=target.after)
    kind = type_of(target.resource_id).lower()
    # A list that is unread is replaced: the policy is judged by what the fix is sure to make.
    held = resource.related.get(kind, ())
    others = [each for each in held if each.id.lower() != target.resource_id.lower()] if isinstance(held, tuple) else []
    child = Resource(target.after, api_version=target.api_version)
    return replace(resource, related={**resource.related, kind: (*others, child)})
