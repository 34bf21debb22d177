"""The orchestrator of a remediation: do what its record says is next, until nothing is."""

from datetime import timedelta
from typing import Any

from durabletask.task import OrchestrationContext, RetryPolicy, Task, TaskFailedError

from shared.workflows.wait import DECISION_EVENT, Orchestrator, OrchestratorInput, failure_reason, wait_for_decision

HISTORY_ACTIVITIES = 90
"""Activities before the orchestrator begins a new history."""
RETRY_POLICY = RetryPolicy(first_retry_interval=timedelta(seconds=1), max_number_of_attempts=4, backoff_coefficient=3)


def remediate(context: OrchestrationContext, given: OrchestratorInput) -> Orchestrator:
    """Run one remediation, which `given` names: {"tenant", "id", "correlation"}.

    Every activity returns what is next, {"do", "wait"}: a lost orchestration begins where the record is.

    1. look at the record
    2. plan, some items at a time
    3. wait for the decision, until the plan has expired, or as long as the cloud asks; look again
    4. execute, some items at a time; what keeps failing is given up
    5. finish
    """
    decision: Task[Any] | None = None
    ahead = yield _activity(context, "look", given)
    for _ in range(HISTORY_ACTIVITIES):
        if ahead["do"] == "end":
            return None
        if ahead["do"] == "wait":
            decision = decision or context.wait_for_external_event(DECISION_EVENT)
            decided = yield from wait_for_decision(context, decision, ahead["wait"])
            decision = None if decided else decision
            ahead = yield _activity(context, "look", given)
            continue
        try:
            ahead = yield _activity(context, ahead["do"], given)
        except TaskFailedError as error:  # recorded as given up, so that the rest can go on
            ahead = yield _activity(context, "give_up", {**given, "reason": failure_reason(error)})
    # A history grows with every activity and is replayed for each: a long remediation goes on in a new one.
    return context.continue_as_new(given, save_events=True)


def _activity(context: OrchestrationContext, step: str, given: OrchestratorInput) -> Task[Any]:
    return context.call_activity(f"remediation_{step}", input=given, retry_policy=RETRY_POLICY, return_type=dict)
