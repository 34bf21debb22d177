"""Whatever a cloud, a file or a server names: no command lets it steer the terminal, or pass for the command's word."""

import ast
import io
import json
import re
import sys
from collections.abc import Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text

from cli import client, terminal
from cli.main import app, main
from tests.cli import hostile_text
from tests.cli.hostile_text import FAKE, POISON, UNSEEN

CLI = Path(terminal.__file__).parent
ONLINE: dict[str, tuple[tuple[str, ...], ...]] = {
    "doctor": ((),),
    "rebuild": ((), ("--check",)),
    "sign-in": ((),),
    "status": ((),),
    "finding list": ((), ("--fail-on", "low", "--fail-on-unknown"), ("--text", POISON[:100], "--csv")),
    "finding show": (("x",),),
    "finding explain": (("x",),),
    "resource list": ((), ("--csv",), ("--columns", "name,owner")),
    "resource show": (("x",),),
    "resource history": (("x",),),
    "scan list": ((),),
    "scan show": (("x",),),
    "scan start": ((), ("--no-wait",)),
    "scan cancel": (("x",),),
    "import list": ((),),
    "import show": (("x",),),
    "import cancel": (("x",),),
    "import start": (("{resource.json}",),),
    "remediation list": ((),),
    "remediation show": (("x",),),
    "remediation items": (("x",),),
    "remediation plan": (("x",),),
    "remediation request": (("x",), ("--policy", POISON), ("--policy", "x", "--dry-run")),
    "remediation approve": (("x",), ("x", "--rollback")),
    "remediation reject": (("x", "--reason", POISON), ("x", "--rollback", "--reason", POISON)),
    "remediation cancel": (("x",),),
    "remediation rollback": (("x",),),
    "exemption list": ((),),
    "exemption show": (("x",),),
    "exemption request": (("x", "--reason", POISON, "--owner", "a@b.co", "--until", "2027-03-31"),),
    "exemption approve": (("x",),),
    "exemption reject": (("x", "--reason", POISON),),
    "exemption end": (("x",),),
    "exemption withdraw": (("x",),),
    "framework list": ((),),
    "framework show": (("x",),),
    "framework controls": (("x",), ("x", "--family", POISON)),
    "policy list": ((), ("--columns", POISON)),
    "policy show": (("x",),),
    "assignment list": ((),),
    "initiative list": ((),),
    "initiative show": (("x",),),
}
"""Command -> what it is called with; each is called with --json as well."""
OFFLINE: dict[str, tuple[tuple[str, ...], ...]] = {
    "evaluate": (
        ("--policy", "{definition.json}", "--resource", "{resource.json}"),
        ("--policy", "{folder}", "--resource", "{resource.json}"),
        ("--policy", "{definition.json}", "--resource", "{bad.json}"),
        ("--policy", "{absent}", "--resource", "{resource.json}"),
    ),
    "policy lint": (("{folder}",), ("{bad.json}",), ("{absent}",), ("--sarif", "{folder}"), ("--fail-on", POISON)),
    "policy test": (("{folder}",), ("{cases.yaml}",), ("{absent}",)),
    "policy explain": (
        ("--policy", "{definition.json}", "--resource", "{resource.json}"),
        ("--policy", "{definition.json}", "--resource", "{bad.json}"),
        ("--policy", "{initiative.json}"),
        ("--policy", "{absent}"),
    ),
    "policy fmt": (("--check", "{folder}"), ("--diff", "{folder}"), ("{bad.json}",), ("{absent}",)),
}
OWN = {"run", "token", "estate", "policy rules", "settings list", "completion"}
"""Commands that say nothing of others."""
TEXT_ONLY = {"policy fmt", "sign-in"}


def commands() -> Iterator[str]:
    for each in app.registered_commands:
        yield str(each.name)
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from (f"{group.name} {each.name}" for each in group.typer_instance.registered_commands)


def cases(table: dict[str, tuple[tuple[str, ...], ...]]) -> Iterator[tuple[str, ...]]:
    for name, calls in table.items():
        for call in calls:
            yield (*name.split(), *call)
            if name not in TEXT_ONLY and not {"--sarif", "--csv"} & {*call}:
                yield (*name.split(), "--json", *call)


def test_every_command_is_tried() -> None:
    assert set(commands()) == {*ONLINE, *OFFLINE, *OWN}


def check(text: str) -> None:
    """Nothing that steers or hides, and no line that others wrote."""
    assert not set(text) & UNSEEN, ascii(text)
    assert not [line for line in text.split("\n") if line.startswith((FAKE, "evil"))], text
    assert "💀" not in text


@pytest.fixture
def cortex(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["cortex", *arguments])
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"y\n"), encoding="utf-8"))
        with pytest.raises(SystemExit):
            main()
        written = capsys.readouterr()
        check(written.out)
        check(written.err)
        return str(written.out) if "--json" in arguments else f"{written.out}{written.err}"

    return run


@pytest.mark.parametrize("case", [*cases(ONLINE)], ids=" ".join)
@pytest.mark.parametrize(
    "transport",
    [
        hostile_text.answers,
        *(pytest.param(each, marks=pytest.mark.slow) for each in (hostile_text.refusals, hostile_text.garbage)),
    ],
)
def test_what_an_api_answers(
    cortex: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, transport: Any, case: tuple[str, ...]
) -> None:
    made = httpx2.Client

    def talk(**options: Any) -> httpx2.Client:
        return made(**options, transport=transport())

    monkeypatch.setattr(client.httpx2, "Client", talk)
    files = hostile_text.files(tmp_path)
    shown = cortex(*(each if not each.startswith("{") else files[each[1:-1]] for each in case))
    assert shown or "--json" in case


@pytest.mark.parametrize("case", [*cases(OFFLINE)], ids=lambda case: ascii(" ".join(case))[:60])
def test_what_files_hold(cortex: Any, tmp_path: Path, case: tuple[str, ...]) -> None:
    files = hostile_text.files(tmp_path)
    shown = cortex(*(files[each[1:-1]] if each.startswith("{") else each for each in case))
    assert shown or "--json" in case


def test_json_has_the_very_names(cortex: Any, tmp_path: Path) -> None:
    files = hostile_text.files(tmp_path)
    shown = cortex("evaluate", "--json", "--policy", files["definition.json"], "--resource", files["resource.json"])
    result = json.loads(shown)
    assert result["policy"] == f"d{POISON}"


def test_markup_stands_in_literals_alone() -> None:
    """A template that is put together could have something of others in it."""
    wrong = [
        f"{path.name}:{call.lineno}"
        for path in sorted(CLI.glob("*.py"))
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in ("styled", "out", "err")
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "terminal"
        and not (isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str))
    ]
    assert wrong == []


def test_nobody_goes_round_the_safe_console() -> None:
    for path in sorted(CLI.glob("*.py")):
        if path.name != "terminal.py":
            text = path.read_text("utf-8")
            assert not re.search(r"\bConsole\(|from_markup|from_ansi|typer\.echo|rich\.print|markup\.escape", text), (
                path
            )


letters = st.characters() | st.sampled_from(POISON + "[]\\/{}=:")


@given(st.text(letters, max_size=30), st.text(letters, max_size=30))
@settings(max_examples=60)
def test_a_value_is_shown_as_it_reads_in_the_style_around_it(first: str, second: str) -> None:
    made = terminal.styled("a[bold]{}[/]b [red]{}[/]", first, Text(terminal.printable(second), "dim"))
    shown, beside = terminal.printable(first), terminal.printable(second)
    assert made.plain == f"a{shown}b {beside}"
    bold = [(span.start, span.end) for span in made.spans if span.style == "bold"]
    assert bold == ([(1, 1 + len(shown))] if shown else [])


@given(st.text(letters, max_size=40))
@settings(max_examples=60)
def test_a_terminal_gets_colours_and_nothing_else(text: str) -> None:
    console = terminal.Terminal(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=60)
    console.print(text, terminal.styled("[bold]{}[/]", text), Text(text, "red"))
    assert isinstance(console.file, io.StringIO)
    left = re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue())
    assert not set(left) & UNSEEN
