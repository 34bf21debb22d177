"""`cortex policy explain`: the tree of clauses, evidence, needs, fixes."""

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


def test_the_tree_shows_what_decided_and_what_would_comply(cortex: Any, tmp_path: Path) -> None:
    resource = fixture_file(tmp_path, "nsg-no-allow-all", "fail")
    answer = cortex("policy", "explain", "--policy", "nsg-no-allow-all", "--resource", resource)
    assert answer.exit_code == 0
    assert "nonCompliant nsg-no-allow-all on" in answer.output
    assert (
        'true properties.securityRules[*].properties.access equals "Allow" · found "Allow" ← decided' in answer.output
    )
    assert "would comply: change properties.securityRules[1].properties.access" in answer.output


def test_related_resources_are_explained_too(cortex: Any, tmp_path: Path) -> None:
    resource = fixture_file(tmp_path, "sql-auditing", "fail", "unknown")
    answer = cortex("policy", "explain", "--policy", "sql-auditing", "--resource", resource)
    assert "existenceCondition of Microsoft.Sql/servers/auditingSettings" in answer.output
    assert "would settle it: " in answer.output


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
    body = {"id": "/subscriptions/s/providers/T.X/y/[bold]", "type": "T.X/y", "name": "[bold]"}
    options = ("policy", "explain", "--policy", tmp_path / "p.json", "--resource", "-")
    answer = cortex(*options, "--parameters", f"@{tmp_path / 'values.json'}", stdin=json.dumps(body).encode())
    assert 'true name equals "[bold]" · found "[bold]" ← decided' in answer.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--parameters", "x"), "--parameters is not JSON"),
        (("--parameters", "[]"), "takes a JSON object"),
        (("--parameters", '{"no": 1}'), "no such parameter"),
        (("--policy", "no-such"), "neither a file nor a policy"),
        (("--resource", "nowhere.json"), "there is no file"),
    ],
)
def test_what_cannot_be_used_is_told(cortex: Any, tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    given = {"--policy": "allowed-locations", "--resource": str(fixture_file(tmp_path, "allowed-locations", "fail"))}
    given |= dict([options])
    flat = [part for pair in given.items() for part in pair]
    assert message in str(cortex("policy", "explain", *flat).exception)


def test_bad_records_are_told_and_the_rest_goes_on(cortex: Any, tmp_path: Path) -> None:
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
def test_values_without_one_meaning_are_told_with_file_and_place(
    cortex: Any, tmp_path: Path, value: str, reason: str
) -> None:
    resource = fixture_file(tmp_path, "allowed-locations", "fail")
    policy, values = tmp_path / "odd.json", tmp_path / "values.json"
    policy.write_text(f'{{"if": {{"field": "name", "equals": {value}}}, "then": {{"effect": "audit"}}}}', "utf-8")
    values.write_text(f'{{"x": {value}}}', "utf-8")
    refused = str(cortex("policy", "explain", "--policy", policy, "--resource", resource).exception)
    assert refused.startswith(f"{policy}: $")
    assert reason in refused
    options = ("--policy", "allowed-locations", "--resource", resource, "--parameters", f"@{values}")
    refused = str(cortex("policy", "explain", *options).exception)
    assert refused.startswith("--parameters is not JSON that can be used: $")
    assert reason in refused
