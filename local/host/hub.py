"""The task hub: the durable backend, served on a loopback port."""

import json
from concurrent.futures import ThreadPoolExecutor

import grpc  # type: ignore[import-untyped]  # it ships no types
from durabletask.internal import orchestrator_service_pb2_grpc as rpc

from local.clock import utc_now
from local.host.alarm import Alarms
from local.host.backend import Backend
from local.host.setting import DurableTask
from shared.ports.clock import Now

UNBOUNDED_CHANNEL_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_MESSAGE_BYTES = 2**31 - 1
_GRPC_THREADS = 1024  # a client that waits for an orchestration holds one, and the engine must still get through


class TaskHub:
    """The task hub: in memory, served by gRPC on a loopback port of its own. `now` is the clock of its timers."""

    def __init__(self, settings: DurableTask, *, now: Now = utc_now) -> None:
        self._name = settings.hub_name
        self._alarms = Alarms(now)
        self._backend = Backend(settings, self._alarms)
        self._server = grpc.server(ThreadPoolExecutor(_GRPC_THREADS, "task-hub"), options=UNBOUNDED_CHANNEL_OPTIONS)
        rpc.add_TaskHubSidecarServiceServicer_to_server(self._backend, self._server)  # type: ignore[no-untyped-call]
        # Unlike create_test_backend, which listens on every interface, for anyone.
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def client(self, task_hub: str | None = None) -> str:
        """Return the data of a durable-client binding, as JSON text."""
        return json.dumps(
            {
                "taskHubName": task_hub or self._name,
                "rpcBaseUrl": self.address,
                "maxGrpcMessageSizeInBytes": _MESSAGE_BYTES,
            }
        )

    def close(self) -> None:
        """Stop serving, and drop all instances."""
        self._alarms.close()
        self._backend.stop()
        self._server.stop(grace=0).wait()
        self._backend.reset()  # type: ignore[no-untyped-call]  # wakes the threads that wait for an orchestration to end
