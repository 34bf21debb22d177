"""The server: a sandbox cloud on a port of this machine, in a thread of its own."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from local.cloud import token
from local.cloud.app import Application
from local.cloud.cloud import Cloud, now
from local.cloud.drift import drift
from local.cloud.event import Delivery
from local.cloud.fault import Faults
from local.cloud.generation import generate
from local.cloud.store import Store
from shared.domain.resource import Json

HOST = "127.0.0.1"
_BACKLOG = 256


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
    clock: Callable[[], Json] = now,
) -> Iterator[Sandbox]:
    """A sandbox cloud that runs until the end of the block. Its state is the file `path`, made when it is not there.

    `port` 0 lets the system choose. `events` is the address of a webhook that is told of every write, and
    `events_token` what it is shown. Writes of slow types take `operation_seconds`; `throttle` enforces the rate limits
    of Azure.
    """
    if not path.exists():
        generate(path, seed=seed, count=resources)
    with contextlib.closing(Store(path)) as store, listening(port) as listener:
        cloud = Cloud(
            store,
            secret=store.fact("secret") or "",
            tenant=store.fact("tenant") or "",
            clock=clock,
            operation_seconds=operation_seconds,
            throttle=throttle,
        )
        with _delivering(cloud, events, events_token) as written, _serving(cloud, listener, written):
            yield Sandbox(cloud, f"http://{HOST}:{listener.getsockname()[1]}", written)


@contextlib.contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """A socket that listens on this machine only; OSError when the port is taken."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(_BACKLOG)
        yield listener


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


@contextlib.contextmanager
def _serving(cloud: Cloud, listener: socket.socket, written: Callable[[], None]) -> Iterator[None]:
    connections = _Connections()
    application = Application(cloud, drop=connections.drop, written=written)
    config = uvicorn.Config(
        cast("Json", application),
        http=connections.protocol(),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="sandbox-cloud", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


class _Connections:
    """The open connections by the client's address, so that one can be closed in its face."""

    def __init__(self) -> None:
        self._open: dict[Json, asyncio.Transport] = {}

    def drop(self, client: Json) -> None:
        """Close a connection at once."""
        if transport := self._open.get(tuple(client)):
            transport.abort()

    def protocol(self) -> type[asyncio.Protocol]:
        """The HTTP protocol of uvicorn protocol, which here also tells of connections made and lost."""
        known = self._open

        class Protocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                known[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                known.pop(self.client, None)
                super().connection_lost(exc)

        return Protocol
