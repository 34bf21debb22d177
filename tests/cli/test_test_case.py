"""`cortex policy test`: folders of cases, reports, watching."""

import json
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import typer

from cli import test_case

ROOT = Path(__file__).parents[2]
CASES = """
cases:
  - name: equal
    if: {field: name, equals: r}
    resource: {name: r}
    expect: nonCompliant
  - name: not equal
    if: {field: name, equals: r}
    resource: {name: s}
    expect: compliant
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "names.yaml").write_text(CASES, "utf-8")
    return tmp_path


def test_cases_that_pass(cortex: Any, folder: Path) -> None:
    answer = cortex("policy", "test", folder)
    assert answer.exit_code == 0
    assert "2 of 2 cases passed: passed" in answer.output


def test_a_failure_is_reported_and_is_the_exit_code(cortex: Any, folder: Path) -> None:
    (folder / "bad.yml").write_text(CASES.replace("expect: compliant", "expect: unknown"), "utf-8")
    answer = cortex("policy", "test", folder, "--junit", folder / "report.xml")
    assert answer.exit_code == 1
    assert "bad.yml: not equal" in answer.output
    assert "expected unknown, found compliant" in answer.output
    suites = ET.parse(folder / "report.xml").getroot().findall("testsuite")  # noqa: S314 - our own text
    assert [suite.get("failures") for suite in suites] == ["1", "0"]


@pytest.mark.parametrize("text", ["cases: [", "- 1", "cases: [{name: a}]", "[" * 20_000, "&a [*a, *a]"])
def test_a_file_without_cases_is_a_failure(cortex: Any, folder: Path, text: str) -> None:
    (folder / "bad.yaml").write_text(text, "utf-8")
    answer = cortex("policy", "test", folder, "--json")
    found = {Path(each["file"]).name: each for each in json.loads(answer.output)}
    assert answer.exit_code == 1
    assert (found["bad.yaml"]["name"], found["bad.yaml"]["passed"]) == ("the file", False)


def test_yaml_of_another_kind_is_passed_over_in_a_folder_alone(cortex: Any, folder: Path) -> None:
    workflow = folder / "workflow.yml"
    workflow.write_text("name: CI\non: [push]\njobs: {}\n", "utf-8")
    (folder / "typo.yaml").write_text("case: []\n", "utf-8")
    found = {Path(each["file"]).name for each in json.loads(cortex("policy", "test", folder, "--json").output)}
    assert "typo.yaml" in found
    assert "workflow.yml" not in found
    assert cortex("policy", "test", workflow).exit_code == 1


def test_no_cases_at_all_is_no_success(cortex: Any, tmp_path: Path) -> None:
    answer = cortex("policy", "test", tmp_path)
    assert (answer.exit_code, "no cases found" in answer.output) == (1, True)


def test_cases_are_chosen_by_name(cortex: Any, folder: Path) -> None:
    assert "1 of 1 case passed" in cortex("policy", "test", folder, "-k", "NOT").output


def test_definitions_come_from_files_nearby_and_from_the_catalog(cortex: Any, tmp_path: Path) -> None:
    rule = {"if": {"field": "Own/thing", "equals": 1}, "then": {"effect": "audit"}}
    (tmp_path / "own.json").write_text(json.dumps(rule), "utf-8")
    table = {
        "aliases": [{"name": "Own/thing", "path": "properties.thing"}],
        "cases": [
            {
                "name": "own",
                "definition": "own.json",
                "resource": {"properties": {"thing": 1}},
                "expect": "nonCompliant",
            },
            {
                "name": "catalog",
                "definition": "storage-secure-transfer",
                "resource": {
                    "type": "Microsoft.Storage/storageAccounts",
                    "properties": {"supportsHttpsTrafficOnly": False},
                },
                "expect": "nonCompliant",
            },
            {"name": "none", "definition": "no-such", "expect": "compliant"},
        ],
    }
    (tmp_path / "cases.yaml").write_text(json.dumps(table), "utf-8")
    found = json.loads(cortex("policy", "test", tmp_path, "--json").output)
    assert [(each["name"], each["passed"]) for each in found] == [("own", True), ("catalog", True), ("none", False)]
    assert "neither a file nor a policy" in found[2]["problems"][0]


def test_the_guide_s_example_passes(cortex: Any, tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "test.md").read_text("utf-8")
    (tmp_path / "guide.yaml").write_text(guide.partition("```yaml\n")[2].partition("```")[0], "utf-8")
    answer = cortex("policy", "test", tmp_path)
    assert answer.exit_code == 0, answer.output


def test_watching_runs_again_when_a_file_changes(folder: Path) -> None:
    runs: list[int] = []
    file = folder / "deep" / "names.yaml"

    def change() -> None:
        os.utime(file, ns=(1, 1))

    def remove() -> None:
        file.unlink()

    def interrupt() -> None:
        raise KeyboardInterrupt

    steps = [lambda: None, change, lambda: None, remove, lambda: None, interrupt]
    script = iter(steps)
    with pytest.raises(typer.Exit):
        test_case.keep_watching([folder], lambda: runs.append(1), sleep=lambda _: next(script)())
    assert len(runs) == 3
