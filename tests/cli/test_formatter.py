"""`cortex policy fmt`: files, folders, standard input, --check for CI."""

import json
from pathlib import Path
from typing import Any

import pytest

RULE = {"then": {"effect": "audit"}, "if": {"equals": "x", "Field": "name"}}
FORMATTED = """{
  "policyRule": {
    "if": {
      "field": "name",
      "equals": "x"
    },
    "then": {
      "effect": "audit"
    }
  }
}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"policyRule": RULE}), "utf-8")
    path.chmod(0o640)
    return path


def test_files_are_formatted_once(cortex: Any, file: Path) -> None:
    first, second = cortex("policy", "fmt", file), cortex("policy", "fmt", file)
    assert file.read_text("utf-8") == FORMATTED
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in file.parent.iterdir()] == ["p.json"]
    assert (first.exit_code, second.exit_code, second.stdout) == (0, 0, "")


@pytest.mark.parametrize("option", ["--check", "--diff"])
def test_checking_writes_nothing(cortex: Any, file: Path, option: str) -> None:
    before = file.read_text("utf-8")
    answer = cortex("policy", "fmt", option, file.parent)
    assert file.read_text("utf-8") == before
    assert answer.exit_code == (option == "--check")
    assert ('+      "field": "name",' in answer.stdout) == (option == "--diff")


def test_line_ends_and_marks_are_part_of_the_layout(cortex: Any, file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + FORMATTED.replace("\n", "\r\n").encode())
    assert cortex("policy", "fmt", "--check", file).exit_code == 1
    cortex("policy", "fmt", file)
    assert file.read_bytes() == FORMATTED.encode()


def test_standard_input_goes_to_standard_output(cortex: Any) -> None:
    answer = cortex("policy", "fmt", "-", stdin=json.dumps({"policyRule": RULE}).encode())
    assert answer.stdout == FORMATTED


def test_broken_files_are_left_and_reported(cortex: Any, file: Path) -> None:
    bad = file.with_name("a.json")
    bad.write_text('{"policyRule": {"if": {}}}', "utf-8")
    answer = cortex("policy", "fmt", bad, file)
    assert answer.exit_code == 2
    assert bad.read_text("utf-8") == '{"policyRule": {"if": {}}}'
    assert file.read_text("utf-8") == FORMATTED
