"""Remediations: what is to be fixed, how it is planned and approved, and how each part of it ended."""

import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import AwareDatetime, Field

from shared.domain.error import Conflict
from shared.domain.event import Event
from shared.domain.model import Model
from shared.domain.plan import Item, Outcome

MOST = 100


class Status(StrEnum):
    """How a remediation stands."""

    REQUESTED = "requested"
    PLANNING = "planning"
    AWAITING_APPROVAL = "awaitingApproval"
    APPROVED = "approved"
    APPLYING = "applying"
    CANCELLING = "cancelling"
    ROLLING_BACK = "rollingBack"
    SUCCEEDED = "succeeded"
    PARTLY_SUCCEEDED = "partlySucceeded"
    FAILED = "failed"
    ROLLED_BACK = "rolledBack"
    PARTLY_ROLLED_BACK = "partlyRolledBack"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


ACTIVE = (
    Status.REQUESTED,
    Status.PLANNING,
    Status.AWAITING_APPROVAL,
    Status.APPROVED,
    Status.APPLYING,
    Status.CANCELLING,
    Status.ROLLING_BACK,
)
"""The statuses in which a workflow has something to do."""

UNAPPLIED = (Status.REQUESTED, Status.PLANNING, Status.AWAITING_APPROVAL, Status.APPROVED)
WORKING = (Status.APPLYING, Status.CANCELLING, Status.ROLLING_BACK)
UNDOABLE = (Status.SUCCEEDED, Status.PARTLY_SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.PARTLY_ROLLED_BACK)

_ENDINGS = {
    "remediationSucceeded": Status.SUCCEEDED,
    "remediationPartlySucceeded": Status.PARTLY_SUCCEEDED,
    "remediationFailed": Status.FAILED,
}

TRANSITIONS: Mapping[tuple[Status | None, str], Status] = {
    (None, "remediationRequested"): Status.REQUESTED,
    (Status.REQUESTED, "planningStarted"): Status.PLANNING,
    (Status.PLANNING, "remediationPlanned"): Status.AWAITING_APPROVAL,
    (Status.AWAITING_APPROVAL, "remediationApproved"): Status.APPROVED,
    (Status.AWAITING_APPROVAL, "remediationRejected"): Status.REJECTED,
    (Status.AWAITING_APPROVAL, "remediationExpired"): Status.EXPIRED,
    (Status.APPROVED, "applyingStarted"): Status.APPLYING,
    (Status.APPLYING, "cancelRequested"): Status.CANCELLING,
    (Status.CANCELLING, "remediationCancelled"): Status.CANCELLED,
    (Status.ROLLING_BACK, "remediationRolledBack"): Status.ROLLED_BACK,
    (Status.ROLLING_BACK, "remediationPartlyRolledBack"): Status.PARTLY_ROLLED_BACK,
    **{(status, "remediationCancelled"): Status.CANCELLED for status in UNAPPLIED},
    **{(status, "itemApplying"): status for status in (Status.APPLYING, Status.CANCELLING)},
    **{(status, "itemApplied"): status for status in (Status.APPLYING, Status.CANCELLING)},
    **{(status, "itemRollingBack"): status for status in (Status.APPLYING, Status.CANCELLING)},
    **{(status, "itemDelayed"): status for status in WORKING},
    **{(status, "itemEnded"): status for status in WORKING},
    **{(status, "rollbackRequested"): Status.ROLLING_BACK for status in UNDOABLE},
    **{
        (status, event): ending
        for status in (Status.APPLYING, Status.PLANNING, Status.AWAITING_APPROVAL)
        for event, ending in _ENDINGS.items()
    },
    (Status.REQUESTED, "remediationFailed"): Status.FAILED,
}
"""(status, event) -> status after. A plan that leaves nothing to do ends the remediation without an approval."""

ITEM_TRANSITIONS: Mapping[tuple[Outcome, str], frozenset[Outcome]] = {
    (Outcome.PENDING, "itemApplying"): frozenset({Outcome.APPLYING}),
    (Outcome.PENDING, "itemDelayed"): frozenset({Outcome.PENDING}),
    (Outcome.PENDING, "itemEnded"): frozenset({Outcome.REFUSED, Outcome.SKIPPED, Outcome.FAILED}),
    (Outcome.APPLYING, "itemApplying"): frozenset({Outcome.APPLYING}),
    (Outcome.APPLYING, "itemApplied"): frozenset({Outcome.APPLYING, Outcome.APPLIED}),
    (Outcome.APPLYING, "itemDelayed"): frozenset({Outcome.APPLYING}),
    (Outcome.APPLYING, "itemRollingBack"): frozenset({Outcome.ROLLING_BACK}),
    (Outcome.APPLYING, "itemEnded"): frozenset({Outcome.REFUSED, Outcome.FAILED, Outcome.UNKNOWN}),
    (Outcome.APPLIED, "itemDelayed"): frozenset({Outcome.APPLIED}),
    (Outcome.APPLIED, "itemRollingBack"): frozenset({Outcome.ROLLING_BACK}),
    (Outcome.APPLIED, "itemEnded"): frozenset({Outcome.DONE, Outcome.FAILED, Outcome.UNKNOWN}),
    (Outcome.ROLLING_BACK, "itemDelayed"): frozenset({Outcome.ROLLING_BACK}),
    (Outcome.ROLLING_BACK, "itemEnded"): frozenset(
        {Outcome.ROLLED_BACK, Outcome.DONE, Outcome.UNKNOWN, Outcome.FAILED}
    ),
}
"""(outcome so far, event) -> the outcomes it may lead to."""


class FindingFilter(Model):
    """Chooses open findings that have a fix; all conditions hold."""

    policy: str | None = None
    severity: str | None = None
    subscription: str | None = None
    resource_group: str | None = None
    resource_type: str | None = None
    owner: str | None = None
    environment: str | None = None


class RemediationRequest(Model):
    """What to fix: findings by id, or the first hundred that a filter chooses."""

    findings: tuple[str, ...] = Field(default=(), max_length=MOST, description="finding ids")
    filter: FindingFilter | None = Field(default=None, description="instead of ids")
    note: str = Field(default="", max_length=1000, description="why, for those who approve")


class Approval(Model):
    """Who approved which plan, and when."""

    by: str
    at: AwareDatetime
    hash: str


class Remediation(Model):
    """A remediation as projected from its stream."""

    id: str
    status: Status
    requester: str
    findings: tuple[str, ...]
    note: str = ""
    items: tuple[Item, ...] = ()
    plan_hash: str | None = None
    plan_blob: str | None = None
    approval: Approval | None = None
    requested_at: AwareDatetime
    planned_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    started_at: AwareDatetime | None = None
    undone_at: AwareDatetime | None = Field(default=None, description="when the rollback was asked for")
    ended_at: AwareDatetime | None = None
    changed_at: AwareDatetime
    reason: str = ""
    sequence: int = 0
    correlation: str = ""


class Step(NamedTuple):
    """What a remediation needs next: `do` names the step, `item` the item it is for, `until` when waiting ends."""

    do: str
    item: int | None = None
    until: datetime | None = None


_ITEM_STEPS: Mapping[Outcome, str] = {
    Outcome.APPLYING: "apply",
    Outcome.APPLIED: "verify",
    Outcome.ROLLING_BACK: "restore",
}
_STEPS: Mapping[Status, str] = {Status.REQUESTED: "plan", Status.PLANNING: "plan", Status.AWAITING_APPROVAL: "wait"}


def next_step(remediation: Remediation) -> Step:
    """The next step: plan, wait, apply, verify, restore, finish or end. An item is finished before the next begins."""
    if remediation.status in _STEPS:
        return Step(_STEPS[remediation.status], until=remediation.expires_at)
    if remediation.status not in ACTIVE:
        return Step("end")
    for item in remediation.items:
        if item.outcome in _ITEM_STEPS:
            return Step(_ITEM_STEPS[item.outcome], item.number)
    pending = next((item for item in remediation.items if item.outcome == Outcome.PENDING), None)
    if pending and remediation.status in (Status.APPROVED, Status.APPLYING):
        return Step("apply", pending.number)
    return Step("finish")


def ending(remediation: Remediation) -> str:
    """The event that ends a remediation of whose items none is left to do."""
    outcomes = {item.outcome for item in remediation.items}
    if remediation.status == Status.CANCELLING:
        return "remediationCancelled"
    if remediation.status == Status.ROLLING_BACK:
        left = any(item.undoable for item in remediation.items)
        return "remediationPartlyRolledBack" if left else "remediationRolledBack"
    if outcomes <= {Outcome.DONE, Outcome.SKIPPED} and not any(item.refusals for item in remediation.items):
        return "remediationSucceeded"
    return "remediationPartlySucceeded" if Outcome.DONE in outcomes else "remediationFailed"


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's, however they are spelled."""
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


def next_status(remediation: Remediation | None, event_type: str) -> Status:
    """The status after an event; Conflict when the move is not allowed."""
    now = remediation.status if remediation else None
    try:
        return TRANSITIONS[now, event_type]
    except KeyError:
        raise Conflict(f"a remediation that is {now or 'not there'} cannot take {event_type}") from None


def apply(remediation: Remediation | None, event: Event) -> Remediation:
    """The remediation after an event."""
    status = next_status(remediation, event.type)
    if remediation is None:
        return Remediation(
            id=event.stream.partition(":")[2],
            status=status,
            requester=event.actor,
            findings=tuple(event.data["findings"]),
            note=event.data["note"],
            requested_at=event.at,
            changed_at=event.at,
            sequence=event.sequence,
            correlation=event.correlation,
        )
    changes = _CHANGES.get(event.type, _nothing)(remediation, event)
    common = {"status": status, "sequence": event.sequence, "changed_at": event.at}
    return remediation.model_copy(update={**common, **changes})


def _nothing(_remediation: Remediation, _event: Event) -> dict[str, Any]:
    return {}


def _planned(_remediation: Remediation, event: Event) -> dict[str, Any]:
    return {
        "items": tuple(Item.model_validate(item) for item in event.data["items"]),
        "plan_hash": event.data["hash"],
        "plan_blob": event.data["blob"],
        "planned_at": event.at,
        "expires_at": datetime.fromisoformat(event.data["expiresAt"]),
    }


def _approved(_remediation: Remediation, event: Event) -> dict[str, Any]:
    return {"approval": Approval(by=event.actor, at=event.at, hash=event.data["hash"])}


def _started(_remediation: Remediation, event: Event) -> dict[str, Any]:
    return {"started_at": event.at}


def _ended(remediation: Remediation, event: Event) -> dict[str, Any]:
    skipped = {"outcome": Outcome.SKIPPED, "reason": "the remediation ended before its turn"}
    items = (item.model_copy(update=skipped) if item.outcome == Outcome.PENDING else item for item in remediation.items)
    return {"ended_at": event.at, "reason": event.data.get("reason", ""), "items": tuple(items)}


def _undoing(remediation: Remediation, event: Event) -> dict[str, Any]:
    back = {"outcome": Outcome.ROLLING_BACK, "attempts": 0, "reason": ""}
    items = (
        item.model_copy(update={**back, "settled": item.outcome}) if item.undoable else item
        for item in remediation.items
    )
    return {"undone_at": event.at, "ended_at": None, "items": tuple(items)}


def _item_moved(remediation: Remediation, event: Event) -> dict[str, Any]:
    item = remediation.items[event.data["item"] - 1]
    after = item.model_copy(update=_ITEM_CHANGES[event.type](item, event))
    if after.outcome not in ITEM_TRANSITIONS.get((item.outcome, event.type), ()):
        raise Conflict(f"item {item.number}, which is {item.outcome}, cannot become {after.outcome} by {event.type}")
    before, behind = remediation.items[: item.number - 1], remediation.items[item.number :]
    return {"items": (*before, after, *behind)}


def _item_applying(item: Item, event: Event) -> dict[str, Any]:
    return {"outcome": Outcome.APPLYING, "trying": event.data["operation"], "attempts": item.attempts + 1}


def _item_applied(item: Item, event: Event) -> dict[str, Any]:
    applied = (*item.applied, event.data["fingerprint"])
    whole = len(applied) == len(item.operations)
    return {"outcome": Outcome.APPLIED if whole else Outcome.APPLYING, "applied": applied, "attempts": 0}


def _item_ended(item: Item, event: Event) -> dict[str, Any]:
    outcome = Outcome(event.data["outcome"])
    verified = {"verified_at": event.at} if outcome in (Outcome.DONE, Outcome.ROLLED_BACK) else {}
    why = item.reason if outcome == Outcome.ROLLED_BACK else ""
    return {"outcome": outcome, "reason": event.data["reason"] or why, **verified}


_ITEM_CHANGES: Mapping[str, Callable[[Item, Event], dict[str, Any]]] = {
    "itemApplying": _item_applying,
    "itemApplied": _item_applied,
    "itemDelayed": lambda item, event: {"attempts": item.attempts + 1, "reason": event.data["reason"]},
    "itemRollingBack": lambda _item, event: {
        "outcome": Outcome.ROLLING_BACK,
        "reason": event.data["reason"],
        "attempts": 0,
    },
    "itemEnded": _item_ended,
}

_CHANGES: Mapping[str, Callable[[Remediation, Event], dict[str, Any]]] = {
    "remediationPlanned": _planned,
    "remediationApproved": _approved,
    "applyingStarted": _started,
    "rollbackRequested": _undoing,
    **dict.fromkeys(_ITEM_CHANGES, _item_moved),
    **dict.fromkeys(("remediationRejected", "remediationExpired", "remediationCancelled", *_ENDINGS), _ended),
    **dict.fromkeys(("remediationRolledBack", "remediationPartlyRolledBack"), _ended),
}
