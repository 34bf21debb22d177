"""The table of an item of a remediation, and the item after each event."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from pydantic import TypeAdapter

from shared.domain.error import Conflict
from shared.domain.event import Recorded
from shared.domain.item import UNDOABLE, ItemOutcome, RemediationItem, item_id
from shared.domain.item_event import ITEM_TRANSITIONS, ItemEvent, apply
from shared.domain.plan import OperationSummary

AT = datetime(2026, 3, 1, tzinfo=UTC)
ONE = OperationSummary(method="PATCH", resource_id="/r", api_version="1")
PLANNED = {"remediation": "1", "number": 1, "hash": "h", "resource_id": "/r", "matched": 1}
DATA: dict[str, dict[str, Any]] = {
    "itemApplying": {"operation": 0},
    "itemApplied": {"fingerprint": "a"},
    "itemDelayed": {"until": AT, "reason": "because"},
    "itemRollingBack": {"reason": "because"},
}


def item(outcome: ItemOutcome, **more: Any) -> RemediationItem:
    return RemediationItem(
        **PLANNED, id=item_id("1", 1), outcome=outcome, operations=(ONE,), current_operation=0, **more
    )


def event(kind: str, sequence: int = 1, **data: Any) -> Recorded[ItemEvent]:
    told: ItemEvent = TypeAdapter(ItemEvent).validate_python({"type": kind, **data})
    at = AT + timedelta(minutes=sequence)
    return Recorded(
        stream="remediation-item:1-000001", sequence=sequence, at=at, actor="a", correlation="c", event=told
    )


@pytest.mark.parametrize(("outcome", "kind"), list(product(ItemOutcome, DATA)))
def test_an_item_moves_only_as_its_table_says(outcome: ItemOutcome, kind: str) -> None:
    if (outcome, kind) in ITEM_TRANSITIONS:
        assert apply(item(outcome), event(kind, **DATA[kind])).outcome in ITEM_TRANSITIONS[outcome, kind]
    else:
        with pytest.raises(Conflict, match="item 1"):
            apply(item(outcome), event(kind, **DATA[kind]))


@pytest.mark.parametrize(("before", "after"), list(product(ItemOutcome, ItemOutcome)))
def test_an_item_ends_only_as_its_table_says(before: ItemOutcome, after: ItemOutcome) -> None:
    ended = event("itemEnded", outcome=after, reason="because")
    if after in ITEM_TRANSITIONS.get((before, "itemEnded"), ()):
        assert apply(item(before), ended).outcome == after
    else:
        with pytest.raises(Conflict, match="item 1"):
            apply(item(before), ended)


@pytest.mark.parametrize("kind", [*DATA, "itemEnded"])
def test_nothing_happens_to_an_item_before_it_is_planned(kind: str) -> None:
    with pytest.raises(Conflict, match="not planned"):
        apply(None, event(kind, **{**DATA, "itemEnded": {"outcome": "done"}}[kind]))


@pytest.mark.parametrize(
    ("more", "outcome", "reason"),
    [
        ({"operations": (ONE,)}, ItemOutcome.PENDING, ""),
        ({"refusals": ({"finding": "f", "reason": "no"},)}, ItemOutcome.REFUSED, "no"),
        ({"skipped": "it complies"}, ItemOutcome.SKIPPED, "it complies"),
    ],
)
def test_how_an_item_begins(more: dict[str, Any], outcome: ItemOutcome, reason: str) -> None:
    made = apply(None, event("itemPlanned", **PLANNED, **more))
    assert (made.id, made.outcome, made.reason) == ("1-000001", outcome, reason)


def test_an_item_of_two_operations_is_applied_after_both() -> None:
    known = item(ItemOutcome.APPLYING).model_copy(update={"operations": (ONE, ONE)})
    half = apply(known, event("itemApplied", fingerprint="a"))
    assert (half.outcome, half.applied) == (ItemOutcome.APPLYING, ("a",))
    whole = apply(half, event("itemApplied", fingerprint=None))
    assert (whole.outcome, whole.applied) == (ItemOutcome.APPLIED, ("a", None))


def test_what_is_left_is_ordered_begun_fresh_then_waiting_the_soonest_first() -> None:
    until = AT + timedelta(hours=1)
    begun = apply(item(ItemOutcome.PENDING), event("itemApplying", operation=0))
    fresh = apply(None, event("itemPlanned", **PLANNED, operations=(ONE,)))
    soon = apply(begun, event("itemDelayed", until=AT, reason="because"))
    late = apply(begun, event("itemDelayed", until=until, reason="because"))
    assert begun.due < fresh.due < soon.due < late.due
    assert apply(late, event("itemApplied", fingerprint="a")).due == begun.due


@pytest.mark.parametrize("outcome", UNDOABLE)
def test_a_rollback_that_somebody_asks_for_remembers_how_the_item_stood(outcome: ItemOutcome) -> None:
    back = apply(item(outcome, changed=True), event("itemRollingBack", rollback=2))
    assert (back.outcome, back.outcome_before_rollback, back.rollback) == (ItemOutcome.ROLLING_BACK, outcome, 2)


def test_a_delay_counts_from_its_first_event_until_the_item_goes_on() -> None:
    known = apply(item(ItemOutcome.APPLYING), event("itemDelayed", 1, until=AT, reason="because"))
    again = apply(known, event("itemDelayed", 2, until=AT, reason="because"))
    assert again.delayed_at == known.delayed_at == AT + timedelta(minutes=1)
    assert apply(again, event("itemApplied", 3, fingerprint="a")).delayed_at is None
