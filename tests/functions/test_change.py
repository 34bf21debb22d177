"""The door that Event Grid delivers to."""

import json
import traceback
from typing import Any

import azure.functions as func
import pytest

from functions import change as door
from shared.domain.error import InvalidInput
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services.estate import change
from tests.fakes.durable import connect
from tests.fakes.world import World

ONE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a"
EVENT = {
    "specversion": "1.0",
    "id": "5a1e0000-0000-4000-8000-000000000001",
    "source": "/subscriptions/s",
    "type": "Microsoft.Resources.ResourceWriteSuccess",
    "subject": ONE,
    "data": {"resourceUri": ONE, "operationName": "Microsoft.Storage/storageAccounts/write", "status": "Succeeded"},
}


@pytest.fixture
def world(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> World:
    made = World(store, queue, id=request.node.name)
    connect(made, monkeypatch)
    monkeypatch.setenv("CORTEX_TENANT", store.tenant)
    return made


def deliver(body: Any) -> None:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    door.change_receive._function._func(func.QueueMessage(id="m1", body=text))


@pytest.mark.parametrize("body", [EVENT, [EVENT], [EVENT, {**EVENT, "subject": ONE.upper()}]])
def test_what_an_event_names_is_judged_once(world: World, body: Any) -> None:
    deliver(body)
    (sent,) = world.queue.receive(change.QUEUE)
    assert json.loads(sent.body) == {"tenant": world.store.tenant, "id": ONE.lower(), "correlation": "m1"}


@pytest.mark.parametrize("body", [b"", b"not JSON", b"\xff", [1], "text", [{**EVENT, "data": 1}], {"data": {}}])
def test_what_is_no_event_is_refused_with_its_place(world: World, body: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        deliver(body)
    assert caught.value.path
    assert world.queue.receive(change.QUEUE) == []


def test_what_the_product_knows_fails_with_its_message_and_no_stack(world: World) -> None:
    assert world
    with pytest.raises(InvalidInput) as caught:
        deliver(b"not JSON")
    frames = [each.name for each in traceback.extract_tb(caught.value.__traceback__)]
    assert frames[-1] == "delivered", "the stack ends where the delivery fails, not where the error was made"
    assert caught.value.__suppress_context__
