"""Test modules say what they are about, tests what must hold, and what several folders use lies in `fakes`."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MODULES = {str(path.relative_to(TESTS)): ast.parse(path.read_text("utf-8")) for path in sorted(TESTS.rglob("*.py"))}
TEST_MODULES = {name: tree for name, tree in MODULES.items() if Path(name).name.startswith("test_")}
SHARED = {"deployment", "fakes", "house"}
"""Where a test may import from outside its own folder: the package, the fakes, the rules of the house."""
LEAST_WORDS = 3


def names_in(tree: ast.Module) -> Iterator[str]:
    for each in tree.body:
        members = each.body if isinstance(each, ast.ClassDef) else [each]
        yield from (
            one.name
            for one in members
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name.startswith("test_")
        )


@pytest.mark.parametrize("name", TEST_MODULES)
def test_every_test_module_opens_with_a_sentence(name: str) -> None:
    first = (ast.get_docstring(TEST_MODULES[name]) or "").partition("\n\n")[0]
    assert first.endswith("."), f"{name} opens with {first!r}"


def test_every_helper_module_of_the_tests_says_what_it_is() -> None:
    assert [name for name, tree in MODULES.items() if tree.body and not ast.get_docstring(tree)] == []


@pytest.mark.parametrize("name", TEST_MODULES)
def test_test_names_are_unique_and_have_three_words(name: str) -> None:
    names = Counter(names_in(TEST_MODULES[name]))
    assert [each for each, number in names.items() if number > 1] == []
    assert [each for each in names if len(each.removeprefix("test_").split("_")) < LEAST_WORDS] == []


def test_what_several_folders_use_lies_in_fakes() -> None:
    assert sorted(_foreign_imports()) == []


def _foreign_imports() -> Iterator[tuple[str, str]]:
    for name, tree in MODULES.items():
        allowed = {Path(name).parts[0], *SHARED}
        for each in ast.walk(tree):
            if isinstance(each, ast.ImportFrom) and (each.module or "").partition(".")[0] == "tests":
                rooms = (each.module or "").split(".")[1:2] or [one.name for one in each.names]
                yield from ((name, room) for room in rooms if room not in allowed)
