"""Management groups, subscriptions and resource groups are read."""

from typing import Any

import pytest

from shared.adapters.azure.inventory import ArmInventory
from shared.domain.inventory import Subscription
from tests.adapters.cloud import Answer, Cloud, denied, error
from tests.adapters.inventory.conftest import TENANT

TYPE = "Microsoft.Management/managementGroups"
GROUPS = f"/providers/{TYPE}"


def _node(name: str, *children: dict[str, Any]) -> dict[str, Any]:
    shown = {"type": TYPE, "id": f"{GROUPS}/{name}", "name": name, "displayName": name.title()}
    return {**shown, "children": list(children) or None}


def _leaf(name: str) -> dict[str, Any]:
    return {"type": "/subscriptions", "id": f"/subscriptions/{name}", "name": name, "displayName": "Same name"}


def _tree(node: dict[str, Any], parent: str | None = None) -> dict[str, Any]:
    details = {"parent": {"id": f"{GROUPS}/{parent}"}} if parent else {}
    properties = {"displayName": node["displayName"], "details": details, "children": node["children"]}
    return {"id": node["id"], "name": node["name"], "type": TYPE, "properties": properties}


def _listed(*names: str) -> list[dict[str, Any]]:
    return [
        {"id": f"{GROUPS}/{name}", "name": name, "type": TYPE, "properties": {"tenantId": "root", "displayName": name}}
        for name in names
    ]


@pytest.fixture
def subscribed(cloud: Cloud) -> Cloud:
    shown = [{"subscriptionId": each, "displayName": "Same name", "state": "Enabled"} for each in ("S2", "S1")]
    cloud.lists["/subscriptions"] = shown
    return cloud


def test_parents_come_before_children_and_one_tree_is_enough(subscribed: Cloud, inventory: ArmInventory) -> None:
    corp = _node("corp", _leaf("s1"))
    subscribed.lists[GROUPS] = _listed("corp", "root", "online")
    subscribed.bodies[f"{GROUPS}/root"] = _tree(_node("root", _node("online"), corp))
    groups = inventory.management_groups(tenant=TENANT)
    assert [(each.name, each.parent) for each in groups] == [
        ("root", None),
        ("online", f"{GROUPS}/root"),
        ("corp", f"{GROUPS}/root"),
    ]
    assert groups[2].display_name == "Corp"
    assert len([call for call in subscribed.calls if call.path.startswith(f"{GROUPS}/")]) == 1


def test_a_group_met_before_its_parent_moves_behind_it(subscribed: Cloud, inventory: ArmInventory) -> None:
    leaf = _node("a", _leaf("s1"))
    subscribed.lists[GROUPS] = _listed("a", "b")
    subscribed.bodies[f"{GROUPS}/a"] = _tree(leaf, "b")
    subscribed.bodies[f"{GROUPS}/b"] = _tree(_node("b", leaf), "hidden")
    assert [each.name for each in inventory.management_groups(tenant=TENANT)] == ["b", "a"]
    assert inventory.subscriptions(tenant=TENANT)[0].management_groups == ("b", "a")


def test_subscriptions_with_equal_names_stay_apart(subscribed: Cloud, inventory: ArmInventory) -> None:
    subscribed.lists[GROUPS] = _listed("root")
    subscribed.bodies[f"{GROUPS}/root"] = _tree(_node("root", _leaf("s1")))
    assert inventory.subscriptions(tenant=TENANT) == [
        Subscription(id="s1", display_name="Same name", management_groups=("root",)),
        Subscription(id="s2", display_name="Same name"),
    ]


def test_without_permission_there_are_no_groups(subscribed: Cloud, inventory: ArmInventory) -> None:
    subscribed.always(GROUPS, denied("Microsoft.Management/managementGroups/read", "/"))
    assert inventory.management_groups(tenant=TENANT) == ()
    assert [each.id for each in inventory.subscriptions(tenant=TENANT)] == ["s1", "s2"]


@pytest.mark.parametrize("answer", [Answer(200, {}), error(503, "ServiceUnavailable"), error(400, "BadRequest")])
def test_subscriptions_are_listed_when_groups_cannot_be_read(
    subscribed: Cloud, inventory: ArmInventory, answer: Answer
) -> None:
    subscribed.always(GROUPS, answer)
    assert [each.id for each in inventory.subscriptions(tenant=TENANT)] == ["s1", "s2"]


@pytest.mark.parametrize(("shown", "kept"), [("x" * 100_000, "x" * 256), ("\ud800", "?"), (None, ""), (7, "7")])
def test_any_display_name_can_be_stored(shown: object, kept: str, inventory: ArmInventory, subscribed: Cloud) -> None:
    subscribed.lists["/subscriptions"] = [{"subscriptionId": "S1", "displayName": shown}]
    assert [each.display_name for each in inventory.subscriptions(tenant=TENANT)] == [kept]
