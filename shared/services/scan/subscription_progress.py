"""Tells how far a scan is in each of its subscriptions: a small record each, and what their estates say meanwhile."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from shared.domain.error import NotFound, Throttled, Unavailable
from shared.domain.estate import Estate
from shared.domain.event import Recorded
from shared.domain.inventory import Gap, UnreadReason
from shared.domain.page import Page, PageRequest
from shared.domain.progress import Waiting
from shared.domain.scan import ACTIVE_STATUSES, PolicyCount, Scan, ScanStatus, SubscriptionProgress, SubscriptionStatus
from shared.domain.scan_event import (
    ScanEvent,
    SubscriptionEnded,
    SubscriptionWaiting,
    apply,
    progress_in,
)
from shared.domain.state_counts import total
from shared.eventstore import aggregate
from shared.eventstore.store import Store
from shared.eventstore.stream import Stream
from shared.ports.documents import Document, Query
from shared.services import read_model
from shared.services.estate import estate

KIND = "scan-subscription"
MODEL = read_model.ReadModel(KIND, SubscriptionProgress)


def _attach(scan: Scan, recorded: Recorded[ScanEvent], store: Store) -> Scan:
    """Store the records of the subscriptions that an event is about. Safe to do twice and out of step."""
    at = recorded.model_dump(mode="json", include={"at"})["at"]
    items: dict[str, dict[str, Any]] = {}
    for each in progress_in(recorded.event):
        told = each.model_dump(mode="json")
        # What records are found and ordered by; `due` is when the subscription can go on.
        by = {"scan": scan.id, "unfinished": not each.is_over, "due": told["waitingUntil"] or ""}
        items[_id(scan.id, each.subscription)] = {**told, **by, "at": at, "sequence": recorded.sequence}
    if items:
        store.documents.put_many(tenant=store.tenant, kind=KIND, items=items, newer_by="sequence")
    return scan


STREAM = Stream("scan", Scan, ScanEvent, apply, requester=lambda scan: scan.requested_by, attach=_attach)


def _id(scan_id: str, subscription: str) -> str:
    return f"{scan_id}.{subscription}"


def find(scan_id: str, subscription: str, *, store: Store) -> SubscriptionProgress:
    """Read how far a scan is in a subscription, as its own events tell; NotFound."""
    found = store.documents.get(tenant=store.tenant, kind=KIND, id=_id(scan_id, subscription))
    if found is None:
        raise NotFound(f"scan {scan_id} does not scan {subscription}")
    return _read(found)


def unfinished(scan_id: str, limit: int, *, store: Store) -> Sequence[SubscriptionProgress]:
    """Read the subscriptions that are not over, those first that can go on first; at most so many."""
    query = Query(equals={"scan": scan_id, "unfinished": True}, order="due")
    page = store.documents.query(tenant=store.tenant, kind=KIND, query=query, limit=limit)
    return [_read(each) for each in page.items]


def oldest(scan_id: str, *, store: Store) -> datetime | None:
    """Find the oldest `asOf` of a scan's subscriptions; None when none was ever read as a whole."""
    query = Query(equals={"scan": scan_id}, order="asOf")
    page = store.documents.query(tenant=store.tenant, kind=KIND, query=query, limit=1)
    return _read(page.items[0]).as_of if page.items else None


def _read(stored: Document) -> SubscriptionProgress:
    return SubscriptionProgress.model_validate(stored.body, extra="ignore")


def list_(scan_id: str, asked: PageRequest, *, store: Store) -> Page[SubscriptionProgress]:
    """List how far a scan, which the caller was found to see, is in its subscriptions."""
    page = read_model.page_of_part(MODEL, Query(equals={"scan": scan_id}), asked, store=store)
    names = [each.subscription for each in page.items if not each.is_over]
    known = estate.of(names, store=store) if names else {}
    items = tuple(_while_running(each, known.get(each.subscription), scan_id) for each in page.items)
    return page.model_copy(update={"items": items})


def _while_running(told: SubscriptionProgress, known: Estate | None, scan_id: str) -> SubscriptionProgress:
    """Return how far a scan is in a subscription, by its estate while the scan is at work there."""
    if told.is_over or known is None or known.scan != scan_id or known.progressed_at is None:
        return told
    changes: dict[str, Any] = {"status": SubscriptionStatus.COLLECTING, **_collected(known, scan_id)}
    if known.is_collected(scan_id) or not told.collect:
        changes["status"] = SubscriptionStatus.JUDGING
    if known.judgement and known.judgement.scan == scan_id:
        changes["judged"] = known.judgement.judged
    if told.waiting_until and known.progressed_at >= told.waiting_until:
        changes |= {"waiting_until": None, "reason": "", "tries": 0}
    return told.model_copy(update=changes)


def _collected(known: Estate, scan_id: str) -> dict[str, Any]:
    at = known.collection
    if at is None or at.scan != scan_id:
        return {"expected": known.resources}
    return {"collected": at.read, "expected": at.expected, "gap_count": at.gap_count, "as_of": known.as_of}


def with_running(scan: Scan, *, store: Store) -> Scan:
    """Return a scan with what its running subscriptions have come to, by the few estates that it is at work in."""
    if scan.status not in ACTIVE_STATUSES or not scan.unfinished:
        return scan
    for known in estate.at_work(scan.id, store=store):
        scan = scan.model_copy(update=_add_running(scan, known))
    return scan


def _add_running(scan: Scan, known: Estate) -> dict[str, Any]:
    at = known.progressed_at or scan.changed_at
    collected = _collected(known, scan.id)
    judged = known.judgement if known.judgement and known.judgement.scan == scan.id else None
    changes: dict[str, Any] = {
        "collected": scan.collected + collected.get("collected", 0),
        "expected": scan.expected + (collected["expected"] or collected.get("collected", 0)),
        "resources": scan.resources + (judged.judged if judged else 0),
        "evaluation_count": scan.evaluation_count + (judged.evaluation_count if judged else 0),
        "finding_count": scan.finding_count + (judged.finding_count if judged else 0),
        "changed_at": max(scan.changed_at, at),
    }
    if scan.restarted_at and at > scan.restarted_at:
        changes |= {"restarts": 0, "restarted_at": None}
    if scan.waiting_until and at >= scan.waiting_until:
        changes |= {"waiting_until": None, "reason": ""}
    return changes


def record_waiting(
    scan_id: str, told: SubscriptionProgress, error: Throttled | Unavailable, tries: int, *, store: Store
) -> None:
    """Record until when a subscription waits, and why, for the so many-th time in a row."""
    until = store.now() + timedelta(seconds=error.retry_after)
    wait = {"waiting_until": until, "reason": error.message, "tries": tries}
    waiting = told.model_copy(update=wait)

    def decision(scan: Scan | None) -> Sequence[ScanEvent]:
        if scan is None or scan.status != ScanStatus.RUNNING or find(scan_id, told.subscription, store=store).is_over:
            return ()
        return (SubscriptionWaiting(progress=waiting, awaited=_awaited(scan_id, waiting, store)),)

    aggregate.decide(STREAM, scan_id, decision, store=store)


def record_judged(scan_id: str, told: SubscriptionProgress, known: Estate, *, store: Store) -> None:
    """Record that a subscription was scanned to its end, with what came of it."""
    at, done = known.collection, known.last
    assert done is not None  # it was judged
    collected = at if at is not None and at.scan == scan_id else None
    ended = _ended(
        told,
        status=SubscriptionStatus.COMPLETED,
        collected=collected.read if collected else 0,
        expected=collected.expected if collected else known.resources,
        judged=done.judged,
        gap_count=(collected.gap_count if collected else 0) + done.gap_count,
        as_of=known.as_of or told.as_of,
    )
    event = SubscriptionEnded(
        progress=ended,
        evaluation_count=done.evaluation_count,
        finding_count=done.finding_count,
        states=total(known.counts),
        incomplete_policies=_counted(known.incomplete_policies),
        unknown=done.unknown,
        gaps=(*(collected.gaps if collected else ()), *done.gaps),
        differences=(*(collected.differences if collected else ()), *done.differences),
        difference_count=(collected.difference_count if collected else 0) + done.difference_count,
        alarm_count=(collected.alarm_count if collected else 0) + done.difference_count,
    )
    _record(scan_id, event, store)


def record_failed(
    scan_id: str,
    told: SubscriptionProgress,
    known: Estate | None,
    reason: str,
    incomplete_policies: Mapping[str, Mapping[str, int]],
    *,
    store: Store,
) -> None:
    """Record that a subscription was given up, why, and which policies lack what was not judged in it.

    `known` is its estate as it was left, None where that cannot be read.
    """
    scope = f"/subscriptions/{told.subscription}"
    gap = Gap(scope=scope, part="scan", reason=UnreadReason.FAILED, at=store.now(), message=reason)
    at = known.collection if known and known.scan == scan_id else None
    left = _while_running(told, known, scan_id)
    ended = _ended(left, status=SubscriptionStatus.FAILED, gap_count=left.gap_count + 1)
    gaps = (*(at.gaps if at else ()), gap)
    _record(
        scan_id, SubscriptionEnded(progress=ended, incomplete_policies=_counted(incomplete_policies), gaps=gaps), store
    )


def _ended(told: SubscriptionProgress, **changes: object) -> SubscriptionProgress:
    return told.model_copy(update={"waiting_until": None, "reason": "", "tries": 0, **changes})


def _counted(incomplete_policies: Mapping[str, Mapping[str, int]]) -> dict[str, PolicyCount]:
    return {policy: PolicyCount.model_validate(each) for policy, each in incomplete_policies.items()}


def _record(scan_id: str, event: SubscriptionEnded, store: Store) -> None:
    """Record the end of a subscription, once."""

    def decision(scan: Scan | None) -> Sequence[ScanEvent]:
        over = find(scan_id, event.progress.subscription, store=store).is_over
        if scan is None or scan.status not in ACTIVE_STATUSES or over:
            return ()
        return (event.model_copy(update={"awaited": _awaited(scan_id, event.progress, store)}),)

    aggregate.decide(STREAM, scan_id, decision, store=store)


def _awaited(scan_id: str, told: SubscriptionProgress, store: Store) -> Waiting | None:
    """Return what a scan waits for whose subscriptions that are left all wait: the first of them to go on."""
    # Two, as one of them may be this one, whose stored record is about to change.
    others = [each for each in unfinished(scan_id, 2, store=store) if each.subscription != told.subscription]
    first = others[0] if others else told
    if told.waiting_until and first.waiting_until and told.waiting_until < first.waiting_until:
        first = told
    waits = first.waiting_until is not None and first.waiting_until > store.now()
    return Waiting(waiting_until=first.waiting_until, reason=first.reason) if waits else None
