"""What PowerShell makes of resources is read as Azure spells them."""

import json
from typing import Any

import pytest

from shared.domain.resource import Resource, Unread
from shared.importing.inventory_reader import read_resources

ID = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/a"
STORAGE = "Microsoft.Storage/storageAccounts"
NOT_COLLECTED = Unread("notCollected")


def _read(**members: Any) -> Resource:
    record = {"ResourceId": ID, "Id": ID, "ResourceType": STORAGE, "Type": STORAGE, "Name": "a", **members}
    (found,) = read_resources([json.dumps([record]).encode()])
    assert isinstance(found, Resource)
    return found


def test_members_get_the_names_that_azure_has() -> None:
    found = _read(
        Location="westeurope",
        ResourceGroupName="rg",
        SubscriptionId="s",
        Kind="StorageV2",
        Sku={"Name": "Standard_LRS", "Tier": None},
        Identity={"PrincipalId": "p", "Type": "SystemAssigned"},
        Tags={"Env": "dev"},
        Properties={"supportsHttpsTrafficOnly": False},
        Plan=None,
    )
    assert found == Resource(
        {
            "id": ID,
            "name": "a",
            "type": STORAGE,
            "location": "westeurope",
            "kind": "StorageV2",
            "sku": {"name": "Standard_LRS", "tier": None},
            "identity": {"principalId": "p", "type": "SystemAssigned"},
            "tags": {"Env": "dev"},
            "properties": {"supportsHttpsTrafficOnly": False},
        }
    )


def test_without_properties_nothing_is_known_of_them() -> None:
    assert _read(Properties=None).unread == {"properties": NOT_COLLECTED}
    assert _read().unread == {"properties": NOT_COLLECTED}


@pytest.mark.parametrize(
    ("properties", "unread"),
    [
        ({"acls": "@{bypass=AzureServices; ipRules=System.Object[]}", "x": 1}, "properties.acls"),
        ({"rules": ["@{name=a}", "@{name=b}"], "x": 1}, "properties.rules"),
        ({"map": {"a": "System.Collections.Hashtable"}, "x": 1}, "properties.map.a"),
    ],
)
def test_what_was_cut_off_below_the_depth_counts_as_unread(properties: Any, unread: str) -> None:
    found = _read(Properties=properties)
    assert found.unread == {unread: NOT_COLLECTED}
    assert found.body["properties"]["x"] == 1


def test_the_number_of_a_kind_of_identity_is_not_its_name() -> None:
    assert _read(Identity={"Type": 0}, Properties={}).unread == {"identity.type": NOT_COLLECTED}
