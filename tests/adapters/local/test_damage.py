"""Stores that were damaged, emptied, swapped or closed to us: told in one sentence, never made anew, never empty."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.adapters.local.blobs import FileBlobs
from shared.adapters.local.documents import SqliteDocuments
from shared.adapters.local.queue import SqliteQueue
from shared.domain.error import CortexError, Damaged, Unusable
from shared.ports.documents import Query
from tests.fakes.corruption import checkpoint, files_at_most, spoil, unprivileged

Opened = SqliteDocuments | SqliteQueue
STORES: dict[str, Callable[[Path], Opened]] = {"documents.db": SqliteDocuments, "queue.db": SqliteQueue}


@pytest.fixture(params=STORES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A store with something in it, closed."""
    place: Path = tmp_path / request.param
    with STORES[request.param](place) as store:
        if isinstance(store, SqliteDocuments):
            store.put_many(tenant="t", kind="thing", items={str(n): {"x": "y" * 500} for n in range(100)})
        else:
            for n in range(100):
                store.send("some-queue", f"{n}" * 200)
    return place


def refused(path: Path, kind: type[CortexError], words: str) -> None:
    """Opening is refused in these words, without the folder; the file is left as it is."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(kind, match=words) as caught:
        STORES[path.name](path)
    assert path.name in caught.value.message
    assert str(path.parent) not in caught.value.message
    assert (path.read_bytes() if path.is_file() else None) == before


def test_an_empty_file_is_damage(path: Path) -> None:
    path.write_bytes(b"")
    refused(path, Damaged, "is empty")


def test_garbage_is_not_a_database(path: Path) -> None:
    path.write_bytes(b"this is not a database" * 1000)
    refused(path, Damaged, "not a database")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_truncated_file_is_damage(path: Path, share: float) -> None:
    os.truncate(path, int(path.stat().st_size * share))
    refused(path, Damaged, "is damaged")


def test_overwritten_pages_are_damage(path: Path) -> None:
    spoil(path, at=4096, length=path.stat().st_size - 8192)
    refused(path, Damaged, "is damaged")


def test_a_database_of_another_application_is_damage(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE documents (number INTEGER)")
    refused(path, Damaged, "another application")


def test_one_store_does_not_open_the_file_of_another(tmp_path: Path) -> None:
    SqliteDocuments(tmp_path / "documents.db").close()
    (tmp_path / "documents.db").rename(tmp_path / "queue.db")
    refused(tmp_path / "queue.db", Damaged, "another application")


def test_a_newer_schema_is_damage_and_names_the_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 7")
    refused(path, Damaged, r"newer version of the product \(schema 7, known here: 1\)")


def test_a_folder_in_place_of_the_file_is_damage(path: Path) -> None:
    path.unlink()
    path.mkdir()
    refused(path, Damaged, "not a file")


def test_a_write_ahead_log_without_its_file_is_damage(path: Path) -> None:
    path.rename(path.with_name(f"{path.name}-wal"))
    with pytest.raises(Damaged, match="is gone, but"):
        STORES[path.name](path)
    assert not path.exists()


def test_a_file_that_may_not_be_written_is_unusable(path: Path) -> None:
    path.chmod(0o400)
    with unprivileged():
        refused(path, Unusable, "cannot be written: let this user")


def test_a_folder_that_may_not_be_written_is_unusable(path: Path) -> None:
    path.unlink()
    path.parent.chmod(0o500)
    with unprivileged(), pytest.raises(Unusable, match="Permission denied"):
        STORES[path.name](path)
    path.parent.chmod(0o700)


def test_a_file_in_place_of_its_folder_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"")
    for name, opened in STORES.items():
        with pytest.raises(Unusable, match="cannot be used"):
            opened(tmp_path / "state" / name)


def test_a_full_disk_refuses_writes_and_goes_on_afterwards(path: Path) -> None:
    with STORES[path.name](path) as store:
        with files_at_most(0), pytest.raises(Unusable, match="check the disk"):
            store.check()
        store.check()


def test_damage_found_by_a_call_is_remembered_by_the_check(tmp_path: Path) -> None:
    path = tmp_path / "documents.db"
    with SqliteDocuments(path) as documents:
        documents.put_many(tenant="t", kind="thing", items={str(n): {"x": "y" * 500} for n in range(2000)})
    with SqliteDocuments(path) as documents:
        checkpoint(path)
        spoil(path, at=8192, length=path.stat().st_size // 2)
        with pytest.raises(Damaged, match=r"documents\.db is damaged"):
            list(documents.query(tenant="t", kind="thing", query=Query(), limit=1000).items)
        with pytest.raises(Damaged):
            documents.check()


def test_a_body_that_is_not_json_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "documents.db"
    with SqliteDocuments(path) as documents:
        documents.put(tenant="t", kind="thing", id="a", body={})
        with closing(sqlite3.connect(path)) as other:
            other.execute("UPDATE documents SET body = '{\"cut'")
            other.commit()
        found = documents.get(tenant="t", kind="thing", id="a")
        assert found is not None
        with pytest.raises(Damaged, match="document 'a' is not JSON"):
            _ = found.body


def test_nothing_is_written_to_a_file_that_was_removed(path: Path) -> None:
    with STORES[path.name](path) as store:
        path.unlink()
        with pytest.raises(Unusable, match="was removed while in use"):
            store.check()
        with pytest.raises(Unusable, match="was removed while in use"):
            (
                store.put(tenant="t", kind="thing", id="a", body={})
                if isinstance(store, SqliteDocuments)
                else store.send("some-queue", "lost")
            )
        assert not path.exists()


def test_a_blob_folder_that_was_removed_is_unusable_and_not_empty(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path / "blobs")
    blobs.put(tenant="t", name="a/b", data=b"1")
    shutil.rmtree(tmp_path / "blobs")
    for call in (
        lambda: blobs.names(tenant="t", prefix=""),
        lambda: blobs.get(tenant="t", name="a/b"),
        lambda: blobs.exists(tenant="t", name="a/b"),
        lambda: blobs.put(tenant="t", name="a/c", data=b"2"),
        lambda: blobs.delete(tenant="t", name="a/b"),
        blobs.check,
    ):
        with pytest.raises(Unusable, match="removed or replaced"):
            call()
    assert not (tmp_path / "blobs").exists()


def test_nothing_is_readable_by_others_whatever_the_umask(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"
    before = os.umask(0)
    try:
        with SqliteDocuments(state / "documents.db") as documents, SqliteQueue(state / "queue.db") as queue:
            documents.put(tenant="t", kind="thing", id="a", body={})
            queue.send("some-queue", "text")
            FileBlobs(state / "blobs").put(tenant="t", name="a/b", data=b"1")
            found = {each.name: each.stat().st_mode & 0o077 for each in (tmp_path / "new").rglob("*")}
    finally:
        os.umask(before)
    assert {"documents.db", "documents.db-wal", "documents.db-shm", "queue.db", "blobs", "b"} <= found.keys()
    assert {name: mode for name, mode in found.items() if mode} == {}


def test_a_file_that_was_open_to_others_is_closed(path: Path) -> None:
    path.chmod(0o644)
    STORES[path.name](path).close()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("key", [b"", b"short"])
def test_a_damaged_key_signs_nothing(tmp_path: Path, key: bytes) -> None:
    blobs = FileBlobs(tmp_path / "blobs")
    (tmp_path / "blobs" / ".upload-key").write_bytes(key)
    with pytest.raises(Damaged, match="is not a key"):
        blobs.grant(tenant="t", name="a", expires_at=datetime.now(UTC))
    with pytest.raises(Damaged, match="is not a key"):
        blobs.admit("a.b.c")
