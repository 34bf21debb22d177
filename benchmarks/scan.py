"""Scans through the services: the first, a second without changes, and one with 1 % changed; by size.

Each size is measured in a fresh process, over a sandbox cloud in another one.
"""

import json
import resource
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from azure.core.rest import HttpRequest

from benchmarks import sample
from shared import bootstrap
from shared.adapters.azure.arm import Arm
from shared.bootstrap import Ports
from shared.domain.scan import Scan, ScanRequest, ScanTrigger
from shared.ports.documents import Query
from shared.services.estate import resource as resources
from shared.services.scan import scan, subscription_progress
from shared.settings import Settings

ROOT = Path(__file__).parents[1]
RESOURCE_COUNTS = (10_000, 50_000)
SUBSCRIPTIONS = 1000
CHANGED_SHARE = 0.01
TAGS_VERSION = "2021-04-01"


@dataclass(frozen=True)
class Measured:
    """One scan: how it ended, in how many seconds, those of the processor among them, and its calls by purpose."""

    scan: Scan
    seconds: float
    processor_seconds: float
    calls: Counter[str]

    def line(self, name: str, first: "Measured | None" = None) -> str:
        """Return a line about it, with its share of the time of the first."""
        share = (
            f" ({100 * self.seconds / first.seconds:.1f} % of the first,"
            f" {100 * self.processor_seconds / first.processor_seconds:.1f} % of its processor time)"
            if first
            else ""
        )
        rate, pairs = self.scan.resources / self.seconds, self.scan.evaluation_count / self.seconds
        calls = ", ".join(f"{number} {kind}" for kind, number in sorted(self.calls.items()))
        took = f"{self.scan.status} in {self.seconds:.2f} s{share}"
        return f"  {name}: {took}, {rate:.0f} resources/s, {pairs:.0f} pairs/s, {self.calls.total()} calls ({calls})"


@contextmanager
def cloud(folder: Path, count: int) -> Iterator[dict[str, str]]:
    """Yield the url and token of a sandbox cloud in a process of its own."""
    place = ["--port", "0", "--state", str(folder / "cloud.db"), "--json", "--exit-with-parent"]
    command = [sys.executable, "-m", "local.cloud", *place, "--resources", str(count)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Yield the numbers of calls of Resource Manager, by what they are for, while the block runs."""
    calls: Counter[str] = Counter()
    ask = Arm._ask  # noqa: SLF001 - where all calls go through

    def counting(arm: Arm, path: str, request: HttpRequest) -> Any:  # noqa: ANN401 - any JSON
        calls["queries" if path.endswith("/resources") and request.method == "POST" else _kind(path)] += 1
        return ask(arm, path, request)

    Arm._ask = counting  # type: ignore[method-assign]  # noqa: SLF001 - as above
    try:
        yield calls
    finally:
        Arm._ask = ask  # type: ignore[method-assign]  # noqa: SLF001 - as above


def _kind(path: str) -> str:
    """Return what a GET is for: one about a resource, or about a subscription or the tenant."""
    return (
        "reads of resources" if path.lower().count("/providers/") and "/resourcegroups/" in path.lower() else "others"
    )


def run(name: str, ports: Ports) -> Measured:
    """Run the steps of the workflow, one subscription after the other."""
    store, policies = sample.store(ports), sample.policies(ports)
    began, processor = time.perf_counter(), time.process_time()
    with counted() as calls:
        scan.request(name, ScanRequest(), ScanTrigger.HTTP, store=store, queue=ports.queue)
        scan.prepare(name, store=store, inventory=ports.inventory)
        for each in subscription_progress.unfinished(name, SUBSCRIPTIONS, store=store):
            step = scan.ScanStep("more")
            while step.state != "done":
                time.sleep(step.wait)
                step = scan.step(name, each.subscription, store=store, inventory=ports.inventory, policies=policies)
        ended = scan.finish(name, store=store, policies=policies)
    return Measured(ended, time.perf_counter() - began, time.process_time() - processor, calls)


def change(ports: Ports, found: dict[str, str]) -> int:
    """Change a tag of some resources in the cloud, spread over the estate. Return how many."""
    live = resources.stored(Query(equals={"gone": False}), sample.store(ports))
    listed = (row["resourceId"] for _, row in live if "/providers/" in row["resourceId"])
    chosen = list(islice(listed, 0, None, round(1 / CHANGED_SHARE)))
    for identity in chosen:
        place = f"{found['url']}{identity}/providers/Microsoft.Resources/tags/default?api-version={TAGS_VERSION}"
        body = json.dumps({"operation": "Merge", "properties": {"tags": {"changed": "yes"}}}).encode()
        headers = {"Authorization": f"Bearer {found['token']}", "Content-Type": "application/json"}
        request = urllib.request.Request(place, body, headers, method="PATCH")  # noqa: S310 - the sandbox
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
            answer.read()
    return len(chosen)


def measure(count: int) -> None:
    """Print a line for each scan of one size."""
    with TemporaryDirectory() as folder, cloud(Path(folder), count) as found:
        settings = Settings(
            state=Path(folder) / "state",
            tenant=sample.TENANT,
            cloud_endpoint=found["url"],
            cloud_token=found["token"],  # type: ignore[arg-type] # text
        )
        with bootstrap.build(settings) as ports:
            sample.policies(ports)
            idle = rss()
            first = run("first", ports)
            peak = rss()
            second = run("second", ports)
            changed = change(ports, found)
            third = run("third", ports)
    assert first.scan.resources >= count, first.scan
    kilobytes = (peak - idle) * 1024 / first.scan.resources
    print(
        f"scan, {first.scan.resources} resources: peak {peak:.0f} MB, {kilobytes:.2f} kB a resource above {idle:.0f} MB"
    )
    print(first.line("first"))
    print(second.line("without changes", first))
    print(third.line(f"{changed} changed", first))
    print(f"  peak after all: {rss():.0f} MB")


def rss() -> float:
    """Return the most memory this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Measure each size in a fresh process. Return 1 when one failed."""
    if sys.argv[1:]:
        measure(int(sys.argv[1]))
        return 0
    runs = (
        subprocess.run([sys.executable, "-m", "benchmarks.scan", str(size)], check=False) for size in RESOURCE_COUNTS
    )
    return max(ran.returncode for ran in runs)


if __name__ == "__main__":
    sys.exit(main())
