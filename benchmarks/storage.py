"""Storing on one machine: documents, listings, counts, blobs and messages; with facets, and without for comparison."""

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from shared.adapters.index import INDEXES
from shared.adapters.local.blobs import FileBlobs
from shared.adapters.local.documents import SqliteDocuments
from shared.adapters.local.queue import SqliteQueue
from shared.ports.documents import Query

BULK_DOCUMENTS = 50_000
FINDING_DOCUMENTS = 10_000
QUERIES = {
    "list 50 by id": Query(),
    "list 50 open": Query(equals={"open": True}),
    "list 50 open and high": Query(equals={"open": True, "severity": "high"}),
    "list 50 open, latest first": Query(equals={"open": True}, order="changedAt", descending=True),
    "list 50 of a policy, latest first": Query(equals={"policy": "p7"}, order="changedAt", descending=True),
}


def finding(number: int, chance: random.Random) -> dict[str, Any]:
    """Return a finding of about 3 kB."""
    return {
        "open": number % 10 > 0,
        "state": "nonCompliant",
        "status": "opened",
        "severity": chance.choice(["low", "medium", "high", "critical"]),
        "policy": f"p{number % 200}",
        "resource": f"/subscriptions/{number % 20}/resourcegroups/rg/providers/microsoft.storage/accounts/{number}",
        "subscription": f"{number % 20}",
        "owner": f"team-{number % 50}",
        "category": "storage",
        "openedAt": f"2026-01-{number % 28 + 1:02}T00:00:00Z",
        "changedAt": f"2026-02-{number % 28 + 1:02}T00:00:00Z",
        "evidence": "x" * 2500,
    }


def timed(act: Callable[[], Any], runs: int) -> tuple[float, float]:
    """Return the median and the 95th percentile, in microseconds."""
    act()
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        act()
        took.append((time.perf_counter() - began) * 1e6)
    took.sort()
    return took[runs // 2], took[runs * 95 // 100]


def show(name: str, act: Callable[[], Any], runs: int = 300) -> float:
    """Print one line; the median."""
    p50, p95 = timed(act, runs)
    print(f"storage, {name}: p50 {p50:.0f} us, p95 {p95:.0f} us")
    return p50


def bulk(documents: SqliteDocuments, kind: str) -> float:
    """Write many at once; seconds."""
    chance = random.Random(1)
    items = {f"f{number:06}": finding(number, chance) for number in range(BULK_DOCUMENTS)}
    size = len(orjson.dumps(items["f000001"]))
    began = time.perf_counter()
    documents.put_many(tenant="bulk", kind=kind, items=items)
    took = time.perf_counter() - began
    print(
        f"storage, put_many of {BULK_DOCUMENTS} {kind}s of {size} bytes: {took:.1f} s,"
        f" {BULK_DOCUMENTS / took:.0f} documents/s"
    )
    return took


def listings(documents: SqliteDocuments, kind: str) -> dict[str, float]:
    """Measure documents, pages and counts among `FINDING_DOCUMENTS` documents of a tenant, in microseconds."""
    chance = random.Random(2)
    items = {f"f{number:06}": finding(number, chance) for number in range(FINDING_DOCUMENTS)}
    documents.put_many(tenant="t", kind=kind, items=items)
    where = {"tenant": "t", "kind": kind}
    acts: dict[str, tuple[Callable[[], Any], int]] = {
        "get": (lambda: documents.get(**where, id=f"f{chance.randrange(FINDING_DOCUMENTS):06}"), 2000),
        "put": (lambda: documents.put(**where, id="f000001", body=items["f000001"]), 500),
        "count by severity": (lambda: documents.count(**where, query=Query(), by="severity"), 20),
        "count of open by severity": (
            lambda: documents.count(**where, query=QUERIES["list 50 open"], by="severity"),
            20,
        ),
    }
    for name, query in QUERIES.items():
        acts[name] = (lambda query=query: documents.query(**where, query=query), 100)
    return {name: show(f"{name} ({kind})", act, runs) for name, (act, runs) in acts.items()}


def main() -> None:
    """Print everything, and what the facets bring and cost."""
    with tempfile.TemporaryDirectory() as folder:
        with SqliteDocuments(Path(folder) / "documents.db", indexes={"finding": INDEXES["finding"]}) as documents:
            faceted = bulk(documents, "finding"), listings(documents, "finding")
            event = {"n": 1, "x": "y" * 1000}
            numbers = iter(range(10**9))
            show(
                "create_all of one event, flushed to disk",
                lambda: documents.create_all(tenant="t", kind="event", group="g", items={f"{next(numbers):09}": event}),
            )
        with SqliteDocuments(Path(folder) / "plain.db") as documents:
            plain = bulk(documents, "record"), listings(documents, "record")
        with SqliteQueue(Path(folder) / "queue.db") as queue:
            show("send a message", lambda: queue.send("work", "hello"))
            show(
                "receive and delete a message",
                lambda: [queue.delete("work", each) for each in queue.receive("work", limit=1)],
            )
            show("receive from an empty queue", lambda: queue.receive("empty"))
        blobs = FileBlobs(Path(folder) / "blobs")
        show(
            "put a blob of 100 kB, flushed to disk", lambda: blobs.put(tenant="t", name="a/b", data=b"x" * 100_000), 100
        )
    print(f"storage, writing with facets takes {faceted[0] / plain[0]:.1f} x the time of writing without")
    for name, without in plain[1].items():
        print(f"storage, {name} without facets takes {without / faceted[1][name]:.1f} x the time of with")


if __name__ == "__main__":
    main()
