"""The plot of a remediation: do what its record says is next, until nothing is."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from durabletask.task import OrchestrationContext, RetryPolicy, Task, TaskFailedError, when_any

STEPS = 90
"""Activities before the plot begins a new history."""
BELL = "bell"
RETRY = RetryPolicy(first_retry_interval=timedelta(seconds=1), max_number_of_attempts=4, backoff_coefficient=3)

Given = dict[str, Any]
Plot = Generator[Task[Any], Any, Any]


def remediate(context: OrchestrationContext, given: Given) -> Plot:
    """One remediation: {"tenant", "id", "correlation"}.

    Every activity answers what is next, {"do", "item", "wait"}: a plot that was lost begins where the record is.

    1. look at the record
    2. plan
    3. wait for the bell, or until the plan has expired; look again
    4. for each item: apply, verify, and restore where the proof fails; a step that keeps failing is given up
    5. finish
    """
    bell: Task[Any] | None = None
    ahead = yield _activity(context, "look", given)
    for _ in range(STEPS):
        if ahead["do"] == "end":
            return None
        if ahead["do"] == "wait":
            bell = bell or context.wait_for_external_event(BELL)
            rung = yield from _rung(context, bell, ahead["wait"])
            bell = None if rung else bell
            ahead = yield _activity(context, "look", given)
            continue
        if ahead["wait"]:
            yield context.create_timer(timedelta(seconds=ahead["wait"]))
        ahead = yield from _done(context, {**given, "item": ahead["item"]}, ahead["do"])
    return context.continue_as_new(given, save_events=True)


def _rung(context: OrchestrationContext, bell: Task[Any], seconds: float) -> Plot:
    """Wait for the bell, at most so long; whether it rang."""
    timer = context.create_timer(timedelta(seconds=seconds))
    first = yield when_any([bell, timer])
    if first is bell:
        timer.cancel()
    return first is bell


def _done(context: OrchestrationContext, given: Given, step: str) -> Plot:
    """Do a step; one that keeps failing is recorded as given up, so that the rest can go on."""
    try:
        return (yield _activity(context, step, given))
    except TaskFailedError as error:
        return (yield _activity(context, "give_up", {**given, "reason": str(error)}))


def _activity(context: OrchestrationContext, step: str, given: Given) -> Task[Any]:
    return context.call_activity(f"remediation_{step}", input=given, retry_policy=RETRY, return_type=dict)
