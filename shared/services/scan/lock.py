"""The lock that lets one scan run at a time in a tenant: one conditional write of its document decides.

The document holds all that the request's record needs. Whoever finds a lock without a record completes the record on
the holder's behalf, so that a process that died between the two writes leaves a scan, and never a doubt. The lock is
not given back: it passes on once its scan has ended, and its fence grows with each taking.
"""

from dataclasses import replace

from pydantic import AwareDatetime

from shared.domain.error import Conflict
from shared.domain.event import Actor
from shared.domain.model import Model
from shared.domain.scan import ACTIVE_STATUSES, Scan, ScanRequest, ScanTrigger
from shared.domain.scan_event import ScanRequested
from shared.eventstore import aggregate, projection
from shared.eventstore.store import Store
from shared.ports.documents import write_unchanged
from shared.services.estate import estate
from shared.services.scan.subscription_progress import STREAM

KIND = "lock"
LOCK_ID = "scan"
WRITE_ATTEMPTS = 20


class ScanLock(Model):
    """Who has the lock, and what is to be recorded of the request. `fence` counts the takings."""

    scan: str
    fence: int
    trigger: ScanTrigger
    request: ScanRequest
    actor: Actor
    at: AwareDatetime


def take(scan_id: str, asked: ScanRequest, trigger: ScanTrigger, *, store: Store) -> Scan:
    """Take the lock for a scan and record its request; Conflict, naming the scan that has it, for everybody else.

    The scan that has it already is answered as it is.
    """
    for _ in range(WRITE_ATTEMPTS):
        held = store.documents.get(tenant=store.tenant, kind=KIND, id=LOCK_ID)
        if held is None:  # before the first scan, or its document is lost: the estates know every earlier fence
            fence = 1 + max((each.fence for each in estate.every(store)), default=0)
        else:
            before = ScanLock.model_validate(held.body)
            holder = complete(before, store=store)
            if holder.id == scan_id:
                return holder
            if holder.status in ACTIVE_STATUSES:
                raise Conflict(f"scan {holder.id} is {holder.status}; wait for it or cancel it")
            fence = before.fence + 1
        wanted = ScanLock(scan=scan_id, fence=fence, trigger=trigger, request=asked, actor=store.actor, at=store.now())
        body = wanted.model_dump(mode="json")
        if write_unchanged(body, held, documents=store.documents, tenant=store.tenant, kind=KIND, id=LOCK_ID):
            return complete(wanted, store=store)
    raise Conflict("other scans are being started at the same time; ask again")


def complete(lock: ScanLock, *, store: Store) -> Scan:
    """Return the scan that has the lock; its request is recorded first when that was not done."""
    known = projection.current(STREAM, lock.scan, store=store)
    if known is not None:
        return known
    asked = ScanRequested(trigger=lock.trigger, request=lock.request, fence=lock.fence)
    # On the holder's behalf and at its time: the record is the one that the holder would have made.
    requester = store.caller.model_copy(update={"subject": lock.actor.name})
    holder = replace(store, now=lambda: lock.at, caller=requester, correlation=lock.actor.correlation)
    return aggregate.decide(STREAM, lock.scan, lambda scan: () if scan else (asked,), store=holder)


def recover(*, store: Store) -> Scan | None:
    """Return the scan that has, or last had, the lock, with its request recorded; None before the first scan."""
    held = store.documents.get(tenant=store.tenant, kind=KIND, id=LOCK_ID)
    return complete(ScanLock.model_validate(held.body), store=store) if held else None
