"""The work on one item of a remediation: what it stands on, and how each turn of it is recorded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import orjson

from shared.domain.error import Conflict, CortexError, InvalidInput, Stale, Throttled, Unavailable
from shared.domain.event import Fact
from shared.domain.plan import Item, Operation, Outcome, Plan, PlanItem
from shared.domain.remediation import Remediation, next_step
from shared.domain.resource import Json
from shared.ports.control import Control, Snapshot
from shared.services import remediation as remediations
from shared.services.estate import Store

PATIENCE = timedelta(days=1)
"""How long a remediation goes on trying while the cloud does not answer, or answers that it is busy."""
LONGEST_WAIT = 300.0
BUSY = 15.0
TRIES_WHEN_BUSY = 8


@dataclass(frozen=True, slots=True)
class Work:
    """One step of one item: the remediation as it is, the item in it, its part of the plan, and the ports."""

    step: str
    remediation: Remediation
    item: Item
    store: Store
    control: Control

    def tell(self, kind: str, **data: Json) -> "Work":
        """Record a fact about the item; Stale when another worker was first, who then goes on instead."""

        def decision(now: Remediation | None) -> tuple[Fact, ...]:
            if now is None or not _is_next(now, self.step, self.item):
                raise Stale(f"item {self.item.number} of remediation {self.remediation.id} is in other hands")
            fact = Fact(type=kind, data={"item": self.item.number, **data})
            return (*remediations.started(now), fact)

        after = remediations.decide(self.remediation.id, decision, self.store)
        return replace(self, remediation=after, item=after.items[self.item.number - 1])

    def end(self, outcome: Outcome, reason: str = "") -> float:
        """The item has ended."""
        self.tell("itemEnded", outcome=outcome, reason=reason)
        return 0.0

    def stop(self, outcome: Outcome, reason: str) -> float:
        """Go no further with the item: what it has written already is put back, else it ends."""
        if self.step != "restore" and self.item.applied:
            self.tell("itemRollingBack", reason=reason)
            return 0.0
        return self.end(outcome, reason)

    def delay(self, error: CortexError) -> float:
        """Try again later; the seconds are the cloud's, or grow with the number of tries."""
        begun = self.remediation.undone_at or self.remediation.started_at
        if begun is not None and self.store.now() - begun > PATIENCE:
            return self.end(Outcome.UNKNOWN, f"given up after a day: {error.message}")
        self.tell("itemDelayed", reason=error.message)
        told = float(getattr(error, "retry_after", BUSY))
        return told if isinstance(error, Throttled) else max(told, min(LONGEST_WAIT, 2.0**self.item.attempts))

    def planned(self) -> PlanItem:
        """The item's part of the plan; InvalidInput when the stored plan is not the one that was approved."""
        plan = plan_of(self.remediation, store=self.store)
        if self.remediation.approval is None or self.remediation.approval.hash != plan.hash:
            raise InvalidInput(f"the plan of remediation {self.remediation.id} is not the one that was approved")
        return plan.items[self.item.number - 1]

    def read(self, operation: Operation) -> Snapshot | None:
        """The resource that an operation writes, now."""
        return self.control.read(
            tenant=self.store.tenant, resource_id=operation.resource_id, api_version=operation.api_version
        )

    def backup(self, operation: Operation) -> Mapping[str, Json] | None:
        """The body that the resource had when the plan was made; None when there was none."""
        kept = orjson.loads(self.store.blobs.get(tenant=self.store.tenant, name=operation.backup))
        body: Mapping[str, Json] | None = kept["body"]
        return body


def plan_of(remediation: Remediation, *, store: Store) -> Plan:
    """The whole plan with the bodies of its operations; InvalidInput when it is not the one that was recorded."""
    if remediation.plan_blob is None:
        raise Conflict(f"remediation {remediation.id} has no plan yet")
    plan = Plan.model_validate_json(store.blobs.get(tenant=store.tenant, name=remediation.plan_blob))
    if plan.hash != remediation.plan_hash:
        raise InvalidInput(f"the stored plan of remediation {remediation.id} is not the one that was recorded")
    return plan


def do(
    step: str, remediation_id: str, number: int, *, store: Store, control: Control, how: Callable[[Work], float]
) -> float:
    """Do a step of an item if it is the next one; the seconds to wait before going on.

    A step that others have done, or are at, is left to them. Where the cloud asks to wait, the step is put off;
    where it refuses, the item ends, and the others go on.
    """
    work = _work(step, remediation_id, number, store, control)
    if work is None:
        return 0.0
    try:
        return how(work)
    except Stale:
        return 0.0
    except CortexError as error:
        latest = _work(step, remediation_id, number, store, control)
        return 0.0 if latest is None else _answer(latest, error)


def _work(step: str, remediation_id: str, number: int, store: Store, control: Control) -> Work | None:
    now = remediations.find(remediation_id, store=store)
    if next_step(now)[:2] != (step, number):
        return None
    return Work(step, now, now.items[number - 1], store, control)


def _is_next(now: Remediation, step: str, item: Item) -> bool:
    return next_step(now)[:2] == (step, item.number) and now.items[item.number - 1] == item


def _answer(work: Work, error: CortexError) -> float:
    if isinstance(error, Throttled | Unavailable):
        return work.delay(error)
    if isinstance(error, Conflict) and work.item.attempts < TRIES_WHEN_BUSY:
        return work.delay(error)
    return work.stop(_refused(work), error.message)


def _refused(work: Work) -> Outcome:
    """How an item stands when the cloud refuses a step of it: what was not put back is as it was settled before."""
    if work.step == "apply":
        return Outcome.FAILED
    whole = work.step == "restore" and len(work.item.operations) == 1
    return (work.item.settled if whole else None) or Outcome.UNKNOWN
