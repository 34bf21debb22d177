"""Stop a remediation before its end, or put back what it has changed."""

from collections.abc import Sequence
from datetime import timedelta

from shared.domain import approval
from shared.domain.approval import ApprovableAction, same_person
from shared.domain.error import Conflict
from shared.domain.progress import ENDING_DURATION, CancelRequested
from shared.domain.remediation import UNAPPLIED, Remediation, RemediationStatus, RollbackRequest
from shared.domain.remediation_event import (
    RemediationCancelled,
    RemediationEvent,
    RollbackApproved,
    RollbackRejected,
    RollbackRequested,
)
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services import message
from shared.services.remediation import record

RESEND = timedelta(seconds=1)
"""After so long a rollback is sent again whose workflow was about to end when it was asked for."""


def cancel(remediation_id: str, *, store: Store, queue: Queue) -> Remediation:
    """Stop before the next item; an item at work is finished, one that waits is not, and what is done stays.

    Conflict when it has ended, or is rolling back: a rollback cannot be cancelled.
    """

    def decision(now: Remediation | None) -> Sequence[RemediationEvent]:
        known = record.require(remediation_id, now)
        if known.status in (RemediationStatus.CANCELLING, RemediationStatus.CANCELLED):
            return ()
        return (RemediationCancelled(),) if known.status in UNAPPLIED else (CancelRequested(),)

    return record.notify(record.decide(remediation_id, decision, store), store=store, queue=queue)


def request(remediation_id: str, *, store: Store, queue: Queue) -> Remediation:
    """Ask for what was changed to be put back, where nobody has changed it since; somebody else has to approve that.

    Asking again changes nothing. Conflict when there is nothing to put back.
    """
    waits = approval.required(ApprovableAction.ROLLBACK)

    def decision(now: Remediation | None) -> Sequence[RemediationEvent]:
        known = record.require(remediation_id, now)
        if known.status == RemediationStatus.ROLLING_BACK or known.awaits_rollback_approval:
            return ()
        if not known.undoable:
            raise Conflict(f"remediation {remediation_id} is {known.status} and has nothing to roll back")
        return (RollbackRequested(),) if waits else (RollbackRequested(), RollbackApproved())

    return _sent(record.decide(remediation_id, decision, store), store, queue)


def approve(remediation_id: str, *, store: Store, queue: Queue) -> Remediation:
    """Approve the rollback that was asked for, so that it begins; approving it again changes nothing.

    Errors: Forbidden for whoever asked for it and for anything but a person; Conflict when none awaits approval.
    """

    def decision(now: Remediation | None) -> Sequence[RemediationEvent]:
        known = record.require(remediation_id, now)
        asked = known.rollback_request
        if asked and same_person(asked.approved_by or "", store.actor.name):
            return ()
        approval.check_approver(store.caller, _waiting(known).by, ApprovableAction.ROLLBACK)
        return (RollbackApproved(),)

    return _sent(record.decide(remediation_id, decision, store), store, queue)


def reject(remediation_id: str, reason: str, *, store: Store) -> Remediation:
    """Turn down the rollback that was asked for; Conflict when none awaits approval."""

    def decision(now: Remediation | None) -> Sequence[RemediationEvent]:
        _waiting(record.require(remediation_id, now))
        return (RollbackRejected(reason=reason),)

    return record.decide(remediation_id, decision, store)


def _waiting(known: Remediation) -> RollbackRequest:
    if known.rollback_request is None or not known.awaits_rollback_approval:
        raise Conflict(f"no rollback of remediation {known.id}, which is {known.status}, awaits approval")
    return known.rollback_request


def _sent(known: Remediation, store: Store, queue: Queue) -> Remediation:
    """Start the workflow of a rollback that has begun."""
    if known.status == RemediationStatus.ROLLING_BACK:
        record.send(known.id, store=store, queue=queue)
    return known


def send_again(remediation_id: str, *, store: Store, queue: Queue) -> None:
    """Send a rollback again that a workflow may end without having seen, until something is done about it.

    After a minute it is left to the reconciler.
    """
    known = record.find(remediation_id, store=store)
    asked = known.rollback_request
    # Anything recorded since the approval shows that a workflow has seen it.
    if known.status != RemediationStatus.ROLLING_BACK or asked is None or known.changed_at != asked.approved_at:
        return
    if store.now() < known.changed_at + ENDING_DURATION:
        queue.send(record.QUEUE, message.write(store, remediation_id), delay=RESEND)
