"""The listener: serves an ASGI application on a socket with uvicorn's HTTP protocol, from a thread of its own."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from local.cloud.app import Application
from shared.domain.resource import Json

HOST = "127.0.0.1"
_BACKLOG = 256
_SECONDS = 2.0
"""How long requests that are being answered may take when the listener stops."""


class Connections:
    """The open connections by the client's address, so that one can be closed in its face."""

    def __init__(self) -> None:
        self.open: dict[Json, asyncio.Transport] = {}

    def drop(self, client: Json) -> None:
        """Close a connection at once."""
        if transport := self.open.get(tuple(client)):
            transport.abort()

    def clear(self) -> None:
        """Close all."""
        for transport in list(self.open.values()):
            transport.abort()


@contextlib.contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """A socket that listens on this machine only; OSError when the port is taken."""
    # The protocol is named because asyncio sends small answers at once only where it sees that it is TCP.
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(_BACKLOG)
        yield listener


@contextlib.contextmanager
def serving(application: Application, connections: Connections, listener: socket.socket) -> Iterator[None]:
    """Serve until the end of the block; what is being answered then is answered first."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    serve = _serve(application, connections, listener, stop)
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve), name="sandbox-cloud", daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _serve(
    application: Application, connections: Connections, listener: socket.socket, stop: asyncio.Event
) -> None:
    loop, state = asyncio.get_running_loop(), ServerState()
    options: dict[str, Json] = {"lifespan": "off", "log_config": None, "access_log": False, "timeout_keep_alive": 75}
    config = uvicorn.Config(cast("Json", application), **options)
    server = await loop.create_server(lambda: _Protocol(config, state, connections), sock=listener, backlog=_BACKLOG)
    await stop.wait()
    server.close()
    if state.tasks:
        await asyncio.wait(state.tasks, timeout=_SECONDS)
    connections.clear()
    await asyncio.sleep(0)


class _Protocol(H11Protocol):
    """The HTTP protocol of uvicorn, which here also tells of connections made and lost."""

    def __init__(self, config: uvicorn.Config, state: ServerState, known: Connections) -> None:
        super().__init__(config, state, {})
        self._known = known

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._known.open[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._known.open.pop(self.client, None)
        super().connection_lost(exc)
