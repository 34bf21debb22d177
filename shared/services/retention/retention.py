"""Remove what has been kept long enough: documents that follow from events, and blobs that no event names.

What a run is about to remove is recorded before, and what it removed after. Nothing is removed that was written again
since it was found. Events are never removed: a rebuild brings documents back, and the next run removes them.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, islice

from pydantic import ValidationError

from shared.domain.error import CortexError, Stale, Throttled, Unavailable
from shared.domain.retention import RemovalEnded, RemovalRun, RemovalStarted, Retention, RetentionEvent, apply
from shared.eventstore import aggregate, projection
from shared.eventstore.store import Store
from shared.eventstore.stream import Stream, sequence_of
from shared.ports.blobs import BlobEntry
from shared.ports.queue import Queue
from shared.services import message
from shared.services.retention import orphaned_blob
from shared.services.retention.expiry import RETENTION_RULES, ExpiredDocument

STREAM = Stream("retention", RemovalRun, RetentionEvent, apply)
QUEUE = "retention-requests"
CURRENT_ID = "current"
BLOB_KIND = "blob"
RUN_ITEMS = 2000
"""Documents, and blobs, that one run removes."""
STEP_DURATION = timedelta(seconds=60)
"""How long one run searches; far below the five minutes that a consumption plan allows."""
LEASE_DURATION = timedelta(minutes=10)
"""After so long without an end, a run is taken for dead."""

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Removal:
    """The removals of a run, and where the next one continues to search; `more` is whether there is a next."""

    documents: list[ExpiredDocument] = field(default_factory=list)
    blobs: list[BlobEntry] = field(default_factory=list)
    position: str = ""
    more: bool = False

    def counts(self) -> dict[str, int]:
        """Return how many there are of each kind."""
        found = Counter(each.kind for each in self.documents)
        found.update({BLOB_KIND: len(self.blobs)} if self.blobs else {})
        return dict(found)


def request(*, store: Store, queue: Queue) -> None:
    """Request a run for the store's tenant."""
    queue.send(QUEUE, message.write(store, CURRENT_ID))


def run(*, store: Store, retention: Retention, queue: Queue) -> RemovalRun | None:
    """Remove for a while, and request another run while more is left; None when there was nothing to do.

    While another run is active, this one does nothing.
    """
    until = store.now() + STEP_DURATION
    before = projection.current(STREAM, CURRENT_ID, store=store)
    position = before.position if before else ""
    found = _look(position, store, retention, until)
    # Nothing is recorded for a run without work: an idle installation adds no events.
    if not found.documents and not found.blobs and found.position == position:
        return None
    if not _begin(found, before, store):
        return None
    removed, more = _remove(found, store)
    ended = aggregate.decide(
        STREAM, CURRENT_ID, lambda _known: (RemovalEnded(removed=removed, position=found.position),), store=store
    )
    if more:
        request(store=store, queue=queue)
    return ended


def _look(position: str, store: Store, retention: Retention, until: datetime) -> Removal:
    """Find documents first, then folders of blobs after `position`, until there is enough or the time is up."""
    aged = chain.from_iterable(rule.aged(retention, store) for rule in RETENTION_RULES)
    found = Removal(documents=list(islice(aged, RUN_ITEMS)), position=position)
    found.more = len(found.documents) == RUN_ITEMS
    if found.more:
        return found
    places = orphaned_blob.folders(store)
    for place in sorted(each for each in places if each > position):
        found.blobs += _orphaned_blobs(place, places[place], store, retention)
        found.position = place
        if len(found.blobs) >= RUN_ITEMS or store.now() >= until:
            found.more = True
            return found
    found.position = ""
    return found


def _orphaned_blobs(place: str, streams: Sequence[str], store: Store, retention: Retention) -> list[BlobEntry]:
    """Return the blobs of a folder that can be removed; none, and log why, when its events cannot be read."""
    try:
        return orphaned_blob.orphaned_in(place, streams, retention, store)
    except (Throttled, Unavailable):
        raise
    except (CortexError, ValidationError, KeyError) as error:
        _LOG.warning("the blobs in %s are kept, because their events cannot be read: %s", place, error)
        return []


def _begin(found: Removal, before: RemovalRun | None, store: Store) -> bool:
    """Record what is about to be removed; return False when another run has begun since, or is active."""
    ours = False

    def decision(known: RemovalRun | None) -> Sequence[RetentionEvent]:
        nonlocal ours
        # What was found may be gone or newer by now: only the run that saw the latest state goes on.
        moved = sequence_of(known) != sequence_of(before)
        at_it = known is not None and known.ended_at is None and store.now() < known.started_at + LEASE_DURATION
        ours = not moved and not at_it
        return (RemovalStarted(planned=found.counts()),) if ours else ()

    aggregate.decide(STREAM, CURRENT_ID, decision, store=store)
    return ours


def _remove(found: Removal, store: Store) -> tuple[Mapping[str, int], bool]:
    """Remove it; return how many of each kind, and whether there is more. A busy store ends it early."""
    removed: Counter[str] = Counter()
    everything: list[ExpiredDocument | BlobEntry] = [*found.documents, *found.blobs]
    for each in everything:
        try:
            if isinstance(each, ExpiredDocument):
                store.documents.delete(tenant=store.tenant, kind=each.kind, id=each.id, if_match=each.etag)
                removed[each.kind] += 1
            else:
                store.blobs.delete(tenant=store.tenant, name=each.name, version=each.version)
                removed[BLOB_KIND] += 1
        except Stale:
            continue  # written again since it was found, and so kept
        except (Throttled, Unavailable) as error:
            _LOG.warning("the removal is continued later: %s", error)
            return dict(removed), False
    return dict(removed), found.more
