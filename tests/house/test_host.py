"""docs/host.md: every behaviour that the product relies on has a page that documents it and tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split(" | ")]
    for line in (ROOT / "docs" / "host.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| behaviour")
]


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    return frozenset(each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef))


def test_there_are_rows_for_every_part() -> None:
    assert len(ROWS) > 40


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_row_has_its_source_and_its_tests(row: list[str]) -> None:
    _, source, held = row
    assert re.findall(r"\]\(https://[^)\s]+\)", source)
    named = re.findall(r"`([^`]+)`", held)
    assert named
    for each in named:
        path, _, name = each.partition("::")
        assert name in names_in(path), f"there is no {each}"


def test_paths_named_in_the_text_exist() -> None:
    text = (ROOT / "docs" / "host.md").read_text(encoding="utf-8")
    assert [each for each in re.findall(r"`(tests/[\w/.]+)`", text) if not (ROOT / each).exists()] == []
