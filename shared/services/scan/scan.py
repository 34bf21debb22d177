"""Request, run, cancel and finish scans; each step is bounded, and safe to do twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from shared.domain.error import (
    Conflict,
    CortexError,
    InvalidInput,
    Malformed,
    NotFound,
    Overtaken,
    Throttled,
    Unavailable,
)
from shared.domain.estate import Estate
from shared.domain.inventory import Subscription
from shared.domain.page import Page, PageRequest
from shared.domain.progress import CancelRequested
from shared.domain.scan import (
    ACTIVE_STATUSES,
    Scan,
    ScanListing,
    ScanRequest,
    ScanRhythm,
    ScanStatus,
    ScanTrigger,
    SubscriptionProgress,
)
from shared.domain.scan_difference import ScanMode
from shared.domain.scan_event import (
    ScanCancelled,
    ScanCompleted,
    ScanEvent,
    ScanFailed,
    ScanPartial,
    ScanRequested,
    ScanStarted,
    ScanWaiting,
    SubscriptionsAwaited,
)
from shared.domain.state_counts import StateCounts
from shared.eventstore import aggregate, projection, stream
from shared.eventstore.store import Store
from shared.ports.documents import Document, Query, each_document
from shared.ports.inventory import Inventory, RelatedTypes
from shared.ports.queue import Queue
from shared.services import compliance, message, read_model
from shared.services.estate import collection, estate, judgement
from shared.services.estate.collection import CollectionRequest
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.read_model import Stored
from shared.services.scan import lock, subscription_progress, target

STREAM = subscription_progress.STREAM
MODEL = read_model.ReadModel(STREAM.name, Scan, left_out=frozenset({"gaps", "incomplete_policies", "differences"}))
QUEUE = "scan-requests"
DECISION_QUEUE = "scan-decisions"
STEP_DURATION = timedelta(seconds=45)
"""How long one activity goes on; far below the five minutes a consumption plan allows."""
SLOW_REASON = "the cloud was asked for its subscriptions, and has not told them yet"
NOTHING_TO_SCAN = "there is nothing to scan: no cloud is connected, and nothing was imported"
WAIT_ATTEMPTS = 20
"""After so many waits in a row without progress, a subscription, or the whole scan, is given up as not answering."""
DEFAULT_RHYTHM = ScanRhythm()
BATCH_SUBSCRIPTIONS = 60
"""Subscriptions that a workflow is told of at once."""


@dataclass(frozen=True, slots=True)
class ScanStep:
    """How a step of one subscription ended: `more` to do, `wait` seconds before going on, or `done`."""

    state: str
    wait: float = 0.0

    def to_json(self) -> dict[str, str | float]:
        """Return the step as the workflow gets it."""
        return {"state": self.state, "wait": self.wait}


STEP_DONE = ScanStep("done")

type ScanEnd = ScanCancelled | ScanCompleted | ScanPartial | ScanFailed


def request(scan_id: str, asked: ScanRequest, trigger: ScanTrigger, *, store: Store, queue: Queue) -> Scan:
    """Record a request and send it on its way; Conflict while another scan is running.

    The same id a second time returns the existing scan.
    """
    known = projection.current(STREAM, scan_id, store=store)
    if known is None:
        for index, name in enumerate(asked.subscriptions or ()):
            plain = 0 < len(name) <= 64 and name.replace("-", "").isalnum()  # noqa: PLR2004 - a GUID and more
            # Imports may have brought ids of any form, and those are known.
            if not plain and name.lower() not in {each.subscription for each in estate.every(store)}:
                wrong = f"'{name}' is no subscription id; a GUID is expected"
                raise InvalidInput(wrong, path=f"$.subscriptions[{index}]")
        # The lock first: its document holds the request, so that a process that dies here loses nothing.
        known = lock.take(scan_id, asked, trigger, store=store)
    if known.status == ScanStatus.REQUESTED:
        queue.send(QUEUE, message.write(store, scan_id))
    return known


def cancel(scan_id: str, *, store: Store, queue: Queue) -> Scan:
    """Request that a scan stops, and wake its workflow, which ends it whatever it waits for.

    Conflict when it has ended.
    """

    def decision(scan: Scan | None) -> Sequence[ScanEvent]:
        if scan is None or scan.status == ScanStatus.CANCELLING:
            return ()
        if scan.status not in ACTIVE_STATUSES:
            raise Conflict(f"scan {scan_id} is {scan.status} already")
        return (CancelRequested(),)

    known = aggregate.decide(STREAM, scan_id, decision, store=store)
    queue.send(DECISION_QUEUE, message.write(store, scan_id))
    return known


def ahead(scan: Scan, *, store: Store) -> dict[str, Any]:
    """Return what the workflow does next.

    {"do": "prepare" or "finish" or "end"}; {"do": "wait", "wait": seconds}; or {"do": "step", "subscriptions":
    {id: seconds to wait before}, "more": whether others are ready that are not told}.
    """
    if scan.status not in ACTIVE_STATUSES:
        return {"do": "end"}
    if scan.status == ScanStatus.REQUESTED:
        wait = _seconds(scan.waiting_until, store)
        return {"do": "wait", "wait": wait} if wait else {"do": "prepare"}
    if scan.status == ScanStatus.CANCELLING or not scan.unfinished:
        return {"do": "finish"}
    # One more than is told, to learn whether there are others.
    first = subscription_progress.unfinished(scan.id, BATCH_SUBSCRIPTIONS + 1, store=store)
    waits = {each.subscription: _seconds(each.waiting_until, store) for each in first}
    ready = sum(not wait for wait in waits.values())
    return {
        "do": "step",
        "subscriptions": dict(islice(waits.items(), BATCH_SUBSCRIPTIONS)),
        "more": ready > BATCH_SUBSCRIPTIONS,
    }


def _seconds(until: datetime | None, store: Store) -> float:
    return max(0.0, (until - store.now()).total_seconds()) if until else 0.0


def put_off(scan_id: str, error: CortexError, *, store: Store) -> Scan:
    """Record until when and why it is not known what there is to scan; the scan fails after too many waits.

    What does not get better by waiting fails it at once.
    """

    def decision(scan: Scan | None) -> Sequence[ScanEvent]:
        if scan is None or scan.status != ScanStatus.REQUESTED:
            return ()
        passes = isinstance(error, Throttled | Unavailable) and not isinstance(error, Malformed)
        if scan.tries >= WAIT_ATTEMPTS or not passes:
            return (ScanFailed(reason=error.message),)
        until = store.now() + timedelta(seconds=getattr(error, "retry_after", 0.0))
        return (ScanWaiting(until=until, reason=error.message),)

    return aggregate.decide(STREAM, scan_id, decision, store=store)


def note_slow(scan_id: str, *, store: Store) -> Scan:
    """Record that the cloud takes its time to tell its subscriptions, unless it has told them by now."""
    awaited = SubscriptionsAwaited(reason=SLOW_REASON)
    return aggregate.decide(
        STREAM,
        scan_id,
        lambda scan: (awaited,) if scan and scan.status == ScanStatus.REQUESTED and not scan.reason else (),
        store=store,
    )


def prepare(scan_id: str, *, store: Store, inventory: Inventory) -> Scan:
    """Find out what there is to scan and record it."""
    scan = find(scan_id, store=store)
    if scan.status != ScanStatus.REQUESTED:
        return scan
    asked = next(stream.read(STREAM, scan_id, store=store)).event
    assert isinstance(asked, ScanRequested)  # the table has no other beginning
    targets = target.find(asked.request, store=store, inventory=inventory)
    started = ScanStarted(subscriptions=tuple(targets.progress.values()), gaps=tuple(targets.gaps))
    return aggregate.decide(STREAM, scan_id, lambda now: (started,) if now and now.awaits_start else (), store=store)


def step(
    scan_id: str,
    subscription: str,
    *,
    store: Store,
    inventory: Inventory,
    policies: EffectivePolicies,
    rhythm: ScanRhythm = DEFAULT_RHYTHM,
) -> ScanStep:
    """Go on with one subscription for a while: collect, then judge.

    A scan that was overtaken by another fails with that reason; a subscription that was stopped is abandoned. A scan
    that has ended while the step was at work writes no more to the subscription.
    """
    try:
        taken = _step(scan_id, subscription, store, inventory=inventory, policies=policies, rhythm=rhythm)
    except Overtaken as error:
        # Stopped by itself: the subscription was fenced off, as `abandon` does, and the other ones go on.
        if error.by == scan_id:
            abandon(scan_id, subscription, error.message, store=store, policies=policies)
        else:
            fail(scan_id, error.message, store=store)
        return STEP_DONE
    if (scan := find(scan_id, store=store)).status not in ACTIVE_STATUSES:
        estate.fence_off(scan_id, scan.fence, subscription, store=store)
    return taken


def _step(
    scan_id: str,
    subscription: str,
    store: Store,
    *,
    inventory: Inventory,
    policies: EffectivePolicies,
    rhythm: ScanRhythm,
) -> ScanStep:
    scan = find(scan_id, store=store)
    if scan.status != ScanStatus.RUNNING:
        return STEP_DONE
    store = store.led_by(STREAM.of(scan.id), scan.sequence)
    told = subscription_progress.find(scan_id, subscription, store=store)
    if told.is_over:
        return STEP_DONE
    known = estate.current(store, subscription)
    if told.collect and not known.is_collected(scan_id):
        return _collect(scan, told, known, store, inventory=inventory, wanted=policies.wanted, rhythm=rhythm)
    until = store.now() + STEP_DURATION
    known = judgement.judge(
        scan.id,
        told.subscription,
        fence=scan.fence,
        store=store,
        policies=policies,
        until=until,
        compare=scan.request.mode is ScanMode.VERIFICATION,
    )
    if known.last_scan != scan.id:
        return ScanStep("more")
    subscription_progress.record_judged(scan.id, told, known, store=store)
    return STEP_DONE


def abandon(scan_id: str, subscription: str, reason: str, *, store: Store, policies: EffectivePolicies) -> None:
    """Record that one subscription failed, so that the others go on without it, also when its estate takes nothing."""
    scan, known = find(scan_id, store=store), None
    told = subscription_progress.find(scan_id, subscription, store=store)
    try:
        known = estate.current(store, subscription)
        estate.fence_off(scan_id, scan.fence, subscription, store=store)
    except CortexError as error:
        reason = f"{reason}; nothing can be recorded of it: {error.message}"
    incomplete_policies = judgement.unjudged(subscription, store=store, policies=policies)
    subscription_progress.record_failed(scan_id, told, known, reason, incomplete_policies, store=store)


def finish(scan_id: str, *, store: Store, policies: EffectivePolicies) -> Scan:
    """Refresh the summary, keep the trend, record the end, and let the next scan in."""
    scan = find(scan_id, store=store)
    if scan.status in ACTIVE_STATUSES:
        end = _ending(scan, store, policies)
        scan = aggregate.decide(
            STREAM, scan_id, lambda now: (end,) if now and now.status in ACTIVE_STATUSES else (), store=store
        )
    _stop(scan, store)
    return scan


def _stop(scan: Scan, store: Store) -> None:
    """Let no step that is still under way somewhere write on, now that the scan has ended.

    Only what it has begun is stopped, so that the time this takes does not grow with the subscriptions it never came
    to. A step that begins one in this moment stops itself when it finds the scan ended.
    """
    for each in estate.at_work(scan.id, store=store) if scan.unfinished else ():
        estate.fence_off(scan.id, scan.fence, each.subscription, store=store)


def fail(scan_id: str, reason: str, *, store: Store) -> Scan:
    """Record that a scan cannot go on, and why."""
    find(scan_id, store=store)
    failed = ScanFailed(reason=reason)
    ended = aggregate.decide(
        STREAM, scan_id, lambda scan: (failed,) if scan and scan.status in ACTIVE_STATUSES else (), store=store
    )
    _stop(ended, store)
    return ended


def refuse(scan_id: str, reason: str, *, store: Store) -> Scan:
    """Record that a requested scan could not be begun, and why; one that is under way goes on."""
    failed = ScanFailed(reason=reason)
    return aggregate.decide(
        STREAM, scan_id, lambda scan: (failed,) if scan and scan.status == ScanStatus.REQUESTED else (), store=store
    )


def get(scan_id: str, *, store: Store) -> Stored[Scan]:
    """Find a scan, with what its running subscriptions have come to; NotFound."""
    found = read_model.get(MODEL, scan_id, store=store)
    if found.body["status"] not in ACTIVE_STATUSES:
        return found
    return Stored(
        Document(scan_id, found.body, ""), lambda _: subscription_progress.with_running(found.model, store=store)
    )


def list_(asked: ScanListing, *, store: Store) -> Page[Scan]:
    """List scans, the latest first, without what could not be read."""
    latest = Query(equals=read_model.conditions(asked), order="requestedAt", descending=True)
    page = read_model.page(MODEL, latest, asked, store=store)
    items = tuple(subscription_progress.with_running(each, store=store) for each in page.items)
    return page.model_copy(update={"items": items})


def subscriptions(scan_id: str, asked: PageRequest, *, store: Store) -> Page[SubscriptionProgress]:
    """List how far a scan is in each of its subscriptions; NotFound."""
    read_model.get(MODEL, scan_id, store=store)
    return subscription_progress.list_(scan_id, asked, store=store)


def current(scan_id: str, *, store: Store) -> Scan:
    """Find a scan with all its events applied, and what its running subscriptions have come to; NotFound."""
    return subscription_progress.with_running(find(scan_id, store=store), store=store)


def find(scan_id: str, *, store: Store) -> Scan:
    """Return the scan with all its events applied; NotFound."""
    scan = projection.current(STREAM, scan_id, store=store)
    if scan is None:
        raise NotFound(f"there is no scan {scan_id}", path="id")
    return scan


def active(*, store: Store) -> list[Scan]:
    """Return the scans that have not ended, including one whose process died before its request was recorded."""
    lock.recover(store=store)
    query = Query(equals={"status": tuple(status.value for status in ACTIVE_STATUSES)})
    found = each_document(STREAM.name, query, documents=store.documents, tenant=store.tenant)
    return [MODEL.read(each.body) for each in found]


def _collect(
    scan: Scan,
    told: SubscriptionProgress,
    before: Estate,
    store: Store,
    *,
    inventory: Inventory,
    wanted: RelatedTypes,
    rhythm: ScanRhythm,
) -> ScanStep:
    scanned = Subscription(id=told.subscription, display_name=told.display_name)
    until = store.now() + STEP_DURATION
    try:
        asked = CollectionRequest(scan.id, scan.fence, wanted, scan.request.mode, rhythm)
        collection.collect(asked, scanned, store=store, inventory=inventory, until=until)
    except (Throttled, Unavailable) as error:
        # A cloud that asks to wait after each page is slow, not dead: only waits without progress count.
        went_on = estate.current(store, told.subscription).sequence > before.sequence
        if went_on or told.tries < WAIT_ATTEMPTS:
            tries = 1 if went_on else told.tries + 1
            subscription_progress.record_waiting(scan.id, told, error, tries, store=store)
            return ScanStep("wait", error.retry_after)
        collection.give_up(scan.id, told.subscription, error, store)
    return ScanStep("more")


def _ending(scan: Scan, store: Store, policies: EffectivePolicies) -> ScanEnd:
    """Return how a scan ends that has nothing left to do, or is to stop before it has done all."""
    if scan.status == ScanStatus.CANCELLING and (scan.started_at is None or scan.unfinished or scan.failed):
        return ScanCancelled(as_of=subscription_progress.oldest(scan.id, store=store))
    summary = compliance.refresh(store=store, policies=policies)
    if not scan.subscriptions:
        return ScanFailed(reason=target.messages(scan.gaps) or NOTHING_TO_SCAN)
    totals = StateCounts.model_validate(summary.model_dump(include=set(StateCounts.model_fields)))
    as_of = subscription_progress.oldest(scan.id, store=store)
    if scan.is_whole:
        return ScanCompleted(totals=totals, as_of=as_of)
    return ScanPartial(totals=totals, as_of=as_of, reason=scan.shortcomings)
