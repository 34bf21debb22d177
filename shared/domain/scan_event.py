"""The events of a scan, the moves they allow, and the scan after each."""

from collections.abc import Mapping
from datetime import datetime
from functools import singledispatch
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from shared.domain import transition
from shared.domain.estate import add_numbers
from shared.domain.event import Event, Recorded
from shared.domain.inventory import Gap
from shared.domain.progress import CancelRequested, Waiting, WorkflowRestarted
from shared.domain.scan import (
    ACTIVE_STATUSES,
    PolicyCount,
    Scan,
    ScanRequest,
    ScanStatus,
    ScanTrigger,
    SubscriptionProgress,
    SubscriptionStatus,
)
from shared.domain.scan_difference import SCAN_DIFFERENCE_ITEMS, ScanDifference
from shared.domain.state_counts import StateCounts

GAP_ITEMS = 100
REQUEST_ITEMS = 20
"""Subscriptions of a request that a scan's record repeats; its first event has all of them."""


class ScanRequested(Event):
    """Somebody, or a timer, asks for a scan."""

    type: Literal["scanRequested"] = "scanRequested"
    version: Literal[1] = 1
    trigger: ScanTrigger
    request: ScanRequest
    fence: int = 0


class ScanWaiting(Event):
    """The subscriptions are not known yet."""

    type: Literal["scanWaiting"] = "scanWaiting"
    version: Literal[1] = 1
    until: AwareDatetime
    reason: str


class SubscriptionsAwaited(Event):
    """The cloud was asked for its subscriptions, and takes its time to tell them."""

    type: Literal["subscriptionsAwaited"] = "subscriptionsAwaited"
    version: Literal[1] = 1
    reason: str


class ScanStarted(Event):
    """It is known what there is to scan."""

    type: Literal["scanStarted"] = "scanStarted"
    version: Literal[1] = 1
    subscriptions: tuple[SubscriptionProgress, ...]
    gaps: tuple[Gap, ...] = ()


class SubscriptionEvent(Event):
    """Something happened to a scan in one subscription: what all such events say.

    How far it is in between is recorded in the subscription's estate alone. `progress` is as it is after the event,
    `awaited` the first wait that ends where all subscriptions that are left wait.
    """

    progress: SubscriptionProgress
    awaited: Waiting | None = None


class SubscriptionWaiting(SubscriptionEvent):
    """The cloud makes a subscription wait."""

    type: Literal["subscriptionWaiting"] = "subscriptionWaiting"
    version: Literal[1] = 1


class SubscriptionEnded(SubscriptionEvent):
    """A subscription was scanned to its end, or given up."""

    type: Literal["subscriptionEnded"] = "subscriptionEnded"
    version: Literal[1] = 1
    evaluation_count: int = 0
    finding_count: int = 0
    states: Mapping[str, int] = Field(default_factory=dict)
    incomplete_policies: Mapping[str, PolicyCount] = Field(default_factory=dict)
    unknown: Mapping[str, int] = Field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    differences: tuple[ScanDifference, ...] = ()
    difference_count: int = 0
    alarm_count: int = 0


class ScanEnded(Event):
    """A scan has ended: what all such events say. `as_of` is the oldest of its subscriptions'."""

    totals: StateCounts | None = None
    as_of: AwareDatetime | None = None
    reason: str = ""


class ScanCancelled(ScanEnded):
    """It was stopped before its end."""

    type: Literal["scanCancelled"] = "scanCancelled"
    version: Literal[1] = 1


class ScanCompleted(ScanEnded):
    """All was read and judged."""

    type: Literal["scanCompleted"] = "scanCompleted"
    version: Literal[1] = 1


class ScanPartial(ScanEnded):
    """All was judged but what could not be read."""

    type: Literal["scanPartial"] = "scanPartial"
    version: Literal[1] = 1


class ScanFailed(ScanEnded):
    """It could not go on."""

    type: Literal["scanFailed"] = "scanFailed"
    version: Literal[1] = 1


type ScanEvent = Annotated[
    ScanRequested
    | ScanWaiting
    | SubscriptionsAwaited
    | ScanStarted
    | SubscriptionWaiting
    | SubscriptionEnded
    | CancelRequested
    | WorkflowRestarted
    | ScanCancelled
    | ScanCompleted
    | ScanPartial
    | ScanFailed,
    Field(discriminator="type"),
]

TRANSITIONS: Mapping[tuple[ScanStatus | None, type[Event]], ScanStatus] = {
    (None, ScanRequested): ScanStatus.REQUESTED,
    (ScanStatus.REQUESTED, ScanWaiting): ScanStatus.REQUESTED,
    (ScanStatus.REQUESTED, SubscriptionsAwaited): ScanStatus.REQUESTED,
    (ScanStatus.REQUESTED, ScanStarted): ScanStatus.RUNNING,
    (ScanStatus.REQUESTED, CancelRequested): ScanStatus.CANCELLING,
    (ScanStatus.RUNNING, SubscriptionWaiting): ScanStatus.RUNNING,
    (ScanStatus.RUNNING, SubscriptionEnded): ScanStatus.RUNNING,
    (ScanStatus.RUNNING, CancelRequested): ScanStatus.CANCELLING,
    (ScanStatus.RUNNING, ScanCompleted): ScanStatus.COMPLETED,
    (ScanStatus.RUNNING, ScanPartial): ScanStatus.PARTIAL,
    (ScanStatus.CANCELLING, ScanStarted): ScanStatus.CANCELLING,
    (ScanStatus.CANCELLING, SubscriptionEnded): ScanStatus.CANCELLING,
    (ScanStatus.CANCELLING, ScanCancelled): ScanStatus.CANCELLED,
    (ScanStatus.CANCELLING, ScanCompleted): ScanStatus.COMPLETED,
    (ScanStatus.CANCELLING, ScanPartial): ScanStatus.PARTIAL,
    **{(status, WorkflowRestarted): status for status in ACTIVE_STATUSES},
    **{(status, ScanFailed): ScanStatus.FAILED for status in ACTIVE_STATUSES},
}
"""(status, event) -> the status after it."""


def next_status(scan: Scan | None, event: Event) -> ScanStatus:
    """Return the status after an event; Conflict when the move is not allowed."""
    now = scan.status if scan else None
    try:
        return TRANSITIONS[now, type(event)]
    except KeyError:
        raise transition.refused("a scan", now, event.type) from None


def apply(scan: Scan | None, recorded: Recorded[ScanEvent]) -> Scan:
    """Return the scan after an event; Conflict when the move is not allowed."""
    event, at = recorded.event, recorded.at
    status = next_status(scan, event)
    if isinstance(event, ScanRequested):
        asked = event.request
        return Scan(
            id=recorded.thing,
            status=status,
            trigger=event.trigger,
            request=asked.model_copy(
                update={"subscriptions": asked.subscriptions and asked.subscriptions[:REQUEST_ITEMS]}
            ),
            requested_by=recorded.actor,
            requested_at=at,
            fence=event.fence,
            changed_at=at,
            sequence=recorded.sequence,
            correlation=recorded.correlation,
        )
    assert scan is not None  # the table has nothing but a request for a scan that is not there
    if isinstance(event, WorkflowRestarted):
        # `changed_at` stays: starting a workflow again is no progress, or a stuck one would never be given up.
        again = {"restarts": event.attempt, "restarted_at": at}
        return scan.model_copy(update={"sequence": recorded.sequence, **again})
    common = {"status": status, "sequence": recorded.sequence, "changed_at": at, "restarts": 0}
    # Any other event is progress, and ends whatever the scan waited for.
    going = {"restarted_at": None, "waiting_until": None, "reason": "", "tries": 0}
    return scan.model_copy(update={**common, **going, **_changes(event, scan, at)})


def progress_in(event: Event) -> tuple[SubscriptionProgress, ...]:
    """Return how far the scan is in each subscription that an event is about."""
    if isinstance(event, ScanStarted):
        return event.subscriptions
    return (event.progress,) if isinstance(event, SubscriptionEvent) else ()


@singledispatch
def _changes(_event: Event, _scan: Scan, _at: datetime) -> dict[str, object]:
    """Return the fields that an event changes besides the status; none for one that has no entry below."""
    return {}


@_changes.register
def _waits(event: ScanWaiting, scan: Scan, _at: datetime) -> dict[str, object]:
    return {"waiting_until": event.until, "reason": event.reason, "tries": scan.tries + 1}


@_changes.register
def _awaited(event: SubscriptionsAwaited, scan: Scan, _at: datetime) -> dict[str, object]:
    # The tries go on counting: being told that the cloud is slow is no progress.
    return {"reason": event.reason, "tries": scan.tries}


@_changes.register
def _started(event: ScanStarted, _scan: Scan, at: datetime) -> dict[str, object]:
    number = len(event.subscriptions)
    known = {"subscriptions": number, "unfinished": number}
    return {"started_at": at, **known, "gaps": event.gaps[:GAP_ITEMS], "gap_count": len(event.gaps)}


@_changes.register
def _subscription_waits(event: SubscriptionWaiting, _scan: Scan, _at: datetime) -> dict[str, object]:
    return dict(event.awaited or ())


@_changes.register
def _subscription_ended(event: SubscriptionEnded, scan: Scan, _at: datetime) -> dict[str, object]:
    done = event.progress
    incomplete_policies = dict(scan.incomplete_policies)
    for policy, count in event.incomplete_policies.items():
        before = incomplete_policies.get(policy, PolicyCount())
        incomplete_policies[policy] = PolicyCount(
            evaluated=before.evaluated + count.evaluated, expected=before.expected + count.expected
        )
    return {
        **dict(event.awaited or ()),
        "unfinished": scan.unfinished - 1,
        "failed": scan.failed + (done.status == SubscriptionStatus.FAILED),
        "collected": scan.collected + done.collected,
        # A cloud that does not say how many there are has as many as were read.
        "expected": scan.expected + (done.expected or done.collected),
        "resources": scan.resources + done.judged,
        "evaluation_count": scan.evaluation_count + event.evaluation_count,
        "finding_count": scan.finding_count + event.finding_count,
        "states": add_numbers(scan.states, event.states),
        "incomplete_policies": incomplete_policies,
        "unknown": add_numbers(scan.unknown, event.unknown),
        "gaps": (*scan.gaps, *(gap for gap in event.gaps if gap not in scan.gaps))[:GAP_ITEMS],
        "gap_count": scan.gap_count + done.gap_count,
        "differences": (*scan.differences, *event.differences)[:SCAN_DIFFERENCE_ITEMS],
        "difference_count": scan.difference_count + event.difference_count,
        "alarm_count": scan.alarm_count + event.alarm_count,
    }


@_changes.register
def _ended(event: ScanEnded, _scan: Scan, at: datetime) -> dict[str, object]:
    return {"ended_at": at, "reason": event.reason, "totals": event.totals, "as_of": event.as_of}
