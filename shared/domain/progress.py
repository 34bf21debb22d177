"""What every workflow's record says of its progress: what it waits for, and how often it was started again.

A workflow is stuck when nothing was recorded for three times the longest that a step may take, counted from the last
record or from the end of the wait that it told of, whichever is later. So one that waits as long as the cloud asks is
never stuck.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from shared.domain.event import Event
from shared.domain.model import Model

STEP_DURATION = timedelta(minutes=5)
"""The longest that a step may take: `functionTimeout` in host.json."""
STUCK_AFTER = 3 * STEP_DURATION
ENDING_DURATION = timedelta(minutes=1)
"""How long a workflow may take to begin its end once nothing else is left."""
RESTART_ATTEMPTS = 5


class Waiting(Model):
    """What may have to wait says until when, and why; None while it goes on."""

    waiting_until: AwareDatetime | None = Field(default=None, description="when it goes on; null while it is running")
    reason: str = Field(default="", description="why it waits, or the reason for its end")


class WorkflowRecord(Waiting):
    """A record that a workflow serves. Starting the workflow again is no progress of it."""

    changed_at: AwareDatetime
    restarts: int = Field(default=0, description="restarts of its workflow since its last progress")
    restarted_at: AwareDatetime | None = None


class WorkflowAction(StrEnum):
    """What is to be done about a workflow."""

    LEAVE = "leave"
    FINISH = "finish"
    RESTART = "restart"
    GIVE_UP = "giveUp"


def next_action(record: WorkflowRecord, *, finished: bool, now: datetime) -> WorkflowAction:
    """Return what to do about the workflow of a record that has not ended; `finished` when nothing but its end is left.

    Each try counts, whether to finish or to start again; after the last one it is given up.
    """
    # A restart has time to show an effect, and a wait that was told of is no standstill.
    last = max(filter(None, (record.changed_at, record.restarted_at, record.waiting_until)))
    if now < last + (ENDING_DURATION if finished else STUCK_AFTER):
        return WorkflowAction.LEAVE
    if record.restarts >= RESTART_ATTEMPTS:
        return WorkflowAction.GIVE_UP
    return WorkflowAction.FINISH if finished else WorkflowAction.RESTART


def stuck_reason(record: WorkflowRecord) -> str:
    """Return why a workflow is given up."""
    since = f"{record.changed_at:%Y-%m-%d %H:%M} UTC"
    return f"nothing has happened since {since}, although its workflow was started again {record.restarts} times"


class CancelRequested(Event):
    """Somebody asks for the work to stop."""

    type: Literal["cancelRequested"] = "cancelRequested"
    version: Literal[1] = 1


class WorkflowRestarted(Event):
    """The workflow of a record that did not go on was started again, for the so many-th time in a row."""

    type: Literal["workflowRestarted"] = "workflowRestarted"
    version: Literal[1] = 1
    reason: str
    attempt: int
