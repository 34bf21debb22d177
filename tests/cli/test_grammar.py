"""All commands have one grammar, the same options, and exit codes and variables that are documented."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cli import environment, exit_code
from cli.main import NOUNS, app
from shared.settings import Settings

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "cli.md").read_text("utf-8")
WITHOUT_NOUN = {"run", "sign-in", "token", "estate", "rebuild", "doctor", "completion", "status", "evaluate"}
LIST_OPTIONS = ("--limit", "--all", "--columns", "--csv", "--json")
TEXT_ONLY = {"policy fmt", "policy rules"}


def verbs() -> Iterator[tuple[str, str]]:
    for _, noun, group in NOUNS:
        yield from ((noun, str(each.name)) for each in group.registered_commands)


def shown(answer: Any) -> str:
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", answer.stdout).split())


def test_commands_are_a_noun_and_a_verb_but_for_those_about_the_whole_product() -> None:
    assert {each.name for each in app.registered_commands} == WITHOUT_NOUN
    nouns = [noun for _, noun, _ in NOUNS]
    assert not [noun for noun in nouns if noun.endswith("s") and noun != "settings"]
    assert set(nouns).isdisjoint(verb for _, verb in verbs())


@pytest.mark.parametrize(("noun", "verb"), [*verbs()])
def test_every_command_has_help_in_two_spellings_and_json(cortex: Any, noun: str, verb: str) -> None:
    short, long = (cortex(noun, verb, each) for each in ("-h", "--help"))
    assert (short.exit_code, short.stdout) == (0, long.stdout)
    assert f"Usage: cortex {noun} {verb}" in short.stdout
    if verb in ("list", "show", "history", "items"):
        assert f"`cortex {noun} {verb}" in GUIDE
    if f"{noun} {verb}" not in TEXT_ONLY:
        assert "--json" in short.stdout
    if verb in ("list", "history", "items") and noun != "settings":
        assert all(option in short.stdout for option in LIST_OPTIONS)


@pytest.mark.parametrize(("_panel", "noun", "group"), NOUNS)
def test_the_help_of_a_noun_names_its_verbs(cortex: Any, _panel: str, noun: str, group: typer.Typer) -> None:
    overview = shown(cortex("--help"))
    named = re.search(rf"\b{noun} ([a-z, ]+?): ", overview)
    assert named, noun
    assert sorted(named[1].split(", ")) == sorted(str(each.name) for each in group.registered_commands)


def test_what_is_no_command_is_answered_with_those_there_are(cortex: Any) -> None:
    assert "Did you mean 'finding'?" in cortex("findings").stderr
    told = cortex("import", "estate.json")
    assert told.exit_code == exit_code.WRONG_USAGE
    assert "There are: list, show, cancel, start." in " ".join(told.stderr.replace("│", " ").split())


def test_the_exit_codes_are_in_the_help_and_in_the_guide(cortex: Any) -> None:
    overview = shown(cortex("--help"))
    for code, meaning in exit_code.MEANINGS.items():
        assert f"| {code} | {meaning} |" in GUIDE
        assert f"{code}: {meaning.replace('`', '')}" in overview


def test_the_variables_are_in_the_help_in_the_guide_and_in_a_command(cortex: Any) -> None:
    overview = shown(cortex("--help"))
    listed = cortex("settings", "list", "--columns", "name", "--csv").stdout.split()[1:]
    variables = {**environment.COMMAND_VARIABLES, **environment.SERVICE_VARIABLES}
    assert listed == [*variables]
    for name, meaning in variables.items():
        assert f"| `{name}` | {meaning} |" in GUIDE
        assert name in environment.SERVICE_VARIABLES or f"{name}: {meaning.replace('`', '')}" in overview


def test_every_setting_of_the_service_is_among_the_variables() -> None:
    known = {*environment.COMMAND_VARIABLES, *environment.SERVICE_VARIABLES}
    own = {f"CORTEX_{name.upper()}" for name in Settings.model_fields if name != "host_name"}  # the platform's
    assert own - known == set()


def test_a_secret_is_not_printed(cortex: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORTEX_TOKEN", "a-secret-token")
    monkeypatch.setenv("CORTEX_URL", "http://cortex.example")
    listed = cortex("settings", "list").stdout
    assert "a-secret-token" not in listed
    assert "http://cortex.example" in listed


def process(*arguments: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "cli", *arguments]
    given = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **env}
    return subprocess.run(command, env=given, cwd=ROOT, capture_output=True, check=False, timeout=60)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(shell: str) -> None:
    assert b"_CORTEX_COMPLETE" in process("completion", shell).stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("cortex rem", {"remediation"}),
        ("cortex remediation re", {"request", "reject"}),
        ("cortex finding list --severity ", {"critical", "high", "medium", "low"}),
        ("cortex finding list --fail-on-", {"--fail-on-unknown"}),
    ],
)
def test_a_shell_completes_nouns_verbs_options_and_values(words: str, expected: set[str]) -> None:
    at = str(len(words.split(" ")) - 1)
    found = process(COMP_WORDS=words, COMP_CWORD=at, _CORTEX_COMPLETE="complete_bash").stdout.decode().split()
    assert set(found) == expected


def test_a_terminal_that_cannot_show_a_letter_gets_its_code() -> None:
    ended = process("finding", "show", "ü/✗", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert ended.returncode == exit_code.FAILED
    assert ended.stderr.startswith(rb"\u2717 '\udcc3\udcbc/")
