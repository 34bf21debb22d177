"""Rate limits: the token buckets of Resource Manager and the quota of Resource Graph, told in headers.

Source: Azure Resource Manager, "Request limits and throttling"; Resource Graph, "Guidance for throttled requests".
"""

import math
from dataclasses import dataclass

from local.cloud.error import ArmError

_READS, _WRITES, _DELETES = ("reads", 250, 25.0), ("writes", 200, 10.0), ("deletes", 200, 10.0)
_OPERATIONS = {"GET": _READS, "HEAD": _READS, "POST": _WRITES, "PUT": _WRITES, "PATCH": _WRITES, "DELETE": _DELETES}
QUERIES = 15
WINDOW = 5.0


@dataclass
class _Bucket:
    left: float
    at: float


class Quota:
    """The budgets of one caller. Without `enforced` they are told as full and nobody is turned away."""

    def __init__(self, *, enforced: bool) -> None:
        self._enforced = enforced
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._window = _Bucket(QUERIES, 0.0)

    def request(self, method: str, subscription: str, at: float) -> dict[str, str]:
        """Take one from a bucket of Resource Manager; the headers that tell the rest, or ArmError 429."""
        name, size, refill = _OPERATIONS.get(method, _READS)
        scope = "subscription" if subscription else "tenant"
        header = f"x-ms-ratelimit-remaining-{scope}-{name}"
        if not self._enforced:
            return {header: str(size - 1)}
        bucket = self._buckets.setdefault((subscription, name), _Bucket(size, at))
        bucket.left, bucket.at = min(size, bucket.left + (at - bucket.at) * refill), at
        if bucket.left < 1:
            raise throttled((1 - bucket.left) / refill)
        bucket.left -= 1
        return {header: str(int(bucket.left))}

    def query(self, at: float) -> dict[str, str]:
        """Take one query from the quota of Resource Graph; the headers that tell the rest, or ArmError 429."""
        if not self._enforced:
            return _told(QUERIES - 1, WINDOW)
        if at - self._window.at >= WINDOW:
            self._window = _Bucket(QUERIES, at)
        resets = self._window.at + WINDOW - at
        if self._window.left < 1:
            raise throttled(resets, "RateLimiting", _told(0, resets))
        self._window.left -= 1
        return _told(int(self._window.left), resets)


def throttled(seconds: float, code: str = "TooManyRequests", headers: dict[str, str] | None = None) -> ArmError:
    """The 429 that asks to wait."""
    wait = {"Retry-After": str(max(1, math.ceil(seconds)))}
    if seconds < 1:
        wait = {"x-ms-retry-after-ms": str(math.ceil(seconds * 1000))}
    message = "The request is being throttled as the limit has been reached for operation type. Please try again later."
    return ArmError(429, code, message, {**(headers or {}), **wait})


def _told(left: int, seconds: float) -> dict[str, str]:
    whole = math.ceil(seconds)
    return {"x-ms-user-quota-remaining": str(left), "x-ms-user-quota-resets-after": f"00:00:{whole:02}"}
