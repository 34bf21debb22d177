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

from local.host.host import Host, HostOptions
from shared.ports.queue import Queue

_SAME_SIGNAL_SECONDS = 1.0  # repeated signals count as one: supervisors often signal a process and its group
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def serve(host: Host, *, ready: Callable[[str], None] = lambda _url: None) -> None:
    """Run until SIGINT or SIGTERM, which let work under way end; one more, a second later, ends the process at once.

    `ready` gets the address as soon as the host serves it. Only for the main thread, where signals arrive.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    second_signal_at = math.inf

    def on_signal() -> None:
        nonlocal second_signal_at
        if loop.time() > second_signal_at:
            os._exit(1)
        if not stop.is_set():
            second_signal_at = loop.time() + _SAME_SIGNAL_SECONDS
            stop.set()

    for each in _SIGNALS:
        loop.add_signal_handler(each, on_signal)
    try:
        async with host:
            ready(host.url)
            await stop.wait()
    finally:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)


def leave_process(status: int) -> NoReturn:
    """End the process, even when functions that did not end in time still hold threads."""
    logging.shutdown()
    sys.stdout.flush()
    # A normal exit would wait for these threads.
    if any(not each.daemon and each is not threading.main_thread() for each in threading.enumerate()):
        os._exit(status)
    sys.exit(status)


@contextmanager
def run_in_thread(app: Path, *, queue: Queue, state: Path, options: HostOptions | None = None) -> Iterator[Host]:
    """Yield a host that runs on a thread, ready inside the block and stopped after it; by default on a free port."""
    started: Future[tuple[Host, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def main() -> None:
        async with Host(app, queue=queue, state=state, options=options or HostOptions(port=0)) as host:
            stop = asyncio.Event()
            started.set_result((host, asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            # Too late for the starter to hear of it: the thread reports it.
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
