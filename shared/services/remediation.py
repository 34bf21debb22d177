"""Request, approve, reject, cancel and roll back remediations; what each needs next, and how it ends."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from shared.domain.error import Conflict, Forbidden, InvalidInput, NotFound
from shared.domain.event import SYSTEM, Fact
from shared.domain.finding import Finding
from shared.domain.plan import Outcome
from shared.domain.remediation import (
    ACTIVE,
    MOST,
    UNAPPLIED,
    UNDOABLE,
    FindingFilter,
    Remediation,
    RemediationRequest,
    Status,
    apply,
    ending,
    next_step,
    same_person,
)
from shared.ports.documents import DocumentPage, Query
from shared.ports.queue import Queue
from shared.services import compliance, finding, message, record
from shared.services.estate import Store
from shared.services.policy import Book

KIND = record.Kind("remediation", Remediation, apply)
QUEUE = "remediation-requests"
BELL = "remediation-bell"
LONGEST_REASON = 1000
SHORTEST_WAIT = timedelta(seconds=1)


def request(remediation_id: str, asked: RemediationRequest, *, store: Store, queue: Queue) -> Remediation:
    """Record a request and send it on its way; the same id a second time answers the remediation there is.

    Errors: NotFound for a finding there is not; Conflict for one that is not open or has no fix, and when the id
    belongs to another request; InvalidInput when nothing is chosen.
    """
    known = record.current(KIND, remediation_id, documents=store.documents, tenant=store.tenant)
    if known is None:
        data = {"findings": _chosen(asked, store), "note": asked.note}
        fact = Fact(type="remediationRequested", data=data)
        known = decide(remediation_id, lambda now: () if now else (fact,), store)
    elif asked.findings and set(asked.findings) != set(known.findings):
        raise Conflict(f"remediation {remediation_id} is for other findings; take a new id")
    if known.status in ACTIVE:
        queue.send(QUEUE, message.write(store, remediation_id))
    return known


def find(remediation_id: str, *, store: Store) -> Remediation:
    """The remediation with all its events applied; NotFound."""
    known = record.current(KIND, remediation_id, documents=store.documents, tenant=store.tenant)
    if known is None:
        raise NotFound(f"there is no remediation {remediation_id}")
    return known


def listed(*, store: Store, status: Status | None = None, limit: int = 50, cursor: str | None = None) -> DocumentPage:
    """A page of remediations, the latest first."""
    equals = {"status": status.value} if status else {}
    query = Query(equals=equals, order="requestedAt", descending=True)
    return store.documents.query(tenant=store.tenant, kind=KIND.name, query=query, limit=limit, cursor=cursor)


def active(*, store: Store) -> list[Remediation]:
    """The remediations that a workflow should be at."""
    query = Query(equals={"status": tuple(status.value for status in ACTIVE)})
    found: list[Remediation] = []
    cursor: str | None = None
    while True:
        page = store.documents.query(tenant=store.tenant, kind=KIND.name, query=query, limit=1000, cursor=cursor)
        found.extend(Remediation.model_validate(each.body) for each in page.items)
        cursor = page.cursor
        if cursor is None:
            return found


def approve(remediation_id: str, plan_hash: str, *, store: Store, queue: Queue) -> Remediation:
    """Approve the plan with this hash, then ring; approving again in the same words changes nothing.

    Errors: Forbidden for the requester and for anything but a person; Conflict when the plan is another one, has
    expired, or is not waiting for approval.
    """

    def decision(now: Remediation | None) -> Sequence[Fact]:
        known = _there(now, remediation_id)
        _check_approver(known, store.actor.name)
        if known.approval and known.approval.hash == plan_hash and same_person(known.approval.by, store.actor.name):
            return ()
        _check_waiting(known, plan_hash, store)
        return (Fact(type="remediationApproved", data={"hash": plan_hash}),)

    return _ring(decide(remediation_id, decision, store), store, queue)


def reject(remediation_id: str, reason: str, *, store: Store, queue: Queue) -> Remediation:
    """Turn the plan down; Conflict when it is not waiting for approval."""

    def decision(now: Remediation | None) -> Sequence[Fact]:
        known = _there(now, remediation_id)
        if known.status == Status.REJECTED:
            return ()
        return (Fact(type="remediationRejected", data={"reason": reason}),)

    return _ring(decide(remediation_id, decision, store), store, queue)


def cancel(remediation_id: str, *, store: Store, queue: Queue) -> Remediation:
    """Stop before the next item; the item at work is finished, what is done stays. Conflict when it has ended."""

    def decision(now: Remediation | None) -> Sequence[Fact]:
        known = _there(now, remediation_id)
        if known.status in (Status.CANCELLING, Status.CANCELLED):
            return ()
        early = known.status in UNAPPLIED
        return (Fact(type="remediationCancelled" if early else "cancelRequested"),)

    return _ring(decide(remediation_id, decision, store), store, queue)


def rollback(remediation_id: str, *, store: Store, queue: Queue) -> Remediation:
    """Put back what was changed, where nobody has changed it since; Conflict when there is nothing to put back."""

    def decision(now: Remediation | None) -> Sequence[Fact]:
        known = _there(now, remediation_id)
        if known.status == Status.ROLLING_BACK:
            return ()
        if known.status not in UNDOABLE or not any(item.undoable for item in known.items):
            raise Conflict(f"remediation {remediation_id} is {known.status} and has nothing to roll back")
        return (Fact(type="rollbackRequested"),)

    known = decide(remediation_id, decision, store)
    queue.send(QUEUE, message.write(store, remediation_id))
    return known


def look(remediation_id: str, *, store: Store) -> Remediation:
    """The remediation as it is now; one that waited too long for approval expires."""

    def decision(now: Remediation | None) -> Sequence[Fact]:
        known = _there(now, remediation_id)
        due = known.status == Status.AWAITING_APPROVAL and _is_late(known, store)
        return (Fact(type="remediationExpired", data={"reason": "nobody approved it in time"}),) if due else ()

    return decide(remediation_id, decision, store)


def ahead(remediation: Remediation, *, store: Store, wait: float = 0.0) -> dict[str, Any]:
    """What the workflow does next: {"do": step, "item": number or None, "wait": seconds to wait before, or at most}."""
    step = next_step(remediation)
    if step.until is not None:
        wait = max(SHORTEST_WAIT, step.until - store.now()).total_seconds()
    return {"do": step.do, "item": step.item, "wait": wait}


def finish(remediation_id: str, *, store: Store, book: Book) -> Remediation:
    """Record how it ended, once no item is left to do, and refresh the summary."""

    def decision(now: Remediation | None) -> Sequence[Fact]:
        known = _there(now, remediation_id)
        return (ended(known),) if next_step(known).do == "finish" else ()

    known = decide(remediation_id, decision, store)
    compliance.refresh(store=store, book=book)
    return known


def ended(remediation: Remediation) -> Fact:
    """The fact that ends a remediation, with the number of items of each outcome."""
    outcomes = [item.outcome for item in remediation.items]
    counts = {str(outcome): outcomes.count(outcome) for outcome in Outcome if outcome in outcomes}
    return Fact(type=ending(remediation), data={"counts": counts})


def give_up(remediation_id: str, item: int | None, reason: str, *, store: Store) -> Remediation:
    """Record that a step failed for good: the plan, or one item, so that the others go on without it."""
    reason = reason[:LONGEST_REASON]

    def decision(now: Remediation | None) -> Sequence[Fact]:
        known = _there(now, remediation_id)
        if known.status in (Status.REQUESTED, Status.PLANNING):
            return (Fact(type="remediationFailed", data={"reason": reason}),)
        step = next_step(known)
        if item is None or step.item != item:
            return ()
        outcome = Outcome.FAILED if known.items[item - 1].outcome == Outcome.PENDING else Outcome.UNKNOWN
        abandoned = Fact(type="itemEnded", data={"item": item, "outcome": outcome, "reason": reason})
        return (*started(known), abandoned)

    return decide(remediation_id, decision, store)


def started(remediation: Remediation) -> tuple[Fact, ...]:
    """The fact that the first write is about to be made, when it is."""
    return (Fact(type="applyingStarted"),) if remediation.status == Status.APPROVED else ()


def decide(remediation_id: str, decision: "record.Decision[Remediation]", store: Store) -> Remediation:
    """Decide, record and project; Conflict for a fact that the remediation's state does not allow."""
    return record.decide(
        KIND,
        remediation_id,
        decision,
        documents=store.documents,
        now=store.now,
        tenant=store.tenant,
        actor=store.actor,
    )


def _chosen(asked: RemediationRequest, store: Store) -> list[str]:
    """The ids of the findings asked for, each once, in the order of their resources and policies."""
    if bool(asked.findings) == bool(asked.filter):
        raise InvalidInput("name findings, or give a filter; one of the two", path="$.findings")
    found = _by_filter(asked.filter, store) if asked.filter else _by_id(asked.findings, store)
    return [each.id for each in sorted(found, key=lambda each: (each.resource_id.lower(), each.policy))]


def _by_id(ids: Sequence[str], store: Store) -> list[Finding]:
    stored = store.documents.get_many(tenant=store.tenant, kind=finding.KIND, ids=sorted(set(ids)))
    absent = sorted(set(ids) - stored.keys())
    if absent:
        raise NotFound(f"there is no finding {', '.join(absent[:5])}", path="$.findings")
    found = [Finding.model_validate(each.body) for each in stored.values()]
    closed = [each.id for each in found if not each.open]
    if closed:
        raise Conflict(f"not open any more: {', '.join(closed[:5])}", path="$.findings")
    unfixable = [each.id for each in found if not each.remediable]
    if unfixable:
        raise Conflict(f"no fix is known for {', '.join(unfixable[:5])}", path="$.findings")
    return found


def _by_filter(chosen: FindingFilter, store: Store) -> list[Finding]:
    equals = {**chosen.model_dump(exclude_none=True), "open": True, "remediable": True}
    query = Query(equals=equals)
    page = store.documents.query(tenant=store.tenant, kind=finding.KIND, query=query, limit=MOST)
    if not page.items:
        raise InvalidInput("the filter chooses no open finding that has a fix", path="$.filter")
    return [Finding.model_validate(each.body) for each in page.items]


def _there(known: Remediation | None, remediation_id: str) -> Remediation:
    if known is None:
        raise NotFound(f"there is no remediation {remediation_id}")
    return known


def _check_approver(known: Remediation, approver: str) -> None:
    if same_person(approver, known.requester):
        raise Forbidden("who asked for a remediation cannot approve it: someone else has to")
    if same_person(approver, SYSTEM) or not approver.strip():
        raise Forbidden("only a person can approve a remediation")


def _check_waiting(known: Remediation, plan_hash: str, store: Store) -> None:
    if known.status != Status.AWAITING_APPROVAL:
        by = f" by {known.approval.by}" if known.approval else ""
        raise Conflict(
            f"remediation {known.id} is {known.status}{by}; only a plan that awaits approval can be approved"
        )
    if _is_late(known, store):
        raise Conflict(f"the plan of remediation {known.id} has expired; request it again")
    if plan_hash != known.plan_hash:
        raise Conflict(f"the plan of remediation {known.id} is {known.plan_hash}, not the one named: look at it again")


def _is_late(known: Remediation, store: Store) -> bool:
    return known.expires_at is not None and store.now() >= known.expires_at


def _ring(known: Remediation, store: Store, queue: Queue) -> Remediation:
    queue.send(BELL, message.write(store, known.id))
    return known
