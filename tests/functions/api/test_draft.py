"""Drafts over HTTP: lint, format, test; and several resources in one evaluation."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.domain.identity import Role
from shared.services import listing, policy
from shared.services.estate import Store
from tests.functions.api.conftest import Api, problem
from tests.services.test_listing import Listing, aliased, provider

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
    found = api.post("/policies/lint", {"definition": typo}, Role.READER).json()["remarks"]
    assert found[0] == {
        "rule": "alias-unknown",
        "level": "error",
        "path": "$.if.allOf[1].field",
        "message": f"there is no alias '{STORAGE}/supportsHttpsTraficOnly'",
        "suggestion": f"use '{STORAGE}/supportsHttpsTrafficOnly'",
    }
    rules = {each["rule"] for each in api.post("/policies/lint", {"definition": RULE}).json()["remarks"]}
    assert "alias-unknown" not in rules
    assert "effect-fixed" in rules


def test_the_aliases_are_those_of_the_caller_s_tenant(api: Api, store: Store) -> None:
    own = json.loads(json.dumps(RULE).replace("supportsHttpsTrafficOnly", "own"))
    listing.refresh(store=store, inventory=Listing(provider(aliased(f"{STORAGE}/own", "properties.own"))))  # type: ignore[arg-type]
    policy.look_again(store)
    for tenant, known in ((store.tenant, True), ("fabrikam", False)):
        found = api.post("/policies/lint", {"definition": own}, tenant=tenant).json()["remarks"]
        assert ("alias-unknown" in {each["rule"] for each in found}) is not known
        asked = {"definition": own, "resource": {**ACCOUNT, "properties": {"own": False}}}
        told = api.post("/evaluate", asked, tenant=tenant).json()
        assert told["state"] == ("nonCompliant" if known else "unknown")


def test_a_definition_that_is_none_is_a_remark(api: Api) -> None:
    (found,) = api.post("/policies/lint", {"definition": {"x": 1}}).json()["remarks"]
    assert (found["rule"], found["path"]) == ("definition-invalid", "$")


def test_a_draft_is_arranged(api: Api) -> None:
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
    told = api.post("/evaluate", {"policy": "https-only", "resources": [ACCOUNT, good, {"type": "T.X/y"}]}).json()
    assert [each["state"] for each in told["results"]] == ["nonCompliant", "compliant", "notApplicable"]


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
    assert len(answer.json()["remarks"]) < 1_000
