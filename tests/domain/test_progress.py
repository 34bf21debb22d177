"""When a workflow is stuck, and what is done about it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.progress import (
    ENDING_DURATION,
    RESTART_ATTEMPTS,
    STEP_DURATION,
    STUCK_AFTER,
    WorkflowAction,
    WorkflowRecord,
    next_action,
    stuck_reason,
)

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MOMENT = timedelta(seconds=1)


def record(**more: Any) -> WorkflowRecord:
    return WorkflowRecord(changed_at=AT, **more)


def after(known: WorkflowRecord, passed: timedelta, *, finished: bool = False) -> WorkflowAction:
    return next_action(known, finished=finished, now=AT + passed)


def test_what_went_on_lately_is_left_alone() -> None:
    assert after(record(), STUCK_AFTER - MOMENT) == WorkflowAction.LEAVE


def test_what_did_nothing_for_three_times_the_longest_step_is_started_again() -> None:
    assert STUCK_AFTER == 3 * STEP_DURATION
    assert after(record(), STUCK_AFTER) == WorkflowAction.RESTART


@pytest.mark.parametrize("minutes", [0, 15, 30, 44, 59])
def test_a_wait_of_45_minutes_is_never_disturbed(minutes: int) -> None:
    waiting = record(waiting_until=AT + timedelta(minutes=45), reason="asked to wait 2700 s")
    assert after(waiting, timedelta(minutes=minutes)) == WorkflowAction.LEAVE


def test_a_wait_that_is_long_over_is_stuck() -> None:
    waiting = record(waiting_until=AT + timedelta(minutes=45))
    assert after(waiting, timedelta(minutes=45) + STUCK_AFTER) == WorkflowAction.RESTART


def test_it_is_started_again_once_a_period() -> None:
    restarted = record(restarts=1, restarted_at=AT + STUCK_AFTER)
    assert after(restarted, 2 * STUCK_AFTER - MOMENT) == WorkflowAction.LEAVE
    assert after(restarted, 2 * STUCK_AFTER) == WorkflowAction.RESTART


def test_after_five_restarts_it_is_given_up() -> None:
    assert after(record(restarts=RESTART_ATTEMPTS, restarted_at=AT), STUCK_AFTER) == WorkflowAction.GIVE_UP
    assert RESTART_ATTEMPTS == 5
    told = stuck_reason(record(restarts=RESTART_ATTEMPTS))
    assert told == "nothing has happened since 2026-03-01 12:00 UTC, although its workflow was started again 5 times"


def test_what_is_finished_is_ended_soon() -> None:
    assert after(record(), ENDING_DURATION - MOMENT, finished=True) == WorkflowAction.LEAVE
    assert after(record(), ENDING_DURATION, finished=True) == WorkflowAction.FINISH


def test_what_cannot_be_ended_is_given_up_after_as_many_tries() -> None:
    tried = record(restarts=RESTART_ATTEMPTS - 1, restarted_at=AT + ENDING_DURATION)
    assert after(tried, 2 * ENDING_DURATION, finished=True) == WorkflowAction.FINISH
    tried = record(restarts=RESTART_ATTEMPTS, restarted_at=AT + ENDING_DURATION)
    assert after(tried, 2 * ENDING_DURATION - MOMENT, finished=True) == WorkflowAction.LEAVE
    assert after(tried, 2 * ENDING_DURATION, finished=True) == WorkflowAction.GIVE_UP
