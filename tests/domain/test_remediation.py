"""The tables of a remediation, what it needs next, and the remediation after each event."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from pydantic import TypeAdapter

from shared.domain.approval import same_person
from shared.domain.error import Conflict
from shared.domain.event import Recorded
from shared.domain.item import ItemOutcome, RemediationItem, item_id
from shared.domain.remediation import (
    ACTIVE,
    UNDOABLE,
    Remediation,
    RemediationStatus,
    next_step,
)
from shared.domain.remediation_event import RemediationEvent
from shared.domain.remediation_transition import TRANSITIONS, apply, ending, next_status

AT = datetime(2026, 3, 1, tzinfo=UTC)
LATER = AT + timedelta(minutes=10)
EVENTS = sorted({event for _, event in TRANSITIONS})
ENDED = set(RemediationStatus) - set(ACTIVE)


def remediation(status: RemediationStatus, **more: Any) -> Remediation:
    return Remediation(id="1", status=status, requester="ada", finding_count=2, requested_at=AT, changed_at=AT, **more)


def item(outcome: ItemOutcome, **more: Any) -> RemediationItem:
    return RemediationItem(
        id=item_id("1", 1), remediation="1", number=1, hash="h", resource_id="/r", matched=1, outcome=outcome, **more
    )


def event(kind: str, sequence: int = 1, actor: str = "ada", **data: Any) -> Recorded[RemediationEvent]:
    at = AT + timedelta(minutes=sequence)
    told: RemediationEvent = TypeAdapter(RemediationEvent).validate_python({"type": kind, **data})
    return Recorded(stream="remediation:1", sequence=sequence, at=at, actor=actor, correlation="c", event=told)


@pytest.mark.parametrize(("status", "kind"), list(product((None, *RemediationStatus), EVENTS)))
def test_a_move_is_allowed_exactly_where_the_table_says(status: RemediationStatus | None, kind: str) -> None:
    known = remediation(status) if status else None
    if (status, kind) in TRANSITIONS:
        assert next_status(known, kind) == TRANSITIONS[status, kind]
    else:
        with pytest.raises(Conflict, match="cannot"):
            next_status(known, kind)


def test_every_status_can_be_reached() -> None:
    assert set(TRANSITIONS.values()) == set(RemediationStatus)


def test_nothing_leaves_an_ended_remediation_but_a_rollback() -> None:
    leaving = {(status, kind) for status, kind in TRANSITIONS if status in ENDED}
    asked = ("rollbackRequested", "rollbackApproved", "rollbackRejected")
    assert leaving == {(status, kind) for status in UNDOABLE for kind in asked}
    begun = {kind for (status, kind), after in TRANSITIONS.items() if status in ENDED and after != status}
    assert begun == {"rollbackApproved"}


def test_nothing_is_applied_that_was_not_approved() -> None:
    applying, approved = RemediationStatus.APPLYING, RemediationStatus.APPROVED
    into = {status for (status, _), after in TRANSITIONS.items() if after == applying and status != after}
    assert into == {approved}
    asked = {status for (status, kind) in TRANSITIONS if kind == "remediationApproved"}
    assert asked == {RemediationStatus.AWAITING_APPROVAL}


@pytest.mark.parametrize(
    ("status", "first", "step"),
    [
        (RemediationStatus.REQUESTED, None, "plan"),
        (RemediationStatus.PLANNING, None, "plan"),
        (RemediationStatus.AWAITING_APPROVAL, ItemOutcome.PENDING, "wait"),
        (RemediationStatus.APPROVED, ItemOutcome.PENDING, "execute"),
        (RemediationStatus.APPLYING, ItemOutcome.APPLIED, "execute"),
        (RemediationStatus.APPLYING, None, "finish"),
        (RemediationStatus.CANCELLING, ItemOutcome.APPLIED, "execute"),
        (RemediationStatus.CANCELLING, None, "finish"),
        (RemediationStatus.ROLLING_BACK, ItemOutcome.DONE, "execute"),
        (RemediationStatus.ROLLING_BACK, None, "finish"),
        *((status, ItemOutcome.PENDING, "end") for status in sorted(ENDED)),
    ],
)
def test_the_next_step(status: RemediationStatus, first: ItemOutcome | None, step: str) -> None:
    assert next_step(remediation(status), item(first) if first else None, AT).do == step


def test_while_all_that_is_left_waits_so_does_the_remediation_until_somebody_cancels() -> None:
    first = item(ItemOutcome.APPLYING, waiting_until=LATER)
    assert next_step(remediation(RemediationStatus.APPLYING), first, AT) == ("wait", LATER)
    assert next_step(remediation(RemediationStatus.APPLYING), first, LATER).do == "execute"
    assert next_step(remediation(RemediationStatus.CANCELLING), first, AT).do == "execute"


def test_a_plan_that_waits_is_not_made_before_its_time() -> None:
    known = remediation(RemediationStatus.PLANNING, waiting_until=LATER)
    assert next_step(known, None, AT) == ("wait", LATER)
    assert next_step(known, None, LATER).do == "plan"


@pytest.mark.parametrize(
    ("status", "outcomes", "undoable", "expected"),
    [
        (RemediationStatus.APPLYING, (ItemOutcome.DONE, ItemOutcome.SKIPPED), 1, "remediationSucceeded"),
        (RemediationStatus.APPLYING, (ItemOutcome.DONE, ItemOutcome.FAILED), 2, "remediationPartlySucceeded"),
        (RemediationStatus.APPLYING, (ItemOutcome.ROLLED_BACK, ItemOutcome.UNKNOWN), 1, "remediationFailed"),
        (RemediationStatus.PLANNING, (ItemOutcome.SKIPPED,), 0, "remediationSucceeded"),
        (RemediationStatus.PLANNING, (ItemOutcome.REFUSED,), 0, "remediationFailed"),
        (RemediationStatus.CANCELLING, (ItemOutcome.DONE, ItemOutcome.PENDING), 1, "remediationCancelled"),
        (RemediationStatus.ROLLING_BACK, (ItemOutcome.ROLLED_BACK, ItemOutcome.REFUSED), 0, "remediationRolledBack"),
        (RemediationStatus.ROLLING_BACK, (ItemOutcome.ROLLED_BACK, ItemOutcome.DONE), 1, "remediationPartlyRolledBack"),
    ],
)
def test_how_it_ends(
    status: RemediationStatus, outcomes: tuple[ItemOutcome, ...], undoable: int, expected: str
) -> None:
    assert ending(remediation(status), dict.fromkeys(outcomes, 1), undoable)().type == expected


def test_what_the_plan_refuses_to_fix_makes_it_a_part_of_a_success() -> None:
    known = remediation(RemediationStatus.APPLYING, refused_count=1)
    assert ending(known, {ItemOutcome.DONE: 1}, 1)().type == "remediationPartlySucceeded"


def test_batches_of_a_plan_add_up() -> None:
    known = remediation(RemediationStatus.PLANNING)
    batch = {"counts": {"pending": 2, "refused": 1}, "finding_count": 4, "refused_count": 1, "position": "b"}
    for first in (1, 4):
        known = apply(known, event("itemsPlanned", first=first, hashes=("x", "y", "z"), **batch))
    assert (known.item_count, known.refused_count, known.position) == (6, 2, "b")
    assert known.counts == {"pending": 4, "refused": 2}


def test_what_is_pending_when_it_ends_is_counted_as_skipped() -> None:
    known = remediation(RemediationStatus.CANCELLING, counts={"done": 1, "pending": 2})
    ended = apply(known, event("remediationCancelled", rollbackable_count=1))
    assert ended.counts == {"done": 1, "skipped": 2}
    assert ended.undoable
    assert ended.ended_at is not None


def test_a_rollback_is_counted_and_begins_the_remediation_again() -> None:
    known = remediation(RemediationStatus.PARTLY_SUCCEEDED, ended_at=AT, rollbackable_count=1, reason="1 of 2")
    asked = apply(known, event("rollbackRequested"))
    assert (asked.status, asked.rollbacks, asked.ended_at, asked.reason) == (known.status, 0, AT, "1 of 2")
    assert asked.awaits_rollback_approval
    back = apply(asked, event("rollbackApproved"))
    assert (back.status, back.rollbacks, back.ended_at) == (RemediationStatus.ROLLING_BACK, 1, None)
    assert not back.awaits_rollback_approval
    assert not back.undoable


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ada", "Ada", True),
        ("ada@contoso.com", " ADA@CONTOSO.COM ", True),
        ("ada", "\uff41\uff44\uff41", True),
        ("straße", "STRASSE", True),
        ("ada", "grace", False),
        ("ada", "ada2", False),
    ],
)
def test_a_person_is_the_same_however_spelled(one: str, other: str, *, same: bool) -> None:
    assert same_person(one, other) is same
