"""The plots of a scan: fan out over subscriptions, go on step by step, finish."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from durabletask.task import OrchestrationContext, RetryPolicy, Task, TaskFailedError, when_any

PARALLEL = 8
MOST = 90
"""Subscriptions before a scan's plot begins a new history."""
GLANCE = 60.0
"""Seconds of a long wait before looking whether the scan was cancelled."""
PATIENCE = 20
"""Waits for a cloud that does not even tell its subscriptions, before the scan fails."""
STEPS = 50
"""Activities before a subscription's plot begins a new history."""

RETRY = RetryPolicy(first_retry_interval=timedelta(seconds=2), max_number_of_attempts=4, backoff_coefficient=3)

Given = dict[str, Any]
Plot = Generator[Task[Any], Any, Any]


def scan(context: OrchestrationContext, given: Given) -> Plot:
    """One scan: {"tenant", "id", "correlation"}.

    1. prepare: what is there to scan, and not done yet? Wait where the cloud asks to
    2. each subscription in a plot of its own, eight at a time
    3. finish: summary, trend, end
    A scan that cannot be prepared or finished fails, with its reason.
    """
    try:
        prepared = yield context.call_activity("scan_prepare", input=given, retry_policy=RETRY, return_type=dict)
        if prepared["wait"]:
            tries = given.get("tries", 0) + 1
            if tries > PATIENCE:
                return (yield _fail(context, given, prepared["reason"]))
            yield context.create_timer(timedelta(seconds=prepared["wait"]))
            return context.continue_as_new({**given, "tries": tries})
        todo = prepared["subscriptions"]
        yield from _all(context, given, todo[:MOST])
        if todo[MOST:]:
            return context.continue_as_new(given)
        return (yield context.call_activity("scan_finish", input=given, retry_policy=RETRY))
    except TaskFailedError as error:
        return (yield _fail(context, given, str(error)))


def _fail(context: OrchestrationContext, given: Given, reason: str) -> Task[Any]:
    return context.call_activity("scan_fail", input={**given, "reason": reason}, retry_policy=RETRY)


def _all(context: OrchestrationContext, given: Given, subscriptions: list[str]) -> Plot:
    """Run the plots of all subscriptions, so many at a time that a slow one holds up no other."""
    waiting = list(subscriptions)
    running: list[Task[Any]] = []
    while waiting or running:
        while waiting and len(running) < PARALLEL:
            asked = {**given, "subscription": waiting.pop(0), "failures": 0}
            running.append(context.call_sub_orchestrator("scan_subscription_workflow", input=asked))
        ended = yield when_any(running)
        running.remove(ended)


def subscription(context: OrchestrationContext, given: Given) -> Plot:
    """One subscription of a scan: step after step, waiting as long as the cloud asks in between.

    A step that keeps failing ends this subscription with its reason; the others go on.
    """
    failures = given["failures"]
    for _ in range(STEPS):
        asked = {**given, "failures": failures}
        try:
            step = yield context.call_activity("scan_step", input=asked, retry_policy=RETRY, return_type=dict)
        except TaskFailedError as error:
            abandoned = {**given, "reason": str(error)}
            return (yield context.call_activity("scan_abandon", input=abandoned, retry_policy=RETRY))
        if step["state"] == "done":
            return None
        failures = failures + 1 if step["state"] == "wait" else 0
        yield from _wait(context, given, step["wait"])
    return context.continue_as_new({**given, "failures": failures})


def _wait(context: OrchestrationContext, given: Given, seconds: float) -> Plot:
    """Wait so many seconds, but no longer than the scan is to go on."""
    while seconds > 0:
        yield context.create_timer(timedelta(seconds=min(seconds, GLANCE)))
        seconds -= GLANCE
        if seconds > 0 and not (yield context.call_activity("scan_runs", input=given, retry_policy=RETRY)):
            return
