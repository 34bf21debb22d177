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
_BACKLOG_CONNECTIONS = 256
_STOP_SECONDS = 2.0
"""How long requests under way may take when the listener stops."""


class Connections:
    """The open connections by the client's address, so that one can be closed without a response."""

    def __init__(self) -> None:
        self.open: dict[Json, asyncio.Transport] = {}

    def drop(self, client: Json) -> None:
        """Close the connection of a client at once, if it has one."""
        # Aborted, not closed: what is buffered must not be sent any more.
        if transport := self.open.get(tuple(client)):
            transport.abort()

    def clear(self) -> None:
        """Close all connections."""
        for transport in list(self.open.values()):
            transport.abort()


@contextlib.contextmanager
def listen(port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens on this machine only; OSError when the port is taken."""
    # The protocol is named because asyncio disables Nagle's delay only where it sees that the socket is TCP.
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)) as listener:
        # A cloud that is started again gets its port although old connections linger.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(_BACKLOG_CONNECTIONS)
        yield listener


@contextlib.contextmanager
def serve_app(application: Application, connections: Connections, listener: socket.socket) -> Iterator[None]:
    """Serve until the end of the block; requests under way then get their responses first."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    serve = _serve(application, connections, listener, stop)
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve), name="sandbox-cloud", daemon=True)
    thread.start()
    try:
        yield
    finally:
        # An event of asyncio may be set by the thread of its loop only.
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _serve(
    application: Application, connections: Connections, listener: socket.socket, stop: asyncio.Event
) -> None:
    loop, state = asyncio.get_running_loop(), ServerState()
    # The server is made by hand: uvicorn's own would take the signals of the process.
    options: dict[str, Json] = {"lifespan": "off", "log_config": None, "access_log": False, "timeout_keep_alive": 75}
    config = uvicorn.Config(cast("Json", application), **options)
    server = await loop.create_server(
        lambda: _Protocol(config, state, connections), sock=listener, backlog=_BACKLOG_CONNECTIONS
    )
    await stop.wait()
    server.close()
    if state.tasks:
        await asyncio.wait(state.tasks, timeout=_STOP_SECONDS)
    connections.clear()
    await asyncio.sleep(0)  # lets the aborted transports call connection_lost


class _Protocol(H11Protocol):
    """The HTTP protocol of uvicorn, with a record of the open connections."""

    def __init__(self, config: uvicorn.Config, state: ServerState, known: Connections) -> None:
        super().__init__(config, state, {})
        self._known = known

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._known.open[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._known.open.pop(self.client, None)
        super().connection_lost(exc)
