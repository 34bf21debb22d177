"""What workflows share: waiting for a decision within a time limit, their version, and why a step failed."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from durabletask.task import OrchestrationContext, Task, TaskFailedError, when_any

DECISION_EVENT = "decision"
"""The external event after which a workflow reads its record again."""

OrchestratorInput = dict[str, Any]
Orchestrator = Generator[Task[Any], Any, Any]


def wait_for_decision(context: OrchestrationContext, decision: Task[Any], seconds: float) -> Orchestrator:
    """Wait for a decision for so many seconds at most, and return whether it came."""
    timer = context.create_timer(timedelta(seconds=seconds))
    first = yield when_any([decision, timer])
    if first is decision:
        timer.cancel()
    return first is decision


def started_at_version(context: OrchestrationContext, version: tuple[int, int]) -> bool:
    """Return whether a workflow began under this version or a later one; one without a version is older than all."""
    own = tuple(int(part) for part in (context.version or "0.0").split("."))
    return own >= version


def failure_reason(error: TaskFailedError) -> str:
    """Return why an activity failed, in its own words: the engine's name and number for it say nothing to anybody."""
    return error.details.message or error.details.error_type
