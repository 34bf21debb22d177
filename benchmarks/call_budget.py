"""Four processes that call one subscription as fast as they may: with the shared budget of calls, and without.

The sandbox cloud has the documented limits, and counts what it refuses.
"""

import multiprocessing
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.cloud import sandbox
from shared.adapters.azure.arm import Arm, ArmConnection, StaticToken
from shared.adapters.call_budget import StoredCallBudget
from shared.adapters.local.documents import SqliteDocuments
from shared.adapters.throttling import throttling_counts
from shared.domain.call_budget import LIMITS, CallScope
from shared.domain.error import CortexError
from shared.ports.documents import Document

PROCESSES = 4
THREADS = 4
SECONDS = 20.0
CALLS = 20_000
TYPE = "Microsoft.Resources/subscriptions"
VERSION = "2022-12-01"


class CountedDocuments(SqliteDocuments):
    """A store that counts its writes."""

    writes = 0

    def put(self, **options: Any) -> Document:  # noqa: ANN401 - as the port has it
        """Write, and count it."""
        self.writes += 1
        return super().put(**options)


def call(instance: str, connection: ArmConnection, path: str, store: Path | None, found: Any) -> None:  # noqa: ANN401 - a queue of processes
    """Call for some seconds in several threads; put how many were answered, raised and refused, and the writes."""
    counts: Counter[str] = Counter()
    with CountedDocuments(store or Path(tempfile.mkdtemp()) / "documents.db") as documents:
        budget = StoredCallBudget(documents, tenant="t", instance=instance, now=now) if store else None
        within = ArmConnection(connection.tenant, connection.endpoint, connection.credential, budget)
        arm = Arm(within, sleep=time.sleep, timeout=10.0)
        until = time.monotonic() + SECONDS

        def work() -> None:
            while time.monotonic() < until:
                try:
                    arm.get(path, VERSION)
                    counts["answered"] += 1
                except CortexError:
                    counts["raised"] += 1

        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        arm.close()
        found.put(counts + Counter({"refused": throttling_counts()["cloud"], "writes": documents.writes}))


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def measure(*, shared: bool) -> Counter[str]:
    """Return what came of all calls of all processes."""
    context = multiprocessing.get_context("spawn")
    found = context.Queue()
    with tempfile.TemporaryDirectory() as folder, sandbox(Path(folder) / "cloud.db", throttle=True) as cloud:
        connection = ArmConnection("t", cloud.url, StaticToken(cloud.token))
        store = Path(folder) / "documents.db" if shared else None
        given = (connection, cloud.ids(TYPE)[0], store, found)
        processes = [context.Process(target=call, args=(f"i{number}", *given)) for number in range(PROCESSES)]
        for each in processes:
            each.start()
        counts = sum((found.get() for _ in processes), Counter[str]())
        for each in processes:
            each.join()
    return counts


def cost() -> float:
    """Return the microseconds that one call costs to take and to learn from, the store's share included."""
    with tempfile.TemporaryDirectory() as folder, SqliteDocuments(Path(folder) / "documents.db") as documents:
        budget = StoredCallBudget(documents, tenant="t", instance="i", now=now)
        scope = CallScope("p", "s", "reads")
        began = time.perf_counter()
        for _ in range(CALLS):
            budget.take(scope)
            budget.learn(scope, LIMITS["reads"].calls - 1)
        return (time.perf_counter() - began) / CALLS * 1e6


def main() -> int:
    """Print a line with the budget and one without. Return 1 when a call was refused within it."""
    limit = LIMITS["reads"]
    most = limit.calls + limit.refill * SECONDS
    print(f"call budget: {cost():.1f} us a call; the cloud answers {most:.0f} calls in {SECONDS:.0f} s")
    lines = {"shared": measure(shared=True), "none": measure(shared=False)}
    for name, counts in lines.items():
        told = ", ".join(f"{counts[each]} {each}" for each in ("answered", "refused", "raised", "writes"))
        print(f"  {name}: {PROCESSES} processes, {told}")
    return int(lines["shared"]["refused"] > 0)


if __name__ == "__main__":
    sys.exit(main())
