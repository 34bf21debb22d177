"""Running a host to its end: until a signal, or on a thread for as long as a program needs it."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from local.host.host import Host, Place
from shared.ports.queue import Queue

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def serve(host: Host, *, ready: Callable[[str], None] = lambda _url: None) -> None:
    """Run until SIGINT or SIGTERM, which end work under way; a second one ends the process at once.

    `ready` is told the address as soon as everything answers. Only for the main thread.
    """
    stop = asyncio.Event()

    def signalled() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    loop = asyncio.get_running_loop()
    for each in _SIGNALS:
        loop.add_signal_handler(each, signalled)
    try:
        async with host:
            ready(host.url)
            await stop.wait()
    finally:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)


@contextmanager
def running(app: Path, *, queue: Queue, state: Path, place: Place | None = None) -> Iterator[Host]:
    """A host on a thread of its own, ready inside the block and stopped after it. The default port is a free one."""
    started: Future[tuple[Host, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def main() -> None:
        async with Host(app, queue=queue, state=state, place=place or Place(port=0)) as host:
            stop = asyncio.Event()
            started.set_result((host, asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="host")
    thread.start()
    try:
        host, loop, stop = started.result()
        try:
            yield host
        finally:
            loop.call_soon_threadsafe(stop.set)
    finally:
        thread.join()
