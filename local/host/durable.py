"""The durable engine: takes work items from the task hub and runs the app's functions for them."""

import asyncio
import base64
import contextlib
import logging
import threading
import uuid
from collections.abc import Iterable
from typing import Self

import grpc  # type: ignore[import-untyped]  # it ships no types
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.internal import orchestrator_service_pb2_grpc as rpc

from local.host.function import AppFunction
from local.host.hub import UNBOUNDED_CHANNEL_OPTIONS, TaskHub
from local.host.invocation import InvocationInput, InvocationResult, Invoker
from local.host.proto import TypedData
from local.host.setting import DurableTask
from local.host.version import mismatch
from local.host.wait import drain_tasks

logger = logging.getLogger("Host.Triggers.DurableTask")

_RECONNECT_SECONDS = 0.1
_RETURN_SECONDS = 1.0
_NAMES = {"orchestration": "orchestration", "activity": "activity", "entity": "entityName"}


class VersionMismatchError(Exception):
    """An orchestration of a version that this app must not run."""


class DurableEngine:
    """Runs the orchestrations, activities and entities that a hub hands out, as many at once as host.json allows."""

    def __init__(self, hub: TaskHub, functions: Iterable[AppFunction], invoker: Invoker, settings: DurableTask) -> None:
        self._settings = settings
        self._functions = {(each.kind, _name(each).lower()): each for each in functions if each.kind in _NAMES}
        self._invoker = invoker
        self._channel = grpc.insecure_channel(hub.address, options=UNBOUNDED_CHANNEL_OPTIONS)
        self._hub = rpc.TaskHubSidecarServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._slots = {
            "orchestratorRequest": asyncio.Semaphore(settings.max_concurrent_orchestrator_functions),
            "activityRequest": asyncio.Semaphore(settings.max_concurrent_activity_functions),
            "entityRequestV2": asyncio.Semaphore(settings.max_concurrent_entity_functions),
        }
        self._handlers = {
            "orchestratorRequest": self._run_orchestration,
            "activityRequest": self._run_activity,
            "entityRequestV2": self._run_entity,
        }
        self._work: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    def start(self) -> Self:
        """Start to take work items, on a thread that waits for them."""
        self._items = self._hub.GetWorkItems(pb.GetWorkItemsRequest())
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._take, name="work-items", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Take no further work items."""
        self._stopping.set()
        self._items.cancel()
        self._thread.join()

    async def drain(self, seconds: float) -> None:
        """Wait for the work under way. What takes longer is cancelled, as the hub is about to close too."""
        await drain_tasks(self._work, seconds)
        self._channel.close()

    async def begin(self, function: AppFunction, given: str) -> None:
        """Start a new orchestration with an input of JSON text."""
        request = pb.CreateInstanceRequest(
            instanceId=uuid.uuid4().hex, name=_name(function), input=helpers.get_string_value(given or None)
        )
        # The stub blocks until the hub has answered.
        await asyncio.to_thread(self._hub.StartInstance, request)

    def _take(self) -> None:
        while True:
            # The stream ends with an error when it is cancelled or the hub is gone.
            with contextlib.suppress(grpc.RpcError):
                for item in self._items:
                    # Work items come on a thread; tasks are made on the loop.
                    self._loop.call_soon_threadsafe(self._accept, item)
            if self._stopping.wait(_RECONNECT_SECONDS):
                return
            logger.warning("the task hub stopped handing out work; asking it again")
            self._items = self._hub.GetWorkItems(pb.GetWorkItemsRequest())

    def _accept(self, item: pb.WorkItem) -> None:
        task = asyncio.create_task(self._process(item))
        self._work.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("a work item could not be completed: %s", error)

    async def _process(self, item: pb.WorkItem) -> None:
        kind = item.WhichOneof("request")
        try:
            async with self._slots[kind]:
                await self._handlers[kind](item)
        except Exception as error:  # noqa: BLE001 - a door: whatever goes wrong, the item must be handed out again
            logger.warning("a work item could not be completed and is handed out again: %s", error)
            await asyncio.sleep(_RETURN_SECONDS)
            await asyncio.to_thread(self._abandon, kind, item.completionToken)

    def _abandon(self, kind: str, token: str) -> None:
        if kind == "orchestratorRequest":
            self._hub.AbandonTaskOrchestratorWorkItem(pb.AbandonOrchestrationTaskRequest(completionToken=token))
        elif kind == "activityRequest":
            self._hub.AbandonTaskActivityWorkItem(pb.AbandonActivityTaskRequest(completionToken=token))
        else:
            self._hub.AbandonTaskEntityWorkItem(pb.AbandonEntityTaskRequest(completionToken=token))

    async def _run(self, kind: str, name: str, data: TypedData, instance: str) -> InvocationResult:
        function = self._functions.get((kind, name.lower()))
        if function is None:
            return InvocationResult("failed", error=f"NotFound: the app has no {kind} function '{name}'")
        return await self._invoker.invoke(function, InvocationInput(data, correlation=instance))

    async def _run_orchestration(self, item: pb.WorkItem) -> None:
        request = item.orchestratorRequest
        events = [*request.pastEvents, *request.newEvents]
        # The last start counts: continue_as_new begins another history in the same one.
        started = next(each.executionStarted for each in reversed(events) if each.HasField("executionStarted"))
        if reason := mismatch(started.version.value, self._settings):
            if self._settings.version_failure_strategy != "Fail":
                raise VersionMismatchError(reason)  # the instance waits until an app comes that may run it
            result = InvocationResult("failed", error=f"VersionMismatch: {reason}")
        else:
            result = await self._run("orchestration", started.name, _pack(request), request.instanceId)
        if result.ok:
            response = pb.OrchestratorResponse.FromString(_unpack(result))
        else:
            status, failure = pb.ORCHESTRATION_STATUS_FAILED, _failure(result)
            action = helpers.new_complete_orchestration_action(-1, status, failure_details=failure)
            response = pb.OrchestratorResponse(instanceId=request.instanceId, actions=[action])
        response.completionToken = item.completionToken
        await asyncio.to_thread(self._hub.CompleteOrchestratorTask, response)

    async def _run_activity(self, item: pb.WorkItem) -> None:
        request = item.activityRequest
        instance = request.orchestrationInstance.instanceId
        given = TypedData(json=request.input.value if request.HasField("input") else "null")
        result = await self._run("activity", request.name, given, instance)
        response = pb.ActivityResponse(instanceId=instance, taskId=request.taskId, completionToken=item.completionToken)
        if result.ok:
            response.result.value = result.value.json if result.value else "null"
        else:
            response.failureDetails.CopyFrom(_failure(result))
        await asyncio.to_thread(self._hub.CompleteActivityTask, response)

    async def _run_entity(self, item: pb.WorkItem) -> None:
        batch, infos = helpers.convert_to_entity_batch_request(item.entityRequestV2)
        result = await self._run("entity", batch.instanceId.split("@")[1], _pack(batch), batch.instanceId)
        if result.ok:
            response = pb.EntityBatchResult.FromString(_unpack(result))
        else:
            failed = pb.OperationResult(failure=pb.OperationResultFailure(failureDetails=_failure(result)))
            response = pb.EntityBatchResult(results=[failed] * len(batch.operations), entityState=batch.entityState)
        response.completionToken = item.completionToken
        del response.operationInfos[:]
        response.operationInfos.extend(infos)
        await asyncio.to_thread(self._hub.CompleteEntityTask, response)


def _name(function: AppFunction) -> str:
    """Return the name that callers use: the trigger's, or else the function's."""
    return str(function.trigger.data.get(_NAMES[function.kind]) or function.name)


def _pack(message: pb.OrchestratorRequest | pb.EntityBatchRequest) -> TypedData:
    return TypedData(string=base64.b64encode(message.SerializeToString()).decode())


def _unpack(result: InvocationResult) -> bytes:
    return base64.b64decode(result.value.string if result.value else "")


def _failure(result: InvocationResult) -> pb.TaskFailureDetails:
    kind, _, message = (result.error or "the function failed and did not say why").partition(": ")
    return pb.TaskFailureDetails(  # the backend takes a failure without a message for a success
        errorType=kind, errorMessage=message or kind, stackTrace=helpers.get_string_value(result.stack or None)
    )
