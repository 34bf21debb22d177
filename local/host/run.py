"""Running a host to its end: until a signal, or on a thread for as long as a program needs it."""

import asyncio
import logging
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from local.host.host import Host, Place
from shared.ports.queue import Queue

_ONE_SIGNAL = 1.0  # seconds in which repetitions count as one: supervisors often signal a process and its group
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def serve(host: Host, *, ready: Callable[[str], None] = lambda _url: None) -> None:
    """Run until SIGINT or SIGTERM, which let work under way end; one more, a second later, ends the process at once.

    `ready` is told the address as soon as everything answers. Only for the main thread.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    patience = math.inf

    def signalled() -> None:
        nonlocal patience
        if loop.time() > patience:
            os._exit(1)
        if not stop.is_set():
            patience = loop.time() + _ONE_SIGNAL
            stop.set()

    for each in _SIGNALS:
        loop.add_signal_handler(each, signalled)
    try:
        async with host:
            ready(host.url)
            await stop.wait()
    finally:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)


def leave(status: int) -> NoReturn:
    """End the process, also when functions that did not end in time still hold threads."""
    logging.shutdown()
    sys.stdout.flush()
    if any(not each.daemon and each is not threading.main_thread() for each in threading.enumerate()):
        os._exit(status)
    sys.exit(status)


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
