"""The in-memory durable engine, for the tests of workflows and their doors."""

import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from durabletask.client import OrchestrationStatus, TaskHubGrpcClient
from durabletask.task import RetryPolicy
from durabletask.testing import create_test_backend
from durabletask.worker import TaskHubGrpcWorker

from functions import context
from functions import remediation as door
from functions import scan as scan_door
from shared.domain.remediation import RemediationStatus
from shared.eventstore.store import Store
from shared.services.remediation import progress
from shared.workflows import remediation as remediation_workflow
from shared.workflows import scan as scan_workflow
from shared.workflows.wait import DECISION_EVENT
from tests.fakes.clock import Clock
from tests.fakes.world import World

SOON = RetryPolicy(first_retry_interval=timedelta(milliseconds=10), max_number_of_attempts=2)
WORKFLOWS = {"remediation": (remediation_workflow.remediate, door), "scan": (scan_workflow.scan, scan_door)}


def steps(workflow: str, doors: ModuleType) -> list[str]:
    """The activities of a workflow, by what follows its name."""
    functions = {name: getattr(doors, name) for name in vars(doors) if name.startswith(f"{workflow}_")}
    kinds = {name: each._function.get_trigger().type for name, each in functions.items()}
    return [name.removeprefix(f"{workflow}_") for name, kind in kinds.items() if kind == "activityTrigger"]


def given(store: Store, thing_id: str) -> dict[str, str]:
    """What a workflow is started with."""
    return {"tenant": store.tenant, "id": thing_id, "correlation": "c1"}


class Engine:
    """The in-memory durable engine with one worker; counts the calls of each activity."""

    def __init__(self) -> None:
        self.reset()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._backend = create_test_backend(port=port)
        self.address = f"localhost:{port}"
        self.client = TaskHubGrpcClient(host_address=self.address)
        self._worker = TaskHubGrpcWorker(host_address=self.address, logger=_quiet())
        for name, (workflow, doors) in WORKFLOWS.items():
            self._worker._registry.add_named_orchestrator(f"{name}_workflow", workflow)
            for step in steps(name, doors):
                self._worker._registry.add_named_activity(f"{name}_{step}", self._activity(name, step, doors))
        self._worker.start()

    def reset(self) -> None:
        self.calls: list[str] = []
        self.faults: dict[str, list[Exception]] = {}

    def _activity(self, workflow: str, name: str, doors: ModuleType) -> Callable[[Any, Any], Any]:
        function = getattr(doors, f"{workflow}_{name}")._function._func

        def activity(_context: Any, given: Any) -> Any:
            self.calls.append(name)
            waiting = self.faults.get(name)
            if waiting:
                raise waiting.pop()
            return function(given)

        return activity

    def begin(self, workflow: str, instance: str, given: dict[str, str], version: str | None = None) -> None:
        """Start a workflow under an id, and wait until it runs."""
        self.client.schedule_new_orchestration(
            f"{workflow}_workflow", input=given, instance_id=instance, version=version
        )
        self.client.wait_for_orchestration_start(instance, timeout=90)

    def ended(self, instance: str) -> OrchestrationStatus:
        """How a workflow ended; waits for that."""
        state = self.client.wait_for_orchestration_completion(instance, timeout=30)
        assert state is not None
        return state.runtime_status

    def events(self, instance: str) -> list[Any]:
        """The history of a workflow so far, as the engine keeps it."""
        return list(self._backend._instances[instance].history)

    def start(self, world: World) -> None:
        self.begin("remediation", self.name(world), given(world.store, world.id))

    def name(self, world: World) -> str:
        return door.instance_id(world.id)

    def raise_event(self, world: World) -> None:
        self.client.raise_orchestration_event(self.name(world), DECISION_EVENT)

    def end(self, world: World) -> OrchestrationStatus:
        return self.ended(self.name(world))

    def purge(self, world: World) -> None:
        self.client.purge_orchestration(self.name(world))

    def stop(self) -> None:
        self._worker.stop()
        self.client.close()
        self._backend.stop()
        self._backend.reset()


def _quiet() -> logging.Logger:
    logger = logging.getLogger("tests.durable")
    logger.setLevel(logging.CRITICAL)
    return logger


def connect(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the doors work in this world, whose clock goes on with every look, and so makes waits short."""
    store = world.store = replace(world.store, now=Clock(tick=timedelta(milliseconds=20)))
    ports = SimpleNamespace(
        documents=store.documents,
        blobs=store.blobs,
        queue=world.queue,
        now=store.now,
        control=world.cloud,
        inventory=world.cloud,
    )
    monkeypatch.setattr(context, "ports", lambda: ports)
    monkeypatch.setattr(context, "policies", lambda _: world.policies)
    monkeypatch.setattr(remediation_workflow, "RETRY_POLICY", SOON)
    monkeypatch.setattr(scan_workflow, "RETRY_POLICY", SOON)
    monkeypatch.setattr(progress, "SHORTEST_WAIT", timedelta(milliseconds=10))


def until(world: World, status: RemediationStatus) -> None:
    """Wait for the record to reach a status, which other threads bring about."""
    waited = threading.Event()
    for _ in range(1000):
        if world.now().status == status:
            return
        waited.wait(0.02)
    raise AssertionError(f"{world.now().status} is not {status}: {world.event_types()}")
