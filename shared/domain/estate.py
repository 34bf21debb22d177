"""The estate: what is known of one subscription, and what judging its resources adds up to."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, Field

from shared.domain.error import Overtaken
from shared.domain.inventory import Gap
from shared.domain.model import Model
from shared.domain.scan_difference import ScanDifference, ScanMode

GAP_ITEMS = 100
LATEST_GAP_ITEMS = 20

Counts = Mapping[str, Mapping[str, int]]
"""A name (policy or owner) -> state -> number of pairs."""


class CollectionPhase(StrEnum):
    """What a collection reads: all there is, or containers, then new ids, then changes."""

    ALL = "all"
    CONTAINERS = "containers"
    IDS = "ids"
    CHANGES = "changes"
    DONE = "done"


class CollectionProgress(Model):
    """The progress of a subscription's collection. `cursor` resumes its phase; `first` is the sequence it began at.

    `after` is the id that was read last of a page that is not done, `calls` how many the last page took. `since` is the
    time from which changes are read, None where everything is, and `again` has what is read again in any case.
    `related` is the digest of what is read with each type.
    """

    scan: str
    first: int
    started_at: AwareDatetime
    mode: ScanMode = ScanMode.FULL
    since: AwareDatetime | None = None
    again: tuple[str, ...] = ()
    related: str = ""
    phase: CollectionPhase = CollectionPhase.ALL
    cursor: str | None = None
    after: str | None = None
    calls: int = 0
    pages: int = 0
    read: int = 0
    expected: int | None = None
    gap_count: int = 0
    gaps: tuple[Gap, ...] = ()
    ended_at: AwareDatetime | None = None
    complete: bool = False
    differences: tuple[ScanDifference, ...] = ()
    difference_count: int = 0
    alarm_count: int = 0

    def after_page(
        self, phase: CollectionPhase, cursor: str | None, after: str | None, *, calls: int, read: int, total: int | None
    ) -> "CollectionProgress":
        """Return the progress after a page, without its gaps; `total` is None where the page does not tell it."""
        return self.model_copy(
            update={
                "phase": phase,
                "cursor": cursor,
                "after": after,
                "calls": calls,
                "pages": self.pages + 1,
                "read": self.read + read,
                "expected": total if total is not None else self.expected,
            }
        )


class JudgementProgress(Model):
    """The progress of a subscription's judgement. `cursor` is the key of the last resource judged.

    `first` is the sequence it began at; of the `judged` resources, `reused` have the verdicts of the judgement before.
    """

    scan: str
    first: int
    started_at: AwareDatetime
    cursor: str = ""
    judged: int = 0
    reused: int = 0
    evaluation_count: int = 0
    counts: Counts = Field(default_factory=dict)
    owners: Counts = Field(default_factory=dict)
    finding_count: int = 0
    evaluated: Mapping[str, int] = Field(default_factory=dict)
    unknown: Mapping[str, int] = Field(default_factory=dict)
    differences: tuple[ScanDifference, ...] = ()
    difference_count: int = 0
    gap_count: int = 0
    gaps: tuple[Gap, ...] = ()


class Estate(Model):
    """One subscription: where its resources come from, when they were read and judged, and their counts by state.

    `as_of` is when the last complete collection began: everything here is at least as new, for what was not read again
    had not changed by then; what belongs to a resource has a time of its own. `whole_at` is when the last one began
    that read everything. `fence` is the lowest
    fence of a scan that may still write, `fenced_by` the scan that raised it. `scan` is the one at work in it, which
    came further last at `progressed_at`.
    """

    subscription: str
    display_name: str = ""
    source: str = "cloud"
    management_groups: tuple[str, ...] = ()
    collection: CollectionProgress | None = None
    judgement: JudgementProgress | None = None
    scan: str | None = None
    progressed_at: AwareDatetime | None = None
    last_scan: str | None = None
    last: JudgementProgress | None = None
    as_of: AwareDatetime | None = None
    whole_at: AwareDatetime | None = None
    judged_at: AwareDatetime | None = None
    resources: int = 0
    counts: Counts = Field(default_factory=dict)
    owners: Counts = Field(default_factory=dict)
    incomplete_policies: Mapping[str, Mapping[str, int]] = Field(default_factory=dict)
    gaps: tuple[Gap, ...] = Field(default=(), description="the last 20 things that could not be stored")
    fence: int = 0
    fenced_by: str = ""
    exemption: str = ""
    """The last exemption that began or ended, as `ExemptionChanged` names it."""
    sequence: int = 0

    def is_collected(self, scan: str) -> bool:
        """Return whether a scan has collected it to the end."""
        return self.collection is not None and self.collection.scan == scan and self.collection.ended_at is not None

    @property
    def missing(self) -> tuple[int, tuple[Gap, ...]]:
        """Return the number of gaps of the last collection and judgement, and the first of them."""
        gaps = self.collection.gaps if self.collection else self.gaps
        number = self.collection.gap_count if self.collection else len(gaps)
        return (number + self.last.gap_count, (*gaps, *self.last.gaps)) if self.last else (number, gaps)

    def admit(self, scan: str, fence: int) -> None:
        """Let a scan write; Overtaken for one that was stopped, or that a later scan has overtaken."""
        if fence >= self.fence:
            return
        message = f"scan {scan} was stopped" if self.fenced_by == scan else f"overtaken by scan {self.fenced_by}"
        raise Overtaken(message, by=self.fenced_by)


def add(counts: Counts, more: Counts) -> dict[str, dict[str, int]]:
    """Return two counts added name by name; what becomes zero is left out."""
    total = {name: dict(states) for name, states in counts.items()}
    for name, states in more.items():
        into = total.setdefault(name, {})
        for state, number in states.items():
            into[state] = into.get(state, 0) + number
        total[name] = {state: number for state, number in into.items() if number}
    return {name: states for name, states in total.items() if states}


def add_numbers(numbers: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    """Return two tables of numbers added name by name."""
    total = dict(numbers)
    for name, number in more.items():
        total[name] = total.get(name, 0) + number
    return total


def with_more(before: CollectionProgress | JudgementProgress, gaps: Sequence[Gap]) -> dict[str, Any]:
    """Return the fields of a collection or judgement with more gaps, of which the first hundred are kept."""
    return {"gaps": (*before.gaps, *gaps)[:GAP_ITEMS], "gap_count": before.gap_count + len(gaps)}


def with_gaps(estate: Estate, gaps: Sequence[Gap]) -> Estate:
    """Return the estate with gaps for what could not be stored, which counts as unread until the next collection."""
    if not gaps:
        return estate
    # Kept outside of the collection too: imports and single readings have none to keep their gaps in.
    changes: dict[str, Any] = {"gaps": (*estate.gaps, *gaps)[-LATEST_GAP_ITEMS:]}
    if estate.collection:
        changes["collection"] = estate.collection.model_copy(update=with_more(estate.collection, gaps))
    return estate.model_copy(update=changes)
