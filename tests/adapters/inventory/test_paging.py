"""Pages of Resource Graph and of Resource Manager are followed to the end."""

from collections.abc import Callable

import pytest

from shared.adapters.azure.continuation_token import ContinuationToken
from shared.adapters.azure.inventory import ArmInventory
from shared.domain.error import InvalidInput, NotFound
from shared.domain.resource import Unread
from tests.adapters.cloud import SCOPE, SUBSCRIPTION, Cloud
from tests.adapters.inventory.conftest import (
    BLOBS,
    CONTAINERS,
    PRICINGS,
    SETTINGS,
    STORAGE,
    TENANT,
    WANTED,
    Reading,
    account,
    fill,
)


def test_two_thousand_resources_are_read_completely_exactly_once(cloud: Cloud, inventory: ArmInventory) -> None:
    ids = fill(cloud, 2000)
    read = Reading().to_end(inventory)
    assert read.ids == [SCOPE, *ids]
    assert read.total == 2001
    assert not read.gaps


def test_two_instances_read_the_halves_of_the_whole(cloud: Cloud, connect: Callable[..., ArmInventory]) -> None:
    fill(cloud, 1200)
    whole = Reading().to_end(connect())
    for stop in range(1, whole.pages):
        first = Reading()
        for _ in range(stop):
            first.step(connect())
        second = Reading(cursor=first.cursor).to_end(connect())
        assert first.ids + second.ids == whole.ids
        assert second.total == whole.total


def test_the_first_page_has_the_subscription_and_its_groups(cloud: Cloud, inventory: ArmInventory) -> None:
    group = {"id": f"{SCOPE}/resourceGroups/rg", "name": "rg", "type": "Microsoft.Resources/resourceGroups"}
    cloud.lists[f"{SCOPE}/resourceGroups"] = [group]
    read = Reading()
    read.step(inventory)
    assert [(each.id, each.type) for each in read.resources] == [
        (SCOPE, "Microsoft.Resources/subscriptions"),
        (f"{SCOPE}/resourceGroups/rg", "Microsoft.Resources/subscriptions/resourceGroups"),
    ]
    assert read.resources[0].body["name"] == SUBSCRIPTION


def test_a_row_becomes_the_body_that_arm_would_answer(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 1)
    cloud.rows[0] |= {"tenantId": "t", "tags": {"env": "dev"}, "properties": {"minimumTlsVersion": "TLS1_2"}}
    resource = Reading().to_end(inventory).resources[1]
    assert resource.body == {
        "id": account(0),
        "name": "account0000",
        "type": STORAGE,
        "tags": {"env": "dev"},
        "properties": {"minimumTlsVersion": "TLS1_2"},
    }
    assert resource.collected_at is not None
    assert resource.collected_at.endswith("Z")


def test_relatives_come_with_what_they_belong_to(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 3)
    resource = Reading(WANTED).to_end(inventory).resources[2]
    related = resource.related[BLOBS.lower()]
    assert not isinstance(related, Unread)
    assert [each.id for each in related] == [f"{account(1)}/blobServices/default"]
    assert related[0].api_version == "2023-05-01"
    assert resource.related[SETTINGS.lower()] == ()


def test_wanted_types_that_the_graph_lacks_are_resources_too(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 2)
    service = f"{account(0)}/blobServices/default"
    container = {"id": f"{service}/containers/c1", "name": "c1", "type": CONTAINERS, "properties": {}}
    cloud.lists[f"{service}/containers"] = [container]
    pricing = {"id": f"{SCOPE}/providers/{PRICINGS}/VirtualMachines", "name": "VirtualMachines", "properties": {}}
    cloud.lists[f"{SCOPE}/providers/{PRICINGS}"] = [pricing]
    read = Reading({CONTAINERS.lower(): frozenset(), PRICINGS.lower(): frozenset()}).to_end(inventory)
    assert set(read.ids) == {SCOPE, pricing["id"], account(0), account(1), container["id"]}
    assert read.total == len(read.ids)
    assert next(each for each in read.resources if each.id == pricing["id"]).type == PRICINGS


def test_lists_are_followed_page_by_page(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 1)
    path = f"{account(0)}/providers/{SETTINGS}"
    settings = [{"id": f"{path}/{name}", "name": name, "type": SETTINGS, "properties": {}} for name in "ab"]
    link = f"{cloud.endpoint}{path}/next?api-version=2021-05-01-preview"
    cloud.answers["GET", path] = {"value": settings[:1], "nextLink": link}
    cloud.answers["GET", f"{path}/next"] = {"value": settings[1:]}
    related = Reading(WANTED).to_end(inventory).resources[1].related[SETTINGS.lower()]
    assert not isinstance(related, Unread)
    assert [each.body["name"] for each in related] == ["a", "b"]


def test_what_the_graph_has_no_properties_of_is_read_from_arm(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 2)
    for row in cloud.rows:
        row["properties"] = None
    cloud.bodies[account(0)]["properties"] = {"kept": True}
    wanted = Reading({STORAGE.lower(): frozenset()}).to_end(inventory).resources[1]
    assert wanted.body["properties"] == {"kept": True}
    assert wanted.api_version == "2023-05-01"
    assert not wanted.unread
    unwanted = Reading().to_end(inventory).resources[1]
    assert unwanted.unread["properties"].reason == "notCollected"


def test_a_cursor_that_the_graph_no_longer_takes_finds_its_place_again(cloud: Cloud, inventory: ArmInventory) -> None:
    ids = fill(cloud, 1200)
    read = Reading()
    read.step(inventory)
    read.step(inventory)
    before = ContinuationToken.from_cursor(SUBSCRIPTION, read.cursor)
    read.cursor = ContinuationToken(**{**_fields(before), "token": "gone"}).to_cursor()
    cloud.refuse_token("gone")
    assert read.to_end(inventory).ids == [SCOPE, *ids]


def test_a_cursor_finds_its_place_again_whatever_the_case_of_ids(cloud: Cloud, inventory: ArmInventory) -> None:
    """In the order of characters all capitals come before all small letters; ids are compared without case."""
    ids = [account(number).replace("/rg/", f"/{group}/") for group in ("b", "C") for number in range(600)]
    for each in ids:
        cloud.add(each, STORAGE)
    read = Reading()
    read.step(inventory)
    read.step(inventory)
    before = ContinuationToken.from_cursor(SUBSCRIPTION, read.cursor)
    read.cursor = ContinuationToken(**{**_fields(before), "token": "gone"}).to_cursor()
    cloud.refuse_token("gone")
    found = read.to_end(inventory)
    assert sorted(found.ids) == sorted([SCOPE, *ids])
    assert not found.gaps


def _fields(position: ContinuationToken) -> dict[str, object]:
    return {name: getattr(position, name) for name in ContinuationToken.__slots__}


@pytest.mark.parametrize("cursor", ["", "x", "e30=", "bnVsbA==", "a" * 100_000])
def test_a_foreign_cursor_is_refused(inventory: ArmInventory, cursor: str) -> None:
    with pytest.raises(InvalidInput, match="start again"):
        inventory.page(tenant=TENANT, subscription=SUBSCRIPTION, wanted={}, cursor=cursor)


def test_a_cursor_of_another_subscription_is_refused(inventory: ArmInventory) -> None:
    with pytest.raises(InvalidInput):
        inventory.page(
            tenant=TENANT, subscription=SUBSCRIPTION, wanted={}, cursor=ContinuationToken("other").to_cursor()
        )


def test_another_tenant_has_no_cloud(inventory: ArmInventory) -> None:
    with pytest.raises(NotFound, match="fabrikam"):
        inventory.page(tenant="fabrikam", subscription=SUBSCRIPTION, wanted={})


def test_one_resource_is_read_with_authority(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 1)
    resource = inventory.read(tenant=TENANT, resource_id=account(0), wanted=WANTED)
    assert resource is not None
    assert set(resource.related) == WANTED[STORAGE.lower()]
    assert inventory.read(tenant=TENANT, resource_id=account(9), wanted=WANTED) is None
    assert inventory.read(tenant=TENANT, resource_id=SCOPE, wanted={}) is not None


@pytest.mark.parametrize("resource_id", ["x", "//evil.example/x", "/a/../b", "/a?b=c", "/a#b", "/a\n"])
def test_an_id_that_is_not_a_path_is_rejected(inventory: ArmInventory, resource_id: str) -> None:
    with pytest.raises(InvalidInput):
        inventory.read(tenant=TENANT, resource_id=resource_id, wanted={})
