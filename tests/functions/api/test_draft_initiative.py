"""Initiatives and assignments over HTTP: lint, members, format, test, evaluate."""

import json
from typing import Any

import pytest

from shared.domain.identity import Role
from tests.functions.api.conftest import Api, problem

STORAGE = "Microsoft.Storage/storageAccounts"
PREFIX = "/providers/Microsoft.Authorization"
ACCOUNT = {"type": STORAGE, "name": "a", "location": "eastus", "properties": {"supportsHttpsTrafficOnly": False}}
GOOD = {**ACCOUNT, "name": "b", "properties": {"supportsHttpsTrafficOnly": True}}
PLACED = {
    "name": "placed",
    "properties": {
        "displayName": "Where",
        "version": "1.2.0",
        "parameters": {
            "effect": {"type": "String", "allowedValues": ["Audit", "Deny"], "defaultValue": "Audit"},
            "location": {"type": "String"},
        },
        "policyRule": {
            "if": {"field": "location", "notEquals": "[parameters('location')]"},
            "then": {"effect": "[parameters('effect')]"},
        },
    },
}
INITIATIVE = {
    "name": "base",
    "properties": {
        "displayName": "Base",
        "parameters": {"effect": {"type": "String", "allowedValues": ["Audit", "Deny"], "defaultValue": "Audit"}},
        "policyDefinitions": [
            {
                "policyDefinitionId": f"{PREFIX}/policyDefinitions/placed",
                "policyDefinitionReferenceId": "where",
                "parameters": {
                    "effect": {"value": "[parameters('effect')]"},
                    "location": {"value": "westeurope"},
                },
            },
            {
                "policyDefinitionId": f"{PREFIX}/policyDefinitions/https-only",
                "policyDefinitionReferenceId": "https",
            },
        ],
    },
}
ASSIGNMENT = {
    "name": "as",
    "properties": {
        "policyDefinitionId": f"{PREFIX}/policySetDefinitions/base",
        "parameters": {"effect": {"value": "Deny"}},
        "enforcementMode": "DoNotEnforce",
        "nonComplianceMessages": [{"message": "See the wiki"}],
    },
}


def misspelled() -> Any:
    return json.loads(json.dumps(INITIATIVE).replace('"location": {"value"', '"lokation": {"value"'))


def test_an_initiative_is_linted_with_the_catalog_and_the_given_files(api: Api) -> None:
    def rules(**body: Any) -> list[str]:
        return [each["rule"] for each in api.post("/policies/lint", body, Role.READER).json()["results"]]

    assert "reference-unknown" in rules(definition=INITIATIVE)
    assert "reference-unknown" not in rules(definition=INITIATIVE, definitions=[PLACED])
    found = api.post("/policies/lint", {"definition": misspelled(), "definitions": [PLACED]}).json()["results"]
    assert found[0] == {
        "rule": "argument-unknown",
        "level": "error",
        "path": "$.properties.policyDefinitions[0].parameters.lokation",
        "message": "'where' has no parameter 'lokation'",
        "suggestion": "use 'location'",
    }
    assert found[1]["rule"] == "argument-missing"
    assert "identity-missing" not in rules(definition=ASSIGNMENT, definitions=[PLACED, INITIATIVE])


def test_the_members_of_an_initiative_are_reported(api: Api) -> None:
    result = api.post("/policies/members", {"definition": INITIATIVE, "definitions": [PLACED]}, Role.READER).json()
    assert (result["name"], result["displayName"], result["assignment"]) == ("base", "Base", None)
    where, https = result["members"]
    assert where == {
        "reference": "where",
        "definition": f"{PREFIX}/policyDefinitions/placed",
        "displayName": "Where",
        "problem": None,
        "version": "",
        "effectiveVersion": "1.2.0",
        "effect": "audit",
        "groups": [],
        "parameters": {"effect": "[parameters('effect')]", "location": "westeurope"},
    }
    assert (https["problem"], https["effect"]) == (None, "audit")
    (effect,) = result["parameters"]
    assert (effect["value"], effect["members"]) == ("Audit", ["where"])
    assigned = api.post("/policies/members", {"definition": ASSIGNMENT, "definitions": [INITIATIVE]}).json()
    assert (assigned["assignment"], assigned["parameters"][0]["value"]) == ("as", "Deny")
    assert assigned["members"][0]["problem"] == "there is no such definition"
    assert problem(api.post("/policies/members", {"definition": PLACED}), 422)["path"] == "$.policyDefinitionId"


def test_members_that_cannot_be_used_are_reported_with_the_reason(api: Api) -> None:
    result = api.post("/policies/members", {"definition": misspelled(), "definitions": [PLACED]}).json()
    assert result["members"][0]["problem"] == "$.parameters.lokation: no such parameter; did you mean 'location'?"
    needed = {**INITIATIVE["properties"], "parameters": {"effect": {"type": "String"}}}  # type: ignore[dict-item]
    result = api.post("/policies/members", {"definition": needed, "definitions": [PLACED]}).json()
    assert (result["members"][0]["problem"], result["members"][0]["effect"]) == (None, "")


def test_an_initiative_is_formatted(api: Api) -> None:
    wild = {"properties": {"policyDefinitions": INITIATIVE["properties"]["policyDefinitions"], "displayName": "B"}}  # type: ignore[index]
    result = api.post("/policies/format", {"definition": wild}).json()
    assert result["text"].startswith('{\n  "properties": {\n    "displayName": "B",\n    "policyDefinitions": [')
    assert result["changed"]
    broken = {"policyDefinitions": [{"policyDefinitionID": 1}]}
    refused = problem(api.post("/policies/format", {"definition": broken}), 422)
    assert refused["path"] == "$.policyDefinitions[0].policyDefinitionId"


def test_a_case_of_an_initiative_is_run(api: Api) -> None:
    case = {"name": "c", "initiative": INITIATIVE, "definitions": [PLACED], "resource": ACCOUNT}
    expect = {"members": {"where": {"state": "nonCompliant", "effect": "audit"}, "https": "nonCompliant"}}
    found = api.post("/policies/test", {**case, "expect": expect}).json()
    assert (found["passed"], found["members"]) == (True, {"where": "nonCompliant", "https": "nonCompliant"})
    assigned = {"name": "c", "assignment": ASSIGNMENT, "definitions": [PLACED, INITIATIVE], "resource": ACCOUNT}
    expect = {"members": {"where": {"effect": "deny", "enforced": False, "message": "See the wiki"}}}
    assert api.post("/policies/test", {**assigned, "expect": expect}).json()["problems"] == []


def test_an_initiative_is_evaluated_member_by_member(api: Api) -> None:
    body = {"definition": INITIATIVE, "definitions": [PLACED], "parameters": {"effect": "Deny"}}
    result = api.post("/evaluate", {**body, "resources": [ACCOUNT, GOOD]}).json()["results"]
    assert [(each["reference"], each["state"], each["effect"]) for each in result] == [
        ("where", "nonCompliant", "deny"),
        ("https", "nonCompliant", "audit"),
        ("where", "nonCompliant", "deny"),
        ("https", "compliant", "audit"),
    ]
    assert {(each["initiative"], each["policy"]) for each in result} == {("base", "placed"), ("base", "https-only")}
    assert result[0]["rule"]["observed"] == "eastus"


def test_an_assignment_is_evaluated_where_it_is_in_force(api: Api) -> None:
    body = {"definition": ASSIGNMENT, "definitions": [PLACED, INITIATIVE], "resource": ACCOUNT}
    where, https = api.post("/evaluate", body).json()["results"]
    assert (where["assignment"], where["effect"], where["enforced"]) == ("as", "deny", False)
    assert (where["message"], https["message"]) == ("See the wiki", "See the wiki")
    elsewhere = {**ASSIGNMENT, "properties": {**ASSIGNMENT["properties"], "scope": "/subscriptions/t"}}  # type: ignore[dict-item]
    assert api.post("/evaluate", {**body, "definition": elsewhere}).json() == {"results": []}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"definition": INITIATIVE}, "$.definition.policyDefinitions[0].policyDefinitionId"),
        (
            {"definition": misspelled(), "definitions": [PLACED]},
            "$.definition.policyDefinitions[0].parameters.lokation",
        ),
        ({"definition": ASSIGNMENT}, "$.definition.policyDefinitionId"),
        ({"definition": INITIATIVE, "definitions": [PLACED] * 1_001}, "$.definitions"),
        (
            {"definition": INITIATIVE, "definitions": [PLACED], "parameters": {"efect": 1}},
            "$.definition.parameters.efect",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_reported_with_the_place(api: Api, body: Any, path: str) -> None:
    assert problem(api.post("/evaluate", {**body, "resource": ACCOUNT}), 422)["path"] == path


def test_the_number_of_pairs_is_bounded(api: Api) -> None:
    first = INITIATIVE["properties"]["policyDefinitions"][0]  # type: ignore[index]
    members = [
        {**first, "policyDefinitionReferenceId": str(at), "parameters": {"location": {"value": "x"}}}
        for at in range(101)
    ]
    body = {"definition": {"policyDefinitions": members}, "definitions": [PLACED], "resources": [ACCOUNT] * 100}
    refused = problem(api.post("/evaluate", body), 422)
    assert (refused["path"], "more than 10,000 pairs" in refused["detail"]) == ("$.resources", True)


def test_members_need_a_reader(api: Api) -> None:
    problem(api.post("/policies/members", {}, Role.SENDER), 403)
    problem(api.post("/policies/members", {}, Role.READER), 422)


MANY = 4_000
DEFINITION = f"{PREFIX}/policyDefinitions/placed"


@pytest.mark.parametrize(
    "draft",
    [
        {"policyDefinitions": [{"policyDefinitionId": f"{PREFIX}/policyDefinitions/n{at}"} for at in range(MANY)]},
        {
            "policyDefinitionGroups": [{"name": f"group{at}"} for at in range(MANY)],
            "policyDefinitions": [{"policyDefinitionId": DEFINITION, "groupNames": [f"grp{at}" for at in range(MANY)]}],
        },
        {
            "parameters": {f"parameter{at}": {"type": "String"} for at in range(MANY)},
            "policyDefinitions": [
                {"policyDefinitionId": DEFINITION, "parameters": {"effect": {"value": f"[parameters('p{at}')]"}}}
                for at in range(MANY)
            ],
        },
        {"policyDefinitionId": DEFINITION, "overrides": [{"value": "Deni"}] * 1_000, "notScopes": ["/x"] * MANY},
    ],
    ids=["references", "groups", "parameters", "overrides"],
)
def test_large_drafts_are_linted_without_a_blow_up(api: Api, draft: Any) -> None:
    answer = api.post("/policies/lint", {"definition": draft, "definitions": [PLACED]})
    assert answer.status_code == 200
    assert 0 < len(answer.json()["results"]) < 1_000
