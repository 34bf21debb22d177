"""Append facts to the stream of the thing they change, and read them back."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from shared.domain.error import AlreadyExists, Stale
from shared.domain.event import Actor, Event, Fact
from shared.ports.clock import Now
from shared.ports.documents import Documents

KIND = "event"


def event_id(stream: str, sequence: int) -> str:
    """The id of an event's document: it sorts by sequence within its stream."""
    return f"{stream}:{sequence:010d}"


def prepare(facts: Sequence[Fact], *, stream: str, after: int, at: datetime, actor: Actor) -> list[Event]:
    """Facts as the events that would follow sequence `after`; nothing is recorded."""
    return [
        Event(
            stream=stream,
            sequence=after + index,
            type=fact.type,
            at=at,
            actor=actor.name,
            correlation=actor.correlation,
            data=fact.data,
        )
        for index, fact in enumerate(facts, start=1)
    ]


def append(
    facts: Sequence[Fact], *, documents: Documents, now: Now, tenant: str, stream: str, after: int, actor: Actor
) -> list[Event]:
    """Record facts as the events that follow sequence `after`; Stale when others were recorded first."""
    events = prepare(facts, stream=stream, after=after, at=now(), actor=actor)
    items = {event_id(stream, event.sequence): event.model_dump(mode="json") for event in events}
    try:
        documents.create_all(tenant=tenant, kind=KIND, group=stream, items=items)
    except AlreadyExists as error:
        raise Stale(f"{stream} has moved on past sequence {after}: read it again and decide again") from error
    return events


def read(*, documents: Documents, tenant: str, stream: str, after: int = 0) -> Iterator[Event]:
    """The events of a stream after sequence `after`, in order."""
    cursor = event_id(stream, after) if after else ""
    while True:
        found = documents.get_group(tenant=tenant, kind=KIND, group=stream, after=cursor, limit=500)
        for document in found:
            yield Event.model_validate(document.body)
        if len(found) < 500:  # noqa: PLR2004 - the page size above
            return
        cursor = found[-1].id


def streams(*, documents: Documents, tenant: str) -> Sequence[str]:
    """The names of all streams of a tenant, sorted."""
    return documents.groups(tenant=tenant, kind=KIND)
