"""What an incremental collection asks for: ids, changes, and resources by their ids."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Sandbox, sandbox
from shared.adapters.azure import graph
from shared.adapters.azure.arm import ArmConnection, StaticToken
from shared.adapters.azure.inventory import ArmInventory
from shared.bootstrap import catalog
from shared.domain.arm_id import subscription_of, type_of
from shared.domain.error import Throttled
from shared.ports.inventory import InventoryIds, RelatedTypes
from tests.adapters.cloud import SUBSCRIPTION, Answer, Cloud, error
from tests.adapters.inventory.conftest import BLOBS, STORAGE, TENANT, WANTED, account, fill
from tests.fakes.sandbox import Clock, Http

STORAGE_VERSION = "2025-06-01"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def running(tmp_path: Path, clock: Clock) -> Iterator[Sandbox]:
    with sandbox(tmp_path / "cloud.db", resources=120, clock=clock) as started:
        yield started


@pytest.fixture
def real(running: Sandbox, clock: Clock) -> Iterator[ArmInventory]:
    """The adapter over the sandbox cloud, with the product's own table of resource types."""
    connection = ArmConnection(TENANT, running.url, StaticToken(running.token))
    opened = ArmInventory(connection, resource_types=catalog().resource_types(), now=clock, sleep=lambda _: None)
    yield opened
    opened.close()


def walk(page: Callable[[str | None], InventoryIds]) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        each = page(cursor)
        found += each.ids
        cursor = each.cursor
        if cursor is None:
            return found


def all_ids(inventory: ArmInventory, subscription: str) -> list[str]:
    return walk(lambda at: inventory.ids(tenant=TENANT, subscription=subscription, wanted=WANTED, cursor=at))


def since(inventory: ArmInventory, subscription: str, at: datetime) -> list[str]:
    return walk(lambda to: inventory.changed(tenant=TENANT, subscription=subscription, since=at, cursor=to))


def by_page(inventory: ArmInventory, subscription: str, wanted: RelatedTypes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    cursor: str | None = None
    while True:
        page = inventory.page(tenant=TENANT, subscription=subscription, wanted=wanted, cursor=cursor)
        found |= {each.id: each for each in page.resources}
        cursor = page.cursor
        if cursor is None:
            return found


def test_ids_are_all_that_pages_list_beside_containers(
    real: ArmInventory, running: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "PAGE_ROWS", 7)
    total = 0
    for each in real.subscriptions(tenant=TENANT):
        first = real.containers(tenant=TENANT, subscription=each.id, wanted={})
        assert first.cursor is None
        listed = by_page(real, each.id, {})
        ids = all_ids(real, each.id)
        assert ids == sorted(set(ids), key=str.lower)
        assert {*ids, *(found.id for found in first.resources)} == listed.keys()
        total += len(ids)
    assert total == running.count()


def test_ids_tell_of_what_changes_are_not_told(real: ArmInventory) -> None:
    for each in real.subscriptions(tenant=TENANT):
        found = real.ids(tenant=TENANT, subscription=each.id, wanted=WANTED)
        assert found.total == len(found.ids)
        assert found.untold == {name for name in found.ids if type_of(name).lower() == STORAGE.lower()}


def test_rows_are_the_resources_of_pages(real: ArmInventory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "QUERY_IDS", 3)
    subscription = real.subscriptions(tenant=TENANT)[0].id
    listed = by_page(real, subscription, WANTED)
    ids = all_ids(real, subscription)
    asked = [ids[0].upper(), *ids[1:], f"{ids[0]}-gone"]
    page = real.rows(tenant=TENANT, subscription=subscription, ids=asked, wanted=WANTED)
    assert page.cursor is None
    assert [each.id for each in page.resources] == ids
    assert all(each == listed[each.id] for each in page.resources)


def test_changes_are_told_since_a_time(real: ArmInventory, running: Sandbox, clock: Clock) -> None:
    first, second, third = running.ids(STORAGE)[:3]
    http = Http(running)
    http("PATCH", first, {"tags": {"seen": "1"}}, version=STORAGE_VERSION)
    clock.at += timedelta(minutes=1)
    at = clock.at
    http("PATCH", second, {"tags": {"seen": "2"}}, version=STORAGE_VERSION)
    http("DELETE", third, version=STORAGE_VERSION)
    told = {name for each in real.subscriptions(tenant=TENANT) for name in since(real, each.id, at)}
    assert told == {second, third}
    mine = subscription_of(first)
    assert first in since(real, mine, at - timedelta(minutes=1))


def test_changes_have_pages(
    real: ArmInventory, running: Sandbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "PAGE_ROWS", 2)
    name = running.ids(STORAGE)[0]
    for number in range(5):
        Http(running)("PATCH", name, {"tags": {"seen": str(number)}}, version=STORAGE_VERSION)
    assert since(real, subscription_of(name), clock.at) == [name] * 5


def test_types_that_are_listed_are_those_of_resource_graph(real: ArmInventory) -> None:
    assert real.lists(tenant=TENANT, resource_type=STORAGE)
    assert real.lists(tenant=TENANT, resource_type="Microsoft.Sql/servers/databases")
    assert not real.lists(tenant=TENANT, resource_type=BLOBS)


def test_a_list_of_ids_goes_on_after_its_token_has_expired(cloud: Cloud, inventory: ArmInventory) -> None:
    ids = fill(cloud, 2300)
    first = inventory.ids(tenant=TENANT, subscription=SUBSCRIPTION, wanted={})
    cloud.once("Microsoft.ResourceGraph/resources", error(400, "BadRequest", "The skip token is invalid"))
    second = inventory.ids(tenant=TENANT, subscription=SUBSCRIPTION, wanted={}, cursor=first.cursor)
    third = inventory.ids(tenant=TENANT, subscription=SUBSCRIPTION, wanted={}, cursor=second.cursor)
    found = [*first.ids, *second.ids, *third.ids]
    assert [one < other for one, other in pairwise(found)] == [True] * (len(found) - 1)
    assert found == ids


def test_rows_stop_where_the_cloud_asks_to_wait(cloud: Cloud, inventory: ArmInventory) -> None:
    ids = fill(cloud, 12)
    cloud.always(f"{account(10)}/blobServices", error(429, "TooManyRequests", retry_after="60"))
    page = inventory.rows(tenant=TENANT, subscription=SUBSCRIPTION, ids=ids, wanted=WANTED)
    assert page.cursor in ids[:10]
    assert [each.id for each in page.resources] == ids[: ids.index(page.cursor) + 1]
    with pytest.raises(Throttled):
        inventory.rows(tenant=TENANT, subscription=SUBSCRIPTION, ids=ids[10:], wanted=WANTED)


def test_ids_are_quoted_in_queries(cloud: Cloud, inventory: ArmInventory) -> None:
    cloud.always("Microsoft.ResourceGraph/resources", Answer(200, {
        "totalRecords": 0, "count": 0, "data": [], "resultTruncated": "false",
    }))  # fmt: skip
    inventory.rows(tenant=TENANT, subscription=SUBSCRIPTION, ids=["/it's", "/a\\b"], wanted={})
    assert "in~ ('/it\\'s', '/a\\\\b')" in cloud.calls[-1].body["query"]
