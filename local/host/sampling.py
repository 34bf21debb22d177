"""Sampling of the log: of frequent lines a few are shown, with the number of those skipped in between."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, override

_PROBE_PATHS = ("/health", "/metrics")
_READ_METHODS = ("GET", "HEAD")


@dataclass(slots=True)
class TokenBucket:
    """Passes `burst` records at once, then `rate` a second. `skipped` counts those dropped since the last one."""

    rate: float
    burst: float
    left: float
    filled: float
    skipped: int = 0

    def takes(self, now: float) -> bool:
        """Take a token. Return whether there was one."""
        self.left = min(self.burst, self.left + (now - self.filled) * self.rate)
        self.filled = now
        if self.left < 1:
            self.skipped += 1
            return False
        self.left -= 1
        return True


SAMPLE_RATES: Mapping[str, tuple[float, float]] = {
    "probe": (1 / 60, 1),
    "read": (0.5, 20),
    "refused": (0.5, 20),
    "malformed": (0.5, 20),
}
"""Rate a second and burst by kind. Errors, writes and everything but HTTP have no limit."""


class SamplingFilter(logging.Filter):
    """Drops the records of a kind beyond its rate; the next one that passes has the number of those dropped."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._buckets = {kind: TokenBucket(rate, burst, burst, now()) for kind, (rate, burst) in SAMPLE_RATES.items()}

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        bucket = self._buckets.get(record_kind(record))
        if bucket is None:
            return True
        if not bucket.takes(self._now()):
            return False
        vars(record)["skipped"], bucket.skipped = bucket.skipped, 0
        return True


def record_kind(record: logging.LogRecord) -> str:
    """Return the kind of a record; "" for those that are never sampled."""
    end: Any = getattr(record, "ended", None)
    if end is None:
        return "malformed" if record.name == "uvicorn.error" and record.levelno < logging.ERROR else ""
    if end.level > logging.INFO or end.invocation.kind != "http":
        return ""
    method, _, path = end.invocation.detail.partition(" ")
    if (end.status or 0) >= HTTPStatus.BAD_REQUEST:
        return "refused"
    if method not in _READ_METHODS:
        return ""
    return "probe" if path.partition("?")[0].startswith(_PROBE_PATHS) else "read"
