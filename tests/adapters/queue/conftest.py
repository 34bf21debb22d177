"""Every adapter of the port `Queue`."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.adapters.local.queue import SqliteQueue
from shared.ports.queue import Queue

_numbers = itertools.count(1)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def move(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class Bench:
    """A queue under test, its name, and how time passes there."""

    queue: Queue
    name: str
    wait: Callable[[float], None]


@pytest.fixture(params=["sqlite", pytest.param("storage", marks=pytest.mark.emulator)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Every adapter of the port. The emulator has a clock of its own, so there time has to pass."""
    name = f"work-{next(_numbers)}"
    if request.param == "storage":
        from shared.adapters.azure.queue import StorageQueue  # noqa: PLC0415 - only where it is wanted

        emulator = request.getfixturevalue("storage_emulator")
        with StorageQueue(emulator.address) as queue:
            yield Bench(queue, name, time.sleep)
        return
    clock = Clock()
    with SqliteQueue(tmp_path / "queue.db", now=clock) as local:
        yield Bench(local, name, clock.move)
