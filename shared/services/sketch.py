"""What a resource, and what belongs to it, would be: fixes tried on paper, one on top of the other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from shared.domain.body import holds, merged
from shared.domain.error import InvalidInput
from shared.domain.finding import Finding
from shared.domain.plan import Refusal
from shared.domain.resource import Body, Resource, type_of
from shared.domain.verdict import State
from shared.engine import Context
from shared.ports.control import Snapshot
from shared.services import fix
from shared.services.policy import Book

Read = Callable[[str, str], Snapshot | None]
"""(resource id, api-version) -> the resource now."""

States = Mapping[str, State]


@dataclass(frozen=True, slots=True)
class Target:
    """A resource that would be written: as it is, and as it would be."""

    resource_id: str
    api_version: str
    before: Snapshot | None
    after: Body


@dataclass(frozen=True, slots=True)
class Stroke:
    """What one fix does to one resource."""

    finding: Finding
    target: str
    before: Body | None
    after: Body


@dataclass(slots=True)
class Sketch:
    """The resource as fixes make it. `targets` is by lower-case id, in the order of writing."""

    resource: Resource
    snapshot: Snapshot
    context: Context
    book: Book
    read: Read
    targets: dict[str, Target] = field(default_factory=dict)
    strokes: list[Stroke] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Add the fix of a finding; InvalidInput when it has none that can be told exactly."""
        for wanted in fix.wanted(finding.policy, self.resource, self.context, self.book):
            key = wanted.resource_id.lower()
            known = self.targets.get(key)
            target = known or self._target(wanted)
            present = known.after if known else _body(target)
            after = _laid_over(present, wanted.body) if wanted.over and present else wanted.body
            self.strokes.append(Stroke(finding, key, present, after))
            self.targets[key] = replace(target, after=after)
            self.resource = _with(self.resource, self.targets[key])

    def _target(self, wanted: fix.Wanted) -> Target:
        if wanted.resource_id.lower() == self.resource.id.lower():
            return Target(self.resource.id, self.resource.api_version or "", self.snapshot, self.snapshot.body)
        version = wanted.api_version or self.book.versions.get(type_of(wanted.resource_id).lower())
        if version is None:
            raise InvalidInput(f"no api-version is known to write {wanted.resource_id} with")
        return Target(wanted.resource_id, version, self.read(wanted.resource_id, version), wanted.body)

    def conflicts(self) -> list[Refusal]:
        """The findings whose fixes undo each other, each refused by the name of the other."""
        found: list[Refusal] = []
        for index, stroke in enumerate(self.strokes):
            for later in self.strokes[index + 1 :]:
                if later.target == stroke.target and not holds(later.after, stroke.before, stroke.after):
                    found += [_conflict(stroke, later), _conflict(later, stroke)]
                    break
        return list(dict.fromkeys(found))

    def states(self) -> States:
        """How the policies would judge the resource; what does not apply is left out."""
        return states(self.resource, self.context, self.book)

    def unproven(self, findings: list[Finding], before: States) -> list[Refusal]:
        """The findings whose fix would not make the resource comply, or would break what complies now."""
        after = self.states()
        failing = [each for each in findings if after.get(each.policy, State.COMPLIANT) != State.COMPLIANT]
        if failing:
            return [
                Refusal(finding=each.id, reason=f"the fix would leave the resource {after[each.policy]}")
                for each in failing
            ]
        broken = sorted(
            name for name, state in after.items() if state == State.NON_COMPLIANT and before.get(name) != state
        )
        reason = f"the fix would violate {', '.join(broken)}, which the resource does not violate now"
        return [Refusal(finding=each.id, reason=reason) for each in findings] if broken else []


def states(resource: Resource, context: Context, book: Book) -> States:
    """How the policies judge a resource; what does not apply is left out."""
    return {verdict.policy: verdict.state for verdict in book.compiled.judge(resource, context)}


def _body(target: Target) -> Body | None:
    return target.before.body if target.before else None


def _laid_over(present: Body, wanted: Body) -> Body:
    """What there is with what is wanted in it: nothing is lost that the fix does not speak of."""
    named = ("id", "name", "type")
    over: Body = merged(present, {name: value for name, value in wanted.items() if name not in named})
    return over


def _conflict(one: Stroke, other: Stroke) -> Refusal:
    reason = f"its fix and that of {other.finding.policy} want different values for the same part of the resource"
    return Refusal(finding=one.finding.id, reason=reason)


def _with(resource: Resource, target: Target) -> Resource:
    """The resource with a target as it would be: itself, or one that belongs to it."""
    if target.resource_id.lower() == resource.id.lower():
        return replace(resource, body=target.after)
    kind = type_of(target.resource_id).lower()
    held = resource.related.get(kind, ())
    others = [each for each in held if each.id.lower() != target.resource_id.lower()] if isinstance(held, tuple) else []
    child = Resource(target.after, api_version=target.api_version)
    return replace(resource, related={**resource.related, kind: (*others, child)})
