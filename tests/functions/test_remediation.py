"""The doors of remediations, over the real durable engine."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import azure.functions as func
import pytest
from azure.durable_functions import DurableFunctionsClient

from functions import remediation as door
from shared.domain.remediation import Status
from shared.ports.queue import Queue
from shared.services import message, remediation
from shared.services.estate import Store
from tests.cloud import account
from tests.durable import Engine, connect, until
from tests.world import World


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
    (asked,) = sent(world, remediation.QUEUE)
    for _ in range(3):
        deliver(engine, door.remediation_start, asked)
    until(world, Status.AWAITING_APPROVAL)
    world.approve()
    (bell,) = sent(world, remediation.BELL)
    deliver(engine, door.remediation_ring, bell)
    engine.end(world)
    assert world.now().status == Status.SUCCEEDED
    assert engine.calls == ["look", "plan", "look", "apply", "verify", "finish"]
    world.rollback()
    (again,) = sent(world, remediation.QUEUE)
    deliver(engine, door.remediation_start, again)
    until(world, Status.ROLLED_BACK)
    assert [method for method, _ in world.cloud.writes] == ["PATCH", "PUT"]


def test_a_bell_for_a_workflow_that_was_lost_starts_it(world: World, engine: Engine) -> None:
    body = account()
    world.put(body)
    world.approved(body, "https-only")
    (bell,) = sent(world, remediation.BELL)
    deliver(engine, door.remediation_ring, bell)
    engine.end(world)
    assert world.now().status == Status.SUCCEEDED


def test_the_reconciler_sends_what_is_unfinished_on_its_way(world: World) -> None:
    body = account()
    world.put(body)
    world.request(body, "https-only")
    sent(world, remediation.QUEUE)
    tick()
    assert [json.loads(each)["id"] for each in sent(world, remediation.QUEUE)] == [world.id]
    world.plan()
    world.approve()
    sent(world, remediation.BELL)
    tick()
    assert sent(world, remediation.QUEUE) == []
    assert [json.loads(each)["id"] for each in sent(world, remediation.BELL)] == [world.id]
    world.run()
    tick()
    assert sent(world, remediation.QUEUE) + sent(world, remediation.BELL) == []


def test_a_poisoned_request_is_recorded(world: World) -> None:
    body = account()
    world.put(body)
    world.request(body, "https-only")
    poisoned = func.QueueMessage(body=message.write(world.store, world.id))
    door.remediation_poison._function._func(poisoned)
    door.remediation_poison._function._func(poisoned)
    known = world.now()
    assert (known.status, known.reason) == (Status.FAILED, "its workflow could not be started")


@pytest.mark.parametrize(
    "body", ["", "{}", '{"tenant": 1}', "[]", "\ud83d" * 3, '{"tenant":"t","id":"i","correlation":"c","x":1}']
)
def test_a_message_that_says_nothing_goes_to_the_poison_queue(world: World, body: str) -> None:
    with pytest.raises(ValueError, match=r"validation error|surrogates"):
        door.remediation_poison._function._func(func.QueueMessage(body=body))
    assert remediation.active(store=world.store) == []


def test_every_function_is_a_noun_and_a_verb() -> None:
    names = [each._function._name or each._function._func.__name__ for each in door.bp._function_builders]
    ours = [name for name in names if not name.startswith("BuiltIn")]
    assert all(name.startswith("remediation_") for name in ours if "builtin" not in name.lower())
    assert len(names) == len(set(names))
