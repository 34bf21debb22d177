"""`cortex policy lint`: text, JSON, SARIF, exit codes."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from shared import bootstrap
from shared.engine.alias_table import AliasTable

RULE = {"allOf": [{"field": "type", "equals": "Microsoft.Web/sites"}, {"field": "Microsoft.Web/sites/x", "equals": 1}]}
LISTING = {
    "value": [
        {
            "namespace": "Microsoft.Web",
            "resourceTypes": [
                {
                    "resourceType": "sites",
                    "aliases": [
                        {
                            "name": "Microsoft.Web/sites/x",
                            "defaultPath": "properties.x",
                            "defaultMetadata": {"type": "Boolean", "attributes": "None"},
                        }
                    ],
                }
            ],
        }
    ]
}


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    whole = {"properties": {"mode": "All", "policyRule": {"if": RULE, "then": {"effect": "audit"}}}}
    path = tmp_path / "policies" / "one.json"
    path.parent.mkdir()
    path.write_text(json.dumps(whole, indent=2), "utf-8")
    (path.parent / "other.json").write_text("{}", "utf-8")
    return path


def test_text_names_file_line_rule_and_remedy(cortex: Any, policy: Path) -> None:
    answer = cortex("policy", "lint", policy.parent)
    assert answer.exit_code == 0
    as_of = AliasTable(bootstrap.catalog().alias_table()).as_of
    assert f"{policy}:12:13: warning there is no alias 'Microsoft.Web/sites/x' among those of {as_of} " in answer.output
    assert "[alias-unknown]" in answer.output
    assert "1 file: 4 warnings, " in answer.output


def test_a_folder_with_nothing_to_say_about_says_so(cortex: Any, tmp_path: Path) -> None:
    rule = {"if": {"field": "type", "equals": "Microsoft.Web/sites"}, "then": {"effect": "[parameters('effect')]"}}
    effect = {"type": "String", "allowedValues": ["Audit", "Disabled"], "defaultValue": "Audit"}
    whole = {
        "parameters": {"effect": effect},
        "displayName": "Sites",
        "description": "All of them.",
        "mode": "All",
        "policyRule": rule,
    }
    (tmp_path / "one.json").write_text(json.dumps({"properties": whole}), "utf-8")
    answer = cortex("policy", "lint", "--quiet", tmp_path)
    assert (answer.exit_code, answer.output) == (0, "1 file: no problems found\n")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--fail-on", "error"), 0),
        (("--fail-on", "warning"), 1),
        (
            (
                "--ignore",
                "alias-unknown",
                "--ignore",
                "text-missing",
                "--ignore",
                "effect-fixed",
                "--fail-on",
                "warning",
            ),
            0,
        ),
        (("--fail-on", "note"), 1),
    ],
)
def test_the_exit_code_follows_fail_on(cortex: Any, policy: Path, options: tuple[str, ...], code: int) -> None:
    assert cortex("policy", "lint", policy, *options).exit_code == code


def test_json_has_everything(cortex: Any, policy: Path) -> None:
    found = json.loads(cortex("policy", "lint", "--json", policy).output)
    (unknown,) = (each for each in found if each["rule"] == "alias-unknown")
    assert unknown == {
        "file": policy.as_posix(),
        "line": 12,
        "rule": "alias-unknown",
        "level": "warning",
        "path": "$.properties.policyRule.if.allOf[1].field",
        "message": unknown["message"],
        "suggestion": None,
    }
    quiet = json.loads(cortex("policy", "lint", "--json", "-q", policy).output)
    assert {each["level"] for each in quiet} == {"warning"}


def test_sarif_is_a_log(cortex: Any, policy: Path) -> None:
    log = json.loads(cortex("policy", "lint", "--sarif", policy).output)
    assert {each["ruleId"] for each in log["runs"][0]["results"]} >= {"alias-unknown", "effect-fixed"}


@pytest.mark.parametrize("kind", ["listing", "rows", "lines"])
def test_aliases_come_from_a_file(cortex: Any, policy: Path, tmp_path: Path, kind: str) -> None:
    row = {"name": "Microsoft.Web/sites/x", "path": "properties.x", "types": ["microsoft.web/sites"]}
    texts = {"listing": json.dumps(LISTING), "rows": json.dumps([row]), "lines": f"{json.dumps(row)}\n" * 2}
    file = tmp_path / "aliases"
    file.write_bytes(gzip.compress(texts[kind].encode()))
    found = json.loads(cortex("policy", "lint", "--json", policy, "--aliases", file).output)
    rules = {each["rule"] for each in found}
    assert "alias-unknown" not in rules
    assert ("literal-type" in rules) == (kind == "listing")


@pytest.mark.parametrize("text", ["nonsense", '[{"names": 1}]', "[1]"])
def test_an_alias_file_that_is_none_is_refused(cortex: Any, policy: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "aliases"
    file.write_text(text, "utf-8")
    answer = cortex("policy", "lint", policy, "--aliases", file)
    assert "alias file" in str(answer.exception)


def test_broken_json_is_an_error_where_it_breaks_off(cortex: Any, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{\n "if": {"field": "name", "equals": },\n "then": {"effect": "audit"}}', "utf-8")
    answer = cortex("policy", "lint", path)
    assert "p.json:2:36: error not JSON" in answer.output
    (line,) = json.loads(cortex("policy", "lint", "--json", path).output)
    assert line["line"] == 2
    judged = cortex("evaluate", "--policy", path, stdin=b"[]")
    assert "p.json:2: " in str(judged.exception)


def test_a_broken_file_is_an_error_with_its_line(cortex: Any, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{\n "if": {"field": "name", "equal": "x"},\n "then": {"effect": "audit"}}', "utf-8")
    answer = cortex("policy", "lint", path)
    assert ":2:2: error unknown key 'equal' → use 'equals' [definition-invalid]" in answer.output


def test_the_rules_can_be_printed(cortex: Any) -> None:
    assert "| `alias-unknown` | warning |" in cortex("policy", "rules").output
