"""The doors of remediations, over the real durable engine."""

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import azure.functions as func
import pytest
from azure.durable_functions import DurableFunctionsClient

from functions import remediation as door
from shared.domain.remediation import RemediationStatus
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services import compliance
from shared.services.remediation import record, rollback
from tests.fakes.cloud import account
from tests.fakes.durable import Engine, connect, until
from tests.fakes.world import World


@pytest.fixture
def world(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> World:
    made = World(store, queue, id=request.node.name)
    connect(made, monkeypatch)
    monkeypatch.setenv("CORTEX_TENANT", store.tenant)
    return made


@pytest.fixture(scope="module")
def running() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.stop()


@pytest.fixture
def engine(running: Engine) -> Engine:
    running.reset()
    return running


def deliver(engine: Engine, function: Any, body: str) -> None:
    """A queue message, as the worker hands it over: with a durable client for this invocation."""

    async def invoke() -> None:
        client = DurableFunctionsClient(json.dumps({"rpcBaseUrl": engine.address}))
        try:
            await function._function._func.client_function(func.QueueMessage(body=body), client)
        finally:
            await client.close()

    asyncio.run(invoke())


def sent(world: World, queue: str) -> list[str]:
    """The messages in a queue, taken."""
    found = world.queue.receive(queue)
    for each in found:
        world.queue.delete(queue, each)
    return [each.body for each in found]


def tick() -> None:
    door.remediation_reconcile._function._func(None)


def test_a_request_goes_all_the_way_by_messages_alone(world: World, engine: Engine) -> None:
    body = account()
    world.put(body)
    world.request(body, "https-only")
    (asked,) = sent(world, record.QUEUE)
    for _ in range(3):
        deliver(engine, door.remediation_start, asked)
    until(world, RemediationStatus.AWAITING_APPROVAL)
    world.approve()
    (decision,) = sent(world, record.DECISION_QUEUE)
    deliver(engine, door.remediation_wake, decision)
    engine.end(world)
    assert world.now().status == RemediationStatus.SUCCEEDED
    assert engine.calls == ["look", "plan", "look", "execute", "finish"]
    world.rollback()
    (again,) = sent(world, record.QUEUE)
    deliver(engine, door.remediation_start, again)
    until(world, RemediationStatus.ROLLED_BACK)
    assert [method for method, _ in world.cloud.writes] == ["PATCH", "PATCH"]


def test_a_rollback_asked_for_while_the_workflow_ends_is_not_lost(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending, released, refresh = threading.Event(), threading.Event(), compliance.refresh

    def slow(**given: Any) -> Any:
        ending.set()
        released.wait(20)
        return refresh(**given)

    monkeypatch.setattr(rollback, "RESEND", timedelta(0))
    monkeypatch.setattr(compliance, "refresh", slow)
    body = account()
    world.put(body)
    world.approved(body, "https-only")
    sent(world, record.QUEUE)
    engine.start(world)
    assert ending.wait(20)
    world.rollback()
    (asked,) = sent(world, record.QUEUE)
    deliver(engine, door.remediation_start, asked)
    (again,) = sent(world, record.QUEUE)
    released.set()
    engine.end(world)
    deliver(engine, door.remediation_start, again)
    until(world, RemediationStatus.ROLLED_BACK)
    deliver(engine, door.remediation_start, again)
    assert sent(world, record.QUEUE) == []


def test_a_decision_for_a_workflow_that_was_lost_starts_it(world: World, engine: Engine) -> None:
    body = account()
    world.put(body)
    world.approved(body, "https-only")
    (decision,) = sent(world, record.DECISION_QUEUE)
    deliver(engine, door.remediation_wake, decision)
    engine.end(world)
    assert world.now().status == RemediationStatus.SUCCEEDED


def test_the_reconciler_sends_what_is_unfinished_on_its_way(world: World) -> None:
    body = account()
    world.put(body)
    world.request(body, "https-only")
    sent(world, record.QUEUE)
    tick()
    assert [json.loads(each)["id"] for each in sent(world, record.QUEUE)] == [world.id]
    world.plan()
    world.approve()
    sent(world, record.DECISION_QUEUE)
    tick()
    assert sent(world, record.QUEUE) == []
    assert [json.loads(each)["id"] for each in sent(world, record.DECISION_QUEUE)] == [world.id]
    world.run()
    tick()
    assert sent(world, record.QUEUE) + sent(world, record.DECISION_QUEUE) == []


def test_every_function_is_a_noun_and_a_verb() -> None:
    names = [each._function._name or each._function._func.__name__ for each in door.bp._function_builders]
    ours = [name for name in names if not name.startswith("BuiltIn")]
    assert all(name.startswith("remediation_") for name in ours if "builtin" not in name.lower())
    assert len(names) == len(set(names))
