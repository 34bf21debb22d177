"""The host: one function app with everything that triggers its functions."""

import asyncio
import logging
import os
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from local.clock import utc_now
from local.host import worker
from local.host.admin import Admin
from local.host.durable import DurableEngine
from local.host.function import AppFunction
from local.host.http import HttpFront, HttpLimits
from local.host.hub import TaskHub
from local.host.invocation import Invoker
from local.host.route import Routes
from local.host.server import Server, listen, url
from local.host.setting import HostSettings, body_limit, defaults, local_settings, read_host, resolve_names
from local.host.trigger import TriggerContext, Triggers, is_disabled
from local.host.worker import Worker
from shared.domain.error import Damaged, Unusable
from shared.ports.clock import Now
from shared.ports.queue import Queue

logger = logging.getLogger("Host.Startup")

_KEY_BYTES = 32
_WORKER_THREADS = 64  # an unresponsive store holds one for each queue, and leases must be renewed meanwhile


@dataclass(frozen=True, slots=True)
class HostOptions:
    """Where the host listens (port 0 lets the system choose) and how long it waits.

    `grace` is how long work under way may go on after a stop, `lease` how long a message stays hidden before the
    lease is renewed or, when the host has died, another host gets it.
    """

    address: str = "127.0.0.1"
    port: int = 7071
    grace: timedelta = timedelta(seconds=8)
    lease: timedelta = timedelta(seconds=30)


class Host:
    """An async context manager: inside, all functions are loaded and HTTP is served at `url`.

    On leaving, no new work is taken. What is under way has `options.grace` to end; messages that take longer go back
    to their queue.
    """

    def __init__(
        self, app: Path, *, queue: Queue, state: Path, options: HostOptions | None = None, now: Now = utc_now
    ) -> None:
        self.url = ""
        self._app = app.resolve()
        self._queue = queue
        self._state = state
        self._options = options or HostOptions()
        self._now = now
        self._exits = AsyncExitStack()
        self._triggers: Triggers

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        # What was started before the failure is stopped again.
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exits.aclose()

    def wake(self) -> None:
        """Look for messages now, as somebody else has sent some. May be called from any thread while the host runs."""
        self._loop.call_soon_threadsafe(self._triggers.wake)

    async def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        # Everything is undone in the reverse order: what is used ends after what uses it.
        self._exits.callback(_use_thread_pool(self._loop))
        listener = self._exits.enter_context(listen(self._options.address, self._options.port))
        self._exits.enter_context(local_settings(self._app))
        self._exits.enter_context(defaults({"WEBSITE_HOSTNAME": urlsplit(url(listener)).netloc}))
        settings = read_host(self._app)
        loaded = await worker.load(self._app)
        self._exits.callback(loaded.close)
        front = self._build(loaded, [each for each in loaded.functions if not is_disabled(each)], settings)
        server = Server(front, listener, self._options.grace.total_seconds())
        await server.start()
        self._exits.push_async_callback(self._stop, self._triggers, front, server)
        self._triggers.start()
        self.url = url(listener)
        logger.info("%d functions are served at %s", len(loaded.functions), self.url)

    def _build(self, loaded: Worker, functions: Sequence[AppFunction], settings: HostSettings) -> HttpFront:
        hub = TaskHub(settings.extensions.durable_task, now=self._now)
        self._exits.callback(hub.close)
        invoker = self._invoker(loaded, hub, settings)
        engine = DurableEngine(hub, functions, invoker, settings.extensions.durable_task)
        context = TriggerContext(self._queue, self._state, self._now, self._options.lease)
        self._triggers = Triggers(functions, invoker=invoker, engine=engine, settings=settings, context=context)
        http = settings.extensions.http
        return HttpFront(
            routes=Routes.of(functions, http.route_prefix),
            web=loaded.serve_http,
            invoker=invoker,
            admin=Admin({each.name: each for each in functions}, self._triggers.fire, _master_key(self._state)),
            limits=HttpLimits(body_limit(), http.max_outstanding_requests),
            headers=http.custom_headers,
            changed=self._triggers.wake,
        )

    def _invoker(self, loaded: Worker, hub: TaskHub, settings: HostSettings) -> Invoker:
        encoded = settings.extensions.queues.message_encoding == "base64"
        put = self._queue.send if encoded else self._queue.send_text

        def send(name: str, body: str) -> None:
            put(resolve_names(name), body)

        def changed() -> None:
            self._triggers.wake()  # looked up late: triggers are made after the invoker

        return Invoker(loaded, limit=settings.function_timeout, clients=hub.client, send=send, changed=changed)

    async def _stop(self, triggers: Triggers, front: HttpFront, server: Server) -> None:
        logger.info("stopping: work under way has %g seconds to end", self._options.grace.total_seconds())
        front.end_streams()
        await asyncio.gather(server.stop(), triggers.stop(self._options.grace.total_seconds()))


def _use_thread_pool(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Give the loop a thread pool that its end does not wait for: a function may hold a thread for any time."""
    pool = ThreadPoolExecutor(_WORKER_THREADS, thread_name_prefix="host")
    loop.set_default_executor(pool)

    def leave() -> None:
        loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix="host-end"))
        pool.shutdown(wait=False, cancel_futures=True)

    return leave


def _master_key(state: Path) -> str:
    """Read the key for the admin routes, which is created once and readable only by its owner.

    Damaged when the file holds none, as an empty key would admit everybody.
    """
    path = state / "master.key"
    try:
        if not path.exists():
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial = path.with_name(f"{path.name}.{os.getpid()}")
            with open(partial, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(secrets.token_urlsafe(_KEY_BYTES))
            partial.replace(path)  # in one step: another process never reads half a key
        key = path.read_text(errors="replace").strip()
    except OSError as error:
        raise Unusable(f"{path.name} cannot be used: {error.strerror}") from error
    if len(key) < _KEY_BYTES:
        raise Damaged(f"{path.name} holds no key: remove it to have a new one made", place=str(path))
    return key
