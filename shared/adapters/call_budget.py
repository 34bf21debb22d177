"""A call budget in the document store, of which each instance leases some calls at a time."""

import logging
import threading
from dataclasses import dataclass, field

from pydantic import ValidationError

from shared.domain.call_budget import (
    LEASE_CALLS_MAX,
    LIMITS,
    CallBucket,
    CallSchedule,
    CallScope,
    LeaseUse,
    fill,
    first_wait,
    full_bucket,
    grant,
    schedule,
    settle,
)
from shared.domain.error import AlreadyExists, CortexError, NotFound, Stale, Throttled
from shared.ports.call_budget import CALL_WAIT_SECONDS
from shared.ports.clock import Now
from shared.ports.documents import Documents

KIND = "call-budget"
FIRST_LEASE_CALLS = 8
QUICK_SECONDS = 10.0
"""A lease that is used up within so many seconds is followed by a larger one."""
STORE_RETRY_SECONDS = 30.0
"""Seconds for which a store that failed is left alone."""
RENEWAL_SECONDS_MIN = 0.5
"""Refusals within so many seconds end no lease, so that there is no write for each of them."""
PAUSE_SECONDS_MAX = 60.0
"""Seconds for which a refusal counts at most; the cloud is asked again then."""
_ATTEMPTS = 20
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Held:
    """What this process has of one bucket: the bucket as it was stored last, the lease, and what was told since."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    etag: str | None = None
    alone: bool = False
    """Nobody else wrote the bucket between the last two leases of this process."""
    bucket: CallBucket | None = None
    schedule: CallSchedule | None = None
    granted_at: float = 0.0
    paused_until: float = 0.0
    wanted: int = FIRST_LEASE_CALLS
    remaining: int | None = None
    told_at: float = 0.0
    refused: bool = False
    ahead: float = 0.0
    """Seconds by which the time of the bucket is ahead of this process's clock."""
    latest: float = 0.0

    def time(self, now: float) -> float:
        """Return the time of the bucket, which goes on from the latest known one where the clock is behind it.

        So neither a clock that was set back nor an instance whose clock is ahead makes calls wait for as long.
        """
        self.ahead = max(self.ahead, self.latest - now)
        self.latest = now + self.ahead
        return self.latest

    def has_call(self, at: float) -> bool:
        """Return whether there is a call to take; not where others have to be told of a refusal first."""
        return self.schedule is not None and self.schedule.usable(at) and not self.refused

    def use(self, instance: str, bucket: CallBucket) -> LeaseUse:
        """Return what came of the lease, in a bucket as it is now."""
        if self.schedule is None or self.bucket is None:
            return LeaseUse(0, self.remaining, self.told_at, bucket.granted, self.granted_at, refused=self.refused)
        others = sum(each.calls for name, each in self.bucket.leases.items() if name != instance)
        # Whatever others had, or were given since, may have been sent after the response that told.
        spent = self.schedule.taken + others + max(0, bucket.granted - self.bucket.granted)
        unused = self.schedule.calls - self.schedule.taken
        return LeaseUse(unused, self.remaining, self.told_at, spent, self.granted_at, refused=self.refused)

    def next_size(self, at: float) -> int:
        """Return how many calls to ask for: twice as many after a lease that was used up quickly, else half."""
        if self.schedule is None:
            return self.wanted
        if self.schedule.taken == self.schedule.calls:
            quick = at - self.granted_at < QUICK_SECONDS
            return min(2 * self.wanted, LEASE_CALLS_MAX) if quick else self.wanted
        return max(FIRST_LEASE_CALLS, self.wanted // 2)


class StoredCallBudget:
    """Keeps the `CallBudget` port in one document for each bucket, which is written once for each lease.

    `instance` names this process among all that share the store. Their clocks may differ: those behind follow the one
    furthest ahead, by what is stored.
    """

    def __init__(self, documents: Documents, *, tenant: str, instance: str, now: Now) -> None:
        self._documents = documents
        self._tenant = tenant
        self._instance = instance
        self._now = now
        self._buckets: dict[CallScope, _Held] = {}
        self._store_free_at = 0.0

    def take(self, scope: CallScope) -> float:
        """See `CallBudget.take`."""
        held = self._held(scope)
        with held.lock:
            at = held.time(self._seconds())
            if not held.has_call(at):
                _check(scope, held.paused_until - at)
                self._renew(scope, held, at)
                at = held.time(self._seconds())
            schedule = held.schedule
            wait = schedule.wait(at) if schedule else held.paused_until - at
            _check(scope, wait)
            held.schedule = schedule and schedule.take()
            return wait

    def learn(self, scope: CallScope, remaining: int) -> None:
        """See `CallBudget.learn`."""
        self._learn(scope, remaining, 0.0, refused=False)

    def learn_throttling(self, scope: CallScope, retry_after: float) -> None:
        """See `CallBudget.learn_throttling`."""
        self._learn(scope, 0, min(retry_after, PAUSE_SECONDS_MAX), refused=True)

    def _learn(self, scope: CallScope, remaining: int, after: float, *, refused: bool) -> None:
        held = self._held(scope)
        with held.lock:
            now = held.time(self._seconds())
            # What is refused right after a lease began was sent before.
            held.refused |= refused and now - held.granted_at >= RENEWAL_SECONDS_MIN
            at = now + after
            # A response that comes late does not end the pause that a refusal asked for.
            if at >= held.told_at:
                held.remaining, held.told_at = remaining, at
            if held.schedule:
                held.schedule = held.schedule.lower(remaining, at)

    def _seconds(self) -> float:
        return self._now().timestamp()

    def _held(self, scope: CallScope) -> _Held:
        # One that loses the race of two first calls is not kept by either.
        return self._buckets.get(scope) or self._buckets.setdefault(scope, _Held())

    def _renew(self, scope: CallScope, held: _Held, at: float) -> None:
        """Return the lease and take the next one, in the store or, while it does not answer, in this process."""
        # Further ahead than it was ever set: the clock was set back since.
        left_alone = 0 < self._store_free_at - self._seconds() <= STORE_RETRY_SECONDS
        if left_alone or not self._renew_stored(scope, held, at):
            held.alone = False
            self._hold(held, *self._next(scope, held, held.bucket or full_bucket(LIMITS[scope.operation], at), at))

    def _renew_stored(self, scope: CallScope, held: _Held, at: float) -> bool:
        name = document_id(scope)
        try:
            for _ in range(_ATTEMPTS):
                known, etag = (held.bucket, held.etag) if held.bucket and held.alone else self._read(scope, at)
                held.alone = etag is None or etag == held.etag
                before, after = self._next(scope, held, known, at)
                try:
                    # Nothing to tell the others, and nothing to get from them.
                    if after is not before or held.schedule or held.refused:
                        etag = self._write(name, after, etag)
                    held.etag = etag
                except (AlreadyExists, NotFound, Stale):
                    held.alone = False  # another instance was first
                    continue
                self._hold(held, before, after)
                self._store_free_at = 0.0
                return True
        except CortexError as error:
            if self._store_free_at == 0.0:
                _log.warning("calls of the cloud are not shared out among instances for now: %s", error)
            self._store_free_at = self._seconds() + STORE_RETRY_SECONDS
        return False

    def _read(self, scope: CallScope, at: float) -> tuple[CallBucket, str | None]:
        found = self._documents.get(tenant=self._tenant, kind=KIND, id=document_id(scope))
        limit = LIMITS[scope.operation]
        if found is None:
            return full_bucket(limit, at), None
        try:
            return CallBucket.model_validate(found.body), found.etag
        except ValidationError:
            # Written by another version: it fills up within seconds.
            return full_bucket(limit, at).model_copy(update={"level": 0.0}), found.etag

    def _write(self, name: str, bucket: CallBucket, etag: str | None) -> str:
        body = bucket.model_dump(mode="json")
        if etag is None:
            return self._documents.create(tenant=self._tenant, kind=KIND, id=name, body=body).etag
        return self._documents.put(tenant=self._tenant, kind=KIND, id=name, body=body, if_match=etag).etag

    def _next(self, scope: CallScope, held: _Held, bucket: CallBucket, at: float) -> tuple[CallBucket, CallBucket]:
        """Return the bucket before and after the next lease; the same one where a lease would be due too late."""
        limit = LIMITS[scope.operation]
        before = settle(fill(bucket, limit, at), limit, self._instance, held.use(self._instance, bucket))
        if first_wait(before) > CALL_WAIT_SECONDS:
            return before, before
        return before, grant(before, limit, self._instance, held.next_size(at))

    def _hold(self, held: _Held, before: CallBucket, after: CallBucket) -> None:
        at = held.latest = after.at
        held.wanted = held.next_size(at)
        granted = self._instance in after.leases
        held.schedule = schedule(before, self._instance, after) if granted else None
        held.paused_until = at if granted else at + first_wait(after)
        held.bucket, held.granted_at = after, at
        held.remaining, held.refused = None, False


def document_id(scope: CallScope) -> str:
    """Return the id of a bucket's document."""
    return f"{scope.principal}:{scope.subscription or 'tenant'}:{scope.operation}".lower()


def _check(scope: CallScope, wait: float) -> None:
    if wait > CALL_WAIT_SECONDS:
        where = f"subscription {scope.subscription}" if scope.subscription else "the tenant"
        raise Throttled(f"the {scope.operation} of {where} are used up for {wait:.0f} s", retry_after=wait)
