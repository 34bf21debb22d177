"""The task hub: Microsoft's in-memory durable backend, served on a loopback port."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import override

import grpc  # type: ignore[import-untyped]  # it ships no types
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.internal import orchestrator_service_pb2_grpc as rpc
from durabletask.testing import InMemoryOrchestrationBackend

from local.host.setting import DurableTask

UNBOUNDED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_LARGEST_MESSAGE = 2**31 - 1
_LONGEST_HISTORY = 100_000
_CALLERS = 64  # each client that waits for an orchestration holds one
_ENDED = (
    pb.ORCHESTRATION_STATUS_COMPLETED,
    pb.ORCHESTRATION_STATUS_FAILED,
    pb.ORCHESTRATION_STATUS_TERMINATED,
    pb.ORCHESTRATION_STATUS_CANCELED,
)
_ALIVE = (pb.ORCHESTRATION_STATUS_PENDING, pb.ORCHESTRATION_STATUS_RUNNING, pb.ORCHESTRATION_STATUS_SUSPENDED)
_REPLACEABLE = {"NonRunningStates": _ENDED, "AnyState": (*_ENDED, *_ALIVE)}


class _Backend(InMemoryOrchestrationBackend):
    """Microsoft's, but a start replaces an ended instance as Azure lets it, and ready work is handed out at once."""

    def __init__(self, replaceable: Iterable[pb.OrchestrationStatus]) -> None:
        super().__init__(max_history_size=_LONGEST_HISTORY)
        self._replaceable = list(replaceable)

    @override
    def StartInstance(
        self, request: pb.CreateInstanceRequest, context: grpc.ServicerContext
    ) -> pb.CreateInstanceResponse:
        if not request.orchestrationIdReusePolicy.replaceableStatus:
            request.orchestrationIdReusePolicy.replaceableStatus.extend(self._replaceable)
        return super().StartInstance(request, context)

    @override
    def CompleteOrchestratorTask(
        self, request: pb.OrchestratorResponse, context: grpc.ServicerContext
    ) -> pb.CompleteTaskResponse:
        answer = super().CompleteOrchestratorTask(request, context)
        self._work_available.set()  # it would only look again after a tenth of a second
        return answer


class Hub:
    """The task hub, kept in this process and served by gRPC on a loopback port of its own."""

    def __init__(self, settings: DurableTask) -> None:
        self._name = settings.hub_name
        self._backend = _Backend(_REPLACEABLE[settings.overridable_existing_instance_states])
        self._server = grpc.server(ThreadPoolExecutor(_CALLERS, "task-hub"), options=UNBOUNDED)
        rpc.add_TaskHubSidecarServiceServicer_to_server(self._backend, self._server)  # type: ignore[no-untyped-call]
        # Unlike create_test_backend, which listens on every interface, for anyone.
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def client(self, task_hub: str | None = None) -> str:
        """The text of a durable-client binding."""
        return json.dumps(
            {
                "taskHubName": task_hub or self._name,
                "rpcBaseUrl": self.address,
                "maxGrpcMessageSizeInBytes": _LARGEST_MESSAGE,
            }
        )

    def close(self) -> None:
        """Stop serving; all instances are gone."""
        self._backend.stop()
        self._server.stop(grace=0).wait()
        self._backend.reset()  # type: ignore[no-untyped-call]  # lets go of the threads that wait for an orchestration to end
