"""The pages for people: what they link to, name, show and draw is there, and the examples run."""

import ast
import doctest
import importlib
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import pytest
import typer
import yaml

from cli.main import app as command_line
from functions.api.app import ROUTERS
from shared import engine
from shared.bootstrap import Ports
from shared.domain.error import CortexError
from shared.domain.event import Event
from shared.settings import PREFIX, Settings
from tests.house.invented import INVENTED

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
DECISIONS = sorted(each for each in ROOT.glob("docs/decisions/*.md") if each.name != "README.md")
OUTSIDE = ("build/", "dist/", "../", ".cortex/", "/")
"""Beginnings of paths that are made by commands, or lie outside of the repository."""


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return re.sub(r"(?ms)^( *)```.*?^ *```$", "", text_of(page))


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code of a page in a language."""
    found = re.findall(r"(?ms)^( *)```(\w*)\n(.*?)^ *```$", text_of(page))
    return [code for _, marked, code in found if marked == language]


def quoted(page: Path) -> list[str]:
    """What the prose of a page puts between backticks."""
    return re.findall(r"`([^`\n]+)`", prose(page))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        place, _, heading = link.partition("#")
        if place.startswith(("http://", "https://")):
            continue
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), f"{link} leads nowhere"
        if heading:
            assert heading in {slug(each) for each in re.findall(r"(?m)^#+ (.*)$", text_of(target))}, link


def slug(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_uses_no_invented_word(page: Path) -> None:
    plain = re.sub(r"`[^`]*`", "", prose(page))
    told = {each.removesuffix("s") for each in re.findall(r"[a-z]+", plain.lower())}
    assert sorted((INVENTED - {"transfer"}) & told) == [], (
        "docs/glossary.md has the field's word"
    )  # secure transfer is Azure's


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_path_that_is_named_exists(page: Path) -> None:
    """A path begins with a folder or file of the repository; * and <a word> stand for any name."""
    tops = {each.name for each in ROOT.iterdir()}
    named = [each for each in quoted(page) if re.fullmatch(r"[\w.*<>/-]+", each) and not each.startswith(OUTSIDE)]
    paths = [each for each in named if "/" in each and each.partition("/")[0] in tops]
    missing = [each for each in paths if not any(ROOT.glob(re.sub(r"<\w+>", "*", each.rstrip("/"))))]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_make_is_asked_for_is_a_target(page: Path) -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    asked = re.findall(r"(?m)(?:^|`|[A-Z]=\S+ )make ([a-z][a-z-]*)", text_of(page))
    assert sorted(set(asked) - targets) == []


COMMAND = typer.main.get_command(command_line)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_command_line_names_commands_and_options_that_exist(page: Path) -> None:
    lines = [*quoted(page), *text_of(page).splitlines()]
    for line in lines:
        for asked in re.findall(r"(?:^|\| |\$\(|[A-Z]=\S+ |bin/)cortex ([^|#)`…]+)", line.strip()):
            command, words = COMMAND, asked.split()
            while words and hasattr(command, "commands"):
                known = command.commands
                assert set(words[0].split("\\|")) <= set(known), f"{line}: there is no command {words[0]}"
                command = known[words.pop(0)]
            options = {option for each in command.params for option in [*each.opts, *each.secondary_opts]}
            given = {each.partition("=")[0] for each in words if re.match(r"--?[a-z]", each)}
            assert given <= {*options, "--help"}, line


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_setting_that_is_named_is_read_by_something(page: Path) -> None:
    read = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    sources = [
        *ROOT.glob("cli/*.py"),
        *ROOT.glob("local/**/*.py"),
        *ROOT.glob("infra/**/*"),
        *ROOT.glob("tests/**/*.py"),
    ]
    read |= {
        name
        for each in sources
        if each.is_file()
        for name in re.findall(r"CORTEX_[A-Z_]+", each.read_text(encoding="utf-8"))
    }
    named = {each.partition("__")[0] for each in re.findall(r"CORTEX_[A-Z_]+", text_of(page))}
    assert sorted(named - read) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_an_address_that_is_named_is_one_of_the_api(page: Path) -> None:
    served = {
        re.sub(r"\{\w+\}", "{}", route.path)
        for noun in ROUTERS
        for route in noun.router.routes
        if hasattr(route, "path")
    }
    named = {
        each.removesuffix(".")
        for each in re.findall(r"(?:GET|POST|PUT|DELETE|OPTIONS) `?((?:/[\w{}.-]+)+)", text_of(page))
    }
    paths = {re.sub(r"\{\w+\}", "{}", each) for each in named}
    assert {each for each in paths if each not in served and f"/api/v1{each}" not in served} == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_block_of_data_can_be_read(page: Path) -> None:
    for code in blocks(page, "json"):
        json.loads(code)
    for code in blocks(page, "yaml"):
        assert yaml.safe_load(code)


@pytest.mark.parametrize("page", [each for each in PAGES if "```python\n" in text_of(each)], ids=name_of)
def test_the_python_of_a_page_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page run in order and share their names; with prompts they are compared with what they print."""
    if ">>> " in text_of(page):
        ran = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
        assert (ran.failed, ran.attempted > 0) == (0, True)
        return
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)  # pydantic looks up the module of a model
    for code in blocks(page, "python"):
        exec(compile(code, name_of(page), "exec"), vars(module))  # noqa: S102 - the page is ours


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_a_decision_says_context_decision_and_consequence(page: Path) -> None:
    assert re.findall(r"(?m)^## (.*)$", prose(page)) == ["Context", "Decision", "Consequence"]


def test_every_decision_is_in_the_index_under_its_own_words() -> None:
    index = text_of(ROOT / "docs/decisions/README.md")
    listed = dict(re.findall(r"\| \[[\w ]+\]\((\w[\w-]*\.md)\) \| (.*) \|", index))
    assert listed == {page.name: text_of(page).partition("\n")[0].removeprefix("# ") for page in DECISIONS}
    assert len(listed) >= 10


ARCHITECTURE = ROOT / "docs/architecture.md"
ROOMS = ("functions", "cli", "local")


def room_of(module: str) -> str | None:
    """The room that a module of ours lies in."""
    parts = module.split(".")
    if parts[0] == "shared":
        return parts[1] if len(parts) > 1 else None
    return parts[0] if parts[0] in ROOMS else None


@cache
def imported(file: Path) -> frozenset[str]:
    """The modules that a file imports, wherever in it, those with it that a package offers as its own."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
        elif isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
    packages = [ROOT.joinpath(*each.split("."), "__init__.py") for each in found if each.startswith("shared.")]
    return frozenset(found).union(*(imported(each) for each in packages if each.exists() and each != file))


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def arrows() -> frozenset[tuple[str, str]]:
    """From which room the code imports which other."""
    files = [file for top in (*ROOMS, "shared") for file in ROOT.glob(f"{top}/**/*.py")]
    pairs = {(room_of(module_of(file)), room_of(module)) for file in files for module in imported(file)}
    return frozenset((one, other) for one, other in pairs if one and other and one != other)


def reachable(drawn: set[tuple[str, str]], room: str) -> set[str]:
    found = {other for one, other in drawn if one == room}
    return found.union(*(reachable(drawn, each) for each in found)) if found else found


def test_the_drawing_of_the_rooms_has_the_arrows_that_the_code_has() -> None:
    graph = re.findall(r"(?ms)^```mermaid\ngraph LR\n(.*?)^```", text_of(ARCHITECTURE))[0]
    drawn = set(re.findall(r"(\w+) --> (\w+)", graph))
    assert drawn - arrows() == set(), "drawn, and no import goes that way"
    assert {(one, other) for one, other in arrows() if other not in reachable(drawn, one)} == set(), "not drawn"
    for arrow in drawn:
        assert arrow[1] not in reachable(drawn - {arrow}, arrow[0]), f"{arrow} follows from the others"


def test_every_room_is_in_the_table() -> None:
    rooms = {f"{each.parent.relative_to(ROOT)}/" for each in ROOT.glob("shared/*/__init__.py")}
    told = set(re.findall(r"(?m)^\| `([\w./]+)` \|", text_of(ARCHITECTURE)))
    assert (rooms | {f"{each}/" for each in ROOMS}) - told == set()
    assert [each for each in told if not (ROOT / each).exists()] == []


WALKS = {
    title: re.findall(r"(?m)^\| (\d+) \| \[([\w/.]+)\]\(\.\./\2\) \| `(\w+)` \| (.*) \|$", rows)
    for title, rows in re.findall(r"(?ms)^### (.*?)\n(.*?)(?=^###|\Z)", text_of(ARCHITECTURE))
}


@pytest.mark.parametrize("title", WALKS)
def test_a_walk_leads_from_file_to_file(title: str) -> None:
    """A file is imported by one before it in the walk, or reached as the row says, by queue or workflow."""
    walk = WALKS[title]
    assert [int(number) for number, *_ in walk] == list(range(1, len(walk) + 1))
    assert len(walk) > 5
    seen: list[Path] = []
    for _, path, name, told in walk:
        file = ROOT / path
        assert re.search(rf"(?m)^ *(async )?(def|class) {name}\b", text_of(file)), f"{path} has no {name}"
        if seen and file not in seen and not re.match(r"\*(queue|workflow)\*", told):
            assert any(module_of(file) in imported(each) for each in seen), f"nothing before it imports {path}"
        seen.append(file)


@pytest.mark.parametrize("title", WALKS)
def test_a_walk_says_how_many_files_and_returns_it_has(title: str) -> None:
    files = [path for _, path, *_ in WALKS[title]]
    counted = f"### {title}\n\n{len(set(files))} files, {len(files) - len(set(files))} returns.\n"
    assert counted in text_of(ARCHITECTURE)


def test_there_are_four_walks() -> None:
    assert len(WALKS) == 4


GLOSSARY = ROOT / "docs/glossary.md"
TERMS = re.findall(r"(?m)^\| ([\w -]+) \| (.+?) \| (\[.*\)) \|$", text_of(GLOSSARY))


@cache
def names_in(file: Path) -> frozenset[str]:
    """The names that a module gives to classes, their members, functions and values."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text_of(file))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.TypeAlias):
            found.add(node.name.id)
    return frozenset(found)


def test_every_term_of_the_glossary_has_one_line_and_code_that_exists() -> None:
    terms = [term.lower() for term, *_ in TERMS]
    assert sorted({each for each in terms if terms.count(each) > 1}) == []
    for term, _, code in TERMS:
        for name, place in re.findall(r"\[`([\w/.-]+)`\]\(([\w/.-]+)\)", code):
            file = (GLOSSARY.parent / place).resolve()
            if re.fullmatch(r"\w+", name):
                assert name in names_in(file), f"{term}: {place} has no {name}"
            else:
                assert name.rstrip("/") == name_of(file), term


def vocabulary() -> Iterator[type]:
    """The public models of the domain, the ports, and what the engine offers."""
    for file in sorted(ROOT.glob("shared/domain/*.py")):
        module = importlib.import_module(module_of(file))
        yield from (
            each
            for name, each in vars(module).items()
            if isinstance(each, type) and each.__module__ == module.__name__ and "[" not in name
        )
    for port in get_type_hints(Ports).values():
        if isinstance(port, type):
            yield port
    yield from (each for name in engine.__all__ if isinstance(each := getattr(engine, name), type))


def test_every_public_model_is_in_the_glossary_or_derives_from_a_term() -> None:
    carried = {name for _, _, code in TERMS for name in re.findall(r"\[`(\w+)`\]", code)}
    assert [each.__name__ for each in vocabulary() if not (carried & {each.__name__} or is_derived(each))] == []


def is_derived(known: type) -> bool:
    """Whether a class is an event or an error, or named after a term in one of the forms of the glossary."""
    if issubclass(known, Event | CortexError) or known.__name__.startswith("_"):
        return True
    terms = {term.lower().replace("-", " ") for term, *_ in TERMS}
    forms = set(re.findall(r"(?m)^\| (…?\w+…?) \| ", text_of(GLOSSARY).partition("## Names that derive")[2]))
    words = re.findall(r"[A-Z][a-z0-9]*", known.__name__)
    last, first = f"…{words[-1]}" in forms, f"{words[0]}…" in forms
    return (last and " ".join(words[:-1]).lower() in terms) or (first and " ".join(words[1:]).lower() in terms)
