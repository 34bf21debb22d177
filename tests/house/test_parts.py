"""Continuous integration: what it runs, that each part is ended in time, and what a soak leaves on record."""

import re
import sys
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.deployment import ROOT, script

MOST_MINUTES = 40
parts = script("parts")


def markers() -> set[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    return {each.partition(":")[0] for each in settings["markers"]}


def recipes() -> dict[str, str]:
    """The targets of the Makefile, with what they run."""
    text = (ROOT / "Makefile").read_text()
    return dict(re.findall(r"(?m)^([a-z-]+):.*\n((?:\t.*\n)*)", text))


def test_all_parts_together_take_no_longer_than_they_may() -> None:
    known = parts.parts(parts.TABLE, soak=False)
    assert sum(each.minutes for each in known) <= MOST_MINUTES
    assert {each.name for each in parts.parts(parts.TABLE, soak=True)} <= {each.name for each in known}


PLACES = {"emulator": ("adapters",), "host": ("local", "product"), "package": ("product",), "browser": ("product",)}
"""Where the tests of a marker lie, so that a target need not collect all the others."""


@pytest.mark.parametrize("marker", PLACES)
def test_a_target_collects_every_folder_with_its_tests(marker: str) -> None:
    marked = [path for path in (ROOT / "tests").rglob("*.py") if f"mark.{marker}" in path.read_text(encoding="utf-8")]
    beyond = {path.relative_to(ROOT / "tests").parts[0] for path in marked} - set(PLACES[marker])
    assert beyond <= ({"house"} | ({"product"} if marker == "emulator" else set()))  # those run with the package
    folders = " ".join(f"tests/{each}" for each in PLACES[marker])
    assert any(f"{folders}\n" in each and marker in each for each in recipes().values())


def test_every_test_is_run_by_some_part() -> None:
    """What `make test` leaves out has a target that a part runs."""
    made = recipes()
    left_out = set(re.findall(r"not (\w+)", made["test"]))
    assert left_out == markers()
    run = " ".join(each.run for each in parts.parts(parts.TABLE, soak=False))
    targets = [made[name] for name in re.findall(r"[a-z-]+", run) if name in made]
    for marker in left_out:
        assert any(re.search(rf'-m "?{marker}\b', each) for each in targets), f"no part runs the tests marked {marker}"


def test_a_part_gets_its_seed_and_reports_its_counts(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = parts.run(parts.Part("one", 1, 'echo "$CORTEX_TEST_SEED $PYTEST_ADDOPTS"; echo {seed} of 7; echo'), 41)
    assert outcome.ok
    assert outcome.summary == "41 of 7"
    printed = capsys.readouterr().out
    assert "one: 1.0 min, seed 41" in printed
    assert "41 --hypothesis-seed=41" in printed


def test_what_make_says_of_itself_is_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make soak` runs make: the inner one would tell which folder it leaves."""
    monkeypatch.setenv("MAKELEVEL", "1")
    monkeypatch.setenv("MAKEFLAGS", "w")
    assert not parts.run(parts.Part("made", 1, "make help"), 1).summary.startswith("make[")


def test_a_part_that_fails_has_failed() -> None:
    outcome = parts.run(parts.Part("bad", 1, "echo 3 broken; exit 2"), 1)
    assert (outcome.ok, outcome.summary) == (False, "3 broken")


def test_a_part_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    """The child holds a file locked; when it is gone, the lock is free."""
    lock = tmp_path / "lock"
    holds = (
        f"import fcntl, time; f = open({str(lock)!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True)"
    )
    command = f'{sys.executable} -c "{holds}; time.sleep(600)" & wait'
    began = time.monotonic()
    outcome = parts.run(parts.Part("long", 1 / 60, command), 1)
    assert not outcome.ok
    assert outcome.summary.startswith("ended after")
    assert time.monotonic() - began < 60
    free = "import fcntl, sys; fcntl.flock(open(sys.argv[1], 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    assert parts.run(parts.Part("free", 1, f'{sys.executable} -c "{free}" {lock}'), 1).ok


def test_what_a_part_leaves_of_its_time_is_given_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "parts.toml"
    rows = [("quick", 1, "true"), ("quiet", 0, "sleep 0.1"), ("idle", 0, "sleep 0.1")]
    text = (f'[[part]]\nname = "{name}"\nminutes = {minutes}\nrun = "{run}"\n' for name, minutes, run in rows)
    table.write_text("".join(text), encoding="utf-8")
    monkeypatch.setattr(parts, "TABLE", table)
    monkeypatch.setattr(sys, "argv", ["parts.py"])
    assert parts.main() == 0, "the minute of the first was enough for all three"
    granted = re.findall(r"^ok .* s of (\d+)", capsys.readouterr().out, re.MULTILINE)
    assert [int(each) > 50 for each in granted] == [True, True, True]
    monkeypatch.setattr(sys, "argv", ["parts.py", "quiet"])
    assert parts.main() == 1


def test_a_soak_replaces_its_own_line_alone() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    first = parts.Outcome(
        parts.Part("chaos", 60, "make chaos SEED={seed}"), 7, ok=True, seconds=90, granted=99, summary="a | b"
    )
    again = parts.Outcome(
        parts.Part("chaos", 60, "make chaos SEED={seed}"), 8, ok=True, seconds=60, granted=99, summary="none"
    )
    other = parts.Outcome(
        parts.Part("fuzz", 60, "make fuzz"), 9, ok=True, seconds=30, granted=99, summary="20,000 inputs"
    )
    text = "# Title\n\n| part |\n| --- |\n"
    for each in (first, other, again):
        text = parts.recorded(text, parts.row(each, at, "abc"))
    assert text.splitlines()[4:] == [
        "| fuzz | `make fuzz` | 20,000 inputs | 0.5 | 2026-01-02 | `abc` |",
        "| chaos | `make chaos SEED=8` | none | 1.0 | 2026-01-02 | `abc` |",
    ]
    assert "a / b" in parts.row(first, at, "abc")


def test_the_record_is_of_parts_that_there_are() -> None:
    page = parts.PROOF.read_text(encoding="utf-8")
    recorded = set(re.findall(r"(?m)^\| (\w+) \| `", page))
    assert recorded <= {each.name for each in parts.parts(parts.TABLE, soak=True)}
