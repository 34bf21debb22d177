"""Work that several threads ask for at once is done once for all who came before it began."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from weakref import WeakKeyDictionary

from shared.ports.documents import Documents


class SharedRun[T]:
    """Does work for each tenant of a store, one run at a time; who asks while one is under way shares the next.

    What a run returns is as new as each call that gets it: the run began after the call. Work must not ask for itself:
    it would wait for its own end.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queued: WeakKeyDictionary[Documents, dict[str, Future[T]]] = WeakKeyDictionary()
        self._running: WeakKeyDictionary[Documents, dict[str, threading.Lock]] = WeakKeyDictionary()

    def do(self, documents: Documents, tenant: str, work: Callable[[], T]) -> T:
        """Return what the next run returns, or raise what it raises; `work` is that of the first who asks for it."""
        with self._lock:
            queued = self._queued.setdefault(documents, {})
            running = self._running.setdefault(documents, {}).setdefault(tenant, threading.Lock())
            first = tenant not in queued
            run = queued.setdefault(tenant, Future())
        if first:
            with running:
                # Only now: who asked while the run before this one was under way has this one.
                with self._lock:
                    del queued[tenant]
                try:
                    run.set_result(work())
                except BaseException as error:  # noqa: BLE001 - raised below, and to all who share the run
                    run.set_exception(error)
        return run.result()
