"""How far a remediation is: the items with work left, the numbers of each outcome, what the workflow does next."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from shared.domain.item import BEGUN, UNDOABLE, ItemOutcome, RemediationItem, with_pending_skipped
from shared.domain.remediation import WORKING, Remediation, RemediationStatus, RemediationStep, next_step
from shared.domain.remediation_event import ItemsExecuted, RemediationEvent
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.ports.generations import SETTLED_SECONDS
from shared.services import rebuild_record
from shared.services.remediation import record

SHORTEST_WAIT = timedelta(seconds=1)
ROLLBACKABLE: Mapping[str, Any] = {"outcome": tuple(map(str, UNDOABLE)), "changed": True}
"""The conditions of the items that a rollback would look at."""


def ahead(known: Remediation, *, store: Store) -> dict[str, Any]:
    """Return what the workflow does next: {"do": step, "wait": seconds to wait at most}."""
    step = step_of(known, store=store)
    wait = max(SHORTEST_WAIT, step.until - store.now()).total_seconds() if step.until else 0.0
    return {"do": step.do, "wait": wait}


def step_of(known: Remediation, *, store: Store) -> RemediationStep:
    """Return the next step of a remediation, now."""
    first = next(iter(left(known, limit=1, store=store)), None)
    step = next_step(known, first, store.now())
    # What is left is looked for in documents: until those are in step again, an item at work may be missed.
    if step.do == "finish" and rebuild_record.is_switching(store):
        return RemediationStep("wait", store.now() + timedelta(seconds=SETTLED_SECONDS))
    return step


def left(known: Remediation, *, limit: int, store: Store) -> Sequence[RemediationItem]:
    """List items with work left: those begun, then those that are not, then those that wait, the soonest first."""
    found = [each for some in _left(known) for each in items(known.id, some, limit=limit, store=store)]
    return sorted(found, key=lambda each: (each.due, each.id))[:limit]


def items(remediation_id: str, conditions: Mapping[str, Any], *, limit: int, store: Store) -> Sequence[RemediationItem]:
    """List items of a remediation that fulfil conditions, those that go on the soonest first."""
    query = Query(equals={"remediation": remediation_id, **conditions}, order="due")
    page = store.documents.query(tenant=store.tenant, kind=record.ITEM_STREAM.name, query=query, limit=limit)
    return [record.ITEM_MODEL.read(each.body) for each in page.items]


def count(remediation_id: str, conditions: Mapping[str, Any], *, store: Store) -> int:
    """Count the items of a remediation that fulfil conditions."""
    query = Query(equals={"remediation": remediation_id, **conditions})
    return store.documents.count(tenant=store.tenant, kind=record.ITEM_STREAM.name, query=query).get("", 0)


def _left(known: Remediation) -> Sequence[Mapping[str, Any]]:
    """Return the conditions of which an item with work left fulfils one."""
    if known.status in (RemediationStatus.APPROVED, RemediationStatus.APPLYING):
        return ({"outcome": _values(*BEGUN, ItemOutcome.PENDING)},)
    if known.status == RemediationStatus.CANCELLING:
        return ({"outcome": _values(*BEGUN)},)
    if known.status == RemediationStatus.ROLLING_BACK:
        # Items with the number of an earlier rollback: this one has not looked at them yet.
        earlier = tuple(range(known.rollbacks))
        undoable = {**ROLLBACKABLE, "rollback": earlier}
        return ({"outcome": _values(*BEGUN)}, undoable)
    return ()


def counts(known: Remediation, *, store: Store) -> dict[str, int]:
    """Count the items of a remediation by their outcomes."""
    query = Query(equals={"remediation": known.id})
    found = store.documents.count(tenant=store.tenant, kind=record.ITEM_STREAM.name, query=query, by="outcome")
    return with_pending_skipped(found) if known.is_past_applying else found


def rollbackable_count(remediation_id: str, *, store: Store) -> int:
    """Count the items that a rollback would look at."""
    return count(remediation_id, ROLLBACKABLE, store=store)


def record_progress(remediation_id: str, *, store: Store) -> Remediation:
    """Record how many items there are of each outcome, and until when all that are left wait; nothing twice."""

    def decision(now: Remediation | None) -> Sequence[RemediationEvent]:
        known = record.require(remediation_id, now)
        if known.status not in WORKING:
            return ()
        # Looked at once: another worker may end the item at any time.
        first = next(iter(left(known, limit=1, store=store)), None)
        until = next_step(known, first, store.now()).until
        reason = first.reason if first and until else ""
        told = ItemsExecuted(counts=counts(known, store=store), waiting_until=until, reason=reason)
        before = (known.counts, known.waiting_until, known.reason)
        return () if before == (told.counts, told.waiting_until, told.reason) else (told,)

    return record.decide(remediation_id, decision, store)


def _values(*outcomes: ItemOutcome) -> tuple[str, ...]:
    return tuple(map(str, outcomes))
