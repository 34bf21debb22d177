"""Carry out an approved plan in bounded batches, one item at a time; every step is safe to do twice.

What is about to be written is recorded before it is. A step that was killed is done again, and the resource itself
tells how far the last try came: as before, as planned, or as neither, which is never written over.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

from shared.domain.arm_id import type_of
from shared.domain.body import hidden_secret, request_body
from shared.domain.error import Conflict, CortexError, InvalidInput, Stale
from shared.domain.finding import finding_id
from shared.domain.item import ItemOutcome, RemediationItem
from shared.domain.item_event import ItemApplying
from shared.domain.item_step import (
    ActionFailure,
    AfterWrite,
    BeforeWrite,
    ItemAction,
    ItemStepEvent,
    Observation,
    ObservedResource,
    Restoration,
    Verification,
    Withdrawal,
    WriteRefused,
    item_action,
    step,
)
from shared.domain.plan import PlanItem, PlannedOperation, RemediationPlan
from shared.domain.remediation import Remediation, RemediationStatus
from shared.domain.resource import Body, Json, Snapshot
from shared.domain.verdict import State
from shared.eventstore.store import Store
from shared.ports.control import Control, Method
from shared.services import content, finding
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.remediation import plan, progress, record

Judge = Callable[[str], Mapping[str, State]]
"""Reads a resource afresh, judges it, records what follows; the state for each policy that applies."""

BATCH_ITEMS = 50
"""Items that one step carries out at most."""
STEP_DURATION = timedelta(seconds=60)
"""How long one step goes on to the next action; far below the five minutes that an activity may take."""


def execute(
    remediation_id: str, *, store: Store, control: Control, policies: EffectivePolicies, judge: Judge
) -> Remediation:
    """Carry out the next batch of items, unless somebody cancels, and record how far the remediation is.

    A step that others have done, or are at, is left to them. Where the cloud asks to wait, the item is put off, and
    not tried before that time by whoever comes; where it refuses, the item ends, and the others go on.
    """
    known = record.begin(record.find(remediation_id, store=store), store)
    items = progress.left(known, limit=BATCH_ITEMS, store=store)
    executor = Executor(known, store, control, policies, judge, store.now() + STEP_DURATION, items)
    for item in items:
        executor.carry_out(item)
        if executor.is_late():
            break
    return progress.record_progress(remediation_id, store=store)


@dataclass(frozen=True)
class Executor:
    """Observes the resources of items, those of one step, until a time, and records what follows."""

    remediation: Remediation
    store: Store
    control: Control
    policies: EffectivePolicies
    judge: Judge
    until: datetime
    items: Sequence[RemediationItem]

    @cached_property
    def exempt(self) -> frozenset[str]:
        """Look up, once in a step, the findings on resources that are not written yet which are exempt now."""
        fresh = (ItemOutcome.PENDING, ItemOutcome.APPLYING)
        keys = [each.resource for each in self.items if each.outcome in fresh and not each.applied]
        found = finding.of_resources(keys, self.store).values()
        return frozenset(each.id for each in found if each.state == State.EXEMPT)

    @cached_property
    def plan(self) -> RemediationPlan:
        """Load the plan that was approved."""
        return plan.approved(self.remediation, store=self.store)

    def carry_out(self, item: RemediationItem) -> None:
        """Do what an item needs until it has ended, waits, another worker goes on with it, or the time is up."""
        active = _ActiveItem(self, self.remediation, item)
        while active.act() and not self.is_late():
            pass

    def act(self, item: RemediationItem) -> bool:
        """Do the one thing that an item needs next; whether there may be more to do at once."""
        return _ActiveItem(self, self.remediation, item).act()

    def is_late(self) -> bool:
        """Return whether the time is up."""
        return self.store.now() >= self.until


class _Preceded(Exception):
    """Another worker has gone on with the item, and records what it finds.

    No CortexError: the cloud answers Stale too, and that is a failure of the action.
    """


@dataclass
class _ActiveItem:
    """One item at work: the remediation and the item as they are, and what was planned for it."""

    executor: Executor
    remediation: Remediation
    item: RemediationItem
    _backups: dict[str, Body | None] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        return self.executor.store

    def act(self) -> bool:
        """Do the one thing that the item needs next; whether there may be more to do at once."""
        # Read afresh before each action: somebody may have cancelled, or another worker gone on.
        self.remediation = record.find(self.remediation.id, store=self.store)
        self.item = record.find_item(self.remediation.id, self.item.number, store=self.store) or self.item
        action = item_action(self.remediation, self.item, self.store.now())
        if action is None:
            return False
        try:
            _ACTIONS[action](self)
        except _Preceded:
            return False
        except CortexError as error:
            with suppress(_Preceded):
                self.record(ActionFailure(action, error, self.store.now()))
            return False
        return True

    def record(self, observed: Observation) -> ItemStepEvent | None:
        """Record the event that follows from an observation; _Preceded when another worker was first."""
        event = step(self.remediation, self.item, observed)
        if event is not None:
            try:
                self.item = record.decide_item(self.item, (event,), self.store)
            except Stale as error:
                raise _Preceded from error
        return event

    @cached_property
    def planned(self) -> PlanItem:
        """Load the item's part of the plan; InvalidInput when it is not in the plan that was approved."""
        number = self.item.number
        if self.executor.plan.items[number - 1 : number] != (self.item.hash,):
            raise InvalidInput(f"item {number} of remediation {self.remediation.id} is not the one that was approved")
        return plan.load_item(self.item, store=self.store)

    def outdated(self) -> tuple[str, ...]:
        """Name the planned policies that are no longer in force as they were planned."""
        pairs = ((each, self.executor.policies.get(each.key)) for each in self.planned.policies)
        return tuple(each.name for each, now in pairs if now is None or now.digest != each.digest)

    def exempt(self) -> tuple[str, ...]:
        """Name the planned policies of which the resource is exempt now."""
        ids = ((each.name, finding_id(self.item.resource, each.key)) for each in self.planned.policies)
        return tuple(name for name, identity in ids if identity in self.executor.exempt)

    def look(self, operation: PlannedOperation) -> ObservedResource:
        """Look at the resource that an operation writes."""
        now = self.executor.control.read(
            tenant=self.store.tenant, resource_id=operation.resource_id, api_version=operation.api_version
        )
        return ObservedResource(operation, now, self.backup(operation))

    def backup(self, operation: PlannedOperation) -> Body | None:
        """Load the body that the resource had when the plan was made; None when there was none."""
        if operation.backup not in self._backups:
            kept = content.load_json(operation.backup, blobs=self.store.blobs, tenant=self.store.tenant)
            self._backups[operation.backup] = kept["body"]
        return self._backups[operation.backup]

    def write(self, operation: PlannedOperation) -> Snapshot | None:
        """Make the write that is planned, guarded by the etag that it was planned for."""
        return self.executor.control.write(
            tenant=self.store.tenant,
            method=operation.method,
            resource_id=operation.resource_id,
            api_version=operation.api_version,
            body=operation.body,
            if_match=operation.if_match or ("*" if operation.before is not None else None),
        )


def _apply(active: _ActiveItem) -> None:
    """Do the next operation of an item, guarded by the state and the etag that the plan was made for."""
    is_fresh = active.item.outcome == ItemOutcome.PENDING
    operation = active.planned.operations[len(active.item.applied)]
    seen = active.look(operation)
    before = BeforeWrite(seen) if active.item.applied else BeforeWrite(seen, active.outdated(), active.exempt())
    if not isinstance(active.record(before), ItemApplying):
        return
    # A cancellation is recorded before its end looks for items at work: looking after the record misses neither.
    if is_fresh and record.find(active.remediation.id, store=active.store).status != RemediationStatus.APPLYING:
        active.record(ItemAction.WITHDRAW)
        return
    try:
        answered = active.write(operation)
    except Stale:
        active.record(WriteRefused(active.look(operation)))
        return
    active.record(AfterWrite(replace(seen, now=answered)))


def _withdraw(active: _ActiveItem) -> None:
    """Look whether the first write of an item was made, and make none."""
    active.record(Withdrawal(active.look(active.planned.operations[0])))


def _verify(active: _ActiveItem) -> None:
    """Read again what was written and judge it: the item is done, or is put back."""
    seen = tuple(map(active.look, active.planned.operations))
    observed = Verification(seen, active.planned.policies)
    if active.record(observed) is None:
        active.record(replace(observed, states=active.executor.judge(active.planned.resource_id)))


def _restore(active: _ActiveItem) -> None:
    """Put back what an item has changed, where it is still as the item left it."""
    seen = tuple(map(active.look, active.planned.operations[: (active.item.current_operation or 0) + 1]))
    if active.record(Restoration(seen)) is not None:
        return
    restored = all(each.is_as_before or each.is_deleted or _put_back(active, each) for each in reversed(seen))
    if restored:
        active.executor.judge(active.planned.resource_id)
    active.record(Restoration(seen, restored=restored))


def _put_back(active: _ActiveItem, seen: ObservedResource) -> bool:
    """Write what was there before; whether it is there then, also when another delivery of this step was faster.

    Conflict when somebody else was: look again.
    """
    operation = seen.operation
    method, body = _way_back(seen)
    try:
        active.executor.control.write(
            tenant=active.store.tenant,
            method=method,
            resource_id=operation.resource_id,
            api_version=operation.api_version,
            body=body,
            if_match=(seen.now.etag or "*") if seen.now else None,
        )
    except Stale as error:
        if not active.look(operation).is_as_before:
            raise Conflict(error.message) from error
    return active.look(operation).is_as_before


def _way_back(seen: ObservedResource) -> tuple[Method, dict[str, Json] | None]:
    """Return the write that leads back to what was there; InvalidInput where a secret in it is not shown."""
    operation, before = seen.operation, seen.before
    if before is None:
        return "DELETE", None
    kind = type_of(operation.resource_id)
    method, body = request_body(kind, seen.now.body if seen.now else None, before)
    if hidden := hidden_secret(kind, body):
        raise InvalidInput(
            f"{operation.resource_id} can only be put back whole, and Azure does not show the secret in {hidden}, so "
            "that it cannot be written back: undo the change by hand"
        )
    return method, body


_ACTIONS: Mapping[ItemAction, Callable[[_ActiveItem], object]] = {
    ItemAction.APPLY: _apply,
    ItemAction.VERIFY: _verify,
    ItemAction.RESTORE: _restore,
    ItemAction.WITHDRAW: _withdraw,
    ItemAction.ROLL_BACK: lambda active: active.record(ItemAction.ROLL_BACK),
    ItemAction.LEAVE: lambda active: active.record(ItemAction.LEAVE),
}
