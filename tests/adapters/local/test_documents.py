"""What only the SQLite documents promise: several processes, kills, facets that widen, SQLite's errors in our words."""

import contextlib
import gc
import multiprocessing
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from shared.adapters.index import INDEXES
from shared.adapters.local.documents import SqliteDocuments
from shared.domain.error import AlreadyExists, InvalidInput, Stale, Unavailable
from shared.ports.documents import Query

ROOT = Path(__file__).parents[3]
WRITER = """
import sys
from pathlib import Path
from shared.adapters.local.documents import SqliteDocuments
documents = SqliteDocuments(Path(sys.argv[1]), indexes={"thing": ("n",)})
for n in range(int(sys.argv[2]), 10**9):
    documents.put(tenant="t", kind="thing", id=f"{n:09}", body={"n": n, "x": "y" * 3000})
    documents.create_all(tenant="t", kind="event", group="g", items={f"{n:09}-{part}": {"n": n} for part in range(5)})
    documents.put_many(tenant="t", kind="many", items={f"{n:09}-{part}": {"n": n} for part in range(5)})
    print(n, flush=True)
"""


def killed_writer(path: Path, start: int, after: int, pause: float) -> int:
    """Write in another process, kill it some time after it acknowledged `after` rounds; the last round it told of."""
    command = [sys.executable, "-c", WRITER, str(path), str(start)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(after)]
        time.sleep(pause)  # so that the kill may fall anywhere in a round
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    return int([line for line in told if line.endswith("\n")][-1])


def test_what_was_acknowledged_survives_kills(tmp_path: Path) -> None:
    path, chance, last = tmp_path / "documents.db", random.Random(7), -1  # noqa: S311 - not a secret
    for _ in range(6):
        last = killed_writer(path, last + 1, after=chance.randrange(1, 30), pause=chance.random() * 0.01)
        with SqliteDocuments(path, indexes={"thing": ("n",)}) as documents:
            for kind in ("thing", "many"):
                counts = documents.count(tenant="t", kind=kind, query=Query(), by="n")
                assert set(map(str, range(last + 1))) <= set(counts)
            stream = [item.body["n"] for item in documents.get_group(tenant="t", kind="event", group="g")]
            assert all(stream.count(n) == 5 for n in set(stream[-50:]))
            page = documents.query(tenant="t", kind="thing", query=Query(equals={"n": last}))
            assert [item.body for item in page.items] == [{"n": last, "x": "y" * 3000}]
            last = max(map(int, documents.count(tenant="t", kind="thing", query=Query(), by="n")))
            with contextlib.closing(sqlite3.connect(path)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            # A round cut short is taken up again by the next writer; what it left must not be in its way.
            with contextlib.suppress(AlreadyExists):
                items = {f"{last:09}-{part}": {"n": last} for part in range(5)}
                documents.create_all(tenant="t", kind="event", group="g", items=items)
            documents.put_many(tenant="t", kind="many", items={f"{last:09}-{part}": {"n": last} for part in range(5)})


def append(arguments: tuple[Path, int]) -> list[int]:
    """Append numbers to one stream and to one counter, each time as the next; the numbers that were ours."""
    path, rounds = arguments
    ours: list[int] = []
    with SqliteDocuments(path, indexes={"thing": ("n",)}) as documents:
        while len(ours) < rounds:
            read = documents.get(tenant="t", kind="thing", id="counter")
            assert read is not None
            n = read.body["n"] + 1
            try:
                documents.put(tenant="t", kind="thing", id="counter", body={"n": n}, if_match=read.etag)
                documents.create_all(tenant="t", kind="event", group="g", items={f"{n:06}": {"n": n}})
            except Stale:
                continue
            ours.append(n)
    return ours


def test_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "documents.db"
    with SqliteDocuments(path) as documents:
        documents.put(tenant="t", kind="thing", id="counter", body={"n": 0})
        with multiprocessing.get_context("spawn").Pool(3) as pool:
            numbers = [n for ours in pool.map(append, [(path, 40)] * 3, chunksize=1) for n in ours]
            pool.close()
            pool.join()
        assert sorted(numbers) == list(range(1, 121))
        counter = documents.get(tenant="t", kind="thing", id="counter")
        assert counter is not None
        assert counter.body == {"n": 120}
        assert len(documents.get_group(tenant="t", kind="event", group="g")) == 120


def test_several_processes_may_create_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "documents.db"
    command = [sys.executable, "-c", WRITER.replace("10**9", "int(sys.argv[2]) + 5"), str(path)]
    started = [subprocess.Popen([*command, str(n * 100)], cwd=ROOT, stdout=subprocess.DEVNULL) for n in range(4)]
    assert [process.wait(timeout=60) for process in started] == [0, 0, 0, 0]
    with SqliteDocuments(path) as documents:
        assert documents.count(tenant="t", kind="thing", query=Query()) == {"": 20}


def test_a_field_can_be_indexed_later(tmp_path: Path) -> None:
    path = tmp_path / "documents.db"
    with SqliteDocuments(path, indexes={"thing": ("a",)}) as documents:
        documents.put_many(tenant="t", kind="thing", items={str(n): {"a": n % 2, "b": n % 3} for n in range(12)})
    with SqliteDocuments(path, indexes={"thing": ("b",), "other": ("c",)}) as documents:
        query = Query(equals={"a": 1, "b": 2}, order="b")
        assert [item.id for item in documents.query(tenant="t", kind="thing", query=query).items] == ["11", "5"]
        documents.put(tenant="t", kind="thing", id="5", body={"a": 0, "b": 2})
        documents.put(tenant="t", kind="other", id="5", body={"c": 0})
        assert documents.count(tenant="t", kind="thing", query=query) == {"": 1}


def test_facets_follow_writers_that_do_not_know_them(tmp_path: Path) -> None:
    path = tmp_path / "documents.db"
    with SqliteDocuments(path, indexes={"thing": ("a",)}) as knows, SqliteDocuments(path) as plain:
        plain.put(tenant="t", kind="thing", id="1", body={"a": 1})
        assert knows.count(tenant="t", kind="thing", query=Query(), by="a") == {"1": 1}
        plain.delete(tenant="t", kind="thing", id="1")
        assert knows.count(tenant="t", kind="thing", query=Query(), by="a") == {}


@pytest.mark.parametrize("indexes", [{"thing": ("a'b",)}, {"Thing": ("a",)}])
def test_invalid_index_names_are_rejected(tmp_path: Path, indexes: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(InvalidInput):
        SqliteDocuments(tmp_path / "documents.db", indexes=indexes)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (Query(equals={"policy": "p1"}), "facet_thing_policy"),
        (Query(equals={"policy": "p1"}, order="severity"), "facet_thing_policy"),
        (Query(equals={"open": True}, order="severity"), "facet_thing_severity"),
        (Query(order="severity", descending=True), "facet_thing_severity"),
        (Query(prefix={"policy": "p1"}), "facet_thing_policy"),
        (Query(), "facet_thing_by_id"),
    ],
)
def test_listings_use_the_narrowest_index(tmp_path: Path, query: Query, index: str) -> None:
    from shared.adapters.local.query import SqliteQuery  # noqa: PLC0415 - a look inside

    fields = ("policy", "severity", "open")
    with SqliteDocuments(tmp_path / "documents.db", indexes={"thing": fields}) as documents:
        items = {str(n): {"policy": f"p{n % 200}", "severity": n % 4, "open": True} for n in range(6000)}
        documents.put_many(tenant="t", kind="thing", items=items)
        clause = SqliteQuery("t", "thing", frozenset(fields))
        clause.add(query)
        with documents._database.reading() as connection:
            plan = connection.execute(f"EXPLAIN QUERY PLAN {clause.page(query)}", (*clause.parameters, 50)).fetchall()
    assert f"USING INDEX {index}" in str(plan) or f"USING COVERING INDEX {index}" in str(plan)


@pytest.mark.parametrize(
    ("query", "by", "index"),
    [
        (Query(), "type", "facet_resource_subscription_gone_type"),
        (Query(equals={"type": "t1"}), None, "facet_resource_subscription_gone_type"),
        (Query(after="3"), None, "facet_resource_subscription_gone"),
    ],
)
def test_what_is_asked_of_one_subscription_reads_no_other(
    tmp_path: Path, query: Query, by: str | None, index: str
) -> None:
    from shared.adapters.local.query import SqliteQuery  # noqa: PLC0415 - a look inside

    with SqliteDocuments(tmp_path / "documents.db", indexes=INDEXES) as documents:
        items = {str(n): {"subscription": f"s{n % 10}", "gone": False, "type": f"t{n % 20}"} for n in range(6000)}
        documents.put_many(tenant="t", kind="resource", items=items)
        clause = SqliteQuery("t", "resource", frozenset(INDEXES["resource"]))
        clause.add(query)
        clause.add(Query(equals={"subscription": "s3", "gone": False}))
        text, limit = (clause.count(by), ()) if by else (clause.page(query), (50,))
        with documents._database.reading() as connection:
            plan = connection.execute(f"EXPLAIN QUERY PLAN {text}", (*clause.parameters, *limit)).fetchall()
    assert f"USING COVERING INDEX {index} " in str(plan) or f"USING INDEX {index} " in str(plan)


def test_a_store_may_know_a_part_of_the_fields_that_are_filtered_together(tmp_path: Path) -> None:
    with SqliteDocuments(tmp_path / "documents.db", indexes={"resource": ("subscription",)}) as documents:
        documents.put(tenant="t", kind="resource", id="a", body={"subscription": "s"})
        assert documents.count(tenant="t", kind="resource", query=Query(), by="subscription") == {"s": 1}


def test_a_full_disk_is_unavailable_and_loses_nothing(tmp_path: Path) -> None:
    with SqliteDocuments(tmp_path / "documents.db") as documents:
        documents.put(tenant="t", kind="thing", id="a", body={"n": 1})
        with documents._database.reading() as connection:
            connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(Unavailable, match="full"):
            documents.put_many(tenant="t", kind="thing", items={str(n): {"x": "y" * 3000} for n in range(100)})
        assert documents.count(tenant="t", kind="thing", query=Query()) == {"": 1}


def test_a_locked_file_is_unavailable_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.adapters.local.sqlite._BUSY_SECONDS", 0.05)
    path = tmp_path / "documents.db"
    with SqliteDocuments(path) as documents, contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked") as caught:
            documents.put(tenant="t", kind="thing", id="a", body={})
        assert caught.value.retry_after == 1.0
        assert documents.get(tenant="t", kind="thing", id="a") is None
        other.execute("ROLLBACK")
        documents.put(tenant="t", kind="thing", id="a", body={})


def test_a_closed_store_is_unusable(tmp_path: Path) -> None:
    documents = SqliteDocuments(tmp_path / "documents.db")
    documents.close()
    documents.close()
    with pytest.raises(Unavailable, match="closed"):
        documents.get(tenant="t", kind="thing", id="a")


def test_threads_leave_no_connection_open(tmp_path: Path) -> None:
    with SqliteDocuments(tmp_path / "documents.db") as documents:
        threads = [
            threading.Thread(target=documents.put, kwargs={"tenant": "t", "kind": "thing", "id": str(n), "body": {}})
            for n in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert documents.count(tenant="t", kind="thing", query=Query()) == {"": 20}
    gc.collect()  # an unclosed connection would warn here, and a warning is an error
