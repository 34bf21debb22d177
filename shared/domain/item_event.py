"""The events of one item of a remediation, the moves they allow, and the item after each."""

from collections.abc import Mapping
from functools import singledispatch
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from shared.domain.error import Conflict
from shared.domain.event import Event, Recorded
from shared.domain.finding import resource_key
from shared.domain.item import UNDOABLE, ItemOutcome, RemediationItem, due
from shared.domain.plan import OperationSummary, Refusal


class ItemPlanned(Event):
    """What is to be done to one resource is decided; `hash` is the digest of this part of the plan."""

    type: Literal["itemPlanned"] = "itemPlanned"
    version: Literal[1] = 1
    remediation: str
    number: int
    hash: str
    resource_id: str
    matched: int
    findings: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    operations: tuple[OperationSummary, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: str = ""


class ItemApplying(Event):
    """An operation, by its index, is about to be written."""

    type: Literal["itemApplying"] = "itemApplying"
    version: Literal[1] = 1
    operation: int


class ItemApplied(Event):
    """An operation was written; `fingerprint` is None where others may have changed it as well."""

    type: Literal["itemApplied"] = "itemApplied"
    version: Literal[1] = 1
    fingerprint: str | None


class ItemDelayed(Event):
    """The cloud makes the item wait."""

    type: Literal["itemDelayed"] = "itemDelayed"
    version: Literal[1] = 1
    until: AwareDatetime
    reason: str


class ItemRollingBack(Event):
    """What the item changed is about to be put back; `rollback` numbers those that somebody asked for."""

    type: Literal["itemRollingBack"] = "itemRollingBack"
    version: Literal[1] = 1
    reason: str = ""
    rollback: int = 0


class ItemEnded(Event):
    """Nothing is left to do for the item."""

    type: Literal["itemEnded"] = "itemEnded"
    version: Literal[1] = 1
    outcome: ItemOutcome
    reason: str = ""


type ItemEvent = Annotated[
    ItemPlanned | ItemApplying | ItemApplied | ItemDelayed | ItemRollingBack | ItemEnded, Field(discriminator="type")
]

ITEM_TRANSITIONS: Mapping[tuple[ItemOutcome | None, str], frozenset[ItemOutcome]] = {
    (None, "itemPlanned"): frozenset({ItemOutcome.PENDING, ItemOutcome.REFUSED, ItemOutcome.SKIPPED}),
    (ItemOutcome.PENDING, "itemApplying"): frozenset({ItemOutcome.APPLYING}),
    (ItemOutcome.PENDING, "itemDelayed"): frozenset({ItemOutcome.PENDING}),
    (ItemOutcome.PENDING, "itemEnded"): frozenset({ItemOutcome.REFUSED, ItemOutcome.SKIPPED, ItemOutcome.FAILED}),
    (ItemOutcome.APPLYING, "itemApplying"): frozenset({ItemOutcome.APPLYING}),
    (ItemOutcome.APPLYING, "itemApplied"): frozenset({ItemOutcome.APPLYING, ItemOutcome.APPLIED}),
    (ItemOutcome.APPLYING, "itemDelayed"): frozenset({ItemOutcome.APPLYING}),
    (ItemOutcome.APPLYING, "itemRollingBack"): frozenset({ItemOutcome.ROLLING_BACK}),
    (ItemOutcome.APPLYING, "itemEnded"): frozenset(
        {ItemOutcome.REFUSED, ItemOutcome.SKIPPED, ItemOutcome.FAILED, ItemOutcome.UNKNOWN}
    ),
    (ItemOutcome.APPLIED, "itemDelayed"): frozenset({ItemOutcome.APPLIED}),
    (ItemOutcome.APPLIED, "itemRollingBack"): frozenset({ItemOutcome.ROLLING_BACK}),
    (ItemOutcome.APPLIED, "itemEnded"): frozenset({ItemOutcome.DONE, ItemOutcome.FAILED, ItemOutcome.UNKNOWN}),
    (ItemOutcome.ROLLING_BACK, "itemDelayed"): frozenset({ItemOutcome.ROLLING_BACK}),
    (ItemOutcome.ROLLING_BACK, "itemEnded"): frozenset(
        {ItemOutcome.ROLLED_BACK, ItemOutcome.DONE, ItemOutcome.UNKNOWN, ItemOutcome.FAILED, ItemOutcome.SKIPPED}
    ),
    **{(outcome, "itemRollingBack"): frozenset({ItemOutcome.ROLLING_BACK}) for outcome in UNDOABLE},
}
"""(outcome so far, event) -> the outcomes it may lead to."""


def apply(item: RemediationItem | None, recorded: Recorded[ItemEvent]) -> RemediationItem:
    """Return the item after an event; Conflict when the move is not allowed."""
    event = recorded.event
    before = item.outcome if item else None
    if item is None and isinstance(event, ItemPlanned):
        after = _planned(recorded.thing, event)
    elif item is None:
        raise Conflict(f"item {recorded.thing}, which is not planned, cannot take {event.type}")
    else:
        after = item.model_copy(update={"waiting_until": None, **_changes(event, item, recorded)})
    if after.outcome not in ITEM_TRANSITIONS.get((before, event.type), ()):
        raise Conflict(f"item {after.number}, which is {before}, cannot become {after.outcome} by {event.type}")
    return after.model_copy(update={"due": due(after), "sequence": recorded.sequence})


def _planned(item_id: str, event: ItemPlanned) -> RemediationItem:
    refused = "; ".join(dict.fromkeys(each.reason for each in event.refusals))
    outcome = ItemOutcome.REFUSED if refused else ItemOutcome.SKIPPED
    told = event.model_dump(exclude={"type", "version", "skipped"})
    keys = [resource_key(each) for each in (event.resource_id, *(each.resource_id for each in event.operations))]
    return RemediationItem(
        **told,
        id=item_id,
        resource=keys[0],
        resources=tuple(dict.fromkeys(keys)),
        outcome=ItemOutcome.PENDING if event.operations else outcome,
        reason="" if event.operations else refused or event.skipped,
        partial=bool(event.refusals),
    )


type _ItemRecord = Recorded[ItemEvent]
"""When an event was recorded, and by whom."""


@singledispatch
def _changes(_event: Event, _item: RemediationItem, _recorded: _ItemRecord) -> dict[str, Any]:
    """Return the fields of its item that an event changes."""
    return {}


@_changes.register
def _applying(event: ItemApplying, item: RemediationItem, _recorded: _ItemRecord) -> dict[str, Any]:
    begun = {"current_operation": event.operation, "attempts": item.attempts + 1, "changed": True}
    return {"outcome": ItemOutcome.APPLYING, "reason": "", **begun}


@_changes.register
def _applied(event: ItemApplied, item: RemediationItem, _recorded: _ItemRecord) -> dict[str, Any]:
    applied = (*item.applied, event.fingerprint)
    whole = len(applied) == len(item.operations)
    outcome = ItemOutcome.APPLIED if whole else ItemOutcome.APPLYING
    return {"outcome": outcome, "reason": "", "applied": applied, "attempts": 0, "delayed_at": None}


@_changes.register
def _delayed(event: ItemDelayed, item: RemediationItem, recorded: _ItemRecord) -> dict[str, Any]:
    since = item.delayed_at or recorded.at
    return {"attempts": item.attempts + 1, "reason": event.reason, "waiting_until": event.until, "delayed_at": since}


@_changes.register
def _rolling_back(event: ItemRollingBack, item: RemediationItem, _recorded: _ItemRecord) -> dict[str, Any]:
    asked = {"rollback": event.rollback, "outcome_before_rollback": item.outcome} if event.rollback else {}
    going = {"outcome": ItemOutcome.ROLLING_BACK, "attempts": 0, "delayed_at": None}
    return {**going, "reason": event.reason, **asked}


@_changes.register
def _ended(event: ItemEnded, item: RemediationItem, recorded: _ItemRecord) -> dict[str, Any]:
    proven = event.outcome in (ItemOutcome.DONE, ItemOutcome.ROLLED_BACK)
    verified = {"verified_at": recorded.at} if proven else {}
    why = item.reason if event.outcome == ItemOutcome.ROLLED_BACK else ""
    return {"outcome": event.outcome, "reason": event.reason or why, "delayed_at": None, **verified}
