"""The in-memory durable engine, for the tests of workflows and their doors."""

import logging
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from durabletask.client import OrchestrationStatus, TaskHubGrpcClient
from durabletask.task import RetryPolicy
from durabletask.testing import create_test_backend
from durabletask.worker import TaskHubGrpcWorker

from functions import context
from functions import remediation as door
from shared.domain.remediation import Status
from shared.workflows import remediation as plot
from tests.world import World

SOON = RetryPolicy(first_retry_interval=timedelta(milliseconds=10), max_number_of_attempts=2)
ACTIVITIES = ("look", "plan", "apply", "verify", "restore", "give_up", "finish")


class Engine:
    """The in-memory durable engine with one worker; counts the calls of each activity."""

    def __init__(self) -> None:
        self.reset()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._backend = create_test_backend(port=port)
        self.address = f"localhost:{port}"
        self._client = TaskHubGrpcClient(host_address=self.address)
        self._worker = TaskHubGrpcWorker(host_address=self.address, logger=_quiet())
        self._worker._registry.add_named_orchestrator("remediation_workflow", plot.remediate)
        for name in ACTIVITIES:
            self._worker._registry.add_named_activity(f"remediation_{name}", self._activity(name))
        self._worker.start()

    def reset(self) -> None:
        self.calls: list[str] = []
        self.faults: dict[str, list[Exception]] = {}

    def _activity(self, name: str) -> Callable[[Any, Any], Any]:
        function = getattr(door, f"remediation_{name}")._function._func

        def activity(_context: Any, given: Any) -> Any:
            self.calls.append(name)
            waiting = self.faults.get(name)
            if waiting:
                raise waiting.pop()
            return function(given)

        return activity

    def start(self, world: World) -> None:
        given = {"tenant": world.store.tenant, "id": world.id, "correlation": "c1"}
        self._client.schedule_new_orchestration("remediation_workflow", input=given, instance_id=self.name(world))
        self._client.wait_for_orchestration_start(self.name(world), timeout=20)

    def name(self, world: World) -> str:
        return door.instance(world.id)

    def ring(self, world: World) -> None:
        self._client.raise_orchestration_event(self.name(world), plot.BELL)

    def end(self, world: World) -> OrchestrationStatus:
        state = self._client.wait_for_orchestration_completion(self.name(world), timeout=30)
        assert state is not None
        return state.runtime_status

    def history(self, world: World) -> list[Any]:
        """The events of a workflow so far, as the engine keeps them."""
        return list(self._backend._instances[self.name(world)].history)

    def purge(self, world: World) -> None:
        self._client.purge_orchestration(self.name(world))

    def stop(self) -> None:
        self._worker.stop()
        self._client.close()
        self._backend.stop()
        self._backend.reset()


def _quiet() -> logging.Logger:
    logger = logging.getLogger("tests.durable")
    logger.setLevel(logging.CRITICAL)
    return logger


def connect(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the doors work in this world."""
    store = world.store
    ports = SimpleNamespace(
        documents=store.documents,
        blobs=store.blobs,
        queue=world.queue,
        now=store.now,
        control=world.cloud,
        inventory=world.cloud,
    )
    monkeypatch.setattr(context, "ports", lambda: ports)
    monkeypatch.setattr(context, "book", lambda _: world.book)
    monkeypatch.setattr(plot, "RETRY", SOON)


def until(world: World, status: Status) -> None:
    """Wait for the record to reach a status, which other threads bring about."""
    waited = threading.Event()
    for _ in range(1000):
        if world.now().status == status:
            return
        waited.wait(0.02)
    raise AssertionError(f"{world.now().status} is not {status}: {world.told()}")
