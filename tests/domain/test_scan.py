"""The events of a scan allow the moves in their table, and add up to a record of one size."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.error import Conflict
from shared.domain.event import Event, Recorded
from shared.domain.inventory import Gap, UnreadReason
from shared.domain.progress import Waiting
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
from shared.domain.scan_event import (
    TRANSITIONS,
    ScanEvent,
    ScanRequested,
    ScanStarted,
    SubscriptionEnded,
    SubscriptionWaiting,
    apply,
    next_status,
    progress_in,
)
from shared.eventstore.stream import kinds_of

AT = datetime(2026, 3, 1, tzinfo=UTC)
LATER = AT + timedelta(minutes=10)
EVENTS = kinds_of(ScanEvent)


def recorded(sequence: int, event: Any) -> Recorded[ScanEvent]:
    return Recorded(stream="scan:s1", sequence=sequence, at=AT, actor="ada", correlation="c", event=event)


def requested(**more: Any) -> Scan:
    return apply(None, recorded(1, ScanRequested(trigger=ScanTrigger.HTTP, request=ScanRequest(**more))))


def started(*subscriptions: str) -> Scan:
    parts = tuple(SubscriptionProgress(subscription=name) for name in subscriptions)
    return apply(requested(), recorded(2, ScanStarted(subscriptions=parts)))


def ended(subscription: str, status: SubscriptionStatus, *, judged: int = 0, gaps: int = 0) -> SubscriptionProgress:
    told = {"status": status, "collected": judged, "judged": judged, "gap_count": gaps}
    return SubscriptionProgress(subscription=subscription, **told)  # type: ignore[arg-type] # a table of several types


def test_a_scan_that_has_ended_takes_nothing_more() -> None:
    ended = [status for status in ScanStatus if status not in ACTIVE_STATUSES]
    assert [pair for pair in itertools.product(ended, EVENTS) if pair in TRANSITIONS] == []


def test_every_status_but_the_first_can_be_reached_and_every_event_taken() -> None:
    assert set(TRANSITIONS.values()) == set(ScanStatus)
    assert {event for _, event in TRANSITIONS} == set(EVENTS)


@pytest.mark.parametrize("status", [None, *ScanStatus])
@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_moves_that_are_not_in_the_table_are_refused(status: ScanStatus | None, kind: type[Event]) -> None:
    scan = requested().model_copy(update={"status": status}) if status else None
    event = kind.model_construct()
    if (status, kind) in TRANSITIONS:
        assert next_status(scan, event) == TRANSITIONS[status, kind]
    else:
        with pytest.raises(Conflict, match="cannot"):
            next_status(scan, event)


def test_counts_and_sums_follow_the_subscriptions() -> None:
    scan = started("a", "b")
    assert (scan.subscriptions, scan.unfinished) == (2, 2)
    short = {"p": PolicyCount(evaluated=1, expected=2)}
    done = SubscriptionEnded(
        progress=ended("a", SubscriptionStatus.COMPLETED, judged=7),
        evaluation_count=30,
        finding_count=4,
        incomplete_policies=short,
    )
    scan = apply(scan, recorded(3, done))
    assert (scan.subscriptions, scan.unfinished, scan.failed) == (2, 1, 0)
    assert (scan.collected, scan.expected, scan.resources, scan.evaluation_count, scan.finding_count) == (
        7,
        7,
        7,
        30,
        4,
    )
    assert scan.incomplete_policies["p"].expected == 2
    scan = apply(scan, recorded(4, SubscriptionEnded(progress=ended("b", SubscriptionStatus.FAILED, gaps=1))))
    assert (scan.unfinished, scan.failed, scan.gap_count, scan.is_whole) == (0, 1, 1, False)


def test_a_scan_waits_while_all_its_subscriptions_do() -> None:
    scan, told = started("a", "b"), SubscriptionProgress(subscription="a", waiting_until=LATER, reason="asked to wait")
    assert apply(scan, recorded(3, SubscriptionWaiting(progress=told))).waiting_until is None
    awaited = Waiting(waiting_until=LATER, reason="asked to wait")
    waiting = apply(scan, recorded(3, SubscriptionWaiting(progress=told, awaited=awaited)))
    assert (waiting.waiting_until, waiting.reason) == (LATER, "asked to wait")
    done = SubscriptionEnded(progress=ended("b", SubscriptionStatus.COMPLETED))
    assert apply(waiting, recorded(4, done)).waiting_until is None


def test_the_record_of_a_scan_does_not_grow_with_its_subscriptions() -> None:
    names = [f"{number:036}" for number in range(5_000)]
    few, many = requested(subscriptions=names[:20]), requested(subscriptions=names)
    assert few == many
    parts = tuple(SubscriptionProgress(subscription=name) for name in names)
    begun = apply(many, recorded(2, ScanStarted(subscriptions=parts)))
    assert len(begun.model_dump_json()) < len(many.model_dump_json()) + 100
    assert len(progress_in(ScanStarted(subscriptions=parts))) == len(names)


def test_a_stored_scan_reads_back_the_same() -> None:
    scan = started("a")
    assert Scan.model_validate(scan.model_dump(mode="json")) == scan


def test_what_keeps_a_scan_from_being_whole_is_told_in_words_with_its_numbers() -> None:
    scan = started("a", "b")
    gap = Gap(scope="/x", part="p", reason=UnreadReason.FORBIDDEN, at=AT, message="not allowed")
    done = ended("a", SubscriptionStatus.COMPLETED, judged=1, gaps=250)
    unknown = {"timeout": 33, "forbidden": 800}
    scan = apply(
        scan, recorded(3, SubscriptionEnded(progress=done, evaluation_count=900, unknown=unknown, gaps=(gap,)))
    )
    assert scan.shortcomings == (
        "250 things could not be read, the first because not allowed; "
        "833 verdicts unknown (800 forbidden, 33 timeout); 1 subscription not scanned to the end"
    )
    short = {"p": PolicyCount(evaluated=0, expected=2)}
    failed = SubscriptionEnded(progress=ended("b", SubscriptionStatus.FAILED), incomplete_policies=short)
    scan = apply(scan, recorded(4, failed))
    assert scan.shortcomings.endswith("(800 forbidden, 33 timeout); 1 policy not evaluated everywhere")
    assert not scan.is_whole
