"""Calls of a cloud as a budget: the token bucket that the cloud keeps for a caller, and the leases on it.

Source: Azure Resource Manager, "Understand how Azure Resource Manager throttles requests".

What holds: `level` and the calls of all leases that are not spent together are never more than the cloud's own bucket
has. A lease takes its calls off the level at once, but the level stops rising where it and the leases would together
be more than the bucket holds: what is leased may be sent much later, when the cloud's bucket has long been full. So
the calls of an instance that died need not be known; its lease ends, and the bucket fills up again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from shared.domain.model import Model

Operation = Literal["reads", "writes", "deletes"]

LEASE_SECONDS = 60.0
"""Seconds that calls may be used after they were leased; those of an instance that died return then."""
LEASE_CALLS_MAX = 64
LEASE_SCHEDULE_SECONDS = 3.0
"""A lease has no more calls than the bucket gets in so many seconds."""
LEASE_SHARE = 4
"""A lease has at most one part in so many of what is not leased yet, so that there is some for others."""
LEASE_ENDS_SECONDS_MAX = 240.0
"""Seconds from now within which every lease ends; one that would last longer is none."""
TIME_MAX = 1e12
"""Beyond any clock, and still exact to less than a thousandth of a second."""
REFUSAL_FACTOR = 0.5
RECOVERY_SECONDS = 300.0
"""Seconds in which the refill doubles again after it was halved."""
RECOVERY_DOUBLINGS_MAX = 10
REFILL_SHARE_MIN = 0.05
ROUNDING_SECONDS = 0.001
"""A call is sent so much after it is due: it must not be early by what the numbers were rounded."""


@dataclass(frozen=True, slots=True)
class CallLimit:
    """The documented bucket of an operation: how many calls it holds, and how many it gets in a second."""

    calls: int
    refill: float


LIMITS: Mapping[Operation, CallLimit] = {
    "reads": CallLimit(250, 25.0),
    "writes": CallLimit(200, 10.0),
    "deletes": CallLimit(200, 10.0),
}
"""Counted by principal, subscription and operation; calls that name no subscription have buckets of their own."""
LEVEL_MAX = max(each.calls for each in LIMITS.values())
LEVEL_MIN = -2000.0
"""Below what the longest pause after a refusal makes of any bucket."""
REFILL_MAX = max(each.refill for each in LIMITS.values())
REFILL_MIN = REFILL_SHARE_MIN * min(each.refill for each in LIMITS.values())


@dataclass(frozen=True, slots=True)
class CallScope:
    """Names a bucket; `subscription` is empty for calls of the tenant."""

    principal: str
    subscription: str
    operation: Operation


class CallLease(Model):
    """Calls that one instance may send until `ends`, in seconds since 1970."""

    calls: int = Field(ge=1, le=LEASE_CALLS_MAX)
    ends: float


class CallBucket(Model):
    """What is believed of a bucket of the cloud; times are seconds since 1970, by the clock that is furthest ahead.

    A `level` below zero says that calls which the bucket gets later are leased already. `refill` is less than
    documented after refusals. `granted` counts all calls that were ever leased.
    """

    level: float = Field(ge=LEVEL_MIN, le=LEVEL_MAX)
    at: float = Field(le=TIME_MAX)
    refill: float = Field(ge=REFILL_MIN, le=REFILL_MAX)
    granted: int = 0
    refused_at: float = Field(default=0.0, le=TIME_MAX)
    leases: Mapping[str, CallLease] = {}

    @property
    def leased(self) -> int:
        """Return the calls of all leases, spent or not."""
        return sum(each.calls for each in self.leases.values())


@dataclass(frozen=True, slots=True)
class LeaseUse:
    """What came of a lease: the calls not taken of it, and what the headers of responses have told meanwhile.

    At `at`, which may lie ahead after a refusal, the cloud's bucket had `remaining` calls; None when no response told.
    Until now at most `spent` calls were sent that this number does not count. `since` is when the lease began.
    """

    unused: int = 0
    remaining: int | None = None
    at: float = 0.0
    spent: int = 0
    since: float = 0.0
    refused: bool = False


def full_bucket(limit: CallLimit, at: float) -> CallBucket:
    """Return a bucket that nobody has used."""
    return CallBucket(level=limit.calls, at=at, refill=limit.refill)


def fill(bucket: CallBucket, limit: CallLimit, at: float) -> CallBucket:
    """Return the bucket as it is at a time: filled up, without leases that have ended.

    Its own time stays where that is later: one that went back would let the bucket fill up twice.
    """
    at = max(bucket.at, at)
    leases = {name: each for name, each in bucket.leases.items() if each.ends <= at + LEASE_ENDS_SECONDS_MAX}
    level, moment = bucket.level, bucket.at
    # The room that a lease took is there again from its end on, and not before.
    for name, each in sorted(leases.items(), key=lambda item: item[1].ends):
        if each.ends > at:
            break
        level = _risen(level, bucket.refill * (each.ends - moment), _room(limit, leases))
        moment = max(moment, each.ends)
        leases = {other: left for other, left in leases.items() if other != name}
    level = _risen(level, bucket.refill * (at - moment), _room(limit, leases))
    doublings = min((at - bucket.at) / RECOVERY_SECONDS, RECOVERY_DOUBLINGS_MAX)
    refill = min(limit.refill, bucket.refill * 2**doublings)
    return bucket.model_copy(update={"level": level, "at": at, "leases": leases, "refill": refill})


def settle(bucket: CallBucket, limit: CallLimit, instance: str, use: LeaseUse) -> CallBucket:
    """End the lease of an instance in a bucket that was filled: unused calls return, and what was told is believed."""
    held = bucket.leases.get(instance)
    leases = {name: each for name, each in bucket.leases.items() if name != instance}
    # Where the lease has ended the bucket fills up by itself: its calls would return twice.
    level = bucket.level + (min(use.unused, held.calls) if held else 0)
    refill, refused_at = bucket.refill, bucket.refused_at
    # A lease that began before the refill was lowered has been refused for the same cause.
    if use.refused and use.since >= bucket.refused_at:
        refill, refused_at = max(refill * REFUSAL_FACTOR, limit.refill * REFILL_SHARE_MIN), bucket.at
    if use.remaining is not None:
        told = min(use.remaining, limit.calls)
        highest = told + refill * (bucket.at - use.at)
        level = min(max(level, min(told - use.spent, _room(limit, leases))), highest)
    changed = {"level": level, "leases": leases, "refill": refill, "refused_at": refused_at}
    return bucket.model_copy(update=changed)


def first_wait(bucket: CallBucket) -> float:
    """Return the seconds until a bucket that was filled has a call that is not leased."""
    return max(0.0, (1 - bucket.level) / bucket.refill)


def grant(bucket: CallBucket, limit: CallLimit, instance: str, wanted: int) -> CallBucket:
    """Add a lease of as many calls as an instance wants and others leave, at least one; some may be due later."""
    left = int(limit.calls - bucket.leased) // LEASE_SHARE
    calls = max(1, min(wanted, LEASE_CALLS_MAX, int(bucket.refill * LEASE_SCHEDULE_SECONDS), left))
    due = max(0.0, (calls - bucket.level) / bucket.refill)
    lease = CallLease(calls=calls, ends=bucket.at + due + LEASE_SECONDS)
    changed = {
        "level": bucket.level - calls,
        "granted": bucket.granted + calls,
        "leases": {**bucket.leases, instance: lease},
    }
    return bucket.model_copy(update=changed)


def _room(limit: CallLimit, leases: Mapping[str, CallLease]) -> float:
    """Return how far the level may rise; to zero in any case, so that calls which are due later are paid for."""
    return max(0.0, limit.calls - sum(each.calls for each in leases.values()))


def _risen(level: float, by: float, room: float) -> float:
    return max(level, min(level + max(0.0, by), room))


@dataclass(frozen=True, slots=True)
class CallSchedule:
    """The calls of one lease: the number `n` of them, from 1, is due at `start + n / refill`, and all before `ends`."""

    calls: int
    start: float
    refill: float
    ends: float
    taken: int = 0

    def usable(self, at: float) -> bool:
        """Return whether there is a call left to take."""
        return self.taken < self.calls and at < self.ends

    def wait(self, at: float) -> float:
        """Return the seconds until the next call is due."""
        seconds = self.start + (self.taken + 1) / self.refill - at
        return seconds + ROUNDING_SECONDS if seconds > 0 else 0.0

    def take(self) -> "CallSchedule":
        """Take the next call."""
        return replace(self, taken=self.taken + 1)

    def lower(self, remaining: int, at: float) -> "CallSchedule":
        """Put calls off, so that at a time no more of them are due than remain in the cloud's bucket."""
        start = at - (self.taken + remaining) / self.refill
        return self if start <= self.start else replace(self, start=start)


def schedule(before: CallBucket, instance: str, after: CallBucket) -> CallSchedule:
    """Return when the calls of a lease are due that was granted in a bucket."""
    lease = after.leases[instance]
    start = before.at - before.level / before.refill
    return CallSchedule(lease.calls, start, before.refill, lease.ends)
