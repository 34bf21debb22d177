"""The orchestrator of a scan: do what its record says is next, several subscriptions at a time, until nothing is.

A subscription whose cloud asks to wait gives its place to the next one: only a timer waits. A decision ends all
waiting. No orchestration is called by another, so that a wait or a cancellation has one place to be seen.
"""

from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from durabletask.task import CancellableTask, OrchestrationContext, RetryPolicy, Task, TaskFailedError, when_any

from shared.workflows.wait import (
    DECISION_EVENT,
    Orchestrator,
    OrchestratorInput,
    failure_reason,
    started_at_version,
    wait_for_decision,
)

PARALLEL_SUBSCRIPTIONS = 4
"""Subscriptions at work at once: enough for the quota of Resource Graph, and it leaves threads to end a scan with."""
SLOW_SECONDS = 2.0
"""How long the cloud may take to list its subscriptions before the scan records that it is slow."""
HISTORY_ACTIVITIES = 90
"""Activities before the orchestrator begins a new history."""

RETRY_POLICY = RetryPolicy(first_retry_interval=timedelta(seconds=2), max_number_of_attempts=4, backoff_coefficient=3)


def scan(context: OrchestrationContext, given: OrchestratorInput) -> Orchestrator:
    """Run one scan, which `given` names: {"tenant", "id", "correlation"}.

    1. look at the record; prepare: what is there to scan? Wait where the cloud asks to, and not for a slow one once
       a decision has come
    2. the subscriptions, step by step
    3. finish: summary, trend, end
    A scan that cannot be prepared or finished fails, with its reason.
    """
    decision = context.wait_for_external_event(DECISION_EVENT)
    left = HISTORY_ACTIVITIES
    interrupts_preparation = started_at_version(context, (1, 1))
    try:
        ahead = yield _activity(context, "look", given)
        while left > 0:
            left -= 1
            if ahead["do"] == "end":
                return None
            if ahead["do"] == "finish" or (ahead["do"] == "prepare" and not interrupts_preparation):
                ahead = yield _activity(context, ahead["do"], given)
                continue
            if ahead["do"] == "prepare":
                decided = yield from _prepare(context, given, decision)
            elif ahead["do"] == "wait":
                decided = yield from wait_for_decision(context, decision, ahead["wait"])
            else:
                steps = _SubscriptionSteps(context, given, ahead)
                decided = yield from steps.run(decision, left)
                left -= steps.done
            # An event is consumed once: after a decision, the next one is waited for.
            decision = context.wait_for_external_event(DECISION_EVENT) if decided else decision
            ahead = yield _activity(context, "look", given)
    except TaskFailedError as error:
        yield _activity(context, "fail", {**given, "reason": failure_reason(error)})
        return None
    return context.continue_as_new(given, save_events=True)


def _prepare(context: OrchestrationContext, given: OrchestratorInput, decision: Task[Any]) -> Orchestrator:
    """Find out what there is to scan; return whether a decision came before that was known.

    An activity cannot be interrupted. One that a decision overtook finds the record gone on, and changes nothing.
    """
    prepared = _activity(context, "prepare", given)
    slow = context.create_timer(timedelta(seconds=SLOW_SECONDS))
    first = yield when_any([decision, prepared, slow])
    if first is slow:
        yield _activity(context, "note_slow", given)
        first = yield when_any([decision, prepared])
    else:
        slow.cancel()
    if first is prepared:
        prepared.get_result()  # raises where the activity failed
    return first is decision


class _SubscriptionSteps:
    """The subscriptions of a scan, as many at a time as there are places; those that wait have none."""

    def __init__(self, context: OrchestrationContext, given: OrchestratorInput, ahead: Mapping[str, Any]) -> None:
        self.done = 0
        self._context = context
        self._given = given
        self._more = ahead["more"]
        self._ready: deque[str] = deque()
        self._running: dict[Task[Any], tuple[str, str]] = {}
        self._waiting: dict[CancellableTask[Any], str] = {}
        for subscription, seconds in ahead["subscriptions"].items():
            self._go_on(subscription, seconds)

    def run(self, decision: Task[Any], most: int) -> Orchestrator:
        """Step until nothing is left, others are ready, or `most` steps were done; return whether a decision came."""
        while True:
            while self._ready and len(self._running) < PARALLEL_SUBSCRIPTIONS and self.done < most:
                self._begin("step", self._ready.popleft())
            waited_for = [decision, *self._running, *self._waiting]
            if not self._running and (self.done >= most or self._more or not self._waiting):
                break
            first = yield when_any(waited_for)
            if first is decision:
                break
            if first in self._waiting:
                self._ready.append(self._waiting.pop(first))
            else:
                self._end(first, *self._running.pop(first))
        # A timer that is left running would keep the instance from completing until it fires.
        for timer in self._waiting:
            timer.cancel()
        return decision.is_complete

    def _begin(self, step: str, subscription: str, **more: str) -> None:
        task = _activity(self._context, step, {**self._given, "subscription": subscription, **more})
        self._running[task] = (step, subscription)
        self.done += 1

    def _end(self, task: Task[Any], name: str, subscription: str) -> None:
        """Go on with a subscription; a step that keeps failing ends it with its reason, and the others go on.

        When not even that can be recorded, the scan fails.
        """
        try:
            step = task.get_result()
        except TaskFailedError as error:
            if name == "abandon":
                raise
            self._begin("abandon", subscription, reason=failure_reason(error))
            return
        if step["state"] != "done":
            self._go_on(subscription, step["wait"])

    def _go_on(self, subscription: str, seconds: float) -> None:
        if seconds > 0:
            self._waiting[self._context.create_timer(timedelta(seconds=seconds))] = subscription
        else:
            self._ready.append(subscription)


def _activity(context: OrchestrationContext, step: str, given: OrchestratorInput) -> Task[Any]:
    return context.call_activity(f"scan_{step}", input=given, retry_policy=RETRY_POLICY, return_type=dict)
