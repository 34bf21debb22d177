"""The HTTP server: uvicorn, on a socket of ours, leaving signals to the host."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import override

import uvicorn
from starlette.types import ASGIApp

from local.host.connection import ClientConnection

_KEEP_ALIVE_SECONDS = 60
_CHECK_TICKS = 2  # of a tenth of a second each


class PortTakenError(Exception):
    """The port is in use, or there is no such port or address."""


@contextlib.contextmanager
def listen(address: str, port: int) -> Iterator[socket.socket]:
    """Yield a listening socket; PortTakenError when the port is not free."""
    try:
        listener = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise PortTakenError(
            f"cannot listen on {address}:{port} ({error}): is another host running? "
            "Choose another port with --port or PORT"
        ) from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio sets it only on sockets it made itself
    with listener:
        yield listener


def url(listener: socket.socket) -> str:
    """Return the address that a browser on this machine would use."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class Server(uvicorn.Server):
    """Serves an app from `start` to `stop`, which gives requests under way up to `grace` seconds."""

    def __init__(self, app: ASGIApp, listener: socket.socket, grace: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=ClientConnection,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=max(1, round(grace)),
            )
        )
        self._sockets = [listener]

    async def start(self) -> None:
        """Start to serve requests."""
        # The steps of `uvicorn.Server.serve`, which would also take over the signals of the process.
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup(sockets=self._sockets)
        self._ticking = asyncio.create_task(self.main_loop())

    @override
    async def on_tick(self, counter: int) -> bool:
        """Check the time of all connections, several times a second."""
        if counter % _CHECK_TICKS == 0:
            # A copy: a connection that is closed leaves the set.
            for each in list(self.server_state.connections):
                if isinstance(each, ClientConnection):
                    each.check_time()
        return await super().on_tick(counter)

    async def stop(self) -> None:
        """Accept no more connections, and wait for the requests under way."""
        self.should_exit = True
        await self._ticking
        await self.shutdown(sockets=self._sockets)
