"""One body whichever way a resource is read: by Resource Graph in bulk, or by Resource Manager alone."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.cloud.server import Sandbox, sandbox
from shared.adapters.azure.arm import ArmConnection, StaticToken
from shared.adapters.azure.inventory import ArmInventory
from shared.bootstrap import catalog
from shared.domain.resource import Resource
from shared.services.estate.resource import fingerprint
from tests.adapters.cloud import SCOPE, SUBSCRIPTION, Cloud
from tests.adapters.inventory.conftest import STORAGE, TENANT, Reading, account

MACHINES = "Microsoft.Compute/virtualMachines"


@pytest.fixture(scope="module")
def whole_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("cloud") / "cloud.db", resources=400) as started:
        yield started


def _hash(resource: Resource) -> str:
    return fingerprint(resource.to_record())


def test_an_unchanged_resource_has_one_hash_whichever_way_it_is_read(whole_cloud: Sandbox) -> None:
    connection = ArmConnection(TENANT, whole_cloud.url, StaticToken(whole_cloud.token))
    inventory = ArmInventory(connection, resource_types=catalog().resource_types(), sleep=lambda _: None)
    listed: dict[str, Resource] = {}
    for subscription in inventory.subscriptions(tenant=TENANT):
        cursor: str | None = None
        while True:
            page = inventory.page(tenant=TENANT, subscription=subscription.id, wanted={}, cursor=cursor)
            # One of each type: a read of every resource would say no more.
            listed |= {each.type: each for each in page.resources}
            cursor = page.cursor
            if cursor is None:
                break
    alone = {kind: inventory.read(tenant=TENANT, resource_id=each.id, wanted={}) for kind, each in listed.items()}
    inventory.close()
    assert len(listed) > 50
    flipped = [kind for kind, each in alone.items() if each is None or _hash(each) != _hash(listed[kind])]
    assert flipped == []


@pytest.mark.parametrize(
    "unlike",
    [
        {"systemData": {"lastModifiedAt": "2026-01-01T00:00:00Z"}},
        {"etag": 'W/"1"', "eTag": '"2"'},
        {"tags": None, "sku": None, "identity": None, "zones": None, "managedBy": None, "plan": None},
        {"tags": {}, "kind": ""},
        {"resources": [{"id": "/x", "properties": {}}]},
        {"type": STORAGE.upper()},
        {"location": "West Europe"},
    ],
    ids="-".join,
)
def test_what_resource_manager_alone_shows_changes_no_hash(
    cloud: Cloud, inventory: ArmInventory, unlike: dict[str, Any]
) -> None:
    cloud.add(account(1), STORAGE, location="westeurope", properties={"provisioningState": "Succeeded"})
    cloud.bodies[account(1)] |= unlike
    bulk = next(each for each in Reading().to_end(inventory).resources if each.type == STORAGE)
    alone = inventory.read(tenant=TENANT, resource_id=account(1), wanted={})
    assert alone is not None
    assert _hash(alone) == _hash(bulk)


def test_a_type_that_the_table_lacks_has_one_spelling(cloud: Cloud, inventory: ArmInventory) -> None:
    identity = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Contoso.New/things/one"
    cloud.add(identity, "Contoso.New/things")
    cloud.answers["GET", f"/subscriptions/{SUBSCRIPTION}/providers/contoso.new"] = {
        "resourceTypes": [{"resourceType": "things", "apiVersions": ["2026-01-01"]}]
    }
    bulk = next(each for each in Reading().to_end(inventory).resources if each.id == identity)
    alone = inventory.read(tenant=TENANT, resource_id=identity, wanted={})
    assert alone is not None
    assert alone.type == bulk.type == "contoso.new/things"


def test_a_state_that_a_policy_can_look_at_is_a_change(cloud: Cloud, inventory: ArmInventory) -> None:
    cloud.add(account(1), STORAGE, properties={"provisioningState": "Succeeded"})
    bulk = next(each for each in Reading().to_end(inventory).resources if each.type == STORAGE)
    cloud.bodies[account(1)] = {**cloud.bodies[account(1)], "properties": {"provisioningState": "Failed"}}
    alone = inventory.read(tenant=TENANT, resource_id=account(1), wanted={})
    assert alone is not None
    assert _hash(alone) != _hash(bulk)


def test_what_runs_and_what_is_stopped_is_one_machine(cloud: Cloud, inventory: ArmInventory) -> None:
    """Rows tell the power state of virtual machines, which Resource Manager tells in an address of its own."""
    machine = f"{SCOPE}/resourceGroups/rg/providers/{MACHINES}/vm1"
    cloud.add(machine, MACHINES, properties={"vmId": "1"})
    hashes = set()
    for state in (None, "running", "deallocated"):
        view = {"instanceView": {"powerState": {"code": f"PowerState/{state}"}}}
        cloud.rows[0]["properties"] = {"vmId": "1", **({"extended": view} if state else {})}
        (found,) = (each for each in Reading().to_end(inventory).resources if each.id == machine)
        hashes.add(_hash(found))
    assert len(hashes) == 1


def test_other_types_may_have_a_property_of_that_name(cloud: Cloud, inventory: ArmInventory) -> None:
    cloud.add(account(1), STORAGE, properties={"extended": {"x": 1}})
    found = Reading().to_end(inventory).resources[-1]
    assert found.body["properties"] == {"extended": {"x": 1}}
