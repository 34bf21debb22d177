"""`cortex policy explain`: what is wrong, where, why, the controls, the fix, and the tree behind."""

import json
from pathlib import Path
from typing import Any

import pytest

CATALOG = Path(__file__).parents[2] / "catalog"


def fixture_file(folder: Path, name: str, *cases: str) -> Path:
    found = json.loads((CATALOG / "fixtures" / f"{name}.json").read_bytes())
    path = folder / f"{name}.jsonl"
    path.write_text("".join(renamed(found[case], case) + "\n" for case in cases), "utf-8")
    return path


def renamed(record: Any, case: str) -> str:
    """A record of another name, its related resources too: one file holds a resource once."""
    identity = record["body"]["id"]
    return json.dumps(record).replace(identity, f"{identity}-{case}")


def labels(output: str) -> list[str]:
    """The labels of the lines, in their order."""
    return [line.split()[0] for line in output.splitlines() if line.startswith("  ")]


def test_people_are_told_what_where_why_the_controls_and_the_fix(cortex: Any, tmp_path: Path) -> None:
    resource = fixture_file(tmp_path, "nsg-no-allow-all", "fail")
    answer = cortex("policy", "explain", "--policy", "nsg-no-allow-all", "--resource", resource)
    assert answer.exit_code == 0
    assert "nonCompliant nsg-no-allow-all on" in answer.output
    assert labels(answer.output) == ["what", "where", "why", "controls", "fix"]
    assert "Network security group allows everything in\n" in answer.output
    assert 'properties.securityRules "allow-everything": properties.access is "Allow", ' in answer.output
    assert "controls  nist-800-53-r5 AC-4, SC-7, SC-7(3); iso-27001-2022 A.8.20" in answer.output
    assert (
        'fix       set properties.access of "allow-everything" in properties.securityRules to "Deny"\n' in answer.output
    )


def test_the_tree_behind_is_printed_when_asked(cortex: Any, tmp_path: Path) -> None:
    resource = fixture_file(tmp_path, "nsg-no-allow-all", "fail")
    answer = cortex("policy", "explain", "--policy", "nsg-no-allow-all", "--resource", resource, "--verbose")
    seen = 'true properties.securityRules[1].properties.access equals "Allow" · found "Allow" ← decided'
    assert seen in answer.output


def test_related_resources_are_explained_too(cortex: Any, tmp_path: Path) -> None:
    resource = fixture_file(tmp_path, "sql-auditing", "fail", "unknown")
    answer = cortex("policy", "explain", "--policy", "sql-auditing", "--resource", resource, "--verbose")
    assert 'where     Microsoft.Sql/servers/auditingSettings "default": properties.state is "Disabled"' in answer.output
    assert "\nexistenceCondition\n" in answer.output
    assert "not read  related Microsoft.Sql/servers/auditingSettings (forbidden; reading it takes" in answer.output


def test_clauses_of_a_file_are_named_by_their_line(cortex: Any, tmp_path: Path) -> None:
    definition = tmp_path / "locations.json"
    rule = {"if": {"field": "location", "notIn": ["westeurope"]}, "then": {"effect": "deny"}}
    definition.write_text(json.dumps({"properties": {"mode": "All", "policyRule": rule}}, indent=1), "utf-8")
    body = {"id": "/subscriptions/s/providers/T.X/y/z", "type": "T.X/y", "name": "z", "location": "eastus"}
    options = ("policy", "explain", "--policy", definition, "--resource", "-")
    answer = cortex(*options, stdin=json.dumps(body).encode())
    assert f'where     location is "eastus" (not "westeurope") · {definition}:5\n' in answer.output
    assert "fix       no change is offered: the location of a resource cannot be changed" in answer.output


def test_a_template_is_explained_where_it_would_be_deployed(cortex: Any, tmp_path: Path) -> None:
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {"https": {"type": "bool"}},
        "resources": [
            {
                "type": "Microsoft.Storage/storageAccounts",
                "apiVersion": "2023-05-01",
                "name": "st",
                "location": "[resourceGroup().location]",
                "properties": {"supportsHttpsTrafficOnly": "[parameters('https')]"},
            }
        ],
    }
    (tmp_path / "t.json").write_text(json.dumps(template), "utf-8")
    options = ("policy", "explain", "--policy", "storage-secure-transfer", "--resource", tmp_path / "t.json")
    origin = ("--subscription", "s", "--resource-group", "g", "--location", "eastus", "--parameter", "https=false")
    answer = cortex(*options, *origin, "--json")
    found = json.loads(answer.stdout)
    assert (
        found["resource"].lower() == "/subscriptions/s/resourcegroups/g/providers/microsoft.storage/storageaccounts/st"
    )
    assert [fix["text"] for fix in found["fixes"]] == ["set properties.supportsHttpsTrafficOnly to true"]


def test_json_is_what_the_engine_says(cortex: Any, tmp_path: Path) -> None:
    resource = fixture_file(tmp_path, "nsg-no-allow-all", "pass", "fail")
    answer = cortex("policy", "explain", "--policy", "nsg-no-allow-all", "--resource", resource, "--json")
    first, second = map(json.loads, answer.output.splitlines())
    assert (first["state"], second["state"]) == ("compliant", "nonCompliant")
    assert second["rule"]["parts"][1]["parts"]
    assert second["fixes"]


def test_own_definitions_and_parameters(cortex: Any, tmp_path: Path) -> None:
    rule = {"if": {"field": "name", "equals": "[parameters('name')]"}, "then": {"effect": "audit"}}
    definition = {"properties": {"parameters": {"name": {"type": "String"}}, "policyRule": rule}}
    (tmp_path / "p.json").write_text(json.dumps(definition), "utf-8")
    (tmp_path / "values.json").write_text('{"name": "[bold]"}', "utf-8")
    body = {"id": "/subscriptions/s/providers/T.X/y/[bold]", "type": "T.X/y", "name": "[bold]", "location": "eastus"}
    options = ("policy", "explain", "--policy", tmp_path / "p.json", "--resource", "-")
    answer = cortex(*options, "--parameters", f"@{tmp_path / 'values.json'}", stdin=json.dumps(body).encode())
    assert 'where     name is "[bold]"' in answer.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--parameters", "x"), "--parameters is not valid JSON"),
        (("--parameters", "[]"), "takes a JSON object"),
        (("--parameters", '{"no": 1}'), "no such parameter"),
        (("--policy", "no-such"), "neither a file nor a folder"),
        (("--resource", "nowhere.json"), "there is no file"),
    ],
)
def test_what_cannot_be_used_is_reported(cortex: Any, tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    given = {"--policy": "allowed-locations", "--resource": str(fixture_file(tmp_path, "allowed-locations", "fail"))}
    given |= dict([options])
    flat = [part for pair in given.items() for part in pair]
    answer = cortex("policy", "explain", *flat)
    assert message in " ".join(f"{answer.stderr} {answer.exception}".replace("│", " ").split())


def test_bad_records_are_reported_and_the_rest_goes_on(cortex: Any, tmp_path: Path) -> None:
    resource = fixture_file(tmp_path, "allowed-locations", "fail")
    resource.write_text("{]\n" + resource.read_text("utf-8"), "utf-8")
    answer = cortex("policy", "explain", "--policy", "allowed-locations", "--resource", resource)
    assert "nonCompliant allowed-locations" in answer.output


HOSTILE = [
    ("1" * 5_000, "beyond what a double holds"),
    ("NaN", "not JSON: NaN"),
    ("1e999", "beyond what a double holds"),
    ('"\\ud800"', "half a surrogate pair"),
    ('{"a": 1, "a": 2}', "the key 'a' occurs twice"),
    ("[" * 200 + "]" * 200, "nests deeper"),
    ("[" * 100_000, "nests deeper"),
]


@pytest.mark.parametrize(("value", "reason"), HOSTILE, ids=[value[:12] for value, _ in HOSTILE])
def test_values_without_one_meaning_are_refused_with_file_and_place(
    cortex: Any, tmp_path: Path, value: str, reason: str
) -> None:
    resource = fixture_file(tmp_path, "allowed-locations", "fail")
    policy, values = tmp_path / "odd.json", tmp_path / "values.json"
    policy.write_text(f'{{"if": {{"field": "name", "equals": {value}}}, "then": {{"effect": "audit"}}}}', "utf-8")
    values.write_text(f'{{"x": {value}}}', "utf-8")
    refused = str(cortex("policy", "explain", "--policy", policy, "--resource", resource).exception)
    assert refused.startswith(f"{policy}:1: $")
    assert reason in refused
    options = ("--policy", "allowed-locations", "--resource", resource, "--parameters", f"@{values}")
    refused = str(cortex("policy", "explain", *options).exception)
    assert refused.startswith("--parameters is not valid JSON: $")
    assert reason in refused
