"""Policies and evaluations over HTTP, with the packaged catalog."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from functions.api.app import build
from shared.adapters.local.catalog import PackagedCatalog
from tests.functions.api.conftest import Api, problem

CATALOG = PackagedCatalog(Path(__file__).parents[3] / "catalog")
ACCOUNT = {
    "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/telemetry",
    "type": "Microsoft.Storage/storageAccounts",
    "name": "telemetry",
    "location": "eastus",
    "properties": {"supportsHttpsTrafficOnly": False},
}
RULE = {
    "if": {"field": "Microsoft.Storage/storageAccounts/supportsHttpsTrafficOnly", "equals": False},
    "then": {"effect": "audit"},
}


@pytest.fixture
def shelf(api: Api) -> Iterator[Api]:
    """The API with the packaged catalog."""
    ports = replace(api.ports, catalog=CATALOG)
    with TestClient(build(ports)) as client:
        yield Api(ports, api.app, client)


def test_policies_are_listed_by_name_a_page_at_a_time(shelf: Api) -> None:
    names: list[str] = []
    cursor = ""
    while cursor is not None:
        page = shelf.get(f"/policies?limit=40{f'&cursor={cursor}' if cursor else ''}").json()
        names += [each["name"] for each in page["items"]]
        cursor = page["nextCursor"]
    assert names == sorted(each.name for each in CATALOG.policies())


def test_policies_are_filtered(shelf: Api) -> None:
    critical = shelf.get("/policies?severity=critical&limit=200").json()["items"]
    assert critical
    assert {each["severity"] for each in critical} == {"critical"}
    mapped = shelf.get("/policies?framework=gdpr&category=Storage&limit=200").json()["items"]
    assert mapped
    assert all("gdpr" in each["controls"] and each["category"] == "Storage" for each in mapped)
    assert shelf.get("/policies?framework=none").json()["items"] == []


def test_a_policy_has_its_definition_controls_and_remediation(shelf: Api) -> None:
    entry = next(each for each in CATALOG.policies() if each.remediation)
    found = shelf.get(f"/policies/{entry.name}").json()
    assert found == entry.model_dump(mode="json")
    assert found["definition"]["properties"]["policyRule"]
    assert found["change"]["rollback"]
    problem(shelf.get("/policies/none"), 404)


def evaluate(api: Api, **asked: Any) -> Any:
    return api.post("/evaluate", {"resource": ACCOUNT, **asked})


def test_a_policy_of_the_catalog_is_evaluated(api: Api) -> None:
    result = evaluate(api, policy="https-only").json()
    assert result["state"] == "nonCompliant"
    assert result["summary"].startswith("Not compliant")
    assert result["fixes"][0]["path"] == "properties.supportsHttpsTrafficOnly"


def test_a_definition_of_ones_own_is_evaluated(api: Api) -> None:
    assert evaluate(api, definition={"properties": {"policyRule": RULE}}).json()["state"] == "nonCompliant"
    parameters = {"places": {"type": "Array"}}
    rule = {"if": {"field": "location", "in": "[parameters('places')]"}, "then": {"effect": "deny"}}
    asked = {"definition": {"properties": {"parameters": parameters, "policyRule": rule}}}
    assert evaluate(api, **asked, parameters={"places": ["eastus"]}).json()["state"] == "nonCompliant"
    assert evaluate(api, **asked, parameters={"places": ["westeurope"]}).json()["state"] == "compliant"


@pytest.mark.parametrize(
    ("asked", "status", "path"),
    [
        ({}, 422, "$"),
        ({"policy": "https-only", "definition": {}}, 422, "$"),
        ({"policy": "none"}, 404, "$.policy"),
        ({"definition": {}}, 422, None),
        ({"definition": {"properties": {"policyRule": {**RULE, "if": {"field": "x", "equalz": 1}}}}}, 422, None),
        ({"policy": "https-only", "resource": {"id": "x"}}, 422, "$.resource.type"),
        ({"policy": "https-only", "resource": "x"}, 422, "$.resource"),
    ],
)
def test_a_request_that_cannot_be_evaluated_is_reported_with_its_place(
    api: Api, asked: dict[str, Any], status: int, path: str | None
) -> None:
    body = problem(evaluate(api, **asked), status)
    assert body["path"] == path if path else body["path"].startswith("$.definition")


@pytest.mark.parametrize(
    "resource",
    [
        {"type": 1},
        {"type": []},
        {"type": "Microsoft.Storage/storageAccounts", "id": 7, "properties": [1, 2], "tags": "x"},
        {"type": "Microsoft.Storage/storageAccounts", "properties": None, "location": {}},
        {"type": "x" * 10_000},
    ],
)
def test_strange_resources_are_no_fault_of_the_service(api: Api, resource: dict[str, Any]) -> None:
    assert api.post("/evaluate", {"policy": "https-only", "resource": resource}).status_code in (200, 422)


def test_every_explanation_of_the_catalog_is_json(shelf: Api) -> None:
    for entry in CATALOG.policies():
        kind = next(iter(_types(entry.definition)), "Microsoft.Storage/storageAccounts")
        answer = shelf.post(
            "/evaluate", {"policy": entry.name, "resource": {**ACCOUNT, "type": kind, "properties": {}}}
        )
        assert answer.status_code == 200, (entry.name, answer.text)


def _types(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if str(node.get("field")).lower() == "type" and isinstance(node.get("equals"), str):
            yield node["equals"]
        for each in node.values():
            yield from _types(each)
    elif isinstance(node, list):
        for each in node:
            yield from _types(each)
