"""The durable engine: takes work items from the task hub and lets the app's functions do them."""

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

from local.host.function import Function
from local.host.hub import UNBOUNDED, Hub
from local.host.invocation import Call, Invoker, Result
from local.host.proto import TypedData
from local.host.setting import DurableTask
from local.host.wait import drain

logger = logging.getLogger("Host.Triggers.DurableTask")

_RECONNECT_SECONDS = 0.1
_NAMES = {"orchestration": "orchestration", "activity": "activity", "entity": "entityName"}


class Engine:
    """Runs the orchestrations, activities and entities that a hub hands out, as many at once as host.json allows."""

    def __init__(self, hub: Hub, functions: Iterable[Function], invoker: Invoker, settings: DurableTask) -> None:
        self._functions = {(each.kind, _name(each).lower()): each for each in functions if each.kind in _NAMES}
        self._invoker = invoker
        self._channel = grpc.insecure_channel(hub.address, options=UNBOUNDED)
        self._hub = rpc.TaskHubSidecarServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._slots = {
            "orchestratorRequest": asyncio.Semaphore(settings.max_concurrent_orchestrator_functions),
            "activityRequest": asyncio.Semaphore(settings.max_concurrent_activity_functions),
            "entityRequestV2": asyncio.Semaphore(settings.max_concurrent_entity_functions),
        }
        self._doers = {
            "orchestratorRequest": self._orchestrate,
            "activityRequest": self._act,
            "entityRequestV2": self._operate,
        }
        self._work: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    def start(self) -> Self:
        """Begin to take work items, on a thread that waits for them."""
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
        """Wait for the work under way; what takes longer is abandoned, as the hub is about to go as well."""
        await drain(self._work, seconds)
        self._channel.close()

    async def begin(self, function: Function, given: str) -> None:
        """Start a new orchestration with an input of JSON text."""
        request = pb.CreateInstanceRequest(
            instanceId=uuid.uuid4().hex, name=_name(function), input=helpers.get_string_value(given or None)
        )
        await asyncio.to_thread(self._hub.StartInstance, request)

    def _take(self) -> None:
        while True:
            with contextlib.suppress(grpc.RpcError):
                for item in self._items:
                    self._loop.call_soon_threadsafe(self._accept, item)
            if self._stopping.wait(_RECONNECT_SECONDS):
                return
            logger.warning("the task hub stopped handing out work; asking it again")
            self._items = self._hub.GetWorkItems(pb.GetWorkItemsRequest())

    def _accept(self, item: pb.WorkItem) -> None:
        task = asyncio.create_task(self._do(item))
        self._work.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("a work item could not be completed: %s", error)

    async def _do(self, item: pb.WorkItem) -> None:
        kind = item.WhichOneof("request")
        async with self._slots[kind]:
            await self._doers[kind](item)

    async def _run(self, kind: str, name: str, data: TypedData, instance: str) -> Result:
        function = self._functions.get((kind, name.lower()))
        if function is None:
            return Result("failed", error=f"NotFound: the app has no {kind} function '{name}'")
        return await self._invoker.invoke(function, Call(data, correlation=instance))

    async def _orchestrate(self, item: pb.WorkItem) -> None:
        request = item.orchestratorRequest
        result = await self._run("orchestration", _started(request), _packed(request), request.instanceId)
        if result.ok:
            response = pb.OrchestratorResponse.FromString(_unpacked(result))
        else:
            status, failure = pb.ORCHESTRATION_STATUS_FAILED, _failure(result)
            action = helpers.new_complete_orchestration_action(-1, status, failure_details=failure)
            response = pb.OrchestratorResponse(instanceId=request.instanceId, actions=[action])
        response.completionToken = item.completionToken
        await asyncio.to_thread(self._hub.CompleteOrchestratorTask, response)

    async def _act(self, item: pb.WorkItem) -> None:
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

    async def _operate(self, item: pb.WorkItem) -> None:
        batch, infos = helpers.convert_to_entity_batch_request(item.entityRequestV2)
        result = await self._run("entity", batch.instanceId.split("@")[1], _packed(batch), batch.instanceId)
        if result.ok:
            response = pb.EntityBatchResult.FromString(_unpacked(result))
        else:
            failed = pb.OperationResult(failure=pb.OperationResultFailure(failureDetails=_failure(result)))
            response = pb.EntityBatchResult(results=[failed] * len(batch.operations), entityState=batch.entityState)
        response.completionToken = item.completionToken
        del response.operationInfos[:]
        response.operationInfos.extend(infos)
        await asyncio.to_thread(self._hub.CompleteEntityTask, response)


def _name(function: Function) -> str:
    """The name that callers use, which the trigger may give; case does not count."""
    return str(function.trigger.data.get(_NAMES[function.kind]) or function.name)


def _started(request: pb.OrchestratorRequest) -> str:
    events = [*request.pastEvents, *request.newEvents]
    return next(str(each.executionStarted.name) for each in reversed(events) if each.HasField("executionStarted"))


def _packed(message: pb.OrchestratorRequest | pb.EntityBatchRequest) -> TypedData:
    return TypedData(string=base64.b64encode(message.SerializeToString()).decode())


def _unpacked(result: Result) -> bytes:
    return base64.b64decode(result.value.string if result.value else "")


def _failure(result: Result) -> pb.TaskFailureDetails:
    kind, _, message = result.error.partition(": ")
    return pb.TaskFailureDetails(
        errorType=kind, errorMessage=message or kind, stackTrace=helpers.get_string_value(result.stack or None)
    )
