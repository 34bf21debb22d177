"""The estate: what is known of one subscription, and the posture that its judgements add up to."""

from collections.abc import Mapping
from typing import Any

from pydantic import AwareDatetime, Field

from shared.domain.event import Event
from shared.domain.inventory import Gap
from shared.domain.model import Model

Counts = Mapping[str, Mapping[str, int]]
"""A name (policy or owner) -> state -> number of pairs."""


class Collection(Model):
    """How far the collection of a subscription is. `cursor` resumes it; `first` is the sequence it began at."""

    scan: str
    first: int
    started_at: AwareDatetime
    cursor: str | None = None
    pages: int = 0
    read: int = 0
    expected: int | None = None
    gap_count: int = 0
    gaps: tuple[Gap, ...] = ()
    ended_at: AwareDatetime | None = None
    complete: bool = False


class Judgement(Model):
    """How far the judgement of a subscription is. `cursor` is the key of the last resource judged."""

    scan: str
    started_at: AwareDatetime
    cursor: str = ""
    judged: int = 0
    pairs: int = 0
    counts: Counts = Field(default_factory=dict)
    owners: Counts = Field(default_factory=dict)
    attention: int = 0
    evaluated: Mapping[str, int] = Field(default_factory=dict)


class Posture(Model):
    """One subscription: where its resources come from, when they were read and judged, and how they stand."""

    subscription: str
    display_name: str = ""
    source: str = "cloud"
    management_groups: tuple[str, ...] = ()
    collection: Collection | None = None
    judgement: Judgement | None = None
    last_scan: str | None = None
    last: Judgement | None = None
    collected_at: AwareDatetime | None = None
    judged_at: AwareDatetime | None = None
    resources: int = 0
    counts: Counts = Field(default_factory=dict)
    owners: Counts = Field(default_factory=dict)
    shortfalls: Mapping[str, Mapping[str, int]] = Field(default_factory=dict)
    sequence: int = 0


def add(counts: Counts, more: Counts) -> dict[str, dict[str, int]]:
    """Two counts added name by name; what becomes zero is left out."""
    total = {name: dict(states) for name, states in counts.items()}
    for name, states in more.items():
        into = total.setdefault(name, {})
        for state, number in states.items():
            into[state] = into.get(state, 0) + number
        total[name] = {state: number for state, number in into.items() if number}
    return {name: states for name, states in total.items() if states}


def add_numbers(numbers: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    """Two tables of numbers added name by name."""
    total = dict(numbers)
    for name, number in more.items():
        total[name] = total.get(name, 0) + number
    return total


def apply(posture: Posture, event: Event) -> Posture:
    """The posture after an event of the subscription's stream."""
    changes = _CHANGES[event.type](posture, event)
    return posture.model_copy(update={**changes, "sequence": event.sequence})


def _collection_started(posture: Posture, event: Event) -> dict[str, Any]:
    data = event.data
    return {
        "display_name": data.get("displayName") or posture.display_name,
        "source": data.get("source", posture.source),
        "management_groups": tuple(data.get("managementGroups") or posture.management_groups),
        "collection": Collection(scan=data["scan"], first=event.sequence, started_at=event.at),
    }


def _page_collected(posture: Posture, event: Event) -> dict[str, Any]:
    data, before = event.data, posture.collection
    changes: dict[str, Any] = {"resources": posture.resources + data["new"]}
    if before is None or before.scan != data["scan"]:
        return changes
    after = before.model_copy(
        update={
            "cursor": data["cursor"],
            "pages": before.pages + 1,
            "read": before.read + data["read"],
            "expected": data["total"] if data["total"] is not None else before.expected,
            **_more_gaps(before, event),
        }
    )
    return {**changes, "collection": after}


def _more_gaps(before: Collection, event: Event) -> dict[str, Any]:
    gaps = tuple(Gap.model_validate(gap) for gap in event.data.get("gaps", ()))
    return {"gaps": (*before.gaps, *gaps)[:100], "gap_count": before.gap_count + len(gaps)}


def _page_imported(posture: Posture, event: Event) -> dict[str, Any]:
    source = "import" if posture.sequence == 0 else posture.source
    return {"resources": posture.resources + event.data["new"], "source": source, "collected_at": event.at}


def _collection_ended(posture: Posture, event: Event) -> dict[str, Any]:
    data, before = event.data, posture.collection
    assert before is not None  # the event is recorded only while its collection is open
    ended = {"ended_at": event.at, "complete": data["complete"], "cursor": None}
    after = before.model_copy(update={**ended, **_more_gaps(before, event)})
    return {
        "collection": after,
        "collected_at": event.at,
        "resources": posture.resources - data["gone"],
        **_shifted(posture, event),
    }


def _judgement_started(_posture: Posture, event: Event) -> dict[str, Any]:
    started = Judgement(scan=event.data["scan"], started_at=event.at)
    return {"judgement": started}


def _page_judged(posture: Posture, event: Event) -> dict[str, Any]:
    data, before = event.data, posture.judgement
    assert before is not None  # the event is recorded only while its judgement is open
    after = before.model_copy(
        update={
            "cursor": data["cursor"],
            "judged": before.judged + data["judged"],
            "pairs": before.pairs + data["pairs"],
            "attention": before.attention + data["attention"],
            "counts": add(before.counts, data["counts"]),
            "owners": add(before.owners, data["owners"]),
            "evaluated": add_numbers(before.evaluated, data["evaluated"]),
        }
    )
    return {"judgement": after}


def _judgement_ended(posture: Posture, event: Event) -> dict[str, Any]:
    done = posture.judgement
    assert done is not None  # the event is recorded only while its judgement is open
    return {
        "judgement": None,
        "last_scan": done.scan,
        "last": done.model_copy(update={"counts": {}, "owners": {}, "evaluated": {}}),
        "judged_at": event.at,
        "counts": done.counts,
        "owners": done.owners,
        "shortfalls": event.data["shortfalls"],
    }


def _resource_judged(posture: Posture, event: Event) -> dict[str, Any]:
    return {"resources": posture.resources + event.data.get("new", 0), **_shifted(posture, event)}


def _shifted(posture: Posture, event: Event) -> dict[str, Any]:
    """Counts after pairs have changed outside of a scan's pages; a scan that has passed the resource is told too."""
    counts, owners = event.data.get("counts", {}), event.data.get("owners", {})
    changes: dict[str, Any] = {"counts": add(posture.counts, counts), "owners": add(posture.owners, owners)}
    running, passed = posture.judgement, event.data.get("passed")
    if running and passed:
        changes["judgement"] = running.model_copy(
            update={
                "counts": add(running.counts, passed["counts"]),
                "owners": add(running.owners, passed["owners"]),
                "evaluated": add_numbers(running.evaluated, passed["evaluated"]),
            }
        )
    return changes


_CHANGES = {
    "collectionStarted": _collection_started,
    "pageCollected": _page_collected,
    "pageImported": _page_imported,
    "collectionEnded": _collection_ended,
    "judgementStarted": _judgement_started,
    "pageJudged": _page_judged,
    "judgementEnded": _judgement_ended,
    "resourceJudged": _resource_judged,
    "findingsChanged": _resource_judged,
}
