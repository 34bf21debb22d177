"""`cortex evaluate`: the other records of the input are the context of each."""

import json
from pathlib import Path
from typing import Any

import pytest

SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv"
HOLDER = {"id": VAULT, "type": "Microsoft.KeyVault/vaults", "name": "kv", "location": "westeurope", "properties": {}}
SETTING = {
    "id": f"{VAULT}/providers/Microsoft.Insights/diagnosticSettings/logs",
    "type": "Microsoft.Insights/diagnosticSettings",
    "name": "logs",
    "properties": {"logs": [{"category": "AuditEvent", "enabled": True}]},
}
OFF: dict[str, Any] = {**SETTING, "properties": {"logs": []}}


def container(identity: str, kind: str, **members: Any) -> dict[str, Any]:
    return {"id": identity, "type": kind, "name": identity.rpartition("/")[2], "properties": {}, **members}


def group(**members: Any) -> dict[str, Any]:
    return container(GROUP.upper(), "Microsoft.Resources/resourceGroups", **members)


@pytest.fixture
def judged(cortex: Any, tmp_path: Path) -> Any:
    """Returns the state of a rule on the vault, within an input of records."""

    def judge(rule: dict[str, Any], *records: Any, jobs: int = 1, arrangement: str = "lines") -> str:
        policy = tmp_path / "policy.json"
        policy.write_text(json.dumps({"properties": {"mode": "All", "policyRule": rule}}))
        lined = "\n".join(json.dumps(each) for each in records)
        text = {"lines": lined, "page": json.dumps({"value": records})}[arrangement]
        answer = cortex("evaluate", "--policy", policy, "--json", "--jobs", jobs, stdin=text.encode())
        found = {each["resource"]: each["state"] for each in map(json.loads, answer.stdout.splitlines())}
        return str(found[VAULT])

    return judge


def tagged(operand: str) -> dict[str, Any]:
    return {"if": {"value": f"[{operand}]", "equals": "prod"}, "then": {"effect": "audit"}}


GROUP_TAG = tagged("resourceGroup().tags['environment']")
SUBSCRIPTION_TAG = tagged("subscription().tags['environment']")


@pytest.mark.parametrize("around", ["before", "after"])
@pytest.mark.parametrize("arrangement", ["lines", "page"])
def test_the_tags_of_a_resource_group_are_those_of_its_record(judged: Any, around: str, arrangement: str) -> None:
    for tag, state in (("prod", "nonCompliant"), ("test", "compliant")):
        records = [HOLDER, group(tags={"environment": tag})]
        assert judged(GROUP_TAG, *(records[::-1] if around == "before" else records), arrangement=arrangement) == state


def test_of_a_group_without_a_record_the_tags_are_unknown(judged: Any) -> None:
    other = container(f"{GROUP}2", "Microsoft.Resources/resourceGroups", tags={"environment": "prod"})
    assert judged(GROUP_TAG, HOLDER, other) == "unknown"


def test_a_subscription_is_known_by_its_id_alone(judged: Any) -> None:
    plain = {"id": SUBSCRIPTION, "displayName": "Harbor", "tags": {"environment": "prod"}}
    assert judged(SUBSCRIPTION_TAG, HOLDER, plain) == "nonCompliant"
    assert judged(SUBSCRIPTION_TAG, HOLDER) == "unknown"
    named = {"if": {"value": "[subscription().displayName]", "like": "Har*"}, "then": {"effect": "audit"}}
    assert judged(named, HOLDER, plain) == "nonCompliant"


LOGGED = {
    "if": {"field": "type", "equals": "Microsoft.KeyVault/vaults"},
    "then": {
        "effect": "auditIfNotExists",
        "details": {
            "type": "Microsoft.Insights/diagnosticSettings",
            "existenceCondition": {
                "count": {
                    "field": "Microsoft.Insights/diagnosticSettings/logs[*]",
                    "where": {"field": "Microsoft.Insights/diagnosticSettings/logs[*].enabled", "equals": True},
                },
                "greater": 0,
            },
        },
    },
}


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_belongs_to_a_resource_is_found_among_the_records(judged: Any, jobs: int) -> None:
    assert judged(LOGGED, SETTING, HOLDER, jobs=jobs) == "compliant"


@pytest.mark.parametrize(
    "others",
    [
        (),
        (OFF,),
        ({**SETTING, "id": SETTING["id"].replace("/kv/", "/another/")},),
    ],
)
def test_what_may_exist_elsewhere_leaves_it_open(judged: Any, others: tuple[Any, ...]) -> None:
    assert judged(LOGGED, HOLDER, *others) == "unknown"


def test_a_record_without_properties_does_not_replace_one_that_has_them(judged: Any) -> None:
    bare = {name: each for name, each in SETTING.items() if name != "properties"}
    assert judged(LOGGED, HOLDER, SETTING, bare) == "compliant"
    assert judged(LOGGED, HOLDER, SETTING, OFF) == "unknown"


def test_what_a_record_says_belongs_to_it_is_all_there_is(judged: Any) -> None:
    whole = {"body": HOLDER, "related": {"microsoft.insights/diagnosticsettings": []}}
    assert judged(LOGGED, whole, SETTING) == "nonCompliant"


def test_the_children_of_a_template_are_those_of_its_resources(cortex: Any, tmp_path: Path) -> None:
    vault = {"type": "Microsoft.KeyVault/vaults", "apiVersion": "2023-07-01", "name": "kv", "properties": {}}
    setting = {
        "type": "Microsoft.Insights/diagnosticSettings",
        "apiVersion": "2021-05-01-preview",
        "scope": "[resourceId('Microsoft.KeyVault/vaults', 'kv')]",
        "name": "logs",
        "properties": {"logs": [{"category": "AuditEvent", "enabled": True}]},
    }
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    file, policy = tmp_path / "template.json", tmp_path / "policy.json"
    file.write_text(json.dumps({"$schema": schema, "resources": [vault, setting]}))
    policy.write_text(json.dumps({"properties": {"mode": "All", "policyRule": LOGGED}}))
    where = ("--subscription", "s", "--resource-group", "rg")
    answer = cortex("evaluate", "--policy", policy, "--resource", file, "--json", *where)
    assert [json.loads(each)["state"] for each in answer.stdout.splitlines()] == ["compliant", "notApplicable"]


HELD_RULE = {
    "if": {"field": "type", "equals": "Microsoft.Resources/subscriptions"},
    "then": {
        "effect": "auditIfNotExists",
        "details": {"type": "Microsoft.Insights/activityLogAlerts", "existenceScope": "Subscription"},
    },
}


@pytest.mark.parametrize(
    ("kind", "held"),
    [
        ("Microsoft.Security/pricings", f"{SUBSCRIPTION}/providers/Microsoft.Security/pricings/VirtualMachines"),
        ("Microsoft.Insights/activityLogAlerts", f"{GROUP}/providers/Microsoft.Insights/activityLogAlerts/a"),
    ],
)
def test_what_lies_in_a_subscription_is_judged_with_it(cortex: Any, tmp_path: Path, kind: str, held: str) -> None:
    policy, rule = tmp_path / "policy.json", json.loads(json.dumps(HELD_RULE))
    rule["then"]["details"]["type"] = kind
    policy.write_text(json.dumps({"properties": {"mode": "All", "policyRule": rule}}))
    own = {"id": SUBSCRIPTION, "type": "Microsoft.Resources/subscriptions", "name": "s"}
    for records, state in (((own,), "unknown"), ((own, {"id": held, "type": kind, "properties": {}}), "compliant")):
        text = "\n".join(map(json.dumps, records))
        answer = cortex("evaluate", "--policy", policy, "--json", stdin=text.encode())
        assert json.loads(answer.stdout.splitlines()[0])["state"] == state
