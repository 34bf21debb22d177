"""Rate limits: the token buckets of Resource Manager and the quota of Resource Graph, reported in headers.

Source: Azure Resource Manager, "Request limits and throttling"; Resource Graph, "Guidance for throttled requests".
"""

import math
from dataclasses import dataclass

from local.cloud.arm.error import ArmError

# Header name, bucket size, and tokens a second that refill it.
_READS, _WRITES, _DELETES = ("reads", 250, 25.0), ("writes", 200, 10.0), ("deletes", 200, 10.0)
_OPERATIONS = {"GET": _READS, "HEAD": _READS, "POST": _WRITES, "PUT": _WRITES, "PATCH": _WRITES, "DELETE": _DELETES}
WINDOW_QUERIES = 15
WINDOW_SECONDS = 5.0


@dataclass
class _Bucket:
    left: float
    at: float


class RateLimits:
    """The budgets of all callers. Without `enforced` they are reported as full and no request is refused.

    `scale` makes the buckets of Resource Manager smaller, as those of free subscriptions may be.
    """

    def __init__(self, *, enforced: bool, scale: float = 1.0) -> None:
        self._enforced = enforced
        self._scale = scale
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}
        self._windows: dict[str, _Bucket] = {}

    def request(self, principal: str, method: str, subscription: str, at: float) -> dict[str, str]:
        """Take one from a bucket of Resource Manager. Return headers with what is left; ArmError 429 at none."""
        name, whole, per_second = _OPERATIONS.get(method, _READS)
        size, refill = max(1, int(whole * self._scale)), per_second * self._scale
        scope = "subscription" if subscription else "tenant"
        header = f"x-ms-ratelimit-remaining-{scope}-{name}"
        if not self._enforced:
            return {header: str(size - 1)}
        # Ids are compared without case, so one subscription never has two buckets.
        bucket = self._buckets.setdefault((principal, subscription.lower(), name), _Bucket(size, at))
        # Tokens come back continuously, so the bucket is filled by the time since it was last used.
        bucket.left, bucket.at = min(size, bucket.left + (at - bucket.at) * refill), at
        if bucket.left < 1:
            raise throttled_error((1 - bucket.left) / refill)
        bucket.left -= 1
        return {header: str(int(bucket.left))}

    def query(self, principal: str, at: float) -> dict[str, str]:
        """Take one query from the quota of Resource Graph. Return headers with what is left; ArmError 429 at none."""
        if not self._enforced:
            return _limit_headers(WINDOW_QUERIES - 1, WINDOW_SECONDS)
        window = self._windows.get(principal)
        # A fixed window, which is full again at once; the buckets of Resource Manager fill steadily.
        if window is None or at - window.at >= WINDOW_SECONDS:
            window = self._windows[principal] = _Bucket(WINDOW_QUERIES, at)
        resets = window.at + WINDOW_SECONDS - at
        if window.left < 1:
            raise throttled_error(resets, "RateLimiting", _limit_headers(0, resets))
        window.left -= 1
        return _limit_headers(int(window.left), resets)


def throttled_error(seconds: float, code: str = "TooManyRequests", headers: dict[str, str] | None = None) -> ArmError:
    """Return the 429 that asks to wait so many seconds."""
    wait = {"Retry-After": str(max(1, math.ceil(seconds)))}
    if seconds < 1:
        wait = {"x-ms-retry-after-ms": str(math.ceil(seconds * 1000))}
    message = "The request is being throttled as the limit has been reached for operation type. Please try again later."
    return ArmError(429, code, message, {**(headers or {}), **wait})


def _limit_headers(left: int, seconds: float) -> dict[str, str]:
    whole = math.ceil(seconds)
    return {"x-ms-user-quota-remaining": str(left), "x-ms-user-quota-resets-after": f"00:00:{whole:02}"}
