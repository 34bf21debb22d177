"""Request, run, cancel and finish scans; each step is bounded, and safe to do twice."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.domain.compliance import Summary, Tallied
from shared.domain.error import AlreadyExists, Conflict, Forbidden, InvalidInput, NotFound, Throttled, Unavailable
from shared.domain.estate import Posture
from shared.domain.event import Fact
from shared.domain.inventory import Gap, Reason, Subscription
from shared.domain.scan import ACTIVE, Scan, ScanRequest, Status, SubscriptionProgress, Trigger, apply
from shared.ports.documents import Query
from shared.ports.inventory import Inventory, Wanted
from shared.ports.queue import Queue
from shared.services import collection, compliance, estate, judgement, message, record
from shared.services.estate import Store
from shared.services.policy import Book

KIND = record.Kind("scan", Scan, apply)
QUEUE = "scan-requests"
LOCK = "lock"
STEP = timedelta(seconds=45)
"""How long one activity goes on; far below the five minutes a consumption plan allows."""
ENDED = ("done", "failed")
PATIENCE = 20
"""After so many failed steps in a row without progress, a subscription is given up as not answering."""


@dataclass(frozen=True, slots=True)
class Step:
    """How a step of one subscription ended: `more` to do, `wait` seconds before going on, or `done`."""

    state: str
    wait: float = 0.0

    def to_json(self) -> dict[str, str | float]:
        """For the workflow."""
        return {"state": self.state, "wait": self.wait}


def request(scan_id: str, asked: ScanRequest, trigger: Trigger, *, store: Store, queue: Queue) -> Scan:
    """Record a request and send it on its way; Conflict while another scan is running.

    The same id a second time answers the scan there is.
    """
    known = record.current(KIND, scan_id, documents=store.documents, tenant=store.tenant)
    if known is None:
        _check(asked, store)
        _lock(scan_id, store)
        data = {"trigger": trigger, "request": asked.model_dump(mode="json")}
        known = _decide(scan_id, lambda scan: [] if scan else [Fact(type="scanRequested", data=data)], store)
    if known.status == Status.REQUESTED:
        queue.send(QUEUE, message.write(store, scan_id))
    return known


def cancel(scan_id: str, *, store: Store) -> Scan:
    """Ask a scan to stop; it does so before its next page. Conflict when it has ended."""

    def decision(scan: Scan | None) -> Sequence[Fact]:
        if scan is None or scan.status == Status.CANCELLING:
            return ()
        if scan.status not in ACTIVE:
            raise Conflict(f"scan {scan_id} is {scan.status} already")
        return (Fact(type="cancelRequested"),)

    return _decide(scan_id, decision, store)


def prepare(scan_id: str, *, store: Store, inventory: Inventory) -> list[str]:
    """Find out what there is to scan and record it; the subscriptions that are not done yet."""
    scan = find(scan_id, store=store)
    if scan.status == Status.REQUESTED:
        targets, gaps = _targets(scan.request, store, inventory)
        data = {
            "subscriptions": {key: each.model_dump(mode="json") for key, each in targets.items()},
            "gaps": [gap.model_dump(mode="json") for gap in gaps],
        }
        scan = _decide(
            scan_id, lambda now: [Fact(type="scanStarted", data=data)] if now and not now.progress else [], store
        )
    return [key for key, each in scan.progress.items() if each.judging not in ENDED]


def step(scan_id: str, subscription: str, failures: int = 0, *, store: Store, inventory: Inventory, book: Book) -> Step:
    """Go on with one subscription for a while: collect, then judge. `failures` counts the steps in vain so far."""
    scan = find(scan_id, store=store)
    if scan.status != Status.RUNNING:
        return Step("done")
    progress = scan.progress[subscription]
    if progress.judging in ENDED:
        return Step("done")
    if progress.collecting not in ENDED:
        return _collect(scan, subscription, failures, store, inventory=inventory, wanted=book.wanted)
    return _judge(scan, subscription, store, book)


def abandon(scan_id: str, subscription: str, reason: str, *, store: Store, book: Book) -> None:
    """Record that one subscription failed, so that the others go on without it."""
    scan = find(scan_id, store=store)
    gap = Gap(scope=f"/subscriptions/{subscription}", part="scan", reason=Reason.FAILED, at=store.now(), message=reason)
    data = {
        "subscription": subscription,
        "collected": scan.progress[subscription].collected,
        "state": "failed",
        "gapCount": scan.progress[subscription].gaps + 1,
        "gaps": [gap.model_dump(mode="json")],
    }
    _tell(scan_id, "subscriptionCollected", data, store)
    judged = {
        "subscription": subscription,
        "judged": scan.progress[subscription].judged,
        "state": "failed",
        "shortfalls": judgement.unjudged(subscription, store=store, book=book),
    }
    _tell(scan_id, "subscriptionJudged", judged, store)


def finish(scan_id: str, *, store: Store, book: Book) -> Scan:
    """Refresh the summary, keep the trend, record the end, and let the next scan in."""
    scan = find(scan_id, store=store)
    if scan.status in ACTIVE:
        cancelled = scan.status == Status.CANCELLING and any(each.judging != "done" for each in scan.progress.values())
        fact = Fact(type="scanCancelled") if cancelled else _ending(scan, compliance.refresh(store=store, book=book))
        scan = _decide(scan_id, lambda now: [fact] if now and now.status in ACTIVE else [], store)
    _unlock(scan_id, store)
    return scan


def fail(scan_id: str, reason: str, *, store: Store) -> Scan:
    """Record that a scan cannot go on, and why."""

    def decision(scan: Scan | None) -> Sequence[Fact]:
        return (Fact(type="scanFailed", data={"reason": reason}),) if scan and scan.status in ACTIVE else ()

    scan = _decide(scan_id, decision, store)
    _unlock(scan_id, store)
    return scan


def find(scan_id: str, *, store: Store) -> Scan:
    """The scan with all its events applied; NotFound."""
    scan = record.current(KIND, scan_id, documents=store.documents, tenant=store.tenant)
    if scan is None:
        raise NotFound(f"there is no scan {scan_id}", path="id")
    return scan


def active(*, store: Store) -> list[Scan]:
    """The scans that have not ended."""
    query = Query(equals={"status": tuple(status.value for status in ACTIVE)})
    page = store.documents.query(tenant=store.tenant, kind=KIND.name, query=query, limit=100)
    return [Scan.model_validate(each.body) for each in page.items]


def _check(asked: ScanRequest, store: Store) -> None:
    """Refuse what no subscription is called; imports may have brought ids of any form, and those are known."""
    for index, name in enumerate(asked.subscriptions or ()):
        plain = 0 < len(name) <= 64 and name.replace("-", "").isalnum()  # noqa: PLR2004 - a GUID and more
        if not plain and name.lower() not in {each.subscription for each in compliance.postures(store)}:
            raise InvalidInput(f"'{name}' is no subscription id; a GUID is expected", path=f"$.subscriptions[{index}]")


def _lock(scan_id: str, store: Store) -> None:
    """Let one scan run at a time in a tenant; a lock whose scan has ended is taken over."""
    try:
        store.documents.create(tenant=store.tenant, kind=LOCK, id="scan", body={"scan": scan_id})
    except AlreadyExists:
        held = store.documents.get(tenant=store.tenant, kind=LOCK, id="scan")
        holder = str(held.body["scan"]) if held else scan_id
        other = record.current(KIND, holder, documents=store.documents, tenant=store.tenant)
        if holder != scan_id and other is not None and other.status in ACTIVE:
            raise Conflict(f"scan {holder} is {other.status}; wait for it or cancel it") from None
        store.documents.put(
            tenant=store.tenant, kind=LOCK, id="scan", body={"scan": scan_id}, if_match=held.etag if held else None
        )


def _unlock(scan_id: str, store: Store) -> None:
    held = store.documents.get(tenant=store.tenant, kind=LOCK, id="scan")
    if held and held.body["scan"] == scan_id:
        store.documents.delete(tenant=store.tenant, kind=LOCK, id="scan", if_match=held.etag)


def _targets(
    asked: ScanRequest, store: Store, inventory: Inventory
) -> tuple[dict[str, SubscriptionProgress], list[Gap]]:
    """The subscriptions to scan: those of the cloud, and those that were imported, which are only judged."""
    gaps: list[Gap] = []
    known = {each.subscription: each for each in compliance.postures(store)}
    targets = {
        key: SubscriptionProgress(display_name=each.display_name, source=each.source, collecting="done")
        for key, each in known.items()
        if each.source == "import" or not asked.collect
    }
    if asked.collect:
        targets |= {
            each.id: SubscriptionProgress(display_name=each.display_name) for each in _visible(store, inventory, gaps)
        }
    wanted = asked.subscriptions
    if wanted is None:
        return targets, gaps
    lower = {name.lower() for name in wanted}
    gaps.extend(_absent(name, store) for name in sorted(lower - targets.keys()))
    return {key: each for key, each in targets.items() if key in lower}, gaps


def _visible(store: Store, inventory: Inventory, gaps: list[Gap]) -> Sequence[Subscription]:
    try:
        return inventory.subscriptions(tenant=store.tenant)
    except NotFound:
        return ()
    except Forbidden as error:
        gaps.append(
            Gap(
                scope="/",
                part="subscriptions",
                reason=Reason.FORBIDDEN,
                permission=error.permission or "Microsoft.Resources/subscriptions/read",
                role="Reader",
                at=store.now(),
                message=error.message,
            )
        )
        return ()


def _absent(name: str, store: Store) -> Gap:
    return Gap(
        scope=f"/subscriptions/{name}",
        part="subscription",
        reason=Reason.FORBIDDEN,
        permission="Microsoft.Resources/subscriptions/read",
        role="Reader",
        at=store.now(),
        message="asked for, but neither visible nor imported",
    )


def _collect(
    scan: Scan, subscription: str, failures: int, store: Store, *, inventory: Inventory, wanted: Wanted
) -> Step:
    target = Subscription(id=subscription, display_name=scan.progress[subscription].display_name)
    before = estate.posture(store, subscription)
    try:
        known = collection.collect(
            scan.id, target, store=store, inventory=inventory, wanted=wanted, until=store.now() + STEP
        )
    except (Throttled, Unavailable) as error:
        known = estate.posture(store, subscription)
        moved = known.sequence > before.sequence
        if failures < PATIENCE or moved:
            _tell_collected(scan.id, known, store)
            return Step("more" if moved else "wait", error.retry_after)
        known = collection.give_up(scan.id, subscription, error, store)
    _tell_collected(scan.id, known, store)
    return Step("more")


def _tell_collected(scan_id: str, known: Posture, store: Store) -> None:
    at = known.collection
    if at is None or at.scan != scan_id:
        return
    data = {
        "subscription": known.subscription,
        "collected": at.read,
        "expected": at.expected,
        "state": "done" if at.ended_at else "running",
        "gapCount": at.gap_count,
        "gaps": [gap.model_dump(mode="json") for gap in at.gaps],
    }
    _tell(scan_id, "subscriptionCollected", data, store)


def _judge(scan: Scan, subscription: str, store: Store, book: Book) -> Step:
    known = judgement.judge(scan.id, subscription, store=store, book=book, until=store.now() + STEP)
    done = known.last_scan == scan.id
    at = known.last if done else known.judgement
    if at is not None:
        data = {
            "subscription": subscription,
            "judged": at.judged,
            "pairs": at.pairs,
            "attention": at.attention,
            "state": "done" if done else "running",
            "shortfalls": known.shortfalls if done else {},
        }
        _tell(scan.id, "subscriptionJudged", data, store)
    return Step("done" if done else "more")


def _tell(scan_id: str, event_type: str, data: Mapping[str, object], store: Store) -> None:
    """Record progress once: what the scan knows already is not said again."""
    subscription = str(data["subscription"])
    fields = ("collecting", "collected") if event_type == "subscriptionCollected" else ("judging", "judged")

    def decision(scan: Scan | None) -> Sequence[Fact]:
        if scan is None or scan.status not in ACTIVE:
            return ()
        known = scan.progress[subscription]
        said = (getattr(known, fields[0]), getattr(known, fields[1]))
        if said[0] in ENDED or said == (data["state"], data[fields[1]]):
            return ()
        return (Fact(type=event_type, data=data),)

    _decide(scan_id, decision, store)


def _ending(scan: Scan, summary: Summary) -> Fact:
    totals = summary.model_dump(mode="json", include=set(Tallied.model_fields))
    if not scan.gaps and not scan.shortfalls:
        return Fact(type="scanCompleted", data={"totals": totals})
    reason = f"{len(scan.gaps)} gaps; {len(scan.shortfalls)} policies were not evaluated everywhere"
    return Fact(type="scanPartial", data={"totals": totals, "reason": reason})


def _decide(scan_id: str, decision: Callable[[Scan | None], Sequence[Fact]], store: Store) -> Scan:
    return record.decide(
        KIND,
        scan_id,
        decision,
        documents=store.documents,
        now=store.now,
        tenant=store.tenant,
        actor=store.actor,
    )
