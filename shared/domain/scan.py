"""Scans: what was asked, how far it is, how it ended; scan_event.py has the events that make one."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import AwareDatetime, Field, StrictBool

from shared.domain.inventory import Gap
from shared.domain.model import AnyCase, Model
from shared.domain.page import PageRequest
from shared.domain.progress import Waiting, WorkflowRecord
from shared.domain.scan_difference import ScanDifference, ScanMode
from shared.domain.state_counts import StateCounts


class ScanStatus(StrEnum):
    """The status of a scan. `partial` is complete except for what could not be read."""

    REQUESTED = "requested"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"


GAP_MESSAGE_CHARACTERS = 300
"""How much of a gap's message a reason repeats."""

ACTIVE_STATUSES = (ScanStatus.REQUESTED, ScanStatus.RUNNING, ScanStatus.CANCELLING)


class ScanTrigger(StrEnum):
    """What started a scan."""

    HTTP = "http"
    TIMER = "timer"
    QUEUE = "queue"


class ScanRequest(Model):
    """What to scan. Without `subscriptions`: everything that can be seen or was imported."""

    subscriptions: tuple[AnyCase, ...] | None = Field(
        default=None, max_length=10_000, description="subscription ids; all when left out"
    )
    collect: StrictBool = Field(default=True, description="read the cloud first; false evaluates what is stored")
    mode: ScanMode = Field(
        default=ScanMode.CHANGES,
        description="what to read: what has changed, where the last scan makes that possible; everything; or both, to "
        "verify that they come to the same",
    )


class ScanRhythm(Model):
    """How often a scan reads again what no change tells of, and how often everything."""

    related_days: int = Field(
        default=3, ge=1, description="days within which what belongs to a resource is read again, though none changed"
    )
    verification_days: int = Field(default=7, ge=1, description="days after which a nightly scan is a verification")
    verification_calls: int = Field(
        default=600, ge=1, description="calls a minute and subscription that a verification takes to read everything"
    )


class PolicyCount(Model):
    """How many resources a scan evaluated for one policy, of how many."""

    evaluated: int = 0
    expected: int = 0


class SubscriptionStatus(StrEnum):
    """The status of a scan in one subscription. After `failed` the others go on."""

    PENDING = "pending"
    COLLECTING = "collecting"
    JUDGING = "judging"
    COMPLETED = "completed"
    FAILED = "failed"


class SubscriptionProgress(Waiting):
    """The progress of a scan in one subscription. `tries` counts consecutive waits since its last progress."""

    subscription: str
    display_name: str = ""
    source: str = "cloud"
    collect: bool = Field(default=True, description="false when only what is stored is evaluated")
    status: SubscriptionStatus = SubscriptionStatus.PENDING
    collected: int = 0
    expected: int | None = None
    judged: int = 0
    gap_count: int = 0
    as_of: AwareDatetime | None = Field(
        default=None, description="the data is at least as new as this; null when it was never read completely"
    )
    tries: int = 0

    @property
    def is_over(self) -> bool:
        """Return whether nothing is left to do in it."""
        return self.status in (SubscriptionStatus.COMPLETED, SubscriptionStatus.FAILED)


class Scan(WorkflowRecord):
    """A scan as projected from its stream, of one size however many subscriptions it has."""

    id: str
    status: ScanStatus
    trigger: ScanTrigger
    request: ScanRequest = Field(description="what was asked for, with at most the first 20 subscriptions")
    requested_by: str
    requested_at: AwareDatetime
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    subscriptions: int = Field(default=0, description="the number of subscriptions to scan")
    unfinished: int = Field(default=0, description="subscriptions that are not scanned completely yet")
    failed: int = Field(default=0, description="subscriptions that failed")
    collected: int = Field(default=0, description="resources read so far")
    expected: int = Field(default=0, description="resources known to be there so far")
    resources: int = Field(default=0, description="resources evaluated so far")
    evaluation_count: int = 0
    finding_count: int = 0
    states: Mapping[str, int] = Field(default_factory=dict, description="evaluations by state")
    gaps: tuple[Gap, ...] = Field(default=(), description="the first 100 parts that could not be read")
    gap_count: int = Field(default=0, description="the number of parts that could not be read")
    unknown: Mapping[str, int] = Field(
        default_factory=dict, description="unknown verdicts, by the reason why a part was not read"
    )
    incomplete_policies: Mapping[str, PolicyCount] = Field(
        default_factory=dict, description="policies that were not evaluated on all resources they apply to"
    )
    differences: tuple[ScanDifference, ...] = Field(
        default=(), description="the first 20 resources that a verification found different"
    )
    difference_count: int = Field(default=0, description="the number of resources that a verification found different")
    alarm_count: int = Field(default=0, description="how many of them no scan of changes would have found in time")
    as_of: AwareDatetime | None = Field(default=None, description="the oldest `asOf` of the subscriptions")
    totals: StateCounts | None = Field(
        default=None, description="the whole tenant's pairs by state when the scan ended"
    )
    tries: int = Field(default=0, description="consecutive waits before the subscriptions are known")
    fence: int = Field(default=0, description="grows with each scan: a scan with a higher one has overtaken this one")
    sequence: int = 0
    correlation: str = ""

    @property
    def is_whole(self) -> bool:
        """Return whether all was read and judged."""
        return not self.gap_count and not self.incomplete_policies and not self.unfinished

    @property
    def shortcomings(self) -> str:
        """Return what keeps it from being whole, in words: only what there is, each with its number."""
        unknown = sum(self.unknown.values())
        largest_first = sorted(self.unknown.items(), key=lambda pair: (-pair[1], pair[0]))
        causes = ", ".join(f"{number} {why}" for why, number in largest_first)
        first = next((gap.message for gap in self.gaps if gap.message), "")[:GAP_MESSAGE_CHARACTERS]
        because = first and f", the first because {first}"
        said = (
            (self.gap_count, f"{_number(self.gap_count, 'thing')} could not be read{because}"),
            (unknown, f"{_number(unknown, 'verdict')} unknown ({causes})"),
            (
                len(self.incomplete_policies),
                f"{_number(len(self.incomplete_policies), 'policy', 'policies')} not evaluated everywhere",
            ),
            (self.unfinished, f"{_number(self.unfinished, 'subscription')} not scanned to the end"),
        )
        return "; ".join(text for number, text in said if number)

    @property
    def awaits_start(self) -> bool:
        """Return whether it goes on, and what there is to scan is not known yet."""
        return self.status in ACTIVE_STATUSES and self.started_at is None


def _number(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: 1 thing, 2 things."""
    return f"{number} {one if number == 1 else many or one + 's'}"


class ScanListing(PageRequest):
    """Chooses scans."""

    status: tuple[ScanStatus, ...] = ()
