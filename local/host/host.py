"""The host: one function app with everything that triggers its functions."""

import asyncio
import logging
import os
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from local.host import worker
from local.host.admin import Admin
from local.host.durable import Engine
from local.host.function import Function
from local.host.http import Front, Limits
from local.host.hub import Hub
from local.host.invocation import Invoker
from local.host.route import Routes
from local.host.server import Server, listen, url
from local.host.setting import HostSettings, body_limit, local_settings, read_host, resolve
from local.host.trigger import Triggers, World, is_disabled
from local.host.worker import Worker
from shared.ports.clock import Now
from shared.ports.queue import Queue

logger = logging.getLogger("Host.Startup")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the host listens (port 0 lets the system choose) and how patient it is.

    `grace` is how long work under way may go on after a stop; `lease` how long a message is held before it is
    renewed or, when the host has died, given to someone else.
    """

    address: str = "127.0.0.1"
    port: int = 7071
    grace: timedelta = timedelta(seconds=8)
    lease: timedelta = timedelta(seconds=30)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Host:
    """An async context manager: inside, all functions are loaded and HTTP answers at `url`.

    On leaving no new work is taken; what is under way has `place.grace` to end, and messages that take longer go
    back to their queue.
    """

    def __init__(
        self, app: Path, *, queue: Queue, state: Path, place: Place | None = None, now: Now = _utc_now
    ) -> None:
        self.url = ""
        self._app = app.resolve()
        self._queue = queue
        self._state = state
        self._place = place or Place()
        self._now = now
        self._exits = AsyncExitStack()
        self._triggers: Triggers

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exits.aclose()

    def wake(self) -> None:
        """Messages were sent by someone else: look now. Safe to call from any thread, while the host runs."""
        self._loop.call_soon_threadsafe(self._triggers.wake)

    async def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._exits.callback(_own_threads(self._loop))
        listener = self._exits.enter_context(listen(self._place.address, self._place.port))
        self._exits.enter_context(local_settings(self._app))
        settings = read_host(self._app)
        loaded = await worker.load(self._app)
        self._exits.callback(loaded.close)
        front = self._build(loaded, [each for each in loaded.functions if not is_disabled(each)], settings)
        server = Server(front, listener, self._place.grace.total_seconds())
        await server.start()
        self._exits.push_async_callback(self._stop, self._triggers, front, server)
        self._triggers.start()
        self.url = url(listener)
        logger.info("%d functions answer at %s", len(loaded.functions), self.url)

    def _build(self, loaded: Worker, functions: Sequence[Function], settings: HostSettings) -> Front:
        hub = Hub(settings.extensions.durable_task)
        self._exits.callback(hub.close)
        invoker = self._invoker(loaded, hub, settings)
        engine = Engine(hub, functions, invoker, settings.extensions.durable_task)
        world = World(self._queue, self._state, self._now, self._place.lease)
        self._triggers = Triggers(functions, invoker=invoker, engine=engine, settings=settings, world=world)
        http = settings.extensions.http
        return Front(
            routes=Routes.of(functions, http.route_prefix),
            web=loaded.answer,
            invoker=invoker,
            admin=Admin({each.name: each for each in functions}, self._triggers.fire, _master_key(self._state)),
            limits=Limits(body_limit(), http.max_outstanding_requests),
            headers=http.custom_headers,
            changed=self._triggers.wake,
        )

    def _invoker(self, loaded: Worker, hub: Hub, settings: HostSettings) -> Invoker:
        def send(name: str, text: str) -> None:
            self._queue.send(resolve(name), text)

        def changed() -> None:
            self._triggers.wake()  # they are made after the invoker

        return Invoker(loaded, limit=settings.function_timeout, clients=hub.client, send=send, changed=changed)

    async def _stop(self, triggers: Triggers, front: Front, server: Server) -> None:
        logger.info("stopping: work under way has %g seconds to end", self._place.grace.total_seconds())
        front.end_streams()
        await asyncio.gather(server.stop(), triggers.stop(self._place.grace.total_seconds()))


def _own_threads(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Give the loop threads that its end will not wait for, as a function may hold one for any time."""
    pool = ThreadPoolExecutor(thread_name_prefix="host")
    loop.set_default_executor(pool)

    def leave() -> None:
        loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix="host-end"))
        pool.shutdown(wait=False, cancel_futures=True)

    return leave


def _master_key(state: Path) -> str:
    """The key that opens the admin routes to other machines: made once, readable by the owner alone."""
    path = state / "master.key"
    if not path.exists():
        state.mkdir(parents=True, exist_ok=True)
        with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text()
