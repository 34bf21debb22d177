"""Projects events into the documents of their things, which can all be made again from the events."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import AwareDatetime, ValidationError

from shared.domain.error import Conflict, InvalidInput, ItemsRejected, UnknownEvent
from shared.domain.event import Event, Recorded
from shared.domain.model import Model
from shared.domain.rebuild import StoppedStream
from shared.eventstore.store import Store
from shared.eventstore.stream import Stream, bodies, event_id, parse, sequence_of

STOPPED_KIND = "stopped"
"""The kind of the documents that tell of streams whose projection waits for code that knows their next event."""
GAP_KIND = "gap"
"""The kind of the documents that tell of events which could not be projected."""
STORED_EVENTS = 500
"""Events after which a thing that is caught up is stored, so that it is not caught up from its start again."""
_LOG = logging.getLogger(__name__)


class ProjectionGap(Model):
    """Tells of a recorded event of a known kind that could not be projected, and why."""

    stream: str
    sequence: int
    type: str
    reason: str
    at: AwareDatetime


def find[T: Model, E: Event](stream: Stream[T, E], thing_id: str, *, store: Store) -> T | None:
    """Read the thing as projected: a cheap point read that may lag behind a projector that died."""
    document = store.documents.get(tenant=store.tenant, kind=stream.document_kind, id=thing_id)
    return stream.model.model_validate(document.body) if document else None


def current[T: Model, E: Event](stream: Stream[T, E], thing_id: str, *, store: Store) -> T | None:
    """Return the thing with all its events applied; its document is caught up when its projector had died.

    UnknownEvent while newer code has recorded what this code does not know: the projection stops there until it does.
    """
    known = find(stream, thing_id, store=store)
    if known is None and stream.initial:
        known = stream.initial(thing_id)
    return catch_up(stream, thing_id, known, source=store, target=store)


def catch_up[T: Model, E: Event](
    stream: Stream[T, E],
    thing_id: str,
    thing: T | None,
    *,
    source: Store,
    target: Store,
    is_enough: Callable[[], bool] = lambda: False,
) -> T | None:
    """Project the events that a thing does not reflect yet, read from one store, into another, until `is_enough`.

    One of a known kind that cannot be projected is recorded as a gap, and the projection goes on after it. At one that
    is not known it stops, which is recorded until it goes on.
    """
    before = stored = sequence_of(thing)
    for body in bodies(stream.of(thing_id), store=source, after=stored):
        try:
            recorded = parse(stream, body)
            thing = stream.attach(stream.apply(thing, recorded), recorded, target)
        except UnknownEvent as error:
            _stop(error, source)
            raise
        except (AssertionError, ValidationError, Conflict, InvalidInput) as error:
            _record_notice(body, error, target)
            # The sequence goes on without the event: a projection must not stop for one that nobody can repair.
            thing = thing and thing.model_copy(update={"sequence": body["sequence"]})
        # A long stream is stored on the way: a process that dies here leaves less to do for the next.
        if thing is not None and sequence_of(thing) - stored >= STORED_EVENTS:
            _store(stream, thing_id, thing, target)
            stored = sequence_of(thing)
            if is_enough():
                break
    if thing is not None and sequence_of(thing) > stored:
        _store(stream, thing_id, thing, target)
    # It has gone on, and so is not stopped any more; a rebuild must not say that of the documents in use.
    if source is target and sequence_of(thing) > before:
        source.documents.delete(tenant=source.tenant, kind=STOPPED_KIND, id=stream.of(thing_id))
    return thing


def project[T: Model, E: Event](
    stream: Stream[T, E], thing_id: str, thing: T | None, events: Iterable[Recorded[E]], *, store: Store
) -> T:
    """Apply events to the thing and store it. Safe to do twice and out of step."""
    for each in events:
        thing = stream.attach(stream.apply(thing, each), each, store)
    assert thing is not None  # events were given
    _store(stream, thing_id, thing, store)
    return thing


def _store[T: Model, E: Event](stream: Stream[T, E], thing_id: str, thing: T, store: Store) -> None:
    """Store a thing, unless what is there is ahead of it.

    A thing that the store refuses is told in the log and still is what its events make of it: it goes on, and only
    the lists lack its latest state.
    """
    kind, items = stream.document_kind, {thing_id: thing.model_dump(mode="json")}
    try:
        store.documents.put_many(tenant=store.tenant, kind=kind, items=items, newer_by="sequence")
    except ItemsRejected as refused:
        _LOG.warning("%s %s cannot be stored: %s", kind, thing_id, refused.message)


def _stop(error: UnknownEvent, store: Store) -> None:
    told = StoppedStream(stream=error.stream, sequence=error.sequence, type=error.type, version=error.version)
    _LOG.error("the projection of %s stops: %s", error.stream, error.message)
    body = told.model_dump(mode="json")
    store.documents.put(tenant=store.tenant, kind=STOPPED_KIND, id=error.stream, body=body)


def _record_notice(body: Any, error: Exception, store: Store) -> None:  # noqa: ANN401 - an event's stored form
    told = ProjectionGap(
        stream=body["stream"],
        sequence=body["sequence"],
        type=body["event"]["type"],
        reason=str(error)[:1000],
        at=body["at"],
    )
    _LOG.error("event %s:%s cannot be projected: %s", told.stream, told.sequence, told.reason)
    store.documents.put(
        tenant=store.tenant, kind=GAP_KIND, id=event_id(told.stream, told.sequence), body=told.model_dump(mode="json")
    )
