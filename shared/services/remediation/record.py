"""The records of remediations: a stream for each, a stream for each of its items, and how either is decided on."""

from collections.abc import Sequence

from shared.domain import item as items
from shared.domain import item_event
from shared.domain.error import NotFound, Stale
from shared.domain.item import RemediationItem
from shared.domain.item_event import ItemEvent
from shared.domain.remediation import Remediation, RemediationStatus
from shared.domain.remediation_event import ApplyingStarted, RemediationEvent
from shared.domain.remediation_transition import apply
from shared.eventstore import aggregate, projection
from shared.eventstore.aggregate import Decision
from shared.eventstore.store import Store
from shared.eventstore.stream import Stream
from shared.ports.queue import Queue
from shared.services import message, read_model

STREAM = Stream("remediation", Remediation, RemediationEvent, apply, requester=lambda known: known.requester)
ITEM_STREAM = Stream("remediation-item", RemediationItem, ItemEvent, item_event.apply)
MODEL = read_model.ReadModel(STREAM.name, Remediation)
ITEM_MODEL = read_model.ReadModel(ITEM_STREAM.name, RemediationItem)
QUEUE = "remediation-requests"
DECISION_QUEUE = "remediation-decisions"


def find(remediation_id: str, *, store: Store) -> Remediation:
    """Return the remediation with all its events applied; NotFound."""
    return require(remediation_id, projection.current(STREAM, remediation_id, store=store))


def require(remediation_id: str, known: Remediation | None) -> Remediation:
    """Return a remediation that has to be there; NotFound."""
    if known is None:
        raise NotFound(f"there is no remediation {remediation_id}")
    return known


def decide(remediation_id: str, decision: Decision[Remediation, RemediationEvent], store: Store) -> Remediation:
    """Decide, record and project; Conflict for an event that the remediation's state does not allow."""
    return aggregate.decide(STREAM, remediation_id, decision, store=store)


def find_item(remediation_id: str, number: int, *, store: Store) -> RemediationItem | None:
    """Return an item with all its events applied; None while it is not planned."""
    return projection.current(ITEM_STREAM, items.item_id(remediation_id, number), store=store)


def begin(known: Remediation, store: Store) -> Remediation:
    """Record that the first write is about to be made, when it is."""
    return decide(
        known.id,
        lambda now: (ApplyingStarted(),) if now and now.status == RemediationStatus.APPROVED else (),
        store,
    )


def decide_item(before: RemediationItem, events: Sequence[ItemEvent], store: Store) -> RemediationItem:
    """Record what follows for an item; Stale when another worker was first, who then goes on instead."""

    def decision(now: RemediationItem | None) -> Sequence[ItemEvent]:
        if now is None or now.sequence != before.sequence:
            raise Stale(f"another worker has gone on with item {before.number} of remediation {before.remediation}")
        return events

    return aggregate.decide(ITEM_STREAM, before.id, decision, store=store)


def send(remediation_id: str, *, store: Store, queue: Queue) -> None:
    """Request that the workflow of a remediation is started."""
    queue.send(QUEUE, message.write(store, remediation_id))


def notify(known: Remediation, *, store: Store, queue: Queue) -> Remediation:
    """Notify the workflow that somebody decided, once that is recorded."""
    queue.send(DECISION_QUEUE, message.write(store, known.id))
    return known
