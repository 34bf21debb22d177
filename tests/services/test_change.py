"""Change messages: what they name, however spelled, and what it belongs to; nothing that no scan would list."""

from typing import Any

import pytest

from shared.adapters.local.queue import SqliteQueue
from shared.domain.error import InvalidInput
from shared.ports.documents import Query
from shared.services import change, collection
from shared.services.estate import Store
from shared.services.message import Message
from shared.services.policy import Book

from .conftest import MemoryInventory, account

BODY = account("a", https=False)


def event(resource_id: str) -> dict[str, Any]:
    return {"subject": resource_id, "data": {}}


def queued(queue: SqliteQueue) -> list[str]:
    return [Message.model_validate_json(each.body).id for each in queue.receive(change.QUEUE, limit=32)]


def test_an_id_is_one_however_it_is_spelled(store: Store, queue: SqliteQueue) -> None:
    name = BODY["id"]
    assert change.take([event(name), event(name.upper()), event(name.lower())], store=store, queue=queue) == 1
    assert queued(queue) == [name.lower()]


def test_a_child_brings_all_that_it_belongs_to(store: Store, queue: SqliteQueue) -> None:
    owner = BODY["id"].lower()
    change.take([event(f"{owner}/blobServices/default/containers/x")], store=store, queue=queue)
    assert queued(queue) == [f"{owner}/blobservices/default/containers/x", f"{owner}/blobservices/default", owner]


def test_a_changed_resource_is_judged(store: Store, inventory: MemoryInventory, book: Book) -> None:
    inventory.put(BODY)
    change.judge(BODY["id"].lower(), store=store, inventory=inventory, book=book)
    (found,) = dict(collection.stored(Query(), store)).values()
    assert found["resourceId"] == BODY["id"]


def test_what_no_scan_lists_is_not_judged_by_itself(store: Store, inventory: MemoryInventory, book: Book) -> None:
    child = {
        **BODY,
        "id": f"{BODY['id']}/privateEndpointConnections/x",
        "type": f"{BODY['type']}/privateEndpointConnections",
    }
    inventory.put(child)
    change.judge(child["id"].lower(), store=store, inventory=inventory, book=book)
    assert not dict(collection.stored(Query(), store))


@pytest.mark.parametrize("bad", [{}, {"data": 7}, {"data": {}}, {"data": {"resourceUri": "x"}}, event("/" * 3000)])
def test_an_event_that_names_nothing_is_refused(store: Store, queue: SqliteQueue, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        change.take([event(BODY["id"]), bad], store=store, queue=queue)
    assert str(refused.value.path).startswith("$[1]")
    assert not queued(queue), "a delivery is taken as a whole or not at all"
