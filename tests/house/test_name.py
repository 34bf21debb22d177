"""Names: one meaning each, in the words of the field."""

import ast
import importlib
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cli import response
from tests.house.invented import INVENTED, words

ROOT = Path(__file__).parents[2]
ROOMS = ("shared", "functions", "local", "cli")
CLIENT = ROOT / "cli" / "response.py"
"""Has the parts of the API's answers that the command line reads, under the names that they have there."""
VIEWS = {
    "JobStatus": ("Scan", "Remediation", "ImportJob", "AliasListing"),
    "ListedFinding": ("Finding",),
}
"""Models of the command line for parts that several answers have, or that one has without its details."""
USUAL = re.compile(r"by whom|secure-transfer|plain transfer|'intake'|\"intake\"|can repair")
"""Where the words mean what they mean everywhere."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            yield file, ast.parse(file.read_text(encoding="utf-8"))


def public_names(tree: ast.Module) -> Iterator[str]:
    """The classes and type aliases of a module: names in CapWords."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.TypeAlias):
            yield node.name.id
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id


def test_a_public_class_or_type_alias_means_one_thing() -> None:
    found = defaultdict(list)
    for file, tree in modules():
        if file != CLIENT:
            for name in public_names(tree):
                if re.match(r"[A-Z]+[a-z]|[A-Z]$", name):
                    found[name].append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in found.items() if len(files) > 1} == {}


def wire_names(model: Any) -> set[str]:
    if is_dataclass(model):
        return {each.name for each in fields(model)}
    return {each.serialization_alias or each.alias or name for name, each in model.model_fields.items()}


def api_models() -> dict[str, Any]:
    found = {}
    for file, tree in modules():
        if file.parts[len(ROOT.parts)] in ("shared", "functions") and file != CLIENT:
            names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
            module = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts)) if names else None
            for each in (getattr(module, name) for name in names):
                if is_dataclass(each) or (isinstance(each, type) and issubclass(each, BaseModel)):
                    found[each.__name__] = each
    return found


def test_the_models_of_the_command_line_are_parts_of_the_models_of_the_api() -> None:
    known = api_models()
    for name, shape in vars(response).items():
        if isinstance(shape, type) and getattr(shape, "__module__", "") == response.__name__:
            models = [wire_names(known[each]) for each in VIEWS.get(name, (name,))]
            assert shape.__annotations__.keys() <= set[str]().union(*models), name
            assert all(shape.__required_keys__ <= each for each in models), name  # type: ignore[attr-defined]


def identifiers() -> Iterator[tuple[str, str]]:
    """The names of modules, classes, functions and arguments, each with its place."""
    for file, tree in modules():
        place = str(file.relative_to(ROOT))
        yield file.stem, place
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef | Function):
                yield node.name, f"{place}:{node.lineno}"
            elif isinstance(node, ast.arg):
                yield node.arg, f"{place}:{node.lineno}"


def test_no_invented_word_comes_back_as_a_name() -> None:
    assert [(name, place) for name, place in identifiers() if words(name) & INVENTED] == []


def texts() -> Iterator[tuple[str, str]]:
    """The docstrings, other strings and comments of the product, each with its place."""
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            with file.open("rb") as source:
                for token in tokenize.tokenize(source.readline):
                    if token.type in {tokenize.STRING, tokenize.FSTRING_MIDDLE, tokenize.COMMENT}:
                        yield token.string, f"{file.relative_to(ROOT)}:{token.start[0]}"


def test_no_invented_word_comes_back_in_a_text() -> None:
    invented = re.compile(rf"\b({'|'.join(sorted(INVENTED))})\b", re.IGNORECASE)
    found = [(match[0], place) for text, place in texts() for match in invented.finditer(USUAL.sub("", text))]
    assert found == []
