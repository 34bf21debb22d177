"""Work that several threads ask for is done once for all who came before it began."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from shared.ports.documents import Documents


@dataclass(slots=True)
class _Runs:
    """The runs for one tenant: the lock that the one under way holds, and when the last one ended."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    is_promised: bool = False
    ended: float = float("-inf")


class SharedRun:
    """Does work for each tenant of a store, one run at a time, with a pause between two of them.

    The first who asks does the work; who asks before it begins leaves it to them and goes on. So nothing is left out
    for good only where what asks is asked again if it dies: the message of the first is not done before the work is.

    Args:
        pause_seconds: between the end of a run and the begin of the next.
        sleep: waits so many seconds.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        pause_seconds: float = 0.0,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pause_seconds = pause_seconds
        self._sleep = sleep
        self._clock = clock
        self._lock = threading.Lock()
        self._runs: WeakKeyDictionary[Documents, dict[str, _Runs]] = WeakKeyDictionary()

    def ensure(self, documents: Documents, tenant: str, work: Callable[[], object]) -> None:
        """Do the work, unless somebody has promised a run that has not begun yet; raise what it raises."""
        with self._lock:
            runs = self._runs.setdefault(documents, {}).setdefault(tenant, _Runs())
            if runs.is_promised:
                return
            runs.is_promised = True
        with runs.turn:
            try:
                self._sleep(max(0.0, runs.ended + self._pause_seconds - self._clock()))
            finally:
                # From here on, whoever asks may have come too late for this run, and gets the next; as they do where
                # the wait was broken off.
                with self._lock:
                    runs.is_promised = False
            try:
                work()
            finally:
                runs.ended = self._clock()
