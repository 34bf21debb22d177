"""The store: what was answered survives; what was not whole is not there."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.cloud import sandbox
from local.cloud.generation import generate_estate
from local.cloud.store import ResourceStore, bulk_insert, make_row, prefix_end
from shared.domain.error import Damaged

ROOT = Path(__file__).parents[3]


def begin(state: Path, *options: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    command = [sys.executable, "-m", "local.cloud", "--port", "0", "--state", str(state), "--json", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout
    return process, json.loads(process.stdout.readline())


def finish(process: subprocess.Popen[str]) -> None:
    process.wait(timeout=20)
    assert process.stdout
    process.stdout.close()


def test_no_answered_write_is_lost_to_a_kill(tmp_path: Path, estate_file: Path) -> None:
    state = tmp_path / "cloud.db"
    state.write_bytes(estate_file.read_bytes())
    with ResourceStore(state) as store:
        account = next(
            each.document()["id"] for each in store.scan("/subscriptions/", kind="microsoft.storage/storageaccounts")
        )
    process, found = begin(state)
    connection = HTTPConnection(urlsplit(found["url"]).netloc)
    headers = {"Authorization": f"Bearer {found['token']}"}
    for number in range(40):
        body = json.dumps({"tags": {"n": str(number)}})
        connection.request("PATCH", f"{account}?api-version=2025-06-01", body, headers)
        assert connection.getresponse().read()
    os.kill(process.pid, signal.SIGKILL)
    connection.close()
    finish(process)
    with sandbox(state) as cloud:
        assert len(cloud.writes()) == 40
        assert (cloud.read(account) or {})["tags"] == {"n": "39"}
        assert cloud.token.count(".") == found["token"].count(".") == 2


def test_a_generation_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[Any, ...]]:
        yield make_row("/a", kind="T/t", graph=None, at="2026", body=b"{}").values()
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        bulk_insert(tmp_path / "cloud.db", broken(), {})
    assert not (tmp_path / "cloud.db").exists()
    generate_estate(tmp_path / "cloud.db", seed=1, count=20)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cloud.db"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResourceStore]:
    with ResourceStore(tmp_path / "small.db") as opened:
        yield opened


def put(store: ResourceStore, key: str, kind: str = "T/t") -> None:
    store.put(make_row(key, kind=kind, graph="resources", at="2026", body=b"{}"))


def test_scans_in_order_and_only_what_lies_below(store: ResourceStore) -> None:
    for number in range(1203):
        put(store, f"/a/b/{number:05}", "T/even" if number % 2 == 0 else "T/odd")
    put(store, "/a/bc")
    put(store, "/a/b")
    keys = [each.key for each in store.scan("/a/b/")]
    assert keys == sorted(keys)
    assert len(keys) == 1203
    assert len(list(store.scan("/a/b/", kind="t/odd"))) == 601
    assert next(store.scan("/a/b/", after="/a/b/00700")).key == "/a/b/00701"


def test_deletes_what_lies_below_and_nothing_beside(store: ResourceStore) -> None:
    for key in ("/a", "/a/b", "/a/b/c", "/a/bb", "/a0", "/a-1"):
        put(store, key)
    assert store.delete("/a/b") == 2
    assert [each.key for each in store.scan("/")] == ["/a", "/a-1", "/a/bb", "/a0"]


def test_writes_are_undone_together(store: ResourceStore) -> None:
    with pytest.raises(RuntimeError):
        _fail_in_the_middle(store)
    with store.rolled_back():
        put(store, "/c")
        with store.writing():
            put(store, "/d")
        assert store.get("/d")
    assert list(store.scan("/")) == []


def _fail_in_the_middle(store: ResourceStore) -> None:
    with store.writing():
        put(store, "/a")
        with store.writing():
            put(store, "/b")
        raise RuntimeError("stop")


def test_the_end_of_a_prefix_is_after_all_that_begin_with_it() -> None:
    assert "a/zzz" < prefix_end("a/") < "a0x"
    assert prefix_end("") > "anything"


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cloud.db"
    path.write_text("this is not a database, although it is long enough to look like one")
    with pytest.raises(Damaged, match=r"cloud\.db holds no sandbox cloud") as caught:
        ResourceStore(path)
    assert caught.value.place == str(path)


def test_an_empty_file_is_not_served_as_an_empty_cloud(tmp_path: Path) -> None:
    (tmp_path / "cloud.db").touch()
    with pytest.raises(Damaged, match="is empty, or only part"), sandbox(tmp_path / "cloud.db"):
        pass
