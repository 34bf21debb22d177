"""Metrics over all tenants: queue lengths, active, stuck and waiting workflows, the age of the last scan."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from shared.domain import import_job as import_jobs
from shared.domain import remediation as remediations
from shared.domain import scan as scans
from shared.domain.model import Model
from shared.eventstore import tenant
from shared.ports.clock import Now
from shared.ports.documents import Documents, Query, each_document
from shared.ports.queue import Queue
from shared.services import exemption, poison, rebuild, reconciliation
from shared.services.estate import change
from shared.services.import_job import import_job
from shared.services.policy import alias_listing
from shared.services.remediation import record as remediation
from shared.services.retention import retention
from shared.services.scan import scan

QUEUES = (
    change.EVENT_QUEUE,
    change.QUEUE,
    exemption.QUEUE,
    alias_listing.QUEUE,
    rebuild.QUEUE,
    remediation.QUEUE,
    remediation.DECISION_QUEUE,
    retention.QUEUE,
    scan.DECISION_QUEUE,
    scan.QUEUE,
    reconciliation.RESTART_QUEUE,
    import_job.QUEUE,
)
ACTIVE_BY_KIND: Mapping[str, Sequence[str]] = {
    scan.STREAM.name: scans.ACTIVE_STATUSES,
    remediation.STREAM.name: remediations.ACTIVE,
    import_job.STREAM.name: import_jobs.ACTIVE_STATUSES,
}
"""The kinds that have workflows or queues, and the statuses in which they are not done."""
REASON_CLASSES: Mapping[str, Sequence[str]] = {
    "approval": ("approve",),
    "throttled": ("asks to wait", "quota", "429"),
    "unavailable": ("does not answer", "cannot be reached", "connection", "refuses"),
}
"""Class of reasons -> words, one of which is in each such reason; any other reason is `other`."""
OTHER_REASON = "other"
POISON_PERIOD = timedelta(days=1)


class Gauges(Model):
    """Metrics at one moment. They do not identify any tenant, resource or person."""

    tenants: int = 0
    queues: Mapping[str, int] = Field(default_factory=dict)
    poison: Mapping[str, int] = Field(default_factory=dict)
    """Queue -> messages in its poison queue, and those recorded within a day."""
    last_scan_age: timedelta | None = None
    """Of the tenant whose last scan is the oldest; None while none has ended."""
    scan_alarms: int = 0
    """What the last ended scans, where they were verifications, found different though no change told of it."""
    active: Mapping[str, int] = Field(default_factory=dict)
    stuck: Mapping[str, int] = Field(default_factory=dict)
    waiting: Mapping[str, Mapping[str, int]] = Field(default_factory=dict)
    """Kind -> class of reason -> how many."""


def read(*, documents: Documents, queue: Queue, now: Now, configured: str) -> Gauges:
    """Read the metrics from the stores; `configured` is the tenant that the settings name."""
    names = tenant.listed(documents=documents, configured=configured)
    at = now()
    active, stuck = Counter(dict.fromkeys(ACTIVE_BY_KIND, 0)), Counter(dict.fromkeys(ACTIVE_BY_KIND, 0))
    waiting = {kind: Counter(dict.fromkeys((*REASON_CLASSES, OTHER_REASON), 0)) for kind in ACTIVE_BY_KIND}
    for each in names:
        for kind in ACTIVE_BY_KIND:
            unfinished = Query(equals={"status": tuple(map(str, ACTIVE_BY_KIND[kind]))})
            for found in each_document(kind, unfinished, documents=documents, tenant=each):
                active[kind] += 1
                stuck[kind] += found.body.get("restarts", 0) > 0
                until = found.body.get("waitingUntil")
                if until and datetime.fromisoformat(until) > at:
                    waiting[kind][reason_class(found.body.get("reason", ""))] += 1
    # Recorded messages have left their poison queues, and still need somebody's attention.
    recorded = sum(
        (poison.count(documents=documents, tenant=each, since=at - POISON_PERIOD) for each in names), Counter[str]()
    )
    ages = [age for each in names if (age := last_scan_age(documents, each, at)) is not None]
    return Gauges(
        tenants=len(names),
        queues={name: queue.length(name) for name in QUEUES},
        poison={name: queue.length(f"{name}{poison.POISON_QUEUE_SUFFIX}") + recorded[name] for name in QUEUES},
        last_scan_age=max(ages, default=None),
        scan_alarms=sum(scan.get("alarmCount", 0) for each in names if (scan := _last_scan(documents, each))),
        active=active,
        stuck=stuck,
        waiting=waiting,
    )


def reason_class(reason: str) -> str:
    """Return the class of a reason to wait."""
    lower = reason.lower()
    return next((name for name, words in REASON_CLASSES.items() if any(word in lower for word in words)), OTHER_REASON)


def last_scan_age(documents: Documents, tenant: str, at: datetime) -> timedelta | None:
    """Return how long ago the last successful or partial scan of a tenant ended; None when there is none."""
    found = _last_scan(documents, tenant)
    return at - datetime.fromisoformat(found["endedAt"]) if found else None


def _last_scan(documents: Documents, tenant: str) -> Mapping[str, Any] | None:
    """Return the last successful or partial scan of a tenant, as it is stored; None when there is none."""
    ended = (scans.ScanStatus.COMPLETED.value, scans.ScanStatus.PARTIAL.value)
    latest = Query(equals={"status": ended}, order="endedAt", descending=True)
    page = documents.query(tenant=tenant, kind=scan.STREAM.name, query=latest, limit=1)
    return page.items[0].body if page.items else None
