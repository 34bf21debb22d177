"""What a collection reads next: a page of all there is, or of what is new, has changed or is due.

An incremental collection reads the containers, then walks the ids of all resources, which cost little, and reads those
that are not stored; then it walks the changes since the last complete collection, and reads what they name. Of what
changes do not tell, such as children, each resource has a moment of its own in every `related_days`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.arm_id import parent_of, type_of
from shared.domain.estate import CollectionPhase, CollectionProgress
from shared.domain.finding import resource_key
from shared.domain.scan_difference import ScanMode
from shared.eventstore.store import Store
from shared.ports.inventory import CHANGE_DELAY, Inventory, InventoryPage, RelatedTypes
from shared.services.estate import resource
from shared.services.estate.previous_judgement import PreviousJudgement

CHANGE_MARGIN = 3 * CHANGE_DELAY
"""How far before a collection changes count as not seen by it: what it read was told late, or on another clock."""
NAMED_RESOURCES = 500
"""Resources that are read by their ids at once: as many as a page has."""
SMALL_RESOURCES = 250
"""Resources in a page that is recorded together with the next."""
SMALL_SEEN = 5000
"""The same for those that were seen, and not read."""
_KEY_RANGE = 16**8


@dataclass(frozen=True, slots=True)
class CollectedPage:
    """What was read at a checkpoint, and where the collection goes on.

    `seen` has the keys of stored resources that are there and were not read, `count` how many resources are known to
    be there by this page, `total` how many there are in all, where this page tells.
    """

    page: InventoryPage
    phase: CollectionPhase
    cursor: str | None = None
    after: str | None = None
    seen: tuple[str, ...] = ()
    count: int = 0
    total: int | None = None

    @property
    def is_small(self) -> bool:
        """Return whether so little was read that it can be kept with the page that follows."""
        goes_on = self.phase is CollectionPhase.IDS or self.phase is CollectionPhase.CHANGES
        return goes_on and len(self.page.resources) <= SMALL_RESOURCES and len(self.seen) <= SMALL_SEEN

    def then(self, other: "CollectedPage") -> "CollectedPage":
        """Return this page and the one that follows it as one."""
        last = {each.id.lower(): each for each in (*self.page.resources, *other.page.resources)}
        gaps, calls = (*self.page.gaps, *other.page.gaps), self.page.calls + other.page.calls
        return replace(
            other,
            page=replace(other.page, resources=tuple(last.values()), gaps=gaps, calls=calls),
            seen=(*self.seen, *other.seen),
            count=self.count + other.count,
            total=self.total if other.total is None else other.total,
        )

    def progress(self, at: CollectionProgress) -> CollectionProgress:
        """Return the progress of a collection after it."""
        return at.after_page(
            self.phase, self.cursor, self.after, calls=self.page.calls, read=self.count, total=self.total
        )


@dataclass(frozen=True, slots=True)
class CollectionSource:
    """Where the pages of a subscription come from.

    `wanted` is what is read with each resource, `known` what the last judgement came to.
    """

    subscription: str
    store: Store
    inventory: Inventory
    wanted: RelatedTypes
    related_period: timedelta
    known: PreviousJudgement


def read(at: CollectionProgress, source: CollectionSource) -> CollectedPage:
    """Read what comes next in a collection.

    Throttled and Unavailable pass through, as do the errors that end a collection.
    """
    return _READERS[at.phase](at, source)


def is_due(key: str, last: datetime, now: datetime, period: timedelta) -> bool:
    """Return whether the moment of a resource, which comes once in each period, lies after `last` and up to `now`.

    The moments follow from the keys, which are digests: they are spread evenly, and nothing has to be stored.
    """
    moment = int(key[:8], 16) / _KEY_RANGE
    return int(now.timestamp() / period.total_seconds() - moment) > int(
        last.timestamp() / period.total_seconds() - moment
    )


def lineage(resource_id: str) -> Iterator[str]:
    """Yield the keys of a resource, and of those that it belongs to."""
    target: str | None = resource_id
    while target:
        yield resource_key(target)
        target = parent_of(target)


def _all(at: CollectionProgress, source: CollectionSource) -> CollectedPage:
    page = source.inventory.page(
        tenant=source.store.tenant, subscription=source.subscription, wanted=source.wanted, cursor=at.cursor
    )
    phase = CollectionPhase.DONE if page.cursor is None else CollectionPhase.ALL
    if at.mode is ScanMode.VERIFICATION:  # its ids have been counted
        return CollectedPage(page, phase, page.cursor)
    return CollectedPage(page, phase, page.cursor, count=len(page.resources), total=page.total)


def _containers(at: CollectionProgress, source: CollectionSource) -> CollectedPage:
    page = source.inventory.containers(
        tenant=source.store.tenant, subscription=source.subscription, wanted=source.wanted, cursor=at.cursor
    )
    phase = CollectionPhase.IDS if page.cursor is None else CollectionPhase.CONTAINERS
    return CollectedPage(page, phase, page.cursor, count=len(page.resources))


def _ids(at: CollectionProgress, source: CollectionSource) -> CollectedPage:
    listed = source.inventory.ids(
        tenant=source.store.tenant, subscription=source.subscription, wanted=source.wanted, cursor=at.cursor
    )
    keys = {resource_key(each): each for each in listed.ids}
    # To read the bodies of all resources only to learn that they are stored would cost more than all else here.
    settled = source.known.settled(keys)
    unsure = [key for key in keys if key not in settled]
    found = source.store.documents.get_many(tenant=source.store.tenant, kind=resource.KIND, ids=unsure)
    stored = settled | {key for key, each in found.items() if not each.body["gone"]}
    assert at.since is not None  # only what has been collected before is walked by its ids
    last, now, period = at.since + CHANGE_MARGIN, at.started_at, source.related_period
    again = {parent for each in at.again for parent in lineage(each)}
    again |= {key for key, each in found.items() if each.body.get("unsettled")}
    wanted = [
        each
        for key, each in keys.items()
        if key not in stored or key in again or (each in listed.untold and is_due(key, last, now, period))
    ]
    first = at.cursor is None and at.after is None
    done = CollectedPage(
        InventoryPage((), None, None, listed.gaps),
        CollectionPhase.IDS if listed.cursor else CollectionPhase.CHANGES,
        listed.cursor,
        seen=tuple(stored),
        count=len(keys),
    )
    page = _named(wanted, done, at, source)
    return replace(page, total=at.read + listed.total) if first and listed.total is not None else page


def _changes(at: CollectionProgress, source: CollectionSource) -> CollectedPage:
    assert at.since is not None  # as above
    told = source.inventory.changed(
        tenant=source.store.tenant, subscription=source.subscription, since=at.since, cursor=at.cursor
    )
    last = CollectionPhase.ALL if at.mode is ScanMode.VERIFICATION else CollectionPhase.DONE
    done = CollectedPage(
        InventoryPage((), None, None, told.gaps), CollectionPhase.CHANGES if told.cursor else last, told.cursor
    )
    return _named(_with_owners(told.ids, source.wanted), done, at, source)


def _with_owners(ids: Iterable[str], wanted: RelatedTypes) -> list[str]:
    """Return the ids, and those of the resources that are judged with one of them: its list may have changed too."""
    found = list(ids)
    for each in ids:
        owner = parent_of(each)
        if owner and type_of(each).lower() in wanted.get(type_of(owner).lower(), ()):
            found.append(owner)
    return found


def _named(
    wanted: Iterable[str], done: CollectedPage, at: CollectionProgress, source: CollectionSource
) -> CollectedPage:
    """Read resources by their ids, from where the last page was cut short; `done` is the page when all are read."""
    after = at.after or ""
    waiting = sorted(each for each in {name.lower() for name in wanted} if each > after)
    some: Sequence[str] = waiting[:NAMED_RESOURCES]
    if not some:
        return done
    page = source.inventory.rows(
        tenant=source.store.tenant, subscription=source.subscription, ids=some, wanted=source.wanted
    )
    page = replace(page, gaps=(*page.gaps, *done.page.gaps))
    if page.cursor is None and len(some) == len(waiting):
        return replace(done, page=page)
    # The same page of ids is asked for again, and what comes after this one is read.
    return CollectedPage(page, at.phase, at.cursor, after=(page.cursor or some[-1]).lower())


_READERS: Mapping[CollectionPhase, Callable[[CollectionProgress, CollectionSource], CollectedPage]] = {
    CollectionPhase.ALL: _all,
    CollectionPhase.CONTAINERS: _containers,
    CollectionPhase.IDS: _ids,
    CollectionPhase.CHANGES: _changes,
}
