"""Measure a rebuild of many events: how many a second are projected, and what memory that takes.

    .venv/bin/python -m benchmarks.rebuild [events]

The events are those of scans, of which each has a thousand that write a record of its progress, in a SQLite store of
its own.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from local.clock import utc_now
from shared.adapters.generation import GenerationDocuments, StoredGenerations
from shared.adapters.index import INDEXES
from shared.adapters.local.blobs import FileBlobs
from shared.adapters.local.catalog import PackagedCatalog
from shared.adapters.local.documents import SqliteDocuments
from shared.adapters.local.queue import SqliteQueue
from shared.domain.identity import Caller
from shared.domain.rebuild import RebuildRequest
from shared.domain.scan import ScanRequest, ScanTrigger, SubscriptionProgress
from shared.domain.scan_event import ScanRequested, ScanStarted, SubscriptionWaiting
from shared.eventstore import stream
from shared.eventstore.store import Store
from shared.services import rebuild
from shared.services.policy import effective_policy
from shared.services.scan import scan

STREAM_EVENTS = 1000
"""Events of one stream."""
CONCURRENT_STREAMS = 100


def fill(store: Store, events: int) -> None:
    """Record the events of scans that nobody has projected."""
    begun = [
        ScanRequested(trigger=ScanTrigger.HTTP, request=ScanRequest()),
        ScanStarted(subscriptions=(SubscriptionProgress(subscription="s"),)),
    ]
    waits = SubscriptionWaiting(progress=SubscriptionProgress(subscription="s", reason="asked to wait", tries=1))
    for number in range(events // STREAM_EVENTS):
        decided: list[Any] = [*begun, *[waits] * (STREAM_EVENTS - len(begun))]
        prepared = stream.prepare(scan.STREAM, f"s{number:06d}", decided, thing=None, store=store)
        for at in range(0, STREAM_EVENTS, CONCURRENT_STREAMS):
            stream.append(prepared[at : at + CONCURRENT_STREAMS], store=store)


def measure(folder: Path, events: int) -> None:
    """Fill a store, rebuild its documents, and print how long that took."""
    policies = effective_policy.packaged(PackagedCatalog(Path("catalog")))
    with SqliteDocuments(folder / "documents.db", indexes=INDEXES) as items:
        current = GenerationDocuments(items)
        store = Store(current, FileBlobs(folder / "blobs"), utc_now, Caller.system("bench"), "bench")
        generations, queue = StoredGenerations(current), SqliteQueue(folder / "queue.db", now=utc_now)
        fill(store, events)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rebuild.request("r", RebuildRequest(), store=store, generations=generations, queue=queue)
        began, cpu, steps = time.monotonic(), time.process_time(), 1
        while (
            known := rebuild.run("r", store=store, generations=generations, queue=queue, policies=lambda: policies)
        ).ended_at is None:
            steps += 1
        took, cpu = time.monotonic() - began, time.process_time() - cpu
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(
        f"{known.events:,} events of {known.streams:,} streams in {took:.0f} s ({cpu:.0f} s of CPU) and {steps} steps: "
        f"{known.events / took:,.0f} events a second; memory grew by {grown / 1024:.0f} MB"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        measure(Path(made), int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
