"""Streams: the events of one thing, appended in order and read back as the models that this code knows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAliasType, get_args

from pydantic import TypeAdapter

from shared.domain.canonical import canonicalize
from shared.domain.error import AlreadyExists, Stale, UnknownEvent
from shared.domain.event import Event, Recorded
from shared.domain.identity import SYSTEM_SUBJECT
from shared.domain.model import Model
from shared.eventstore import tenant as registry
from shared.eventstore.store import Store

KIND = "event"
PAGE_EVENTS = 500

type Upcaster = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Makes of an event, as recorded in one version, what the next version would have recorded."""


def _unchanged[T](thing: T, _recorded: object, _store: Store) -> T:
    return thing


@dataclass(frozen=True, slots=True)
class Stream[T: Model, E: Event]:
    """Describes the streams of one kind of thing.

    Args:
        name: starts the names of its streams, and is the kind of its documents where `kind` names no other.
        model: what its events make.
        events: the union of its events, discriminated by `type`.
        apply: the thing after an event; Conflict when the event is not allowed.
        upcasters: for each (type, version) that is not written any more, what makes the next version of it.
        initial: the thing before its first event, where there is such a thing.
        requester: who asked for the thing; what the system does to it is done on their behalf.
        attach: stores the other documents that an event carries; the thing, with what could not be stored.
    """

    name: str
    model: type[T]
    events: Any
    apply: Callable[[T | None, Recorded[E]], T]
    kind: str = ""
    upcasters: Mapping[tuple[str, int], Upcaster] = field(default_factory=dict)
    initial: Callable[[str], T] | None = None
    requester: Callable[[T], str] | None = None
    attach: Callable[[T, Recorded[E], Store], T] = _unchanged

    @property
    def document_kind(self) -> str:
        """Return the kind of the documents that its things are stored as."""
        return self.kind or self.name

    def of(self, thing_id: str) -> str:
        """Return the name of a thing's stream."""
        return f"{self.name}:{thing_id}"


def event_id(stream: str, sequence: int) -> str:
    """Return the id of an event's document: it sorts by sequence within its stream."""
    return f"{stream}:{sequence:010d}"


def prepare[T: Model, E: Event](
    stream: Stream[T, E], thing_id: str, events: Sequence[E], *, thing: T | None, store: Store
) -> list[Recorded[E]]:
    """Return events as they would be recorded after the last one that the thing reflects; nothing is recorded."""
    actor, at, after = store.actor, store.now(), sequence_of(thing)
    # What the system does is done on behalf of whoever asked for the thing; who acts in person acts for nobody else.
    asked_by = (
        stream.requester(thing)
        if stream.requester and thing is not None and actor.name == SYSTEM_SUBJECT
        else SYSTEM_SUBJECT
    )
    return [
        Recorded(
            stream=stream.of(thing_id),
            sequence=after + index,
            at=at,
            actor=actor.name,
            on_behalf_of=actor.on_behalf_of or (asked_by if asked_by != SYSTEM_SUBJECT else None),
            reason=actor.reason,
            correlation=actor.correlation,
            causation=actor.causation,
            event=event,
        )
        for index, event in enumerate(events, start=1)
    ]


def append[E: Event](recorded: Sequence[Recorded[E]], *, store: Store) -> None:
    """Record prepared events of one stream, all or none; Stale when others were recorded first."""
    name, first = recorded[0].stream, recorded[0].sequence
    items = {event_id(name, each.sequence): each.model_dump(mode="json") for each in recorded}
    # Before the first event, so that no tenant has events that the timers never look at.
    registry.register(store.tenant, documents=store.documents)
    try:
        store.documents.create_all(tenant=store.tenant, kind=KIND, group=name, items=items)
    except AlreadyExists as error:
        raise Stale(f"{name} has moved on past sequence {first - 1}: read it again and decide again") from error


def read[T: Model, E: Event](
    stream: Stream[T, E], thing_id: str, *, store: Store, after: int = 0
) -> Iterator[Recorded[E]]:
    """Read the events of a thing after sequence `after`, in order; UnknownEvent at the first that is not known."""
    return (parse(stream, body) for body in bodies(stream.of(thing_id), store=store, after=after))


def bodies(name: str, *, store: Store, after: int = 0) -> Iterator[Mapping[str, Any]]:
    """Read the events of a stream as they were recorded, a page at a time."""
    cursor = event_id(name, after) if after else ""
    while True:
        found = store.documents.get_group(tenant=store.tenant, kind=KIND, group=name, after=cursor, limit=PAGE_EVENTS)
        for document in found:
            yield document.body
        # A short page is the last one; asking again would only find it empty.
        if len(found) < PAGE_EVENTS:
            return
        cursor = found[-1].id


def canonical_bodies(name: str, *, store: Store, after: int = 0) -> Iterator[bytes]:
    """Read the canonical bytes of the events of a stream as they were recorded: what a signature is of.

    Of the body in the store, never of the model read from it, which an upcaster or a newer model may have changed.
    """
    return map(canonicalize, bodies(name, store=store, after=after))


def parse[T: Model, E: Event](stream: Stream[T, E], body: Mapping[str, Any]) -> Recorded[E]:
    """Make a recorded event of its stored form, brought up to the version that this code knows.

    Raises:
        UnknownEvent: other code, newer than this, has recorded it.
        ValidationError: it is known, and says what no such event can say.
    """
    event = body["event"]
    # One version at a time: an old event passes through every version that came after it.
    while upcaster := stream.upcasters.get((event["type"], event["version"])):
        event = upcaster(event)
    if _versions(stream.events).get(event["type"]) != event["version"]:
        raise UnknownEvent(body["stream"], body["sequence"], event["type"], event["version"])
    return Recorded.model_validate({**body, "event": _adapter(stream.events).validate_python(event)})


def names(*, store: Store) -> Sequence[str]:
    """Return the names of all streams of a tenant, sorted."""
    return store.documents.groups(tenant=store.tenant, kind=KIND)


def sequence_of(thing: Model | None) -> int:
    """Return the sequence that a projected thing reflects; 0 for none."""
    return int(getattr(thing, "sequence", 0)) if thing is not None else 0


def kinds_of(events: Any) -> tuple[type[Event], ...]:  # noqa: ANN401 - a union, which is no type of its own
    """Return the kinds of events in a union."""
    if isinstance(events, type):
        return (events,)
    if isinstance(events, TypeAliasType):
        return kinds_of(events.__value__)
    return tuple(
        kind for each in get_args(events)[: 1 if hasattr(events, "__metadata__") else None] for kind in kinds_of(each)
    )


@cache
def _versions(events: Any) -> Mapping[str, int]:  # noqa: ANN401 - as above
    return {kind.model_fields["type"].default: kind.model_fields["version"].default for kind in kinds_of(events)}


@cache
def _adapter(events: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - as above
    return TypeAdapter(events)
