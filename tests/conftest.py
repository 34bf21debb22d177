"""What most tests stand on: real local adapters in a folder of their own, a clock that only moves when told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.adapters.index import INDEXES
from shared.adapters.local.blobs import FileBlobs
from shared.adapters.local.documents import SqliteDocuments
from shared.adapters.local.queue import SqliteQueue
from shared.eventstore.store import Store
from tests.fakes.caller import caller
from tests.fakes.clock import Clock


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
    return Store(documents=documents, blobs=blobs, now=clock, caller=caller(), correlation="c1")
