"""Request units: what each operation on Cosmos DB has cost so far."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

CHARGE_HEADER = "x-ms-request-charge"
ResponseHook = Callable[[Mapping[str, Any], Any], None]


class RequestUnitCounter:
    """Counts calls and request units by operation. Source: Azure Cosmos DB, "Request Units in Azure Cosmos DB"."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent: dict[str, tuple[int, float]] = {}

    def hook(self, operation: str) -> ResponseHook:
        """Return a response hook for the SDK that adds each answer's charge to `operation`."""
        return lambda headers, _answer: self.add(operation, headers)

    def add(self, operation: str, headers: Mapping[str, Any]) -> None:
        """Add one answer, from its headers."""
        units = float(headers.get(CHARGE_HEADER) or 0)
        with self._lock:
            calls, spent = self._spent.get(operation, (0, 0.0))
            self._spent[operation] = (calls + 1, spent + units)

    def spent(self) -> dict[str, dict[str, float]]:
        """Return the calls and units so far, by operation."""
        with self._lock:
            return {name: {"calls": calls, "units": units} for name, (calls, units) in sorted(self._spent.items())}
