"""A whole scan through the services: collect from a sandbox cloud, judge, finish; in fresh processes, by size."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import sample
from shared import bootstrap
from shared.bootstrap import Ports
from shared.domain.scan import Scan, ScanRequest, Trigger
from shared.services import scan
from shared.settings import Settings

ROOT = Path(__file__).parents[1]
SIZES = (10_000, 50_000)
ID = "bench"


@contextmanager
def cloud(folder: Path, resources: int) -> Iterator[dict[str, str]]:
    """A sandbox cloud in a process of its own: its url and token."""
    place = ["--port", "0", "--state", str(folder / "cloud.db"), "--json", "--exit-with-parent"]
    command = [sys.executable, "-m", "local.cloud", *place, "--resources", str(resources)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def run(ports: Ports) -> Scan:
    """The steps that the workflow takes, one subscription after the other."""
    store, book = sample.store(ports), sample.book(ports)
    scan.request(ID, ScanRequest(), Trigger.HTTP, store=store, queue=ports.queue)
    for subscription in scan.prepare(ID, store=store, inventory=ports.inventory):
        step = scan.Step("more")
        while step.state != "done":
            time.sleep(step.wait)
            step = scan.step(ID, subscription, store=store, inventory=ports.inventory, book=book)
    return scan.finish(ID, store=store, book=book)


def measure(resources: int) -> None:
    """Print one line for one size."""
    with TemporaryDirectory() as folder, cloud(Path(folder), resources) as found:
        settings = Settings(
            state=Path(folder) / "state",
            tenant=sample.TENANT,
            cloud_endpoint=found["url"],
            cloud_token=found["token"],  # type: ignore[arg-type] # text
        )
        with bootstrap.build(settings) as ports:
            sample.book(ports)
            idle = rss()
            began = time.perf_counter()
            ended = run(ports)
            seconds = time.perf_counter() - began
    peak = rss()
    assert ended.resources >= resources, ended
    print(
        f"scan, {ended.resources} resources: {ended.status} in {seconds:.1f} s,"
        f" {ended.resources / seconds:.0f} resources/s, {ended.pairs / seconds:.0f} pairs/s, peak {peak:.0f} MB,"
        f" {(peak - idle) * 1024 / ended.resources:.2f} kB a resource above {idle:.0f} MB at the start"
    )


def rss() -> float:
    """The most memory this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Each size in a fresh process; 1 when one failed."""
    if sys.argv[1:]:
        measure(int(sys.argv[1]))
        return 0
    runs = (subprocess.run([sys.executable, "-m", "benchmarks.scan", str(size)], check=False) for size in SIZES)
    return max(ran.returncode for ran in runs)


if __name__ == "__main__":
    sys.exit(main())
