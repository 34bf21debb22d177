"""The server: a sandbox cloud on a port of this machine, served from a thread of its own."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from local.clock import utc_now
from local.cloud import token
from local.cloud.app import Application
from local.cloud.cloud import Cloud
from local.cloud.drift import apply_drift
from local.cloud.event import WebhookDelivery
from local.cloud.faults.fault import Faults
from local.cloud.generation import generate_estate
from local.cloud.listener import HOST, Connections, listen, serve_app
from local.cloud.store import ResourceStore
from shared.domain.resource import Json


class Sandbox:
    """A running sandbox cloud. `url` is its address, `token` what a client sends as its bearer token."""

    def __init__(self, cloud: Cloud, url: str, written: Callable[[], None]) -> None:
        self.url = url
        self.token = token.issue_token(cloud.secret, utc_now() + timedelta(seconds=token.TOKEN_SECONDS))
        self.faults: Faults = cloud.faults
        self._cloud = cloud
        self._written = written

    def new_token(self, expires_in: float, principal: str = token.PRINCIPAL) -> str:
        """Return a principal's token that expires in so many seconds; negative ones give an expired token."""
        return token.issue_token(self._cloud.secret, self._cloud.clock() + timedelta(seconds=expires_in), principal)

    def writes(self, after: int = 0) -> list[dict[str, Json]]:
        """Return all writes after a sequence number: sequence, at, method, id, type, etag, source, correlation."""
        return self._cloud.store.writes(after, most=-1)

    def count(self, table: str = "resources") -> int:
        """Return how many resources a Resource Graph table lists."""
        return int(self._cloud.store.query("SELECT count(*) FROM resource WHERE graph = ?", (table,))[0][0])

    def read(self, resource_id: str) -> dict[str, Json] | None:
        """Return the body of a resource as it is stored, or None."""
        found = self._cloud.store.get(resource_id.lower())
        return found.document() if found else None

    def ids(self, resource_type: str) -> list[str]:
        """Return the ids of all resources of a type, in order."""
        sql = "SELECT json_extract(body, '$.id') FROM resource WHERE type = ? ORDER BY key"
        return [found[0] for found in self._cloud.store.query(sql, (resource_type.lower(),))]

    def drift(self, steps: int = 1) -> list[str]:
        """Let steps of time pass. Return the ids of what changed."""
        _, changed = apply_drift(self._cloud, steps)
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
    graph_delay_seconds: float = 0.0,
    throttle: bool = False,
    limit_scale: float = 1.0,
    clock: Callable[[], datetime] = utc_now,
) -> Iterator[Sandbox]:
    """Yield a sandbox cloud that runs until the end of the block. Its state is the file `path`, created if missing.

    `port` 0 lets the system choose. `events` is the address of a webhook that gets every write, `events_token` its
    bearer token. Writes of slow types take `operation_seconds`, Resource Graph tells of changes `graph_delay_seconds`
    later; `throttle` enforces the rate limits of Azure, or that part of them which `limit_scale` says.
    """
    if not path.exists():
        generate_estate(path, seed=seed, count=resources)
    with ResourceStore(path) as store, listen(port) as listener:
        cloud = Cloud(
            store,
            secret=store.require_fact("secret"),
            tenant=store.require_fact("tenant"),
            clock=clock,
            operation_seconds=operation_seconds,
            graph_delay_seconds=graph_delay_seconds,
            throttle=throttle,
            limit_scale=limit_scale,
        )
        connections = Connections()
        with _webhook_delivery(cloud, events, events_token) as written:
            application = Application(cloud, drop=connections.drop, written=written)
            with serve_app(application, connections, listener):
                yield Sandbox(cloud, f"http://{HOST}:{listener.getsockname()[1]}", written)


@contextlib.contextmanager
def _webhook_delivery(cloud: Cloud, url: str | None, token: str | None) -> Iterator[Callable[[], None]]:
    if url is None:
        yield lambda: None
        return
    delivery = WebhookDelivery(cloud, url, token)
    delivery.start()
    try:
        yield delivery.notify
    finally:
        delivery.stop()
