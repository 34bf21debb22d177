"""The server: a sandbox cloud on a port of this machine, in a thread of its own."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from local.cloud import token
from local.cloud.app import Application
from local.cloud.cloud import Cloud, now
from local.cloud.drift import drift
from local.cloud.event import Delivery
from local.cloud.fault import Faults
from local.cloud.generation import generate
from local.cloud.listener import HOST, Connections, listening, serving
from local.cloud.store import Store
from shared.domain.resource import Json


class Sandbox:
    """A running sandbox cloud. `url` is where it answers, `token` what a client sends as its bearer token."""

    def __init__(self, cloud: Cloud, url: str, written: Callable[[], None]) -> None:
        self.url = url
        self.token = token.issue(cloud.secret, now() + timedelta(seconds=token.LONG))
        self.faults: Faults = cloud.faults
        self._cloud = cloud
        self._written = written

    def new_token(self, expires_in: float) -> str:
        """A token that ends in so many seconds, or has ended when they are negative."""
        return token.issue(self._cloud.secret, self._cloud.clock() + timedelta(seconds=expires_in))

    def writes(self, after: int = 0) -> list[dict[str, Json]]:
        """All writes after a sequence number: sequence, at, method, id, type, etag, source, correlation."""
        return self._cloud.store.writes(after, most=-1)

    def count(self, table: str = "resources") -> int:
        """How many resources a Resource Graph table lists."""
        return int(self._cloud.store.query("SELECT count(*) FROM resource WHERE graph = ?", (table,))[0][0])

    def read(self, resource_id: str) -> dict[str, Json] | None:
        """The body of a resource as it is stored, or None."""
        found = self._cloud.store.get(resource_id.lower())
        return found.document() if found else None

    def ids(self, resource_type: str) -> list[str]:
        """The ids of all resources of a type, in order."""
        sql = "SELECT json_extract(body, '$.id') FROM resource WHERE type = ? ORDER BY key"
        return [found[0] for found in self._cloud.store.query(sql, (resource_type.lower(),))]

    def drift(self, steps: int = 1) -> list[str]:
        """Let steps of time pass; the ids of what changed."""
        _, changed = drift(self._cloud, steps)
        self._written()
        return changed


@contextlib.contextmanager
def sandbox(
    path: Path,
    *,
    resources: int = 200,
    seed: int = 7,
    port: int = 0,
    events: str | None = None,
    events_token: str | None = None,
    operation_seconds: float = 0.0,
    throttle: bool = False,
    clock: Callable[[], datetime] = now,
) -> Iterator[Sandbox]:
    """A sandbox cloud that runs until the end of the block. Its state is the file `path`, made when it is not there.

    `port` 0 lets the system choose. `events` is the address of a webhook that is told of every write, and
    `events_token` what it is shown. Writes of slow types take `operation_seconds`; `throttle` enforces the rate limits
    of Azure.
    """
    if not path.exists():
        generate(path, seed=seed, count=resources)
    with Store(path) as store, listening(port) as listener:
        cloud = Cloud(
            store,
            secret=store.fact("secret") or "",
            tenant=store.fact("tenant") or "",
            clock=clock,
            operation_seconds=operation_seconds,
            throttle=throttle,
        )
        connections = Connections()
        with _delivering(cloud, events, events_token) as written:
            application = Application(cloud, drop=connections.drop, written=written)
            with serving(application, connections, listener):
                yield Sandbox(cloud, f"http://{HOST}:{listener.getsockname()[1]}", written)


@contextlib.contextmanager
def _delivering(cloud: Cloud, url: str | None, token: str | None) -> Iterator[Callable[[], None]]:
    if url is None:
        yield lambda: None
        return
    delivery = Delivery(cloud, url, token)
    delivery.start()
    try:
        yield delivery.notify
    finally:
        delivery.stop()
