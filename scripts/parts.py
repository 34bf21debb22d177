"""Runs the parts of continuous integration, each within its minutes and from a fresh seed.

Usage: `python scripts/parts.py [--soak] [--seed N] [PART …]`; without a name, all of `.ci/parts.toml`. `--soak` runs
full counts of the parts that have such, and writes their results into docs/proof.md. The exit code is 1 when one
failed.

A command finds the seed as `{seed}`, Hypothesis gets it, and tests that draw their own read CORTEX_TEST_SEED. To run
a part again as it was: `--seed` and its name.
"""
# ruff: noqa: INP001, T201, S603 - a script, run by its path, that prints and asks git

import argparse
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / ".ci" / "parts.toml"
PROOF = ROOT / "docs" / "proof.md"
GRACE_SECONDS = 10.0
"""Seconds that a part has to end by itself when its time is over."""
SEED_RANGE = 1 << 32


@dataclass(frozen=True, slots=True)
class Part:
    """Something to run, in a shell, within so many minutes."""

    name: str
    minutes: float
    run: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a part; `summary` is the last line it printed, which has the counts.

    It took `seconds` of the `granted` ones.
    """

    part: Part
    seed: int
    ok: bool
    seconds: float
    granted: float
    summary: str


def parts(table: Path, *, soak: bool) -> list[Part]:
    """Read the parts of the table, in order; for a soak only those that have one, with its command."""
    rows = tomllib.loads(table.read_text(encoding="utf-8"))["part"]
    if soak:
        return [Part(name=row["name"], **row["soak"]) for row in rows if "soak" in row]
    return [Part(row["name"], row["minutes"], row["run"]) for row in rows]


def run(part: Part, seed: int, spare: float = 0.0) -> Outcome:
    """Run a part, showing what it prints; when its minutes and `spare` seconds are over, end it and all it started."""
    command, seconds = part.run.format(seed=seed), part.minutes * 60 + spare
    print(f"── {part.name}: {seconds / 60:.1f} min, seed {seed}: {command}", flush=True)
    # A part is a make of its own: with the flags of the make above it, it would take that one's job server for its own.
    inherited = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
    given = {"CORTEX_TEST_SEED": str(seed), "PYTEST_ADDOPTS": f"--hypothesis-seed={seed}"}
    started = time.monotonic()
    process = subprocess.Popen(  # noqa: S602 - commands of our own table
        command, shell=True, cwd=ROOT, env=inherited | given, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace",
    )  # fmt: skip
    last_line: list[str] = [""]
    assert process.stdout
    # A thread reads, so that a part that is silent for ever can be ended all the same.
    reader = threading.Thread(target=_show, args=(process.stdout, last_line), daemon=True)
    reader.start()
    in_time = _await(process, seconds)
    reader.join(GRACE_SECONDS)
    summary = last_line[0] if in_time else f"ended after {seconds / 60:.1f} minutes; {last_line[0]}"
    return Outcome(part, seed, in_time and process.returncode == 0, time.monotonic() - started, seconds, summary)


def _show(output: IO[str], last_line: list[str]) -> None:
    """Print the lines as they come and keep the last that says something."""
    with output:
        for line in output:
            print(line, end="", flush=True)
            last_line[0] = line.strip() or last_line[0]


def _await(process: subprocess.Popen[str], seconds: float) -> bool:
    """Return whether the process ends in time; otherwise end its whole group."""
    # First a request, which leaves time to stop what the part started elsewhere; then no choice.
    for wait, then in ((seconds, signal.SIGTERM), (GRACE_SECONDS, signal.SIGKILL)):
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, then)
        else:
            return then is signal.SIGTERM
    process.wait()
    return False


def row(outcome: Outcome, at: datetime, commit: str) -> str:
    """Format the line of docs/proof.md about an outcome."""
    cells = (
        outcome.part.name,
        f"`{outcome.part.run.format(seed=outcome.seed)}`",
        outcome.summary,
        f"{outcome.seconds / 60:.1f}",
        f"{at:%Y-%m-%d}",
        f"`{commit}`",
    )
    return f"| {' | '.join(each.replace('|', '/') for each in cells)} |"


def recorded(text: str, line: str) -> str:
    """Return the page with the line in its table, in place of an earlier one about the same part."""
    head = f"{line.partition(' | ')[0]} |"
    kept = [each for each in text.rstrip("\n").split("\n") if not each.startswith(head)]
    return "\n".join([*kept, line]) + "\n"


def _describe(outcome: Outcome) -> str:
    state = "ok" if outcome.ok else "FAILED"
    timing = f"{outcome.seconds:6.0f} s of {outcome.granted:.0f}, seed {outcome.seed}"
    return f"{state:7}{outcome.part.name:12}{timing}: {outcome.summary}"


def main() -> int:
    """Run what was asked for and print the result of each; 1 when one failed."""
    known = {soak: {each.name: each for each in parts(TABLE, soak=soak)} for soak in (False, True)}
    parser = argparse.ArgumentParser(description="Run the parts of continuous integration.")
    parser.add_argument("--soak", action="store_true", help="full counts, recorded in docs/proof.md")
    parser.add_argument("--seed", type=int, help="choices to repeat (default: fresh ones for each part)")
    parser.add_argument("part", nargs="*", help=f"which ({', '.join(known[False])}; default: all)")
    options = parser.parse_args()
    found = known[options.soak]
    if unknown := [each for each in options.part if each not in found]:
        parser.error(f"there is no part {unknown[0]}: choose from {', '.join(found)}")
    head = ["git", "rev-parse", "--short=10", "HEAD"]
    commit = subprocess.run(head, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    outcomes: list[Outcome] = []
    for name in options.part or found:
        # How fast a machine is differs from part to part, so that what one leaves is given to the next.
        spare = outcomes[-1].granted - outcomes[-1].seconds if outcomes else 0.0
        seed = secrets.randbelow(SEED_RANGE) if options.seed is None else options.seed
        outcomes.append(run(found[name], seed, max(spare, 0.0)))
        if options.soak and outcomes[-1].ok:
            line = row(outcomes[-1], datetime.now(UTC), commit)
            PROOF.write_text(recorded(PROOF.read_text(encoding="utf-8"), line), encoding="utf-8")
    print("──")
    print("\n".join(map(_describe, outcomes)))
    return 0 if all(each.ok for each in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
