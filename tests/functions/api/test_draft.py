"""Drafts over HTTP: lint, format, test; and several resources in one evaluation."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.domain.identity import Role
from shared.eventstore.store import Store
from shared.services.policy import alias_listing, effective_policy
from tests.fakes.provider import Listing, aliased, provider
from tests.functions.api.conftest import Api, problem

STORAGE = "Microsoft.Storage/storageAccounts"
RULE = {
    "if": {
        "allOf": [
            {"field": "type", "equals": STORAGE},
            {"notEquals": True, "field": f"{STORAGE}/supportsHttpsTrafficOnly"},
        ]
    },
    "then": {"effect": "audit"},
}
ACCOUNT = {"type": STORAGE, "name": "a", "properties": {"supportsHttpsTrafficOnly": False}}
CASES = Path(__file__).parents[2] / "engine" / "cases"


def test_a_draft_is_linted(api: Api) -> None:
    typo = json.loads(json.dumps(RULE).replace("TrafficOnly", "TraficOnly"))
    results = api.post("/policies/lint", {"definition": typo}, Role.READER).json()["results"]
    (found,) = (each for each in results if each["rule"] == "alias-unknown")
    assert found == {
        "rule": "alias-unknown",
        "level": "warning",
        "path": "$.if.allOf[1].field",
        "message": f"there is no alias '{STORAGE}/supportsHttpsTraficOnly' among those of 2026-01-31",
        "suggestion": f"use '{STORAGE}/supportsHttpsTrafficOnly'",
    }
    rules = {each["rule"] for each in api.post("/policies/lint", {"definition": RULE}).json()["results"]}
    assert "alias-unknown" not in rules
    assert "effect-fixed" in rules


def test_the_aliases_are_those_of_the_caller_s_tenant(api: Api, store: Store) -> None:
    own = json.loads(json.dumps(RULE).replace("supportsHttpsTrafficOnly", "own"))
    alias_listing.refresh(store=store, inventory=Listing(provider(aliased(f"{STORAGE}/own", "properties.own"))))  # type: ignore[arg-type]
    effective_policy.forget(store)
    for tenant, known in ((store.tenant, True), ("fabrikam", False)):
        found = api.post("/policies/lint", {"definition": own}, tenant=tenant).json()["results"]
        assert ("alias-unknown" in {each["rule"] for each in found}) is not known
        asked = {"definition": own, "resource": {**ACCOUNT, "properties": {"own": False}}}
        result = api.post("/evaluate", asked, tenant=tenant).json()
        assert result["state"] == ("nonCompliant" if known else "unknown")


def test_a_definition_that_is_none_is_a_result(api: Api) -> None:
    (found,) = api.post("/policies/lint", {"definition": {"x": 1}}).json()["results"]
    assert (found["rule"], found["path"]) == ("definition-invalid", "$")


def test_a_draft_is_formatted(api: Api) -> None:
    first = api.post("/policies/format", {"definition": RULE}).json()
    assert first["changed"]
    assert json.loads(first["text"]) == RULE
    again = api.post("/policies/format", {"definition": json.loads(first["text"])}).json()
    assert again == {"text": first["text"], "changed": False}
    assert problem(api.post("/policies/format", {"definition": {"if": {}}}), 422)["path"] == "$.policyRule"


def test_a_case_is_run(api: Api) -> None:
    case = {"name": "c", "definition": RULE, "resource": ACCOUNT}
    good = api.post("/policies/test", {**case, "expect": "nonCompliant"}).json()
    assert (good["passed"], good["state"]) == (True, "nonCompliant")
    bad = api.post("/policies/test", {**case, "expect": {"effect": "deny"}}).json()
    assert (bad["passed"], bad["problems"]) == (False, ["expected the effect deny, found audit"])
    named = api.post("/policies/test", {**case, "definition": "https-only", "expect": "nonCompliant"}).json()
    assert named["passed"]
    problem(api.post("/policies/test", {**case, "definition": "none", "expect": "compliant"}), 404)
    problem(api.post("/policies/test", {**case, "expects": "compliant"}), 422)


@pytest.mark.parametrize("operation", ["lint", "format", "test"])
def test_drafts_need_a_reader(api: Api, operation: str) -> None:
    problem(api.post(f"/policies/{operation}", {}, Role.SENDER), 403)
    problem(api.post(f"/policies/{operation}", {}, Role.READER), 422)


def test_several_resources_are_judged_in_order(api: Api) -> None:
    good = {**ACCOUNT, "properties": {"supportsHttpsTrafficOnly": True}}
    result = api.post("/evaluate", {"policy": "https-only", "resources": [ACCOUNT, good, {"type": "T.X/y"}]}).json()
    assert [each["state"] for each in result["results"]] == ["nonCompliant", "compliant", "notApplicable"]


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({"resources": [ACCOUNT] * 101}, "$.resources"),
        ({"resources": []}, "$"),
        ({"resource": ACCOUNT, "resources": [ACCOUNT]}, "$"),
        ({"resources": [ACCOUNT, {"name": "a"}]}, "$.resources[1].type"),
        ({"resources": [ACCOUNT, 1]}, "$.resources[1]"),
    ],
)
def test_questions_are_bounded_and_told_where_they_are_wrong(api: Api, asked: Any, path: str) -> None:
    assert problem(api.post("/evaluate", {"policy": "https-only", **asked}), 422)["path"] == path


WIDE = 4_000


@pytest.mark.parametrize(
    "rule",
    [
        {"allOf": [{"field": f"{STORAGE}/nothing{at}", "equals": at} for at in range(WIDE)]},
        {"allOf": [{"field": "location", "equals": f"l{at}"} for at in range(WIDE)]},
        {"anyOf": [{"allOf": [{"field": "type", "equals": f"T.X/{at}"}]} for at in range(WIDE)]},
        {"allOf": [{"field": "type", "in": [f"T.X/{at}" for at in range(WIDE)]}] * 20},
        {"field": "kind", "in": [f"v{at}" for at in range(WIDE * 5)]},
    ],
    ids=["unknown", "contradiction", "types", "lists", "list"],
)
def test_large_drafts_are_linted_without_a_blow_up(api: Api, rule: Any) -> None:
    answer = api.post("/policies/lint", {"definition": {"if": rule, "then": {"effect": "audit"}}})
    assert answer.status_code == 200
    assert len(answer.json()["results"]) < 1_000


DEFINITION = {"name": "secure", "properties": {"displayName": "Secure", "mode": "All", "policyRule": RULE}}
TEMPLATE = {
    "contentVersion": "1.0.0.0",
    "resources": [
        {"type": "Microsoft.Authorization/policyDefinitions", "apiVersion": "2023-04-01", **DEFINITION},
        {
            "type": "Microsoft.Authorization/policyAssignments",
            "apiVersion": "2023-04-01",
            "name": "assigned",
            "properties": {"policyDefinitionId": "/providers/Microsoft.Authorization/policyDefinitions/secure"},
        },
    ],
}
FORMS = {
    "a list": ([DEFINITION], "$[0].properties"),
    "a page": ({"value": [DEFINITION]}, "$.value[0].properties"),
    "a template": (TEMPLATE, "$.resources[0].properties"),
    "a text with comments": ("// team\n" + json.dumps(DEFINITION), "$.properties"),
}


@pytest.mark.parametrize(("content", "path"), FORMS.values(), ids=FORMS)
def test_a_file_may_be_sent_in_any_of_its_forms(api: Api, content: Any, path: str) -> None:
    results = api.post("/policies/lint", {"definition": content}).json()["results"]
    assert [each["path"] for each in results if each["rule"] == "effect-fixed"] == [f"{path}.policyRule.then.effect"]
    found = api.post("/evaluate", {"definition": content, "resource": ACCOUNT}).json()
    (result,) = found.get("results", [found])
    assert (result["policy"], result["state"]) == ("secure", "nonCompliant")
    referring = {"policyDefinitionId": "/providers/Microsoft.Authorization/policyDefinitions/secure"}
    asked = {"definition": {"properties": referring}, "definitions": [content], "resource": ACCOUNT}
    assert [each["state"] for each in api.post("/evaluate", asked).json()["results"]] == ["nonCompliant"]


def test_a_text_is_formatted_as_a_file_is(api: Api) -> None:
    written = json.dumps({"policyRule": {"then": RULE["then"], "if": RULE["if"]}, "mode": "All"})
    found = api.post("/policies/format", {"definition": written}).json()
    assert (list(json.loads(found["text"])), found["changed"]) == (["mode", "policyRule"], True)
    assert api.post("/policies/format", {"definition": found["text"]}).json()["changed"] is False


def test_a_text_that_is_broken_is_a_result_with_its_reason(api: Api) -> None:
    (found,) = api.post("/policies/lint", {"definition": "{"}).json()["results"]
    assert (found["rule"], "not JSON" in found["message"]) == ("definition-invalid", True)
    refused = problem(api.post("/evaluate", {"definition": "{", "resource": ACCOUNT}), 422)
    assert refused["path"] == "$.definition"
