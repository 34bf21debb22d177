"""What goes wrong, one thing after another: processes die or stand still, the cloud throttles, drops and lies."""

import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from random import Random
from typing import Any

from tests.fakes.product import Product

FAULTS: Mapping[str, Mapping[str, Any]] = {
    "throttled": {"kind": "throttled", "probability": 0.5, "retry_after": 2},
    "throttled for long": {"kind": "throttled", "probability": 0.2, "retry_after": 12},
    "unavailable": {"kind": "unavailable", "probability": 0.4},
    "slow": {"kind": "slow", "probability": 0.5, "delay": 1.0},
    "dropped": {"kind": "dropped", "probability": 0.3},
    "cut": {"kind": "cut", "probability": 0.3},
    "garbled": {"kind": "garbled", "probability": 0.2},
    "lost answers": {"kind": "lostResponse", "method": "PATCH", "probability": 0.5},
    "expired tokens": {"kind": "expired", "times": 3},
}


class Disturbance:
    """A thread that disturbs until it is stopped, and then leaves everything running without faults."""

    def __init__(self, product: Product, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self._product = product
        self._chance = Random(f"{seed}/disturbance")  # noqa: S311 - to be repeated
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="disturbance")
        self._ways: tuple[tuple[Callable[[], None], int], ...] = (
            (self._kill_host, 5),
            (self._kill_cloud, 2),
            (self._pause_host, 2),
            (self._pause_cloud, 2),
            (self._fault, 8),
            (self._reconcile, 3),
        )

    def start(self) -> None:
        """Begin to disturb."""
        self._thread.start()

    def stop(self) -> None:
        """Disturb no more; both processes answer, and no fault is armed.

        Raises what ended the thread before its time: a process that did not start again, for one.
        """
        self._stop.set()
        self._thread.join()
        if self._failure:
            raise self._failure
        self._product.cloud.calm()

    def fire(self, function: str) -> None:
        """Run a timer now, as the host does when its time has come."""
        with suppress(Exception):  # the host may be down just now: its time comes again
            self._product.fire(function)
            self.counts[f"fired {function}"] += 1

    def _run(self) -> None:
        ways, weights = zip(*self._ways, strict=True)
        try:
            while not self._stop.wait(self._chance.uniform(0.2, 4.0)):
                self._chance.choices(ways, weights)[0]()
        except Exception as error:  # noqa: BLE001 - raised again by who stops it
            self._failure = error

    def _kill_host(self) -> None:
        self._product.kill()
        self._stop.wait(self._chance.uniform(0, 1))
        self._product.start()
        self.counts["host killed"] += 1

    def _kill_cloud(self) -> None:
        self._product.cloud.kill()
        self._stop.wait(self._chance.uniform(0, 2))
        self._product.cloud.start()
        self.counts["cloud killed"] += 1

    def _pause_host(self) -> None:
        self._pause(self._product.process, "host stood still")

    def _pause_cloud(self) -> None:
        self._pause(self._product.cloud.process, "cloud stood still")

    def _pause(self, process: Any, what: str) -> None:
        process.send_signal(signal.SIGSTOP)
        self._stop.wait(self._chance.uniform(0.5, 5))
        process.send_signal(signal.SIGCONT)
        self.counts[what] += 1

    def _fault(self) -> None:
        name = self._chance.choice(tuple(FAULTS))
        fault = {"path": "^/(subscriptions|providers)", **FAULTS[name], "seed": self._chance.randint(0, 1 << 30)}
        with suppress(Exception):  # the cloud may be down just now
            self._product.cloud.fault(**fault)
            self._stop.wait(self._chance.uniform(0.5, 5))
            self._product.cloud.calm()
            self.counts[f"faults: {name}"] += 1

    def _reconcile(self) -> None:
        for name in ("scan_reconcile", "import_reconcile", "remediation_reconcile", "exemption_expire"):
            self.fire(name)
