"""Permissions are checked call by call before a scan."""

from shared.adapters.azure.inventory import ArmInventory
from shared.ports.inventory import RelatedTypes
from tests.adapters.cloud import SCOPE, SUBSCRIPTION, Cloud, denied
from tests.adapters.inventory.conftest import BLOBS, CONTAINERS, PRICINGS, SETTINGS, TENANT, WANTED, account, fill


def _check(inventory: ArmInventory, wanted: RelatedTypes) -> dict[str, tuple[bool, str, str | None]]:
    checks = inventory.check(tenant=TENANT, subscription=SUBSCRIPTION, wanted=wanted)
    return {each.call: (each.allowed, each.permission, each.role) for each in checks}


def test_calls_that_succeed_are_allowed(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 3)
    found = _check(inventory, WANTED)
    assert all(allowed for allowed, _, _ in found.values())
    assert set(found) == {
        f"GET {SCOPE}",
        f"GET {SCOPE}/resourceGroups",
        "Resource Graph query",
        f"GET {account(0)}/blobServices",
        f"GET {account(0)}/providers/{SETTINGS}",
    }


def test_what_fails_names_the_permission_and_the_role(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 3)
    cloud.always(f"/providers/{SETTINGS}", denied("Microsoft.Insights/diagnosticSettings/read", account(0)))
    cloud.always("/resourceGroups", denied("Microsoft.Resources/subscriptions/resourceGroups/read", SCOPE))
    found = _check(inventory, WANTED)
    assert found[f"GET {account(0)}/providers/{SETTINGS}"] == (False, f"{SETTINGS}/read", "Monitoring Reader")
    groups = (False, "Microsoft.Resources/subscriptions/resourceGroups/read", "Reader")
    assert found[f"GET {SCOPE}/resourceGroups"] == groups
    assert found[f"GET {account(0)}/blobServices"][0]


def test_one_resource_of_each_type_is_tried(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 50)
    cloud.lists[f"{SCOPE}/providers/{PRICINGS}"] = []
    wanted = {**WANTED, CONTAINERS.lower(): frozenset[str](), PRICINGS.lower(): frozenset[str]()}
    found = _check(inventory, wanted)
    assert f"GET {SCOPE}/providers/{PRICINGS}" in found
    assert len([call for call in cloud.calls if call.path.endswith("/blobServices")]) == 1


def test_a_type_without_resources_is_not_tried(cloud: Cloud, inventory: ArmInventory) -> None:
    assert f"GET {account(0)}/blobServices" not in _check(inventory, {BLOBS.lower(): frozenset()})
    assert not any(call.path.endswith("/blobServices") for call in cloud.calls)
