import itertools
from datetime import UTC, datetime

import pytest

from shared.domain.error import Conflict
from shared.domain.event import Event
from shared.domain.scan import ACTIVE, TRANSITIONS, Scan, Status, apply, next_status

AT = datetime(2026, 3, 1, tzinfo=UTC)
EVENTS = sorted({event for _, event in TRANSITIONS})


def event(sequence: int, kind: str, **data: object) -> Event:
    return Event(stream="scan:s1", sequence=sequence, type=kind, at=AT, actor="ada", correlation="c", data=data)


def requested() -> Scan:
    return apply(None, event(1, "scanRequested", trigger="http", request={}))


def started(*subscriptions: str) -> Scan:
    progress = {name: {"displayName": name} for name in subscriptions}
    return apply(requested(), event(2, "scanStarted", subscriptions=progress))


def test_a_scan_that_has_ended_takes_nothing_more() -> None:
    ended = [status for status in Status if status not in ACTIVE]
    assert [pair for pair in itertools.product(ended, EVENTS) if pair in TRANSITIONS] == []


def test_every_status_but_the_first_can_be_reached() -> None:
    assert set(TRANSITIONS.values()) == set(Status)


@pytest.mark.parametrize("status", [None, *Status])
@pytest.mark.parametrize("kind", EVENTS)
def test_moves_that_are_not_in_the_table_are_refused(status: Status | None, kind: str) -> None:
    scan = requested().model_copy(update={"status": status}) if status else None
    if (status, kind) in TRANSITIONS:
        assert next_status(scan, kind) == TRANSITIONS[status, kind]
    else:
        with pytest.raises(Conflict, match=kind):
            next_status(scan, kind)


def test_progress_and_sums_follow_the_subscriptions() -> None:
    scan = started("a", "b")
    scan = apply(scan, event(3, "subscriptionCollected", subscription="a", collected=7, expected=9, state="done"))
    judged = {"subscription": "a", "judged": 7, "pairs": 30, "attention": 4, "state": "done"}
    scan = apply(scan, event(4, "subscriptionJudged", **judged, shortfalls={"p": {"evaluated": 1, "expected": 2}}))
    assert (scan.progress["a"].collected, scan.progress["a"].judging, scan.progress["b"].judging) == (
        7,
        "done",
        "waiting",
    )
    assert (scan.resources, scan.pairs, scan.attention, scan.sequence) == (7, 30, 4, 4)
    assert scan.shortfalls["p"].expected == 2


def test_a_stored_scan_reads_back_the_same() -> None:
    scan = started("a")
    assert Scan.model_validate(scan.model_dump(mode="json")) == scan
