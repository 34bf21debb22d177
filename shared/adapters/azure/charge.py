"""Request units: what each operation on Cosmos DB has cost so far."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

HEADER = "x-ms-request-charge"
Hook = Callable[[Mapping[str, Any], Any], None]


class Charges:
    """Counts calls and request units by operation. Source: Azure Cosmos DB, "Request Units in Azure Cosmos DB"."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent: dict[str, tuple[int, float]] = {}

    def hook(self, operation: str) -> Hook:
        """A response hook for the SDK that adds each answer's charge to `operation`."""

        def add(headers: Mapping[str, Any], _answer: Any) -> None:  # noqa: ANN401 - the SDK's, and not looked at
            self.add(operation, headers)

        return add

    def add(self, operation: str, headers: Mapping[str, Any]) -> None:
        """Add one answer, from its headers."""
        units = float(headers.get(HEADER) or 0)
        with self._lock:
            calls, spent = self._spent.get(operation, (0, 0.0))
            self._spent[operation] = (calls + 1, spent + units)

    def spent(self) -> dict[str, dict[str, float]]:
        """Calls and units so far, by operation."""
        with self._lock:
            return {name: {"calls": calls, "units": units} for name, (calls, units) in sorted(self._spent.items())}
