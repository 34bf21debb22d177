"""Approve a plan, turn it down, or let it expire."""

from collections.abc import Sequence

from shared.domain.approval import ApprovableAction, check_approver, same_person
from shared.domain.error import Conflict
from shared.domain.remediation import Remediation, RemediationStatus
from shared.domain.remediation_event import (
    RemediationApproved,
    RemediationEvent,
    RemediationExpired,
    RemediationRejected,
)
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services.remediation import record


def approve(remediation_id: str, plan_hash: str, *, store: Store, queue: Queue) -> Remediation:
    """Approve the plan with this hash, then tell the workflow; approving again in the same words changes nothing.

    Errors: Forbidden for the requester and for anything but a person; Conflict when the plan is another one, has
    expired, or is not waiting for approval.
    """

    def decision(now: Remediation | None) -> Sequence[RemediationEvent]:
        known = record.require(remediation_id, now)
        check_approver(store.caller, known.requester, ApprovableAction.REMEDIATION)
        if known.approval and known.approval.hash == plan_hash and same_person(known.approval.by, store.actor.name):
            return ()
        _check_waiting(known, plan_hash, store)
        return (RemediationApproved(hash=plan_hash),)

    return record.notify(record.decide(remediation_id, decision, store), store=store, queue=queue)


def reject(remediation_id: str, reason: str, *, store: Store, queue: Queue) -> Remediation:
    """Turn the plan down; Conflict when it is not waiting for approval."""
    rejected = RemediationRejected(reason=reason)
    known = record.decide(
        remediation_id,
        lambda now: () if record.require(remediation_id, now).status == RemediationStatus.REJECTED else (rejected,),
        store,
    )
    return record.notify(known, store=store, queue=queue)


def look(remediation_id: str, *, store: Store) -> Remediation:
    """Return the remediation as it is now; one that waited too long for approval expires."""

    def decision(now: Remediation | None) -> Sequence[RemediationEvent]:
        known = record.require(remediation_id, now)
        due = known.status == RemediationStatus.AWAITING_APPROVAL and _is_late(known, store)
        return (RemediationExpired(reason="nobody approved it in time"),) if due else ()

    return record.decide(remediation_id, decision, store)


def _check_waiting(known: Remediation, plan_hash: str, store: Store) -> None:
    if known.status != RemediationStatus.AWAITING_APPROVAL:
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
