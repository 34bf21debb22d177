"""Plan one item: the exact operations that fix the findings of a resource, tried on paper first."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from shared.domain import tag
from shared.domain.arm_id import subscription_of, type_of
from shared.domain.body import fingerprint, hidden_secret, request_body
from shared.domain.difference import differences
from shared.domain.error import CortexError, Forbidden, InvalidInput, Malformed, NotFound, Throttled, Unavailable
from shared.domain.finding import Finding, resource_key
from shared.domain.lock import LockLevel, ManagementLock
from shared.domain.plan import (
    SHOWN_BYTES,
    SHOWN_ITEMS,
    PlanItem,
    PlannedOperation,
    PlannedPolicy,
    Refusal,
)
from shared.domain.resource import Resource, Snapshot
from shared.domain.verdict import State
from shared.engine import Context
from shared.eventstore.store import Store
from shared.ports.control import Control
from shared.ports.inventory import Inventory
from shared.services import content
from shared.services.estate import surroundings
from shared.services.estate.resource_change import RESOURCE_KIND
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.remediation.simulation import Simulation, Target, conflicts, states


@dataclass(frozen=True, slots=True)
class Planning:
    """Plans the items of a remediation."""

    remediation: str
    store: Store
    control: Control
    inventory: Inventory
    policies: EffectivePolicies
    locks: dict[str, Sequence[ManagementLock]] = field(default_factory=dict)

    def item(self, number: int, found: Sequence[Finding]) -> PlanItem:
        """Plan the item of this number, for findings on one resource; Throttled and Unavailable pass through.

        Any other error is a reason to refuse these findings, and no others: Malformed too, which waiting does not cure.
        """
        resource_id = found[0].resource_id
        try:
            return self._guarded(self._planned(number, found), found)
        except CortexError as error:
            if isinstance(error, Throttled | Unavailable) and not isinstance(error, Malformed):
                raise
            return refused(resource_id, found, error.message)

    def _guarded(self, planned: PlanItem, found: Sequence[Finding]) -> PlanItem:
        """Return what is planned, unless the cloud is sure to refuse it, for a lock or for the tags."""
        for operation in planned.operations:
            locks = [each for each in self._locks(operation.resource_id) if each.covers(operation.resource_id)]
            if forbidding := next((each for each in locks if each.level == LockLevel.READ_ONLY), None):
                return refused(planned.resource_id, found, f"{forbidding} forbids changes of {operation.resource_id}")
            if locks and operation.before is None:
                note = f"{locks[0]} keeps a rollback from deleting {operation.resource_id}, which this creates"
                planned = planned.model_copy(update={"notes": (*planned.notes, note)})
        return planned

    def _locks(self, resource_id: str) -> Sequence[ManagementLock]:
        """Return the locks of a resource's subscription, which are read once; none where they cannot be read."""
        subscription = subscription_of(resource_id)
        if subscription not in self.locks:
            try:
                self.locks[subscription] = self.control.locks(tenant=self.store.tenant, subscription=subscription)
            except Forbidden:  # then the write itself will tell
                self.locks[subscription] = ()
        return self.locks[subscription]

    def _planned(self, number: int, found: Sequence[Finding]) -> PlanItem:
        resource_id = found[0].resource_id
        snapshot = self._read(resource_id, self._version(found))
        if snapshot is None:
            raise NotFound("the resource is not in the connected cloud: it was deleted, or was only imported")
        resource = self._resource(found, snapshot)
        row = self.store.documents.get(tenant=self.store.tenant, kind=RESOURCE_KIND, id=resource_key(resource_id))
        context = surroundings.context_of(row.body, self.store) if row else Context(now=self.store.now())
        before = states(resource, context, self.policies)
        refusals = [
            Refusal(
                finding=each.id, reason=f"the resource is {before[each.policy_key]}, so that nothing can be planned"
            )
            for each in found
            if before.get(each.policy_key, State.COMPLIANT) not in (State.COMPLIANT, State.NON_COMPLIANT)
        ]
        left = [each for each in found if before.get(each.policy_key) == State.NON_COMPLIANT]
        read = cache(self._read)

        def simulate() -> Simulation:
            return Simulation(resource, snapshot, context, self.policies, read)

        # Once is enough: of findings that do not contradict each other, no part does.
        hopeless = conflicts(left, simulate) if len(left) > 1 else []
        refusals += hopeless
        left = _without(left, hopeless)
        # Again without those that are refused: each round refuses at least one, so that the loop ends.
        while left:
            simulation = simulate()
            hopeless = simulation.add_all(left) or simulation.unproven(left, before)
            if not hopeless:
                return self._with_operations(number, simulation, left, refusals)
            refusals += hopeless
            left = _without(left, hopeless)
        return PlanItem(resource_id=resource_id, refusals=tuple(refusals), skipped="the resource complies already")

    def _with_operations(
        self, number: int, simulation: Simulation, fixed: list[Finding], refusals: list[Refusal]
    ) -> PlanItem:
        effective = [found for each in fixed if (found := self.policies.get(each.policy_key))]
        entries = map(self.policies.entry, effective)
        notes = [f"{entry.name}: {entry.change.note}" for entry in entries if entry.change]
        targets = [target for target in simulation.targets.values() if target.differs]
        notes += filter(None, map(_rollback_note, targets))
        return PlanItem(
            resource_id=fixed[0].resource_id,
            findings=tuple(each.id for each in fixed),
            policies=tuple(PlannedPolicy(key=each.key, name=each.name, digest=each.digest) for each in effective),
            operations=tuple(self._operation(f"{number}-{index}", each) for index, each in enumerate(targets, start=1)),
            refusals=tuple(refusals),
            notes=tuple(dict.fromkeys(notes)),  # a definition may be assigned twice
        )

    def _operation(self, place: str, target: Target) -> PlannedOperation:
        """Plan the write of one resource, and keep the resource as it is, so that the write can be undone.

        InvalidInput for tags that Resource Manager would refuse, and for secrets that would be lost.
        """
        before = target.before.body if target.before else None
        told = tag.violation(target.after.get("tags") or {}, type_of(target.resource_id), (before or {}).get("tags"))
        if told:
            raise InvalidInput(f"Azure would refuse the tags of {target.resource_id}: {told.message}")
        method, body = request_body(type_of(target.resource_id), before, target.after)
        if hidden := hidden_secret(type_of(target.resource_id), body):
            raise InvalidInput(
                f"{target.resource_id} can only be written whole, and Azure does not show the secret in {hidden}, so "
                "that it cannot be written back: change it by hand, or let it use an identity instead of the key first"
            )
        after = fingerprint(target.after)
        assert after is not None  # there is a body
        kept = {"body": before, "etag": target.before.etag if target.before else None, "apiVersion": target.api_version}
        # The digest is in the name, so that a second planning cannot overwrite the backup with something else.
        stem = f"remediation/{self.remediation}/before-{place}-"
        backup = content.keep_json(stem, kept, blobs=self.store.blobs, tenant=self.store.tenant)
        return PlannedOperation(
            method=method,
            resource_id=target.resource_id,
            api_version=target.api_version,
            body=body,
            target=target.after,
            if_match=target.before.etag if target.before else None,
            before=fingerprint(before),
            after=after,
            backup=backup,
            differences=tuple(differences(before, target.after, limit=SHOWN_ITEMS, room=SHOWN_BYTES)),
        )

    def _version(self, found: Sequence[Finding]) -> str:
        """Return the api-version to read and write a resource with: the latest that its fixes are written for."""
        entries = (self.policies.entries.get(each.policy) for each in found)
        named = [entry.remediation.api_version for entry in entries if entry and entry.remediation]
        known = self.policies.versions.get(found[0].resource_type) or found[0].api_version
        version = max(named, default=known)
        if version is None:
            raise InvalidInput(f"no api-version is known to read {found[0].resource_id} with")
        return version

    def _read(self, resource_id: str, api_version: str) -> Snapshot | None:
        return self.control.read(tenant=self.store.tenant, resource_id=resource_id, api_version=api_version)

    def _resource(self, found: Sequence[Finding], snapshot: Snapshot) -> Resource:
        """Return the resource as it is now, with what belongs to it where the policies look at that.

        Subscriptions are answered without their type, which judging needs.
        """
        first, version = found[0], self._version(found)
        body = {"id": first.resource_id, "type": first.resource_type, **snapshot.body}
        wanted = self.policies.wanted
        if not wanted.get(first.resource_type):
            return Resource(body, api_version=version)
        read = self.inventory.read(tenant=self.store.tenant, resource_id=first.resource_id, wanted=wanted)
        return replace(read or Resource(body), body=body, api_version=version)


def _rollback_note(target: Target) -> str | None:
    """Return what to know before approving where a rollback would have to write a secret that is not shown."""
    if target.before is None:
        return None
    kind = type_of(target.resource_id)
    hidden = hidden_secret(kind, request_body(kind, target.after, target.before.body)[1])
    told = f"a rollback cannot put back {target.resource_id}: Azure does not show the secret in {hidden}"
    return told if hidden else None


def refused(resource_id: str, found: Sequence[Finding], reason: str) -> PlanItem:
    """Return an item that fixes none of the findings on a resource, for one reason."""
    refusals = tuple(Refusal(finding=each.id, reason=reason) for each in found)
    return PlanItem(resource_id=resource_id, refusals=refusals)


def _without(findings: Sequence[Finding], refusals: Sequence[Refusal]) -> list[Finding]:
    hopeless = {each.finding for each in refusals}
    return [each for each in findings if each.id not in hopeless]
