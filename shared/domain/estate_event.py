"""The events of the estate of a subscription, and its estate after each."""

from collections.abc import Mapping
from functools import singledispatch
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from shared.domain.estate import (
    CollectionPhase,
    CollectionProgress,
    Counts,
    Estate,
    JudgementProgress,
    add,
    add_numbers,
    with_more,
)
from shared.domain.event import Event, Recorded
from shared.domain.inventory import Gap
from shared.domain.model import Model
from shared.domain.scan_difference import SCAN_DIFFERENCE_ITEMS, ScanDifference, ScanMode


class BulkEvent(Event):
    """The base of the events of an estate.

    The documents after it, the keys of the resources seen, and what came of each are its bulk: `body` while it is
    small, else the blob of that name. `kinds` are those of the documents, where that is told: who looks for one kind
    need not open the others. `left_out` has what no store takes, or may not be read.
    """

    body: Mapping[str, Any] | None = None
    blob: str | None = None
    kinds: tuple[str, ...] | None = None
    left_out: tuple[Gap, ...] = ()


class ScanProgressed(BulkEvent):
    """A scan came further in the subscription: what all such events say."""

    scan: str


class CountDelta(Model):
    """Changes of the counts: by policy, by owner, and of the pairs evaluated by policy."""

    counts: Counts = Field(default_factory=dict)
    owners: Counts = Field(default_factory=dict)
    evaluated: Mapping[str, int] = Field(default_factory=dict)


class CountsChanged(BulkEvent, CountDelta):
    """Pairs have changed outside of a scan's pages; `passed` are those that a running scan has judged already."""

    new: int = 0
    passed: CountDelta | None = None


class CollectionStarted(ScanProgressed):
    """A scan begins to collect the subscription: all of it, or what has changed `since` a time.

    `again` are the resources of which a part could not be read last time. `gaps` are those that are about more than one
    resource: they stay, as what they are about is not read again.
    """

    type: Literal["collectionStarted"] = "collectionStarted"
    version: Literal[1] = 1
    fence: int = 0
    display_name: str = ""
    management_groups: tuple[str, ...] = ()
    source: str = "cloud"
    mode: ScanMode = ScanMode.FULL
    since: AwareDatetime | None = None
    again: tuple[str, ...] = ()
    related: str = ""
    gaps: tuple[Gap, ...] = ()


class PageCollected(ScanProgressed):
    """A page of resources was read; `phase`, `cursor` and `after` resume after it.

    `read` resources are known to be there by it, `new` were not known before; it took so many `calls` of the cloud.
    """

    type: Literal["pageCollected"] = "pageCollected"
    version: Literal[1] = 1
    page: int
    phase: CollectionPhase
    cursor: str | None
    after: str | None = None
    read: int
    total: int | None
    new: int
    calls: int = 0
    gaps: tuple[Gap, ...] = ()


class PageImported(BulkEvent):
    """Resources were taken from an import; `display_name` is what they call the subscription, "" where they do not."""

    type: Literal["pageImported"] = "pageImported"
    version: Literal[1] = 1
    import_id: str
    read: int
    new: int
    display_name: str = ""


class CollectionEnded(ScanProgressed):
    """A scan has collected the subscription; `gone` resources no longer exist.

    `alarm_count` of the differences that a verification found are alarms.
    """

    type: Literal["collectionEnded"] = "collectionEnded"
    version: Literal[1] = 1
    complete: bool
    gone: int
    gaps: tuple[Gap, ...] = ()
    differences: tuple[ScanDifference, ...] = ()
    difference_count: int = 0
    alarm_count: int = 0


class JudgementStarted(ScanProgressed):
    """A scan begins to judge the subscription."""

    type: Literal["judgementStarted"] = "judgementStarted"
    version: Literal[1] = 1
    fence: int = 0


class PageJudged(ScanProgressed):
    """A page of resources was judged; `cursor` is the key of the last, and `reused` have the verdicts from before."""

    type: Literal["pageJudged"] = "pageJudged"
    version: Literal[1] = 1
    cursor: str
    judged: int
    reused: int = 0
    evaluation_count: int
    finding_count: int
    counts: Counts
    owners: Counts
    evaluated: Mapping[str, int]
    unknown: Mapping[str, int] = Field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    differences: tuple[ScanDifference, ...] = ()
    difference_count: int = 0


class JudgementEnded(BulkEvent):
    """A scan has judged the subscription."""

    type: Literal["judgementEnded"] = "judgementEnded"
    version: Literal[1] = 1
    scan: str
    incomplete_policies: Mapping[str, Mapping[str, int]]


class ScanStopped(BulkEvent):
    """A scan may write nothing more to the subscription."""

    type: Literal["scanStopped"] = "scanStopped"
    version: Literal[1] = 1
    scan: str
    fence: int


class ExemptionChanged(BulkEvent):
    """An exemption of something in the subscription began or ended: what was decided before may not be recorded now."""

    type: Literal["exemptionChanged"] = "exemptionChanged"
    version: Literal[1] = 1
    exemption: str
    """Which, and its sequence: "ID@SEQUENCE"."""


class ResourceJudged(CountsChanged):
    """One resource was read and judged."""

    type: Literal["resourceJudged"] = "resourceJudged"
    version: Literal[1] = 1
    resource: str


class FindingsChanged(CountsChanged):
    """Stored resources were judged again, because what else counts has changed."""

    type: Literal["findingsChanged"] = "findingsChanged"
    version: Literal[1] = 1


type EstateEvent = Annotated[
    CollectionStarted
    | PageCollected
    | PageImported
    | CollectionEnded
    | JudgementStarted
    | PageJudged
    | JudgementEnded
    | ScanStopped
    | ExemptionChanged
    | ResourceJudged
    | FindingsChanged,
    Field(discriminator="type"),
]


def apply(estate: Estate, recorded: Recorded[EstateEvent]) -> Estate:
    """Return the estate after an event of the subscription's stream."""
    event = recorded.event
    # Not JudgementEnded, which is a scan's last event here: it sets `scan` back to None.
    at_work = {"scan": event.scan, "progressed_at": recorded.at} if isinstance(event, ScanProgressed) else {}
    changes = _changes(event, estate, recorded)
    return estate.model_copy(update={**at_work, **changes, "sequence": recorded.sequence})


type _EstateRecord = Recorded[EstateEvent]
"""An event with when it was recorded, and where in its stream."""


@singledispatch
def _changes(_event: Event, _estate: Estate, _recorded: _EstateRecord) -> dict[str, Any]:
    """Return the fields that an event changes."""
    return {}


@_changes.register
def _collection_started(event: CollectionStarted, estate: Estate, recorded: _EstateRecord) -> dict[str, Any]:
    return {
        "display_name": event.display_name or estate.display_name,
        "source": event.source,
        "management_groups": event.management_groups or estate.management_groups,
        "collection": CollectionProgress(
            scan=event.scan,
            first=recorded.sequence,
            started_at=recorded.at,
            mode=event.mode,
            since=event.since,
            again=event.again,
            related=event.related,
            phase=CollectionPhase.ALL if event.since is None else CollectionPhase.CONTAINERS,
            gaps=event.gaps,
            gap_count=len(event.gaps),
        ),
        "gaps": (),
        **_fenced(estate, event.scan, event.fence),
    }


@_changes.register
def _page_collected(event: PageCollected, estate: Estate, _recorded: _EstateRecord) -> dict[str, Any]:
    before = estate.collection
    changes: dict[str, Any] = {"resources": estate.resources + event.new}
    # A stopped scan has lost its collection; its late page still tells of resources that exist.
    if before is None or before.scan != event.scan:
        return changes
    after = before.after_page(
        event.phase, event.cursor, event.after, calls=event.calls, read=event.read, total=event.total
    )
    return {**changes, "collection": after.model_copy(update=with_more(after, event.gaps))}


@_changes.register
def _page_imported(event: PageImported, estate: Estate, recorded: _EstateRecord) -> dict[str, Any]:
    # Only what no scan has ever collected counts as imported.
    source = "import" if estate.sequence == 0 else estate.source
    as_of = recorded.at if source == "import" else estate.as_of
    name = event.display_name or estate.display_name
    return {"resources": estate.resources + event.new, "source": source, "as_of": as_of, "display_name": name}


@_changes.register
def _collection_ended(event: CollectionEnded, estate: Estate, recorded: _EstateRecord) -> dict[str, Any]:
    before = estate.collection
    assert before is not None  # the event is recorded only while its collection is open
    ended = {"ended_at": recorded.at, "complete": event.complete, "cursor": None}
    found = {name: getattr(event, name) for name in ("differences", "difference_count", "alarm_count")}
    whole = event.complete and before.mode is not ScanMode.CHANGES
    return {
        "collection": before.model_copy(update={**ended, **found, **with_more(before, event.gaps)}),
        "as_of": before.started_at if event.complete else estate.as_of,
        "whole_at": before.started_at if whole else estate.whole_at,
        "resources": estate.resources - event.gone,
    }


def _fenced(estate: Estate, scan: str, fence: int) -> dict[str, Any]:
    return {"fence": fence, "fenced_by": scan} if fence > estate.fence else {}


@_changes.register
def _exemption_changed(event: ExemptionChanged, _estate: Estate, _recorded: _EstateRecord) -> dict[str, Any]:
    return {"exemption": event.exemption}


@_changes.register
def _scan_stopped(event: ScanStopped, estate: Estate, _recorded: _EstateRecord) -> dict[str, Any]:
    """Give up what the scan had begun and not ended; only a higher fence may write."""
    collection, judgement = estate.collection, estate.judgement
    open_collection = collection and collection.scan == event.scan and collection.ended_at is None
    return {
        "collection": None if open_collection else collection,
        "judgement": None if judgement and judgement.scan == event.scan else judgement,
        "scan": None if estate.scan == event.scan else estate.scan,
        # Above the scan's own fence, so that it is kept out by the check that keeps overtaken ones out.
        **_fenced(estate, event.scan, event.fence + 1),
    }


@_changes.register
def _judgement_started(event: JudgementStarted, estate: Estate, recorded: _EstateRecord) -> dict[str, Any]:
    started = JudgementProgress(scan=event.scan, first=recorded.sequence, started_at=recorded.at)
    return {"judgement": started, **_fenced(estate, event.scan, event.fence)}


@_changes.register
def _page_judged(event: PageJudged, estate: Estate, _recorded: _EstateRecord) -> dict[str, Any]:
    before = estate.judgement
    assert before is not None  # the event is recorded only while its judgement is open
    after = before.model_copy(
        update={
            "cursor": event.cursor,
            "judged": before.judged + event.judged,
            "reused": before.reused + event.reused,
            "evaluation_count": before.evaluation_count + event.evaluation_count,
            "finding_count": before.finding_count + event.finding_count,
            "counts": add(before.counts, event.counts),
            "owners": add(before.owners, event.owners),
            "evaluated": add_numbers(before.evaluated, event.evaluated),
            "unknown": add_numbers(before.unknown, event.unknown),
            "differences": (*before.differences, *event.differences)[:SCAN_DIFFERENCE_ITEMS],
            "difference_count": before.difference_count + event.difference_count,
            **with_more(before, event.gaps),
        }
    )
    return {"judgement": after}


@_changes.register
def _judgement_ended(event: JudgementEnded, estate: Estate, recorded: _EstateRecord) -> dict[str, Any]:
    done = estate.judgement
    assert done is not None  # the event is recorded only while its judgement is open
    return {
        "judgement": None,
        "scan": None,
        "last_scan": done.scan,
        # Without the tables, which are the estate's own from now on: the document must not hold them twice.
        "last": done.model_copy(update={"counts": {}, "owners": {}, "evaluated": {}}),
        "judged_at": recorded.at,
        "counts": done.counts,
        "owners": done.owners,
        "incomplete_policies": event.incomplete_policies,
    }


@_changes.register
def _counts_changed(event: CountsChanged, estate: Estate, _recorded: _EstateRecord) -> dict[str, Any]:
    """Move the counts, and those of a running scan that has judged the resource already."""
    changes: dict[str, Any] = {
        "resources": estate.resources + event.new,
        "counts": add(estate.counts, event.counts),
        "owners": add(estate.owners, event.owners),
    }
    running, passed = estate.judgement, event.passed
    if running and passed:
        changes["judgement"] = running.model_copy(
            update={
                "counts": add(running.counts, passed.counts),
                "owners": add(running.owners, passed.owners),
                "evaluated": add_numbers(running.evaluated, passed.evaluated),
            }
        )
    return changes
