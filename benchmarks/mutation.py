"""Mutates the policy engine's operators and functions and counts the mutants that its tests kill (mutmut).

Usage: `python -m benchmarks.mutation [MODULE…]`, a module being `language.comparison`, `functions.date` or another that
`tool.mutmut` in pyproject.toml names (default: all of them). It works in a copy, `.cortex/mutation`, where
`mutmut show NAME` shows a survivor. The exit status is 1 when a module has a score below `LEAST_PERCENT`.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LEAST_PERCENT = 90
_COPY = Path(".cortex/mutation")
_PARTS = ("pyproject.toml", "shared", "tests/engine")
_KILLED = frozenset({1, 3, 24, -24, 152})  # exit codes of the tests: a failure, or too much processor time
_PREFIX = "shared.engine."


class Score(NamedTuple):
    """What became of the mutants of one module."""

    module: str
    mutants: int
    survivors: tuple[str, ...]

    @property
    def killed(self) -> int:
        """Return the mutants for which a test failed or never ended."""
        return self.mutants - len(self.survivors)

    @property
    def percent(self) -> float:
        """Return the share that was killed."""
        return 100 * self.killed / self.mutants


def copy_project() -> None:
    """Copy the engine and its tests away from the working tree."""
    shutil.rmtree(_COPY, ignore_errors=True)
    _COPY.mkdir(parents=True)
    for part in map(Path, _PARTS):
        if part.is_dir():
            shutil.copytree(part, _COPY / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(part, _COPY / part)


def mutate(modules: list[str]) -> bool:
    """Run the tests against every mutant, one after the other; False when they fail without any."""
    mutmut = Path(sys.executable).with_name("mutmut").absolute()
    names = [f"{_PREFIX}{module}.*" for module in modules]
    return not subprocess.run([mutmut, "run", "--max-children", "1", *names], cwd=_COPY, check=False).returncode


def scores() -> Iterator[Score]:
    """Yield the score of each module that was mutated."""
    engine = _COPY / "mutants/shared/engine"
    for file in sorted(engine.rglob("*.py.meta")):
        found = json.loads(file.read_text("utf-8"))["exit_code_by_key"]
        tried = {name: code for name, code in found.items() if code is not None}
        if tried:
            alive = tuple(name for name, code in tried.items() if code not in _KILLED)
            name = str(file.relative_to(engine)).removesuffix(".py.meta").replace("/", ".")
            yield Score(name, len(tried), alive)


def show(found: list[Score]) -> None:
    """Print the survivors and the table."""
    for name in (name for each in found for name in each.survivors):
        print(name)
    print(f"\n{'module':24}{'mutants':>8}{'killed':>8}{'score':>9}")
    every = Score("all", sum(each.mutants for each in found), tuple(name for each in found for name in each.survivors))
    for each in (*found, every):
        print(f"{each.module:24}{each.mutants:8}{each.killed:8}{each.percent:7.1f} %")


def main() -> int:
    """Mutate, print the table; 1 when a module stays below `LEAST_PERCENT`."""
    copy_project()
    if not mutate(sys.argv[1:]):
        return 1
    found = list(scores())
    show(found)
    return int(any(each.percent < LEAST_PERCENT for each in found))


if __name__ == "__main__":
    sys.exit(main())
