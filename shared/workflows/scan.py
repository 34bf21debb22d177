"""The plots of a scan: fan out over subscriptions, go on step by step, finish."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from durabletask.task import OrchestrationContext, RetryPolicy, Task, TaskFailedError, when_all

PARALLEL = 8
STEPS = 50
"""Activities before a subscription's plot begins a new history."""

RETRY = RetryPolicy(first_retry_interval=timedelta(seconds=2), max_number_of_attempts=4, backoff_coefficient=3)

Given = dict[str, Any]
Plot = Generator[Task[Any], Any, Any]


def scan(context: OrchestrationContext, given: Given) -> Plot:
    """One scan: {"tenant", "id", "correlation"}.

    1. prepare: what is there to scan, and not done yet? Wait where the cloud asks to
    2. eight subscriptions at a time, each in a plot of its own
    3. finish: summary, trend, end
    """
    prepared = yield context.call_activity("scan_prepare", input=given, retry_policy=RETRY)
    if prepared["wait"]:
        yield context.create_timer(timedelta(seconds=prepared["wait"]))
        return context.continue_as_new(given)
    first, rest = prepared["subscriptions"][:PARALLEL], prepared["subscriptions"][PARALLEL:]
    yield when_all([_begin(context, given, each) for each in first])
    if rest:
        return context.continue_as_new(given)
    return (yield context.call_activity("scan_finish", input=given, retry_policy=RETRY))


def _begin(context: OrchestrationContext, given: Given, subscription: str) -> Task[Any]:
    asked = {**given, "subscription": subscription, "failures": 0}
    return context.call_sub_orchestrator("scan_subscription_workflow", input=asked)


def subscription(context: OrchestrationContext, given: Given) -> Plot:
    """One subscription of a scan: step after step, waiting as long as the cloud asks in between.

    A step that keeps failing ends this subscription with its reason; the others go on.
    """
    failures = given["failures"]
    for _ in range(STEPS):
        asked = {**given, "failures": failures}
        try:
            step = yield context.call_activity("scan_step", input=asked, retry_policy=RETRY)
        except TaskFailedError as error:
            abandoned = {**given, "reason": str(error)}
            return (yield context.call_activity("scan_abandon", input=abandoned, retry_policy=RETRY))
        if step["state"] == "done":
            return None
        failures = failures + 1 if step["state"] == "wait" else 0
        if step["wait"]:
            yield context.create_timer(timedelta(seconds=step["wait"]))
    return context.continue_as_new({**given, "failures": failures})
