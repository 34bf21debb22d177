"""Changes of an estate while the product runs as `cortex run` starts it: the seconds from a write to its new verdict.

    python -m benchmarks.change [changes a minute]

Writes go to the sandbox cloud at an even rate for a minute, each to another resource; events reach the product over
its webhook. The end of each is the time at which the resource was judged.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any

import httpx2

from local.host.server import listen
from shared.adapters.index import INDEXES
from shared.adapters.local.documents import SqliteDocuments
from shared.domain.finding import resource_key
from shared.services.estate import resource

CHANGES = 1000
WRITE_SECONDS = 60.0
WAIT_SECONDS = 300.0
POLL_SECONDS = 0.25
TENANT = "local"
TAGS_VERSION = "2021-04-01"
SUBSCRIPTIONS_VERSION = "2022-12-01"


@contextmanager
def running(state: Path, port: int) -> Iterator[httpx2.Client]:
    """Yield a client of the product, which runs with its sandbox cloud while the block does."""
    command = [sys.executable, "-m", "cli", "run", "--port", str(port)]
    env = os.environ | {"CORTEX_STATE": str(state), "CORTEX_TENANT": TENANT}
    with (
        (state / "log").open("wb") as log,
        subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True) as process,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30) as client,
    ):
        try:
            _wait(lambda: process.poll() is not None or (state / "local.json").exists())
            assert process.poll() is None, (state / "log").read_text(encoding="utf-8")[-2000:]
            client.headers["authorization"] = f"Bearer {_saved(state)['operator']}"
            _wait(lambda: _scanned(client))
            yield client
        finally:
            process.send_signal(signal.SIGTERM)


def _saved(state: Path) -> dict[str, str]:
    found: dict[str, str] = httpx2.Response(200, content=(state / "local.json").read_bytes()).json()
    return found


def _scanned(client: httpx2.Client) -> bool:
    try:
        scans = client.get("/scans").raise_for_status().json()["items"]
    except httpx2.HTTPError:
        return False
    return bool(scans and scans[-1].get("endedAt"))


def _wait(true: Any) -> None:  # noqa: ANN401 - anything that can be asked
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, "it takes longer than the benchmark waits"
        time.sleep(POLL_SECONDS)


def resource_ids(client: httpx2.Client, cloud: httpx2.Client, count: int) -> list[str]:
    """Return the ARM ids of so many resources that the cloud has; the product also knows imported ones."""
    listed = cloud.get("/subscriptions", params={"api-version": SUBSCRIPTIONS_VERSION}).raise_for_status().json()
    live = {each["subscriptionId"] for each in listed["value"]}
    found: list[str] = []
    cursor: str | None = None
    while len(found) < count:
        asked = {"limit": 200, "gone": "false", **({"cursor": cursor} if cursor else {})}
        page = client.get("/resources", params=asked).raise_for_status().json()
        there = (each["resourceId"] for each in page["items"] if each["subscription"] in live)
        found += filter(_takes_tags, there)
        cursor = page["nextCursor"]
        assert cursor or len(found) >= count, f"there are only {len(found)} resources"
    return found[:count]


def _takes_tags(resource_id: str) -> bool:
    """Return whether a resource is a tracked one, by its id: no child, and nothing about who may do what."""
    _, _, named = resource_id.lower().partition("/resourcegroups/")
    parts = named.split("/")
    return len(parts) == 5 and parts[2] != "microsoft.authorization"  # group/providers/space/type/name


def write(cloud: httpx2.Client, ids: list[str]) -> dict[str, datetime]:
    """Write a tag to each, evenly over a minute; the time when each was written."""
    written: dict[str, datetime] = {}
    began = time.monotonic()
    for number, each in enumerate(ids):
        time.sleep(max(0.0, began + number * WRITE_SECONDS / len(ids) - time.monotonic()))
        body = {"operation": "Merge", "properties": {"tags": {"changed": "yes"}}}
        path = f"{each}/providers/Microsoft.Resources/tags/default"
        cloud.patch(path, json=body, params={"api-version": TAGS_VERSION}).raise_for_status()
        written[resource_key(each)] = datetime.now(UTC)
    return written


def judged_at(state: Path, keys: set[str]) -> dict[str, datetime]:
    """Read when each resource was judged last."""
    with SqliteDocuments(state / "documents.db", indexes=INDEXES) as documents:
        found = documents.get_many(tenant=TENANT, kind=resource.KIND, ids=sorted(keys))
    times = ((key, each.body.get("judgedAt")) for key, each in found.items())
    return {key: datetime.fromisoformat(at) for key, at in times if at}


def main() -> None:
    """Print how long the verdicts took."""
    changes = int(sys.argv[1]) if len(sys.argv) > 1 else CHANGES
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    with TemporaryDirectory() as folder, running(state := Path(folder), port) as client:
        headers = {"authorization": f"Bearer {(state / 'cloud.token').read_text(encoding='utf-8').strip()}"}
        with httpx2.Client(base_url=f"http://127.0.0.1:{port + 1}", headers=headers, timeout=30) as cloud:
            written = write(cloud, resource_ids(client, cloud, changes))
        seconds: dict[str, float] = {}

        def all_judged() -> bool:
            left = written.keys() - seconds.keys()
            for key, at in judged_at(state, set(left)).items():
                if at >= written[key]:
                    seconds[key] = (at - written[key]).total_seconds()
            return len(seconds) == len(written)

        _wait(all_judged)
    cuts = quantiles(seconds.values(), n=20)
    print(
        f"change: {changes} a minute: verdict after p50 {cuts[9]:.2f} s, p95 {cuts[18]:.2f} s, "
        f"at most {max(seconds.values()):.2f} s"
    )


if __name__ == "__main__":
    main()
