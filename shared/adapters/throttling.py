"""Counts how often clouds and stores have asked this process to wait (429), whatever came of it."""

import threading
from collections.abc import Mapping
from typing import Literal

ThrottlingSource = Literal["cloud", "store"]
"""Resource Manager and Resource Graph, or Cosmos DB and Storage."""

_counts: dict[ThrottlingSource, int] = {"cloud": 0, "store": 0}
_lock = threading.Lock()


def record_throttling(source: ThrottlingSource) -> None:
    """Count one more."""
    with _lock:
        _counts[source] += 1


def throttling_counts() -> Mapping[str, int]:
    """Return the counts so far, by source."""
    with _lock:
        return dict(_counts.items())
