"""The moves that the events of a remediation allow, how it ends, and the remediation after each event."""

from collections.abc import Mapping
from functools import singledispatch
from typing import Any

from shared.domain import transition
from shared.domain.event import Event, Recorded
from shared.domain.item import ItemOutcome, with_pending_skipped
from shared.domain.progress import WorkflowRestarted
from shared.domain.remediation import (
    ACTIVE,
    APPROVAL,
    UNAPPLIED,
    UNDOABLE,
    WORKING,
    Approval,
    DeferredResource,
    Remediation,
    RemediationStatus,
    RollbackRequest,
)
from shared.domain.remediation_event import (
    ApplyingStarted,
    ItemsExecuted,
    ItemsPlanned,
    PlanningDelayed,
    RemediationApproved,
    RemediationCancelled,
    RemediationEnd,
    RemediationEnded,
    RemediationEvent,
    RemediationFailed,
    RemediationPartlyRolledBack,
    RemediationPartlySucceeded,
    RemediationPlanned,
    RemediationRequested,
    RemediationRolledBack,
    RemediationSucceeded,
    ResourceDeferred,
    RollbackApproved,
    RollbackRejected,
    RollbackRequested,
)

_ENDINGS = {
    "remediationSucceeded": RemediationStatus.SUCCEEDED,
    "remediationPartlySucceeded": RemediationStatus.PARTLY_SUCCEEDED,
    "remediationFailed": RemediationStatus.FAILED,
}

TRANSITIONS: Mapping[tuple[RemediationStatus | None, str], RemediationStatus] = {
    (None, "remediationRequested"): RemediationStatus.REQUESTED,
    (RemediationStatus.REQUESTED, "planningStarted"): RemediationStatus.PLANNING,
    (RemediationStatus.PLANNING, "planningDelayed"): RemediationStatus.PLANNING,
    (RemediationStatus.PLANNING, "resourceDeferred"): RemediationStatus.PLANNING,
    (RemediationStatus.PLANNING, "itemsPlanned"): RemediationStatus.PLANNING,
    (RemediationStatus.PLANNING, "remediationPlanned"): RemediationStatus.AWAITING_APPROVAL,
    (RemediationStatus.AWAITING_APPROVAL, "remediationApproved"): RemediationStatus.APPROVED,
    (RemediationStatus.AWAITING_APPROVAL, "remediationRejected"): RemediationStatus.REJECTED,
    (RemediationStatus.AWAITING_APPROVAL, "remediationExpired"): RemediationStatus.EXPIRED,
    (RemediationStatus.APPROVED, "applyingStarted"): RemediationStatus.APPLYING,
    (RemediationStatus.APPLYING, "cancelRequested"): RemediationStatus.CANCELLING,
    (RemediationStatus.CANCELLING, "remediationCancelled"): RemediationStatus.CANCELLED,
    (RemediationStatus.ROLLING_BACK, "remediationRolledBack"): RemediationStatus.ROLLED_BACK,
    (RemediationStatus.ROLLING_BACK, "remediationPartlyRolledBack"): RemediationStatus.PARTLY_ROLLED_BACK,
    **{(status, "remediationCancelled"): RemediationStatus.CANCELLED for status in UNAPPLIED},
    **{(status, "itemsExecuted"): status for status in WORKING},
    **{(status, event): status for status in UNDOABLE for event in ("rollbackRequested", "rollbackRejected")},
    **{(status, "rollbackApproved"): RemediationStatus.ROLLING_BACK for status in UNDOABLE},
    **{
        (status, event): ending
        for status in (RemediationStatus.APPLYING, RemediationStatus.PLANNING, RemediationStatus.AWAITING_APPROVAL)
        for event, ending in _ENDINGS.items()
    },
    (RemediationStatus.REQUESTED, "remediationFailed"): RemediationStatus.FAILED,
    **{(status, "workflowRestarted"): status for status in ACTIVE},
}
"""(status, event) -> status after. A plan that leaves nothing to do ends the remediation without an approval."""


def ending(remediation: Remediation, counts: Mapping[str, int], rollbackable_count: int) -> type[RemediationEnd]:
    """Return the kind of event that ends a remediation of whose items, so many of each outcome, none is left to do."""
    # First, whatever was done by then: somebody who stopped it is told that it was stopped.
    if remediation.status == RemediationStatus.CANCELLING:
        return RemediationCancelled
    if remediation.status == RemediationStatus.ROLLING_BACK:
        return RemediationPartlyRolledBack if rollbackable_count else RemediationRolledBack
    outcomes = {outcome for outcome, number in counts.items() if number}
    if outcomes <= {ItemOutcome.DONE, ItemOutcome.SKIPPED} and not remediation.refused_count:
        return RemediationSucceeded
    return RemediationPartlySucceeded if ItemOutcome.DONE in outcomes else RemediationFailed


def next_status(remediation: Remediation | None, event_type: str) -> RemediationStatus:
    """Return the status after an event; Conflict when the move is not allowed."""
    now = remediation.status if remediation else None
    try:
        return TRANSITIONS[now, event_type]
    except KeyError:
        raise transition.refused("a remediation", now, event_type) from None


def apply(remediation: Remediation | None, recorded: Recorded[RemediationEvent]) -> Remediation:
    """Return the remediation after an event; Conflict when the move is not allowed."""
    event, at = recorded.event, recorded.at
    status = next_status(remediation, event.type)
    if isinstance(event, RemediationRequested):
        return Remediation(
            id=recorded.thing,
            status=status,
            requester=recorded.actor,
            finding_count=event.finding_count,
            filter=event.filter,
            selection=event.selection,
            note=event.note,
            requested_at=at,
            changed_at=at,
            sequence=recorded.sequence,
            correlation=recorded.correlation,
        )
    assert remediation is not None  # the table has nothing but a request for a remediation that is not there
    if isinstance(event, WorkflowRestarted):
        # `changed_at` stays: starting a workflow again is no progress, or a stuck one would never be given up.
        again = {"restarts": remediation.restarts + 1, "restarted_at": at}
        return remediation.model_copy(update={"sequence": recorded.sequence, **again})
    common = {"status": status, "sequence": recorded.sequence, "changed_at": at, "restarts": 0}
    going = {"restarted_at": None, "waiting_until": None, "reason": ""}
    return remediation.model_copy(update={**common, **going, **_changes(event, remediation, recorded)})


type _RemediationRecord = Recorded[RemediationEvent]
"""When an event was recorded, and by whom."""


@singledispatch
def _changes(_event: Event, _remediation: Remediation, _recorded: _RemediationRecord) -> dict[str, Any]:
    """Return the fields that an event changes besides the status; none for one that has no entry below."""
    return {}


@_changes.register
def _delayed(event: PlanningDelayed, _remediation: Remediation, _recorded: _RemediationRecord) -> dict[str, Any]:
    return {"waiting_until": event.until, "reason": event.reason}


@_changes.register
def _deferred(event: ResourceDeferred, remediation: Remediation, _recorded: _RemediationRecord) -> dict[str, Any]:
    before = next((each.attempts for each in remediation.deferred if each.resource == event.resource), 0)
    told = event.model_dump(include={"resource", "resource_id", "until", "reason"})
    others = (each for each in remediation.deferred if each.resource != event.resource)
    return {"deferred": (*others, DeferredResource(**told, attempts=before + 1))}


@_changes.register
def _items_planned(event: ItemsPlanned, remediation: Remediation, recorded: _RemediationRecord) -> dict[str, Any]:
    counts = {
        outcome: remediation.counts.get(outcome, 0) + event.counts.get(outcome, 0)
        for outcome in sorted({*remediation.counts, *event.counts})
    }
    return {
        "item_count": remediation.item_count + len(event.hashes),
        "counts": counts,
        "refused_count": remediation.refused_count + event.refused_count,
        "position": event.position,
        "deferred": tuple(each for each in remediation.deferred if each.resource not in event.retried),
        "progressed_at": recorded.at,
    }


@_changes.register
def _planned(event: RemediationPlanned, _remediation: Remediation, recorded: _RemediationRecord) -> dict[str, Any]:
    return {
        "finding_count": event.finding_count,
        "plan_hash": event.hash,
        "planned_at": recorded.at,
        "expires_at": event.expires_at,
        "waiting_until": event.expires_at,
        "reason": APPROVAL,
    }


@_changes.register
def _approved(event: RemediationApproved, _remediation: Remediation, recorded: _RemediationRecord) -> dict[str, Any]:
    return {"approval": Approval(by=recorded.actor, at=recorded.at, hash=event.hash)}


@_changes.register
def _started(_event: ApplyingStarted, _remediation: Remediation, recorded: _RemediationRecord) -> dict[str, Any]:
    return {"started_at": recorded.at}


@_changes.register
def _executed(event: ItemsExecuted, _remediation: Remediation, recorded: _RemediationRecord) -> dict[str, Any]:
    waiting = {"waiting_until": event.waiting_until, "reason": event.reason}
    return {"counts": event.counts, "progressed_at": recorded.at, **waiting}


@_changes.register
def _ended(event: RemediationEnded, remediation: Remediation, recorded: _RemediationRecord) -> dict[str, Any]:
    told = {"counts": with_pending_skipped(event.counts or remediation.counts), "reason": event.reason}
    return {"ended_at": recorded.at, "rollbackable_count": event.rollbackable_count, **told}


@_changes.register
def _rollback_asked(
    _event: RollbackRequested, remediation: Remediation, recorded: _RemediationRecord
) -> dict[str, Any]:
    asked = RollbackRequest(by=recorded.actor, at=recorded.at)
    return {"rollback_request": asked, "reason": remediation.reason}


@_changes.register
def _rollback_approved(
    _event: RollbackApproved, remediation: Remediation, recorded: _RemediationRecord
) -> dict[str, Any]:
    assert remediation.rollback_request is not None  # it was asked for
    by = {"approved_by": recorded.actor, "approved_at": recorded.at}
    asked = remediation.rollback_request.model_copy(update=by)
    return {"rollback_request": asked, "ended_at": None, "rollbacks": remediation.rollbacks + 1}


@_changes.register
def _rollback_rejected(
    event: RollbackRejected, _remediation: Remediation, _recorded: _RemediationRecord
) -> dict[str, Any]:
    return {"rollback_request": None, "reason": f"rollback rejected: {event.reason}"}
