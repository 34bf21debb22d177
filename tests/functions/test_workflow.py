"""A workflow that is stuck is ended and started again under its id, once for each time that was recorded."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func
import pytest
from azure.durable_functions import DurableFunctionsClient
from durabletask.client import OrchestrationState

from functions import scan as door
from functions import workflow
from shared.domain.error import NotFound, Throttled
from shared.domain.scan import ScanRequest, ScanStatus, ScanTrigger
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services import reconciliation
from shared.services.policy import effective_policy
from shared.services.scan import scan
from tests.fakes.caller import caller
from tests.fakes.catalog import SmallCatalog
from tests.fakes.durable import Engine, connect, given
from tests.fakes.inventory import MemoryInventory, account
from tests.fakes.world import World

pytestmark = pytest.mark.slow


@pytest.fixture
def world(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(store, queue, cloud=MemoryInventory(store.now), policies=effective_policy.packaged(SmallCatalog()))
    connect(made, monkeypatch)
    monkeypatch.setenv("CORTEX_TENANT", store.tenant)
    return made


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.stop()


def deliver(engine: Engine, body: str) -> None:
    async def invoke() -> None:
        client = DurableFunctionsClient(json.dumps({"rpcBaseUrl": engine.address}))
        try:
            await workflow.workflow_restart._function._func.client_function(func.QueueMessage(body=body), client)
        finally:
            await client.close()

    asyncio.run(invoke())


def state(engine: Engine, world: World) -> OrchestrationState:
    found = engine.client.get_orchestration_state(door.instance_id(world.id))
    assert found is not None
    return found


def until(true: Callable[[], Any]) -> None:
    """Wait for what other threads bring about."""
    waited = threading.Event()
    while not true():
        waited.wait(0.02)


def at(world: World, moment: datetime) -> World:
    clock: Any = world.store.now
    clock.at = moment
    return world


def stuck(world: World, engine: Engine) -> str:
    """A scan whose workflow sleeps although its record says that it may go on; the message about it."""
    at(world, datetime.now(UTC) - timedelta(hours=1))
    world.cloud.put(account("a"))
    world.cloud.faults = [Throttled("asked to wait", retry_after=60)]
    scan.request(world.id, ScanRequest(), ScanTrigger.HTTP, store=world.store, queue=world.queue)
    engine.begin("scan", door.instance_id(world.id), given(world.store, world.id))
    until(lambda: scan.find(world.id, store=world.store).waiting_until)
    known = scan.find(world.id, store=at(world, datetime.now(UTC)).store)
    reconciliation.reconcile(known, store=world.store, queue=world.queue, policies=lambda _: world.policies)
    (sent,) = world.queue.receive(reconciliation.RESTART_QUEUE)
    return sent.body


def test_a_stuck_workflow_is_started_again_and_goes_on(world: World, engine: Engine) -> None:
    message = stuck(world, engine)
    before = state(engine, world)
    deliver(engine, message)
    engine.ended(door.instance_id(world.id))
    after = state(engine, world)
    assert after.created_at > before.created_at
    ended = scan.find(world.id, store=world.store)
    assert (ended.status, ended.unfinished) == (ScanStatus.COMPLETED, 0)
    deliver(engine, message)
    assert state(engine, world) == after


def test_of_two_starts_at_the_same_time_one_starts_the_workflow(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unseen(*_: Any) -> None:
        """Find nothing, as who reads before the other start does."""

    async def start(body: dict[str, Any]) -> list[bool]:
        client = DurableFunctionsClient(json.dumps({"rpcBaseUrl": engine.address}))
        try:
            return [await workflow.start_workflow(client, "scan_workflow", "scan-twice", body) for _ in range(2)]
        finally:
            await client.close()

    monkeypatch.setattr(DurableFunctionsClient, "get_orchestration_state", unseen)
    scan.request("twice", ScanRequest(), ScanTrigger.HTTP, store=world.store, queue=world.queue)
    assert asyncio.run(start(given(world.store, "twice"))) == [True, False]


def test_a_message_about_what_is_not_seen_is_tried_again(world: World, engine: Engine) -> None:
    store = replace(world.store, caller=caller())
    with pytest.raises(NotFound):
        deliver(engine, json.dumps({**given(store, "none"), "id": "scan-none"}))
    assert engine.client.get_orchestration_state("scan-none") is None
