"""Initiatives and assignments on the command line: one folder with everything, linted, tried, explained, judged."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

STORAGE = "Microsoft.Storage/storageAccounts"
PREFIX = "/providers/Microsoft.Authorization"
GROUP = "/subscriptions/s/resourceGroups/rg"
EFFECT = {
    "type": "String",
    "allowedValues": ["Audit", "Deny", "Disabled"],
    "defaultValue": "Audit",
    "metadata": {"displayName": "Effect", "description": "What happens."},
}
PLACED = {
    "properties": {
        "displayName": "Where",
        "parameters": {"effect": EFFECT, "location": {"type": "String", "defaultValue": "westeurope"}},
        "policyRule": {
            "if": {"field": "location", "notEquals": "[parameters('location')]"},
            "then": {"effect": "[parameters('effect')]"},
        },
    }
}
INITIATIVE = {
    "name": "base",
    "properties": {
        "displayName": "Base",
        "parameters": {"effect": EFFECT},
        "policyDefinitions": [
            {
                "policyDefinitionId": f"{PREFIX}/policyDefinitions/placed",
                "policyDefinitionReferenceId": "where",
                "parameters": {"effect": {"value": "[parameters('effect')]"}},
            },
            {
                "policyDefinitionId": f"/subscriptions/s{PREFIX}/policyDefinitions/storage-secure-transfer",
                "policyDefinitionReferenceId": "secure",
            },
        ],
    },
}
ASSIGNMENT = {
    "id": f"/subscriptions/s{PREFIX}/policyAssignments/prod",
    "name": "prod",
    "properties": {
        "policyDefinitionId": f"{PREFIX}/policySetDefinitions/base",
        "notScopes": [f"{GROUP}2"],
        "overrides": [
            {
                "kind": "policyEffect",
                "value": "Deny",
                "selectors": [{"kind": "policyDefinitionReferenceId", "in": ["where"]}],
            }
        ],
        "nonComplianceMessages": [{"message": "See [the] wiki"}],
    },
}
CASES = """
initiative: base.json
resource:
  type: Microsoft.Storage/storageAccounts
  name: a
  location: eastus
  properties: {supportsHttpsTrafficOnly: false}
cases:
  - name: member by member
    parameters: {effect: Deny}
    expect: {state: nonCompliant, members: {where: {state: nonCompliant, effect: deny}}}
  - name: by its name
    initiative: base
    expect: {members: {where: {effect: audit}, secure: nonCompliant}}
  - name: as it is assigned
    assignment: prod
    resource: {id: /subscriptions/s/resourceGroups/rg/providers/T.X/y/n, type: T.X/y, location: westeurope}
    expect: {members: {where: compliant, secure: notApplicable}}
  - name: wrong
    assignment: prod.json
    resource: {id: /subscriptions/s/resourceGroups/rg2/providers/T.X/y/n, type: T.X/y, location: eastus}
    expect: {members: {where: nonCompliant}}
"""


def account(name: str, group: str = GROUP, **parts: Any) -> dict[str, Any]:
    identity = f"{group}/providers/{STORAGE}/{name}"
    insecure = {"supportsHttpsTrafficOnly": False}
    return {"id": identity, "name": name, "type": STORAGE, "location": "eastus", "properties": insecure, **parts}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "placed": PLACED,
        "base": INITIATIVE,
        "prod": ASSIGNMENT,
        "x": {},
        "states": {"value": [{"policyAssignmentId": "/a"}]},
    }
    for name, body in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(body, indent=2), "utf-8")
    return tmp_path


def lines(*bodies: Any) -> bytes:
    return "".join(json.dumps(body) + "\n" for body in bodies).encode()


def read(answer: Any) -> list[Any]:
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_a_folder_is_linted_as_a_whole(cortex: Any, folder: Path) -> None:
    answer = cortex("policy", "lint", folder, "--quiet")
    assert answer.exit_code == 0
    assert f"{folder}/base.json" in answer.output
    assert "reference-" not in answer.output
    assert "3 files: " in answer.output
    alone = cortex("policy", "lint", folder / "base.json")
    assert alone.exit_code == 1
    assert f"{folder}/base.json:22:9: error there is no definition 'placed'" in alone.output
    assert "[reference-unknown]" in alone.output


def test_broken_initiatives_are_reported(cortex: Any, folder: Path) -> None:
    (folder / "base.json").write_text('{"properties": {\n"policyDefinitions": [\n{"policyDefinitionID": 1}]', "utf-8")
    assert "base.json:3:27: error not JSON" in cortex("policy", "lint", folder).output
    (folder / "base.json").write_text('{"properties": {\n"policyDefinitions": [\n{"policyDefinitionID": 1}]}}', "utf-8")
    assert "base.json:3:2: error expected a string, found number" in cortex("policy", "lint", folder).output


def test_everything_is_formatted(cortex: Any, folder: Path) -> None:
    assert "3 of 3 files changed\n" in cortex("policy", "fmt", folder).stderr
    assert list(json.loads((folder / "base.json").read_text("utf-8"))["properties"]["policyDefinitions"][0]) == [
        "policyDefinitionReferenceId",
        "policyDefinitionId",
        "parameters",
    ]
    assert "0 of 3 files changed\n" in cortex("policy", "fmt", folder).stderr


def test_cases_name_initiatives_and_assignments(cortex: Any, folder: Path) -> None:
    (folder / "base.yaml").write_text(CASES, "utf-8")
    found = json.loads(cortex("policy", "test", folder, "--json").stdout)
    assert [(each["name"], each["passed"]) for each in found] == [
        ("member by member", True),
        ("by its name", True),
        ("as it is assigned", True),
        ("wrong", False),
    ]
    assert found[0]["members"] == {"where": "nonCompliant", "secure": "nonCompliant"}
    (problem,) = found[3]["problems"]
    assert problem.startswith("where: expected nonCompliant, found notApplicable: Not applicable: outside of the")


def test_the_example_of_the_guide_passes(cortex: Any, tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "test.md").read_text("utf-8")
    (example,) = [each for each in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL) if "baseline.json" in each]
    passed = {"effect": {"value": "[parameters('effect')]"}}
    members = [
        {
            "policyDefinitionReferenceId": reference,
            "policyDefinitionId": f"{PREFIX}/policyDefinitions/{name}",
            "parameters": passed,
        }
        for reference, name in (("secureTransfer", "storage-secure-transfer"), ("minimumTls", "storage-minimum-tls"))
    ]
    baseline = {"parameters": {"effect": EFFECT}, "policyDefinitions": members}
    (tmp_path / "baseline.json").write_text(json.dumps(baseline), "utf-8")
    (tmp_path / "cases.yaml").write_text(example, "utf-8")
    found = json.loads(cortex("policy", "test", tmp_path, "--json").stdout)
    assert [each["problems"] for each in found] == [[], []]


def test_what_an_initiative_holds_is_reported(cortex: Any, folder: Path) -> None:
    answer = cortex("policy", "explain", "--policy", folder / "base.json")
    assert "there is no such definition" in answer.output
    assert "2 members, 1 of which cannot be used" in answer.output
    whole = cortex("policy", "explain", "--policy", folder)
    assert "base: Base" in whole.output
    assert "base, assigned by prod: Base" in whole.output
    assert "2 members\n" in whole.output
    first, second = json.loads(cortex("policy", "explain", "--policy", folder, "--json").stdout)
    assert [each["assignment"] for each in (first, second)] == [None, "prod"]
    assert first["members"][0]["parameters"] == {"effect": "[parameters('effect')]"}
    assert first["parameters"][0]["members"] == ["where"]
    none = cortex("policy", "explain", "--policy", folder / "placed.json")
    assert "is not an initiative: name a resource to explain it on" in str(none.exception)


def test_members_are_explained_on_a_resource(cortex: Any, folder: Path) -> None:
    options = ("policy", "explain", "--policy", folder, "--resource", "-")
    answer = cortex(*options, stdin=lines(account("a")))
    assert "nonCompliant prod/where on" in answer.output
    assert "See [the] wiki" in answer.output
    assert "prod/secure" in answer.output
    results = read(cortex(*options, "--json", stdin=lines(account("a"))))
    assert [(each["assignment"], each["reference"], each["effect"]) for each in results] == [
        (ASSIGNMENT["id"], "where", "deny"),
        (ASSIGNMENT["id"], "secure", "deny"),
    ]


def test_each_result_names_where_the_policy_is_in_force(cortex: Any, folder: Path) -> None:
    bodies = lines(account("a"), account("b", group=f"{GROUP}2"))
    answer = cortex("evaluate", "--policy", folder, "--json", stdin=bodies)
    where, secure = read(answer)
    assert {key: where[key] for key in ("policy", "assignment", "initiative", "reference", "effect", "message")} == {
        "policy": "placed",
        "assignment": ASSIGNMENT["id"],
        "initiative": "base",
        "reference": "where",
        "effect": "deny",
        "message": "See [the] wiki",
    }
    assert (secure["reference"], secure["state"], answer.exit_code) == ("secure", "nonCompliant", 3)
    assert "2 resources, 2 policies: 2 nonCompliant" in answer.stderr
    text = cortex("evaluate", "--policy", folder, stdin=bodies)
    assert f'nonCompliant {STORAGE}/a prod/where: Not compliant: location is "eastus"' in text.stdout
    assert "· See [the] wiki" in text.stdout


@pytest.mark.parametrize(
    "options", [(), ("--findings-only",), ("--jobs", "2"), ("--explain",), ("--findings-only", "--jobs", "2")]
)
def test_an_initiative_is_judged_alike_in_every_way(cortex: Any, folder: Path, options: tuple[str, ...]) -> None:
    (folder / "prod.json").unlink()
    bodies = lines(*(account(f"n{at}", location="westeurope" if at % 2 else "eastus") for at in range(250)))
    answer = cortex("evaluate", "--policy", folder, "--json", *options, stdin=bodies)
    found = [(each["resource"][-3:], each["reference"], each["state"]) for each in read(answer)]
    assert sum(each[1:] == ("where", "nonCompliant") for each in found) == 125
    assert sum(each[1:] == ("secure", "nonCompliant") for each in found) == 250
    assert sum(each[2] == "compliant" for each in found) == (0 if "--findings-only" in options else 125)
    assert "250 resources, 2 policies: 125 compliant, 375 nonCompliant" in answer.stderr


def test_values_go_to_the_outermost_file_that_declares_them(cortex: Any, folder: Path) -> None:
    (folder / "prod.json").unlink()
    answer = cortex(
        "evaluate", "--policy", folder, "--json", "--parameters", '{"Effect": "Disabled"}', stdin=lines(account("a"))
    )
    assert [each["reference"] for each in read(answer)] == ["secure"]
    inner = cortex("evaluate", "--policy", folder, "--parameters", '{"location": "x"}', stdin=lines(account("a")))
    assert "no such parameter: location" in str(inner.exception)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("policyDefinitions/placed", "policyDefinitions/placd"),
            "policyDefinitionId: there is no definition 'placd'; did you mean 'placed'?",
        ),
        (
            ('"effect": {"value"', '"efect": {"value"'),
            "parameters.efect: 'where': no such parameter; did you mean 'effect'?",
        ),
    ],
)
def test_what_cannot_be_used_is_reported_with_file_and_place(
    cortex: Any, folder: Path, change: tuple[str, str], message: str
) -> None:
    (folder / "prod.json").unlink()
    (folder / "base.json").write_text(json.dumps(INITIATIVE).replace(*change), "utf-8")
    answer = cortex("evaluate", "--policy", folder, stdin=lines(account("a")))
    assert answer.exit_code
    assert f"{folder}/base.json:1: $.policyDefinitions[0].{message}" in f"{answer.stderr}{answer.exception}"


def test_policy_answers_where_it_is_in_force(cortex: Any, folder: Path) -> None:
    rule = {"value": "[policy().definitionReferenceId]", "equals": "own"}
    own = {"name": "own", "properties": {"policyRule": {"if": rule, "then": {"effect": "audit"}}}}
    member = {"policyDefinitionId": f"{PREFIX}/policyDefinitions/own"}
    both = [{**member, "policyDefinitionReferenceId": name} for name in ("own", "not")]
    for name, body in (("own", own), ("both", {"policyDefinitions": both})):
        (folder / f"{name}.json").write_text(json.dumps(body), "utf-8")
    options = ("evaluate", "--policy", folder / "both.json", "--policy", folder / "own.json", "--json")
    for more in ((), ("--findings-only",)):
        found = {each["reference"]: each["state"] for each in read(cortex(*options, *more, stdin=lines(account("a"))))}
        assert found["own"] == "nonCompliant"
        assert found.get("not", "compliant") == "compliant"
