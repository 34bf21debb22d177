"""Callbacks at given times: any number of them wait on one thread."""

import heapq
import itertools
import logging
import threading
from collections.abc import Callable
from datetime import datetime

from shared.ports.clock import Now

logger = logging.getLogger("Host.Triggers.DurableTask")

# The wall clock is read this often, so that a machine that slept or a clock that was set is noticed in time.
_SLEEP_SECONDS = 1.0

AlarmCallback = Callable[[], None]


class Alarms:
    """Calls back at given times, in their order, by the clock `now`. A time in the past is due at once."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._waiting: list[tuple[datetime, int, AlarmCallback]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="durable-timers", daemon=True)
        self._thread.start()

    def at(self, moment: datetime, callback: AlarmCallback) -> None:
        """Call `callback` at that moment; it must not block."""
        with self._changed:
            # The number orders alarms of the same time: callbacks cannot be compared.
            heapq.heappush(self._waiting, (moment, next(self._numbers), callback))
            self._changed.notify()

    def close(self) -> None:
        """Drop what is waiting and stop the thread."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            # Called without the lock, so that a callback may set an alarm itself.
            for callback in self._due():
                try:
                    callback()
                except Exception:  # one failure must not stop the others
                    logger.exception("a durable timer failed to fire")

    def _due(self) -> list[AlarmCallback]:
        """Wait for something new, or for at most a second. Return what is due then."""
        with self._changed:
            if self._closed:  # closed before this wait began, its notification is lost
                return []
            if not self._waiting:
                self._changed.wait()
            elif (wait := (self._waiting[0][0] - self._now()).total_seconds()) > 0:
                self._changed.wait(min(wait, _SLEEP_SECONDS))
            found: list[AlarmCallback] = []
            while self._waiting and self._waiting[0][0] <= self._now():
                found.append(heapq.heappop(self._waiting)[2])
            return found
