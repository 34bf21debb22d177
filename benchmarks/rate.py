"""The rate of a full scan against that of an earlier commit, each in its own way, one after the other in turn.

    python -m benchmarks.rate 6e9e784 [resources] [rounds]

The commit gets a worktree for the time of the measurement. What both print of their first scan is compared: the median
of the rates, as other programs disturb single rounds.
"""

import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
RESOURCES = 50_000
ROUNDS = 3
_RATE = re.compile(r"in [\d.]+ s.*?, (\d+) resources/s")


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """Yield a folder with the files of a commit."""
    with TemporaryDirectory() as folder:
        place = Path(folder) / "before"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", place, commit], cwd=ROOT, check=True)  # noqa: S607 - git from the path
        try:
            yield place
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", place], cwd=ROOT, check=True)  # noqa: S607 - as above


def rate(place: Path, count: int) -> int:
    """Return the resources a second of the first scan that the benchmark in a folder makes."""
    command = [sys.executable, "-m", "benchmarks.scan", str(count)]
    environment = {**os.environ, "PYTHONPATH": str(place)}
    ran = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=True)
    found = _RATE.search(ran.stdout)
    assert found, ran.stdout
    return int(found[1])


def main() -> int:
    """Print the rates of both, and how many times the earlier one this is."""
    commit, *sizes = sys.argv[1:]
    count, rounds = map(int, (*sizes, *(RESOURCES, ROUNDS)[len(sizes) :]))
    with worktree(commit) as before:
        pairs = [(rate(before, count), rate(ROOT, count)) for _ in range(rounds)]
    for earlier, now in pairs:
        print(f"rate, {count} resources: {earlier} resources/s at {commit}, {now} now")
    medians = [statistics.median(each) for each in zip(*pairs, strict=True)]
    print(f"  median: {medians[0]:.0f} and {medians[1]:.0f} resources/s, {medians[1] / medians[0]:.2f} times")
    return 0


if __name__ == "__main__":
    sys.exit(main())
