"""Collect a subscription page by page: what the cloud says becomes documents, and each page is a checkpoint.

A collection reads all there is, or what has changed since the last one began. That takes a last one that was complete,
not so long ago that changes are forgotten, and that read the same types with each resource.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from shared.domain.arm_id import parent_of, type_of
from shared.domain.canonical import digest
from shared.domain.error import CortexError, Forbidden, InvalidInput, Malformed, NotFound, Throttled, Unavailable
from shared.domain.estate import CollectionPhase, CollectionProgress, Estate
from shared.domain.estate_event import CollectionEnded, CollectionStarted, PageCollected
from shared.domain.finding import resource_key
from shared.domain.inventory import Subscription
from shared.domain.scan import ScanRhythm
from shared.domain.scan_difference import SCAN_DIFFERENCE_ITEMS, ScanDifference, ScanMode
from shared.domain.timestamp import format_time
from shared.eventstore import stream
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.ports.inventory import CHANGE_PERIOD, Inventory, InventoryPage, RelatedTypes
from shared.services import finding
from shared.services.estate import absence, collection_page, comparison, estate, resource
from shared.services.estate.absence import MissingResources
from shared.services.estate.collection_page import CHANGE_MARGIN, CollectedPage, CollectionSource
from shared.services.estate.previous_judgement import PreviousJudgement
from shared.services.estate.resource import PASSING_REASONS, document
from shared.services.estate.resource_change import CHANGE_KIND, RESOURCE_KIND, changes_of

CONFIRM_DURATION = timedelta(seconds=60)
"""For confirming what was not seen, beyond the time for collecting."""
CHANGES_AGE = CHANGE_PERIOD - timedelta(days=1)
"""The age of the last collection from which on all is read again: a day before changes are forgotten."""


@dataclass(frozen=True, slots=True)
class CollectionRequest:
    """Which scan collects, how, and with which types of resources read with each."""

    scan: str
    fence: int
    wanted: RelatedTypes
    mode: ScanMode = ScanMode.CHANGES
    rhythm: ScanRhythm = field(default_factory=ScanRhythm)

    @property
    def related(self) -> str:
        """Return the digest of what is read with each type."""
        return digest({kind: sorted(related) for kind, related in self.wanted.items()})


def collect(
    asked: CollectionRequest, subscription: Subscription, *, store: Store, inventory: Inventory, until: datetime
) -> Estate:
    """Collect pages until there are no more, or until the time is up; call again to go on.

    Throttled and Unavailable pass through: what was collected before is kept, and the next call resumes after it.
    Overtaken when a scan with a higher `fence` has begun, or this one was stopped.
    """
    period = timedelta(days=asked.rhythm.related_days)
    known = _begin(asked, subscription, store)
    source = CollectionSource(subscription.id, store, inventory, asked.wanted, period, PreviousJudgement(known, store))
    while known.collection and known.collection.scan == asked.scan and known.collection.ended_at is None:
        at = known.collection
        if at.phase is CollectionPhase.DONE:  # all pages are here, whoever kept the last one
            return _finish(asked.scan, at, source, until=until)
        _keep_pace(at, known.progressed_at, asked.rhythm, store.now())
        found, error = _read_pages(at, source, until)
        if found:
            known = keep_page(subscription.id, at, found, store=store, inventory=inventory, since=known.sequence)
        if isinstance(error, Forbidden | InvalidInput | Malformed | NotFound):
            return give_up(asked.scan, subscription.id, error, store)
        if error:
            raise error
        if found and found.phase is not CollectionPhase.DONE and store.now() >= until:
            return known
    known.admit(asked.scan, asked.fence)
    return known


def _read_pages(
    at: CollectionProgress, source: CollectionSource, until: datetime
) -> tuple[CollectedPage | None, CortexError | None]:
    """Read the next page, and those that follow on one that is small, as one; and the error that ended it, if any.

    Where nothing has changed, all pages are small: to record each by itself would cost more than to read it again.
    """
    whole: CollectedPage | None = None
    while whole is None or (whole.is_small and source.store.now() < until):
        try:
            found = collection_page.read(at, source)
        except (Throttled, Unavailable, Forbidden, InvalidInput, NotFound) as error:
            return whole, error
        if any(each.related for each in found.page.resources):
            page = _confirmed(
                found.page, store=source.store, inventory=source.inventory, until=until + CONFIRM_DURATION
            )
            found = replace(found, page=page)
        at, whole = found.progress(at), whole.then(found) if whole else found
    return whole, None


def _keep_pace(at: CollectionProgress, last: datetime | None, rhythm: ScanRhythm, now: datetime) -> None:
    """Let a verification take no more calls than it may: Throttled, with the wait that the last page's calls cost."""
    if at.mode is not ScanMode.VERIFICATION or at.phase is not CollectionPhase.ALL or last is None:
        return
    wait = (last + timedelta(minutes=at.calls / rhythm.verification_calls) - now).total_seconds()
    if wait > 0:
        reason = f"the verification takes at most {rhythm.verification_calls} calls a minute"
        raise Throttled(reason, retry_after=wait)


def _confirmed(page: InventoryPage, *, store: Store, inventory: Inventory, until: datetime) -> InventoryPage:
    """Return the page with what its lists of relatives leave out and is there all the same."""
    keys = [resource_key(each.id) for each in page.resources if each.related]
    stored = store.documents.get_many(tenant=store.tenant, kind=RESOURCE_KIND, ids=keys)
    rows = {key: each.body for key, each in stored.items()}
    found = absence.confirm_related(page.resources, rows, store=store, inventory=inventory, until=until)
    return replace(page, resources=found.resources, gaps=(*page.gaps, *found.gaps))


def keep_page(
    subscription: str,
    begun: CollectionProgress,
    collected: CollectedPage,
    *,
    store: Store,
    inventory: Inventory,
    since: int,
) -> Estate:
    """Record one page that was read after event `since`; one that was recorded already changes nothing."""
    resources = collected.page.resources
    read = tuple(resource_key(each.id) for each in resources)
    # In a verification, the page of all that follows on the changes is compared with what they came to.
    compared = begun.mode is ScanMode.VERIFICATION and begun.phase is CollectionPhase.ALL

    def decision(known: Estate) -> estate.EstateChange | None:
        at = known.collection
        # Another delivery has kept this page, or has ended the collection: what it kept counts.
        if at is None or at.scan != begun.scan or at.pages != begun.pages or at.ended_at is not None:
            return None
        found = changes_of(resources, store, subscription, since=since)
        carried = {(gap.part, gap.reason, gap.permission) for gap in at.gaps} if at.since else set()
        gaps = (each for each in collected.page.gaps if (each.part, each.reason, each.permission) not in carried)
        event = PageCollected(
            scan=at.scan,
            page=at.pages + 1,
            phase=collected.phase,
            cursor=collected.cursor,
            after=collected.after,
            read=collected.count,
            total=collected.total,
            new=found.new,
            calls=collected.page.calls,
            gaps=(*gaps, *found.gaps),
        )
        return estate.EstateChange(
            event,
            {RESOURCE_KIND: found.kept, CHANGE_KIND: found.changes},
            seen=(*read, *collected.seen),
            read=read if at.since else (),
            suspects=comparison.suspects(found, store=store, inventory=inventory) if compared else {},
        )

    return estate.decide(store, subscription, decision)


def _begin(asked: CollectionRequest, subscription: Subscription, store: Store) -> Estate:
    def decision(known: Estate) -> estate.EstateChange | None:
        known.admit(asked.scan, asked.fence)
        if known.collection and known.collection.scan == asked.scan:
            return None
        since = None if asked.mode is ScanMode.FULL else _since(known, asked, store.now())
        scope = f"/subscriptions/{subscription.id}"
        gaps = known.collection.gaps if known.collection and since else ()
        return estate.EstateChange(
            CollectionStarted(
                scan=asked.scan,
                fence=asked.fence,
                display_name=subscription.display_name,
                management_groups=subscription.management_groups,
                mode=asked.mode if since else ScanMode.FULL,
                since=since,
                related=asked.related,
                again=tuple(gap.scope for gap in gaps if gap.scope != scope),
                gaps=tuple(gap for gap in gaps if gap.scope == scope),
            )
        )

    return estate.decide(store, subscription.id, decision)


def _since(known: Estate, asked: CollectionRequest, now: datetime) -> datetime | None:
    """Return from when on changes are to be read; None where everything has to be."""
    last = known.collection
    if last is None or not last.complete or known.as_of is None or known.source != "cloud":
        return None
    lasts = last.gap_count == len(last.gaps) and not any(gap.reason in PASSING_REASONS for gap in last.gaps)
    recent = timedelta() <= now - known.as_of <= CHANGES_AGE
    return known.as_of - CHANGE_MARGIN if lasts and recent and last.related == asked.related else None


def give_up(scan: str, subscription: str, error: CortexError, store: Store) -> Estate:
    """End a collection that cannot go on, and record what could not be read, and why."""
    gap = absence.gap(subscription, "subscription", "*/read", error, store)
    return _end(scan, subscription, MissingResources(gaps=[gap]), store, whole=False)


def _finish(scan: str, at: CollectionProgress, source: CollectionSource, *, until: datetime) -> Estate:
    """End a collection whose pages are all here; what a whole one did not see is confirmed, one by one."""
    subscription, store, inventory = source.subscription, source.store, source.inventory
    whole = at.expected is None or at.read >= at.expected
    found: list[ScanDifference] = []
    if at.mode is ScanMode.VERIFICATION:
        found = comparison.differences(subscription, at, store=store, inventory=inventory)
    missing = _missing(at, source) if whole else []
    absent = MissingResources()
    if missing:
        absent = absence.confirm_missing(missing, store=store, inventory=inventory, until=until + CONFIRM_DURATION)
    return _end(scan, subscription, absent, store, whole=whole, found=found)


def _end(
    scan: str,
    subscription: str,
    absent: MissingResources,
    store: Store,
    *,
    whole: bool,
    found: list[ScanDifference] | None = None,
) -> Estate:
    """End it in one fact with why it is not whole: half of that would let what was not seen pass for gone."""
    differences = found or []

    def decision(known: Estate) -> estate.EstateChange | None:
        at = known.collection
        if at is None or at.scan != scan or at.ended_at is not None:
            return None
        leaving = {
            key: {**row, "gone": True, "changedAt": format_time(store.now())} for key, row in absent.gone.items()
        }
        hidden = {
            key: document(resource, subscription, row, store.now()) for key, (row, resource) in absent.hidden.items()
        }
        farewell = finding.resolved(tuple(leaving), store, reason="the resource is gone")
        gaps = tuple(absent.gaps)
        event = CollectionEnded(
            scan=scan,
            complete=whole and not gaps,
            gone=len(leaving),
            gaps=gaps,
            differences=tuple(differences[:SCAN_DIFFERENCE_ITEMS]),
            difference_count=len(differences),
            alarm_count=sum(each.is_alarm for each in differences),
        )
        return estate.EstateChange(event, {RESOURCE_KIND: {**leaving, **hidden}, finding.KIND: farewell})

    return estate.decide(store, subscription, decision)


def _missing(at: CollectionProgress, source: CollectionSource) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the stored resources that a complete collection did not see."""
    subscription, store, inventory = source.subscription, source.store, source.inventory
    # From the events of this collection, not from the times of documents: clocks may differ, events have an order.
    seen: set[str] = set()
    read: set[str] = set()
    for each in stream.read(estate.STREAM, subscription, store=store, after=at.first):
        if isinstance(each.event, PageCollected) and each.event.scan == at.scan:
            bulk = estate.body_of(store, each.event)
            seen.update(bulk.get("seen", ()))
            read.update(bulk.get("read", ()))
    live = Query(equals={"subscription": subscription, "gone": False})
    others = source.known.others(seen)
    if others is None:
        # Counting is cheap; only where a count says that some are missing are all of them read.
        known = store.documents.count(tenant=store.tenant, kind=RESOURCE_KIND, query=live)[""]
        left = [] if known <= len(seen) else [each for each in resource.stored(live, store) if each[0] not in seen]
    else:
        stored = store.documents.get_many(tenant=store.tenant, kind=RESOURCE_KIND, ids=others) if others else {}
        left = [(key, stored[key].body) for key in others if key in stored and not stored[key].body["gone"]]
    return [(key, row) for key, row in left if at.since is None or not _is_kept(row, seen, read, store, inventory)]


def _is_kept(row: Mapping[str, Any], seen: set[str], read: set[str], store: Store, inventory: Inventory) -> bool:
    """Return whether a resource that is found only under another one was not looked for, as that was not read."""
    identity = row["resourceId"]
    while identity and not inventory.lists(tenant=store.tenant, resource_type=type_of(identity)):
        identity = parent_of(identity) or identity.rpartition("/providers/")[0]
    key = resource_key(identity)
    return identity != row["resourceId"] and key in seen and key not in read
