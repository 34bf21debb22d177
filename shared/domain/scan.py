"""Scans: what was asked, how far it is, how it ended."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import AwareDatetime, Field

from shared.domain.compliance import Tallied
from shared.domain.error import Conflict
from shared.domain.event import Event
from shared.domain.inventory import Gap
from shared.domain.model import Model


class Status(StrEnum):
    """How a scan stands. `partial` is complete, but for what could not be read."""

    REQUESTED = "requested"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"


ACTIVE = (Status.REQUESTED, Status.RUNNING, Status.CANCELLING)

TRANSITIONS: Mapping[tuple[Status | None, str], Status] = {
    (None, "scanRequested"): Status.REQUESTED,
    (Status.REQUESTED, "scanStarted"): Status.RUNNING,
    (Status.RUNNING, "subscriptionCollected"): Status.RUNNING,
    (Status.RUNNING, "subscriptionJudged"): Status.RUNNING,
    (Status.CANCELLING, "subscriptionCollected"): Status.CANCELLING,
    (Status.CANCELLING, "subscriptionJudged"): Status.CANCELLING,
    (Status.REQUESTED, "cancelRequested"): Status.CANCELLING,
    (Status.RUNNING, "cancelRequested"): Status.CANCELLING,
    (Status.CANCELLING, "scanStarted"): Status.CANCELLING,
    (Status.CANCELLING, "scanCancelled"): Status.CANCELLED,
    (Status.RUNNING, "scanCompleted"): Status.COMPLETED,
    (Status.RUNNING, "scanPartial"): Status.PARTIAL,
    (Status.CANCELLING, "scanCompleted"): Status.COMPLETED,
    (Status.CANCELLING, "scanPartial"): Status.PARTIAL,
    **{(status, "scanFailed"): Status.FAILED for status in ACTIVE},
}


class Trigger(StrEnum):
    """What started a scan."""

    HTTP = "http"
    TIMER = "timer"
    QUEUE = "queue"


class ScanRequest(Model):
    """What to scan. Without `subscriptions`: everything that can be seen or was imported."""

    subscriptions: tuple[str, ...] | None = Field(
        default=None, max_length=10_000, description="subscription ids; all when left out"
    )
    collect: bool = Field(default=True, description="read the cloud first; false judges what is stored")


class PolicyCount(Model):
    """The invariant of a scan for one policy: `evaluated` pairs of `expected`."""

    evaluated: int = 0
    expected: int = 0


class SubscriptionProgress(Model):
    """How far a scan is in one subscription."""

    display_name: str = ""
    source: str = "cloud"
    collected: int = 0
    expected: int | None = None
    collecting: str = "waiting"
    judged: int = 0
    judging: str = "waiting"
    gaps: int = 0


class Scan(Model):
    """A scan as projected from its stream."""

    id: str
    status: Status
    trigger: Trigger
    request: ScanRequest
    requested_by: str
    requested_at: AwareDatetime
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    progress: Mapping[str, SubscriptionProgress] = Field(default_factory=dict)
    resources: int = 0
    pairs: int = 0
    attention: int = 0
    gaps: tuple[Gap, ...] = Field(default=(), description="the first 100 things that could not be read")
    shortfalls: Mapping[str, PolicyCount] = Field(
        default_factory=dict, description="policies that were not evaluated on all resources they apply to"
    )
    totals: Tallied | None = Field(default=None, description="the whole tenant's pairs by state when the scan ended")
    reason: str = ""
    sequence: int = 0
    correlation: str = ""


def next_status(scan: Scan | None, event_type: str) -> Status:
    """The status after an event; Conflict when the move is not allowed."""
    now = scan.status if scan else None
    try:
        return TRANSITIONS[now, event_type]
    except KeyError:
        raise Conflict(f"a scan that is {now or 'not there'} cannot take {event_type}") from None


def apply(scan: Scan | None, event: Event) -> Scan:
    """The scan after an event."""
    status = next_status(scan, event.type)
    if scan is None:
        return Scan(
            id=event.stream.partition(":")[2],
            status=status,
            trigger=Trigger(event.data["trigger"]),
            request=ScanRequest.model_validate(event.data["request"]),
            requested_by=event.actor,
            requested_at=event.at,
            sequence=event.sequence,
            correlation=event.correlation,
        )
    changes = _CHANGES[event.type](scan, event)
    return scan.model_copy(update={"status": status, "sequence": event.sequence, **changes})


def _started(scan: Scan, event: Event) -> dict[str, object]:
    progress = {key: SubscriptionProgress.model_validate(each) for key, each in event.data["subscriptions"].items()}
    gaps = tuple(Gap.model_validate(each) for each in event.data.get("gaps", ()))
    return {"started_at": event.at, "progress": progress, "gaps": _first_gaps(scan, gaps)}


def _moved(scan: Scan, event: Event) -> dict[str, object]:
    key = event.data["subscription"]
    before = scan.progress.get(key, SubscriptionProgress())
    after = before.model_copy(update=_FIELDS[event.type](event))
    gaps = tuple(Gap.model_validate(each) for each in event.data.get("gaps", ()))
    update: dict[str, object] = {"progress": {**scan.progress, key: after}, "gaps": _first_gaps(scan, gaps)}
    if event.type == "subscriptionJudged":
        update |= _sums(scan, event)
    return update


_FIELDS = {
    "subscriptionCollected": lambda event: {
        "collected": event.data["collected"],
        "expected": event.data.get("expected"),
        "collecting": event.data["state"],
        "gaps": event.data.get("gapCount", 0),
    },
    "subscriptionJudged": lambda event: {"judged": event.data["judged"], "judging": event.data["state"]},
}


def _sums(scan: Scan, event: Event) -> dict[str, object]:
    if event.data["state"] == "running":
        return {}
    shortfalls = dict(scan.shortfalls)
    for policy, count in event.data.get("shortfalls", {}).items():
        before = shortfalls.get(policy, PolicyCount())
        shortfalls[policy] = PolicyCount(
            evaluated=before.evaluated + count["evaluated"], expected=before.expected + count["expected"]
        )
    return {
        "resources": scan.resources + event.data["judged"],
        "pairs": scan.pairs + event.data.get("pairs", 0),
        "attention": scan.attention + event.data.get("attention", 0),
        "shortfalls": shortfalls,
    }


def _first_gaps(scan: Scan, gaps: tuple[Gap, ...]) -> tuple[Gap, ...]:
    return (*scan.gaps, *(gap for gap in gaps if gap not in scan.gaps))[:100]


def _ended(_scan: Scan, event: Event) -> dict[str, object]:
    totals = event.data.get("totals")
    return {
        "ended_at": event.at,
        "reason": event.data.get("reason", ""),
        "totals": Tallied.model_validate(totals) if totals else None,
    }


_CHANGES = {
    "scanStarted": _started,
    "subscriptionCollected": _moved,
    "subscriptionJudged": _moved,
    "cancelRequested": lambda _scan, _event: {},
    "scanCancelled": _ended,
    "scanCompleted": _ended,
    "scanPartial": _ended,
    "scanFailed": _ended,
}
