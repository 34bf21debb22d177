"""A sample estate follows from its seed and looks like a real tenant."""

import json
import tracemalloc
from collections import Counter, defaultdict
from itertools import islice
from typing import Any

import pytest

from local import estate
from local.estate import DriftChange
from shared.domain.merge_patch import merged


@pytest.fixture(scope="module")
def bodies() -> dict[str, dict[str, Any]]:
    """An estate of 1,500 resources by id."""
    return {record.id: json.loads(record.text) for record in estate.records(7, 1500)}


def graph(count: int, seed: int = 7) -> list[str]:
    return [record.id for record in estate.records(seed, count) if record.template.graph == "resources"]


@pytest.mark.parametrize("count", [0, 1, 40, 200, 777])
def test_an_estate_has_the_number_of_resources_asked_for(count: int) -> None:
    assert len(graph(count)) == count


def test_an_estate_follows_from_its_seed() -> None:
    one = [record.text for record in estate.records(7, 300)]
    assert one == [record.text for record in estate.records(7, 300)]
    assert not set(graph(50, seed=7)) & set(graph(50, seed=8))


def test_a_larger_estate_begins_with_a_smaller_one() -> None:
    assert graph(900)[:200] == graph(200)


def test_ids_are_unique_in_any_case(bodies: dict[str, dict[str, Any]]) -> None:
    assert len({name.lower() for name in bodies}) == len(list(estate.records(7, 1500)))


def test_a_small_estate_has_forty_types_and_a_larger_one_nearly_all(bodies: dict[str, dict[str, Any]]) -> None:
    small = {record.template.type for record in estate.records(7, 200) if record.template.graph == "resources"}
    assert len(small) >= 40
    related = {body["type"] for body in bodies.values() if "type" in body}
    assert related >= {
        "Microsoft.Insights/diagnosticSettings",
        "Microsoft.Sql/servers/auditingSettings",
        "Microsoft.Sql/servers/securityAlertPolicies",
        "Microsoft.Sql/servers/databases/transparentDataEncryption",
        "Microsoft.Sql/servers/firewallRules",
        "Microsoft.Sql/servers/administrators",
        "Microsoft.Storage/storageAccounts/blobServices",
        "Microsoft.Storage/storageAccounts/privateEndpointConnections",
        "Microsoft.Authorization/roleAssignments",
        "Microsoft.Security/pricings",
        "Microsoft.RecoveryServices/vaults/backupPolicies",
    }


def test_parents_come_before_children(bodies: dict[str, dict[str, Any]]) -> None:
    seen: set[str] = set()
    for name in bodies:
        head, _, _ = name.rpartition("/providers/")
        if head and "/subscriptions/" in name:
            assert head.lower() in seen or "managementGroups" in name, name
        seen.add(name.lower())


def test_references_lead_to_resources_that_exist(bodies: dict[str, dict[str, Any]]) -> None:
    known = {name.lower() for name in bodies} | {
        part["id"].lower() for body in bodies.values() for part in _parts(body)
    }
    foreign = (
        "diskencryptionsets",
        "databricks-rg",
        "publicmaintenance",
        "publishers",
        "roledefinitions",
        "policysetdefinitions",
    )
    loose = Counter(
        value
        for name, body in bodies.items()
        for value in _ids(body)
        if value.lower() not in known and not any(word in value.lower() for word in foreign)
    )
    last = next(reversed(bodies)).partition("/providers/")[0]
    assert {value for value in loose if not value.startswith(last)} == set(), "only the last group may be cut short"


def _ids(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [found for inner in value.values() for found in _ids(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in _ids(inner)]
    return [value] if isinstance(value, str) and value.startswith("/subscriptions/") and "/providers/" in value else []


def _parts(value: Any) -> list[dict[str, Any]]:
    """What lies within a body and has an id of its own: subnets, rules, front ends, …"""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict) and isinstance(value.get("id"), str) and "properties" in value else []
    return own + [part for each in inner for part in _parts(each)]


@pytest.mark.parametrize(
    ("kind", "path", "right"),
    [
        ("Microsoft.Storage/storageAccounts", "supportsHttpsTrafficOnly", True),
        ("Microsoft.Storage/storageAccounts", "minimumTlsVersion", "TLS1_2"),
        ("Microsoft.KeyVault/vaults", "enableRbacAuthorization", True),
        ("Microsoft.Web/sites", "httpsOnly", True),
        ("Microsoft.Sql/servers/databases/transparentDataEncryption", "state", "Enabled"),
    ],
)
def test_most_resources_are_configured_right(
    bodies: dict[str, dict[str, Any]], kind: str, path: str, right: Any
) -> None:
    found = Counter(body["properties"].get(path) == right for body in bodies.values() if body.get("type") == kind)
    share = found[True] / found.total()
    assert 0.6 < share < 0.98


def test_most_resources_have_an_owner_tag(bodies: dict[str, dict[str, Any]]) -> None:
    tags = [body["tags"] for body in bodies.values() if body.get("tags") and body.get("location")]
    for name, least in (("owner", 0.8), ("environment", 0.85), ("costCenter", 0.78)):
        assert least < sum(name in each for each in tags) / len(tags) < 0.99


def test_types_and_members_are_spelled_as_arm_does(bodies: dict[str, dict[str, Any]]) -> None:
    kinds = {body.get("type") for body in bodies.values()}
    assert {"Microsoft.Cache/Redis", "microsoft.insights/components", "Microsoft.Devices/IotHubs"} <= kinds
    by_type: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for body in bodies.values():
        by_type[body.get("type", "")].append(body)
    assert {body["location"] for body in by_type["Microsoft.Web/sites"]} <= {
        "West Europe",
        "North Europe",
        "Germany West Central",
        "Sweden Central",
        "East US",
    }
    assert all(body["etag"].startswith('W/"') for body in by_type["Microsoft.Network/virtualNetworks"])
    rule = by_type["Microsoft.Network/networkSecurityGroups"][0]["properties"]["securityRules"][0]
    assert rule["etag"] == by_type["Microsoft.Network/networkSecurityGroups"][0]["etag"]
    assert not {"type", "name"} & by_type[""][0].keys(), "a subscription has neither"


def test_management_groups_form_a_tree_with_every_subscription(bodies: dict[str, dict[str, Any]]) -> None:
    groups = {
        name: body for name, body in bodies.items() if body.get("type") == "Microsoft.Management/managementGroups"
    }
    parents = {name: body["properties"]["details"]["parent"] for name, body in groups.items()}
    assert sum(parent is None for parent in parents.values()) == 1
    assert all(parent["id"] in groups for parent in parents.values() if parent)
    links = [
        body for body in bodies.values() if body.get("type") == "Microsoft.Management/managementGroups/subscriptions"
    ]
    subscriptions = [body for body in bodies.values() if "subscriptionPolicies" in body]
    assert sorted(link["name"] for link in links) == sorted(each["subscriptionId"] for each in subscriptions)
    names = [each["displayName"] for each in subscriptions]
    assert len(set(names)) < len(names)


def test_a_million_resources_are_streamed_in_bounded_memory() -> None:
    tracemalloc.start()
    try:
        for _ in islice(estate.records(7, 1_000_000), 3000):
            pass
        early = tracemalloc.get_traced_memory()[0]
        for _ in islice(estate.records(7, 1_000_000), 12_000):
            pass
        late = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert late - early < 2_000_000


def apply(bodies: dict[str, dict[str, Any]], change: DriftChange) -> None:
    if change.kind == "delete":
        del bodies[change.id]
    else:
        bodies[change.id] = merged(bodies.get(change.id, {}), change.body)


def test_drift_is_the_same_for_the_same_seed_and_step() -> None:
    assert list(estate.make_drift(7, 3, 500)) == list(estate.make_drift(7, 3, 500))
    assert list(estate.make_drift(7, 3, 500)) != list(estate.make_drift(7, 4, 500))


def test_drift_updates_existing_and_creates_new_resources() -> None:
    small = {record.id: json.loads(record.text) for record in estate.records(7, 300)}
    kinds: Counter[str] = Counter()
    for step in range(1, 60):
        for change in estate.make_drift(7, step, 300):
            kinds[change.kind] += 1
            if change.kind == "update" and change.id in small:
                before = json.dumps(small[change.id])
                apply(small, change)
                assert json.dumps(small[change.id]) != before or change.body
            elif change.kind == "create":
                assert change.body
                assert change.body["id"] == change.id
    assert kinds["update"] > kinds["create"] > 0 < kinds["delete"]


def test_drift_touches_settings_and_tags() -> None:
    paths = {
        next(iter(change.body["properties"])) if "properties" in change.body else next(iter(change.body))
        for step in range(1, 80)
        for change in estate.make_drift(7, step, 500)
        if change.kind == "update" and change.body
    }
    assert "tags" in paths
    assert len(paths) > 15


def test_another_company_exports_one_subscription_without_what_the_tour_fixes() -> None:
    found = list(estate.exported())
    assert {each["id"].split("/")[2] for each in found if each["id"].startswith("/subscriptions/")} == {
        found[0]["id"].split("/")[2]
    }
    assert 50 < len(found) < 200
    assert not [each for each in found if "Microsoft.Storage" in each["id"]]
    assert not {each["id"] for each in found} & {each["id"] for each in estate.resources(count=200)}


def test_what_may_not_be_read_is_in_the_estate() -> None:
    found = [each["id"] for each in estate.resources(count=2000)]
    for fault in estate.restrictions():
        kind = fault.get("type", "").rpartition("/")[2]
        assert [each for each in found if each.startswith(fault["scope"]) and f"/{kind}".rstrip("/") in each]
