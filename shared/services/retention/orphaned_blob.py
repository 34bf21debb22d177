"""Find the blobs that no event names any more, a stream at a time, from the events of that stream."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from itertools import chain

from shared.domain.event import Event, Recorded
from shared.domain.model import Model
from shared.domain.remediation import ACTIVE, Remediation
from shared.domain.remediation_event import (
    ItemsPlanned,
    RemediationEvent,
    RemediationPlanned,
    RemediationRequested,
)
from shared.domain.remediation_transition import apply
from shared.domain.retention import Retention
from shared.eventstore import stream
from shared.eventstore.store import Store
from shared.ports.blobs import BlobEntry
from shared.services.estate import estate
from shared.services.remediation import plan
from shared.services.remediation import record as remediation

type Removable = Callable[[BlobEntry], bool]


def folders(store: Store) -> dict[str, list[str]]:
    """Return the folders of blobs to search, with the streams whose events may name what is in them."""
    found: dict[str, list[str]] = {}
    for name in stream.names(store=store):
        if name.partition(":")[0] in _REMOVABLE:
            kind, _, thing = name.partition(":")
            found.setdefault(f"{kind}/{estate.folder_of(thing)}/", []).append(name)
    return found


def orphaned_in(place: str, streams: Sequence[str], retention: Retention, store: Store) -> list[BlobEntry]:
    """Return the blobs of a folder that can go.

    One that was written within the days of `orphaned_blobs` is kept: the event that names it may not be recorded yet.
    """
    settled = store.now() - timedelta(days=retention.orphaned_blobs)
    # Listed before the events are read: a blob that is named meanwhile is then found named.
    old = [each for each in store.blobs.entries(tenant=store.tenant, prefix=place) if each.written_at < settled]
    if not old:
        return []
    removable = _REMOVABLE[place.partition("/")[0]](streams, retention, store)
    return [each for each in old if removable(each)]


def _of_estate(names: Sequence[str], _retention: Retention, store: Store) -> Removable:
    """Return the rule for bodies of events: those that an event names are kept."""
    named = {each.event.blob for each in _events(estate.STREAM, names, store)}
    return lambda entry: entry.name not in named


def _of_remediation(names: Sequence[str], retention: Retention, store: Store) -> Removable:
    """Return the rule for what an event names, which is kept, and before-images, kept while they can be needed."""
    events = tuple(_events(remediation.STREAM, names, store))
    known = reduce(apply, events, None)
    named = frozenset(chain.from_iterable(map(_blobs, events)))
    # A remediation that is at work may have written blobs whose event is still to come.
    going_on = known is None or known.status in ACTIVE
    expired = known is not None and _is_over(known, retention, store.now())

    def removable(entry: BlobEntry) -> bool:
        if entry.name.rpartition("/")[2].startswith("before-"):
            return expired
        return not going_on and entry.name not in named

    return removable


def _blobs(recorded: Recorded[RemediationEvent]) -> Iterator[str]:
    """Name the blobs that an event of a remediation refers to."""
    event, identity = recorded.event, recorded.thing
    if isinstance(event, RemediationRequested) and event.selection:
        yield event.selection
    if isinstance(event, ItemsPlanned):
        yield from (plan.item_blob(identity, *each) for each in enumerate(event.hashes, start=event.first))
    if isinstance(event, RemediationPlanned):
        yield plan.plan_blob(identity, event.hash)


def _is_over(known: Remediation, retention: Retention, at: datetime) -> bool:
    if known.status in ACTIVE or known.undoable or known.ended_at is None or not retention.before_images:
        return False
    return known.ended_at < at - timedelta(days=retention.before_images)


_REMOVABLE: Mapping[str, Callable[[Sequence[str], Retention, Store], Removable]] = {
    "estate": _of_estate,
    "remediation": _of_remediation,
}


def _events[T: Model, E: Event](kind: stream.Stream[T, E], names: Sequence[str], store: Store) -> Iterator[Recorded[E]]:
    """Yield the events of some streams of one kind of thing."""
    things = (name.partition(":")[2] for name in names)
    return chain.from_iterable(stream.read(kind, thing, store=store) for thing in things)
