"""The tables of a remediation, and its fold."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from shared.domain.error import Conflict
from shared.domain.event import Event
from shared.domain.plan import Item, OperationSummary, Outcome
from shared.domain.remediation import (
    ACTIVE,
    ITEM_TRANSITIONS,
    TRANSITIONS,
    UNDOABLE,
    Remediation,
    Status,
    apply,
    ending,
    next_status,
    next_step,
    same_person,
)

AT = datetime(2026, 3, 1, tzinfo=UTC)
EVENTS = sorted({event for _, event in TRANSITIONS})
ENDED = set(Status) - set(ACTIVE)
ONE = OperationSummary(method="PATCH", resource_id="/r", api_version="1")


def remediation(status: Status, *outcomes: Outcome, **more: Any) -> Remediation:
    items = tuple(
        Item(number=at, resource_id=f"/r{at}", findings=(f"f{at}",), outcome=outcome, operations=(ONE,), trying=0)
        for at, outcome in enumerate(outcomes, start=1)
    )
    return Remediation(
        id="1", status=status, requester="ada", findings=(), items=items, requested_at=AT, changed_at=AT, **more
    )


def event(kind: str, sequence: int = 1, actor: str = "ada", **data: Any) -> Event:
    at = AT + timedelta(minutes=sequence)
    return Event(stream="remediation:1", sequence=sequence, type=kind, at=at, actor=actor, correlation="c", data=data)


@pytest.mark.parametrize(("status", "kind"), list(product((None, *Status), EVENTS)))
def test_a_move_is_allowed_exactly_where_the_table_says(status: Status | None, kind: str) -> None:
    known = remediation(status) if status else None
    if (status, kind) in TRANSITIONS:
        assert next_status(known, kind) == TRANSITIONS[status, kind]
    else:
        with pytest.raises(Conflict, match=kind):
            next_status(known, kind)


def test_every_status_can_be_reached() -> None:
    assert set(TRANSITIONS.values()) == set(Status)


def test_nothing_leaves_an_ended_remediation_but_a_rollback() -> None:
    leaving = {(status, kind) for status, kind in TRANSITIONS if status in ENDED}
    assert leaving == {(status, "rollbackRequested") for status in UNDOABLE}


def test_nothing_is_written_that_was_not_approved() -> None:
    into = {status for (status, _), after in TRANSITIONS.items() if after == Status.APPLYING and status != after}
    assert into == {Status.APPROVED}
    assert {status for (status, kind) in TRANSITIONS if kind == "itemApplying"} == {Status.APPLYING, Status.CANCELLING}
    assert {status for (status, kind) in TRANSITIONS if kind == "remediationApproved"} == {Status.AWAITING_APPROVAL}


@pytest.mark.parametrize(
    ("status", "outcomes", "step"),
    [
        (Status.REQUESTED, (), ("plan", None)),
        (Status.PLANNING, (), ("plan", None)),
        (Status.AWAITING_APPROVAL, (Outcome.PENDING,), ("wait", None)),
        (Status.APPROVED, (Outcome.REFUSED, Outcome.PENDING), ("apply", 2)),
        (Status.APPLYING, (Outcome.DONE, Outcome.PENDING, Outcome.PENDING), ("apply", 2)),
        (Status.APPLYING, (Outcome.PENDING, Outcome.APPLYING), ("apply", 2)),
        (Status.APPLYING, (Outcome.APPLIED, Outcome.PENDING), ("verify", 1)),
        (Status.APPLYING, (Outcome.ROLLING_BACK, Outcome.PENDING), ("restore", 1)),
        (Status.APPLYING, (Outcome.DONE, Outcome.FAILED), ("finish", None)),
        (Status.CANCELLING, (Outcome.APPLIED, Outcome.PENDING), ("verify", 1)),
        (Status.CANCELLING, (Outcome.DONE, Outcome.PENDING), ("finish", None)),
        (Status.ROLLING_BACK, (Outcome.SKIPPED, Outcome.ROLLING_BACK), ("restore", 2)),
        (Status.ROLLING_BACK, (Outcome.ROLLED_BACK,), ("finish", None)),
        *((status, (Outcome.PENDING,), ("end", None)) for status in sorted(ENDED)),
    ],
)
def test_the_next_step(status: Status, outcomes: tuple[Outcome, ...], step: tuple[str, int | None]) -> None:
    assert next_step(remediation(status, *outcomes))[:2] == step


@pytest.mark.parametrize(
    ("status", "outcomes", "expected"),
    [
        (Status.APPLYING, (Outcome.DONE, Outcome.SKIPPED), "remediationSucceeded"),
        (Status.APPLYING, (Outcome.DONE, Outcome.FAILED), "remediationPartlySucceeded"),
        (Status.APPLYING, (Outcome.ROLLED_BACK, Outcome.UNKNOWN), "remediationFailed"),
        (Status.AWAITING_APPROVAL, (Outcome.SKIPPED,), "remediationSucceeded"),
        (Status.AWAITING_APPROVAL, (Outcome.REFUSED,), "remediationFailed"),
        (Status.CANCELLING, (Outcome.DONE, Outcome.PENDING), "remediationCancelled"),
        (Status.ROLLING_BACK, (Outcome.ROLLED_BACK, Outcome.REFUSED), "remediationRolledBack"),
        (Status.ROLLING_BACK, (Outcome.ROLLED_BACK, Outcome.DONE), "remediationPartlyRolledBack"),
    ],
)
def test_how_it_ends(status: Status, outcomes: tuple[Outcome, ...], expected: str) -> None:
    assert ending(remediation(status, *outcomes)) == expected


@pytest.mark.parametrize(
    ("outcome", "kind"), list(product(Outcome, ("itemApplying", "itemRollingBack", "itemDelayed")))
)
def test_an_item_moves_only_as_its_table_says(outcome: Outcome, kind: str) -> None:
    status = Status.ROLLING_BACK if outcome == Outcome.ROLLING_BACK and kind == "itemDelayed" else Status.APPLYING
    moved = event(kind, item=1, operation=0, reason="because")
    if (outcome, kind) in ITEM_TRANSITIONS:
        after = apply(remediation(status, outcome), moved).items[0].outcome
        assert after in ITEM_TRANSITIONS[outcome, kind]
    else:
        with pytest.raises(Conflict, match="item 1"):
            apply(remediation(status, outcome), moved)


@pytest.mark.parametrize(("before", "after"), list(product(Outcome, Outcome)))
def test_an_item_ends_only_as_its_table_says(before: Outcome, after: Outcome) -> None:
    ended = event("itemEnded", item=1, outcome=after, reason="because")
    if after in ITEM_TRANSITIONS.get((before, "itemEnded"), ()):
        assert apply(remediation(Status.APPLYING, before), ended).items[0].outcome == after
    else:
        with pytest.raises(Conflict, match="item 1"):
            apply(remediation(Status.APPLYING, before), ended)


def test_an_item_of_two_operations_is_applied_after_both() -> None:
    known = remediation(Status.APPLYING, Outcome.APPLYING)
    two = known.items[0].model_copy(update={"operations": (ONE, ONE)})
    known = known.model_copy(update={"items": (two,)})
    half = apply(known, event("itemApplied", item=1, fingerprint="a"))
    assert (half.items[0].outcome, half.items[0].applied) == (Outcome.APPLYING, ("a",))
    whole = apply(half, event("itemApplied", item=1, fingerprint=None))
    assert (whole.items[0].outcome, whole.items[0].applied) == (Outcome.APPLIED, ("a", None))


def test_what_is_pending_when_it_ends_is_skipped() -> None:
    ended = apply(remediation(Status.CANCELLING, Outcome.DONE, Outcome.PENDING), event("remediationCancelled"))
    assert [item.outcome for item in ended.items] == [Outcome.DONE, Outcome.SKIPPED]
    assert ended.ended_at is not None


def test_a_rollback_takes_what_may_have_been_written() -> None:
    outcomes = (Outcome.DONE, Outcome.UNKNOWN, Outcome.FAILED, Outcome.REFUSED, Outcome.ROLLED_BACK, Outcome.SKIPPED)
    back = apply(remediation(Status.PARTLY_SUCCEEDED, *outcomes), event("rollbackRequested"))
    assert [item.outcome for item in back.items] == [Outcome.ROLLING_BACK] * 3 + list(outcomes[3:])
    assert [item.settled for item in back.items[:3]] == list(outcomes[:3])


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
