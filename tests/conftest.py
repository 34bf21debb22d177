"""What most tests stand on: real local adapters in a folder of their own, a clock that only moves when told."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.adapters.index import INDEXES
from shared.adapters.local.blobs import FileBlobs
from shared.adapters.local.documents import SqliteDocuments
from shared.adapters.local.queue import SqliteQueue
from shared.domain.event import Actor
from shared.services.estate import Store

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
TENANT = "contoso"


@dataclass
class Clock:
    """Tells the time it was set to, and goes on by `tick` with every look."""

    at: datetime = START
    tick: timedelta = field(default_factory=lambda: timedelta(milliseconds=1))

    def __call__(self) -> datetime:
        self.at += self.tick
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def documents(tmp_path: Path) -> Iterator[SqliteDocuments]:
    with SqliteDocuments(tmp_path / "documents.db", indexes=INDEXES) as opened:
        yield opened


@pytest.fixture
def blobs(tmp_path: Path) -> FileBlobs:
    return FileBlobs(tmp_path / "blobs")


@pytest.fixture
def queue(tmp_path: Path, clock: Clock) -> Iterator[SqliteQueue]:
    with SqliteQueue(tmp_path / "queue.db", now=clock) as opened:
        yield opened


@pytest.fixture
def store(documents: SqliteDocuments, blobs: FileBlobs, clock: Clock) -> Store:
    return Store(documents=documents, blobs=blobs, now=clock, tenant=TENANT, actor=Actor(name="ada", correlation="c1"))
