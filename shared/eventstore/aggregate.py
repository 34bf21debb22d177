"""Decides what happens to a thing: look at it as it is, record the events that follow, project them."""

from collections.abc import Callable, Sequence

from shared.domain.error import NotFound, Stale, TooLarge
from shared.domain.event import Event, Recorded
from shared.domain.model import DOCUMENT_BYTES, Model
from shared.eventstore import stream as streams
from shared.eventstore.projection import current, project
from shared.eventstore.store import Store
from shared.eventstore.stream import Stream

WRITE_ATTEMPTS = 20

type Decision[T: Model, E: Event] = Callable[[T | None], Sequence[E]]
"""Looks at a thing as it is now and returns the events that follow."""


def decide[T: Model, E: Event](stream: Stream[T, E], thing_id: str, decision: Decision[T, E], *, store: Store) -> T:
    """Let `decision` look at the thing, record the events it returns and project them; again when others were first.

    A decision that returns no events leaves the thing as it is. NotFound when there is nothing and nothing comes;
    what the stream's `apply` raises for an event that is not allowed, Conflict say, and TooLarge when the thing would
    be larger than a store keeps, before anything is recorded.
    """
    # Optimistic locking: whoever loses looks at the thing again and decides again, on what is there now.
    for _ in range(WRITE_ATTEMPTS):
        thing = current(stream, thing_id, store=store)
        events = decision(thing)
        if not events:
            if thing is None:
                raise NotFound(f"there is no {stream.name} {thing_id}")
            return thing
        recorded = streams.prepare(stream, thing_id, events, thing=thing, store=store)
        # Applied once before it is recorded: what is recorded can never be taken back.
        _rehearse(stream, thing, recorded)
        try:
            streams.append(recorded, store=store)
        except Stale:
            continue
        return project(stream, thing_id, thing, recorded, store=store)
    raise Stale(f"{stream.name} {thing_id} kept changing; try again")


def _rehearse[T: Model, E: Event](stream: Stream[T, E], thing: T | None, events: Sequence[Recorded[E]]) -> None:
    """Apply events that are not recorded yet: a stream must never hold one that its thing, or a store, cannot take."""
    for event in events:
        thing = stream.apply(thing, event)
    assert thing is not None  # events were given
    size = len(thing.model_dump_json())
    if size > DOCUMENT_BYTES:
        raise TooLarge(f"the {stream.name} would have {size:,} bytes, and {DOCUMENT_BYTES:,} are kept")
