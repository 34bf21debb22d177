"""Microsoft's in-memory durable backend, corrected where it does less than Durable Functions documents.

It is made for short tests. Each override says what the library would do; docs/host.md has the documented behaviour.
"""

import sys
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import NamedTuple, override

import grpc  # type: ignore[import-untyped]  # it ships no types
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing import InMemoryOrchestrationBackend
from durabletask.testing.in_memory_backend import ActivityWorkItem, OrchestrationInstance

from local.host.alarm import Alarms
from local.host.setting import DurableTask

ENDED_INSTANCES = 5_000
"""Instances that have ended and can still be queried; without a limit they would fill the memory."""
_FOREVER_SECONDS = 10 * 365 * 86400.0  # threads cannot wait for much longer
_ENDED_STATUSES = (
    pb.ORCHESTRATION_STATUS_COMPLETED,
    pb.ORCHESTRATION_STATUS_FAILED,
    pb.ORCHESTRATION_STATUS_TERMINATED,
    pb.ORCHESTRATION_STATUS_CANCELED,
)
_ACTIVE_STATUSES = (pb.ORCHESTRATION_STATUS_PENDING, pb.ORCHESTRATION_STATUS_RUNNING, pb.ORCHESTRATION_STATUS_SUSPENDED)
_REPLACEABLE = {"NonRunningStates": _ENDED_STATUSES, "AnyState": (*_ENDED_STATUSES, *_ACTIVE_STATUSES)}


class Execution(NamedTuple):
    """One run of an instance: the same id started again, or continued as new, is another."""

    instance: str
    id: str


class Backend(InMemoryOrchestrationBackend):
    """Holds the instances of a task hub. `alarms` fires its timers."""

    def __init__(self, settings: DurableTask, alarms: Alarms) -> None:
        super().__init__(max_history_size=sys.maxsize)  # over its limit an instance would stay running for ever
        self._replaceable = _REPLACEABLE[settings.overridable_existing_instance_states]
        self._default_version = settings.default_version or ""
        self._alarms = alarms
        self._callers: defaultdict[str, list[tuple[Execution, int]]] = defaultdict(list)
        self._ended: deque[OrchestrationInstance] = deque()
        self._activities: dict[str, tuple[Execution, ActivityWorkItem]] = {}

    @override
    def StartInstance(
        self, request: pb.CreateInstanceRequest, context: grpc.ServicerContext
    ) -> pb.CreateInstanceResponse:
        """Start an instance, which may replace an ended one of its id; without a version it gets the app's."""
        if not request.orchestrationIdReusePolicy.replaceableStatus:
            request.orchestrationIdReusePolicy.replaceableStatus.extend(self._replaceable)
        if self._default_version and not request.version.value:
            request.version.value = self._default_version
        return super().StartInstance(request, context)

    @override
    def CompleteOrchestratorTask(
        self, request: pb.OrchestratorResponse, context: grpc.ServicerContext
    ) -> pb.CompleteTaskResponse:
        """Apply what an orchestrator decided. New work is handed out at once; the library would wait for 0.1 s."""
        response = super().CompleteOrchestratorTask(request, context)
        self._work_available.set()
        return response

    @override
    def CompleteActivityTask(
        self, request: pb.ActivityResponse, context: grpc.ServicerContext
    ) -> pb.CompleteTaskResponse:
        """Accept a result once, and only for the execution that asked; the library would give it to a later one."""
        with self._lock:
            execution, _ = self._activities.pop(request.completionToken, (None, None))
            if execution is None or self._running(execution) is None:
                return pb.CompleteTaskResponse()
            return super().CompleteActivityTask(request, context)

    @override
    def AbandonTaskActivityWorkItem(
        self, request: pb.AbandonActivityTaskRequest, context: grpc.ServicerContext
    ) -> pb.AbandonActivityTaskResponse:
        """Queue the activity again; the library would lose an abandoned one."""
        with self._lock:
            if request.completionToken in self._activities:
                self._activity_queue.append(self._activities[request.completionToken][1])
                self._work_available.set()
        return pb.AbandonActivityTaskResponse()

    @override
    def _enqueue_orchestration(self, instance_id: str) -> None:
        """Give every new execution an id; the library has none, and so cannot tell two of one instance apart."""
        instance = self._instances.get(instance_id)
        for event in instance.pending_events[:2] if instance else ():
            if (
                event.HasField("executionStarted")
                and not event.executionStarted.orchestrationInstance.executionId.value
            ):
                event.executionStarted.orchestrationInstance.executionId.value = uuid.uuid4().hex
        super()._enqueue_orchestration(instance_id)

    @override
    def _wait_for_state(
        self, instance_id: str, predicate: Callable[[OrchestrationInstance], bool], timeout: float | None
    ) -> OrchestrationInstance | None:
        """Wait as long as the caller does; the library would take no limit for 30 seconds."""
        seconds = _FOREVER_SECONDS if timeout is None else min(timeout, _FOREVER_SECONDS)
        return super()._wait_for_state(instance_id, predicate, seconds)

    @override
    def _process_schedule_task_action(self, instance: OrchestrationInstance, action: pb.OrchestratorAction) -> None:
        """Remember which execution asked for an activity, under the token that completes it."""
        super()._process_schedule_task_action(instance, action)
        item = self._activity_queue[-1]
        item.completion_token = self._next_completion_token
        self._next_completion_token += 1
        self._activities[str(item.completion_token)] = (_execution(instance), item)

    @override
    def _process_create_timer_action(self, instance: OrchestrationInstance, action: pb.OrchestratorAction) -> None:
        """Fire a timer for its execution only; the library would hold a thread for it, and wake a later execution."""
        fire_at = action.createTimer.fireAt.ToDatetime(tzinfo=UTC)
        instance.history.append(helpers.new_timer_created_event(action.id, fire_at))
        fired = helpers.new_timer_fired_event(action.id, fire_at)
        self._alarms.at(fire_at, partial(self._deliver, _execution(instance), fired))

    @override
    def _schedule_delayed_entity_operation(self, entity_id: str, event: pb.HistoryEvent, fire_at: datetime) -> None:
        """Deliver a signal later; the library would hold a thread for it."""

        def deliver() -> None:
            with self._lock:
                self._queue_entity_operation(entity_id, event)

        self._alarms.at(fire_at, deliver)

    @override
    def _watch_sub_orchestration(self, parent_instance_id: str, sub_instance_id: str, task_id: int) -> None:
        """Remember which execution waits for a sub-orchestration.

        The library would hold a thread for 30 seconds and then forget the parent, which would wait for ever.
        """
        parent = self._instances[parent_instance_id]
        self._callers[sub_instance_id].append((_execution(parent), task_id))
        self._notify_callers(sub_instance_id)

    @override
    def _notify_waiters(self, instance_id: str) -> None:
        """Notify clients and parents of an instance that has ended; drop the oldest of many ended ones."""
        super()._notify_waiters(instance_id)
        self._notify_callers(instance_id)
        instance = self._instances[instance_id]
        if self._is_terminal_status(instance.status):
            self._ended.append(instance)
        while len(self._ended) > ENDED_INSTANCES:
            oldest = self._ended.popleft()
            # The id may have been started again: then its place holds another instance, which stays.
            if self._instances.get(oldest.instance_id) is oldest and self._is_terminal_status(oldest.status):
                del self._instances[oldest.instance_id]

    def _notify_callers(self, sub_instance_id: str) -> None:
        sub = self._instances.get(sub_instance_id)
        if sub is not None and self._is_terminal_status(sub.status):
            for execution, task_id in self._callers.pop(sub_instance_id, ()):
                self._deliver(execution, _action_outcome(sub, task_id))

    def _deliver(self, execution: Execution, event: pb.HistoryEvent) -> None:
        """Deliver an event to an execution; it is dropped when that has ended or was replaced."""
        with self._lock:
            instance = self._running(execution)
            if instance is not None:
                instance.pending_events.append(event)
                instance.last_updated_at = datetime.now(UTC)
                self._enqueue_orchestration(execution.instance)

    def _running(self, execution: Execution) -> OrchestrationInstance | None:
        instance = self._instances.get(execution.instance)
        if instance is None or self._is_terminal_status(instance.status) or _execution(instance) != execution:
            return None
        return instance


def _execution(instance: OrchestrationInstance) -> Execution:
    events: Iterable[pb.HistoryEvent] = chain(instance.history, instance.dispatched_events, instance.pending_events)
    started = next(each.executionStarted for each in events if each.HasField("executionStarted"))
    return Execution(instance.instance_id, started.orchestrationInstance.executionId.value)


def _action_outcome(sub: OrchestrationInstance, task_id: int) -> pb.HistoryEvent:
    """Return the event that reports an ended sub-orchestration to its parent."""
    if sub.status == pb.ORCHESTRATION_STATUS_COMPLETED:
        return helpers.new_sub_orchestration_completed_event(task_id, sub.output)
    ended = (
        f"sub-orchestration '{sub.instance_id}' ended as {pb.OrchestrationStatus.Name(sub.status).rpartition('_')[2]}"
    )
    failure = sub.failure_details or pb.TaskFailureDetails(errorType="SubOrchestrationFailed", errorMessage=ended)
    failed = pb.SubOrchestrationInstanceFailedEvent(taskScheduledId=task_id, failureDetails=failure)
    return pb.HistoryEvent(eventId=-1, subOrchestrationInstanceFailed=failed)
