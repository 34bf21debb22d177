"""How an event is changed: an example to copy. What version 1 recorded is read, decided on and rebuilt as version 2.

A door's events once told its angle as `turned`; now they say `degrees`, and which way. To change a real event:

1. Change its model, and raise the literal: `version: Literal[2] = 2`. The version before has no model any more.
2. Write an upcaster beside the stream: it makes of a body of version 1 what version 2 would have recorded.
3. Enter it in the stream: `Stream(…, upcasters={("doorTurned", 1): from_turned})`. A test asks for every missing one.
4. Keep a body as version 1 recorded it in a test, and look at what is made of it, as below.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from shared.domain.canonical import canonicalize
from shared.domain.event import Event, Recorded
from shared.domain.model import Model
from shared.eventstore import aggregate, projection, stream
from shared.eventstore.store import Store
from shared.eventstore.stream import Stream

FIRST = {
    "stream": "door:d",
    "sequence": 1,
    "at": datetime(2026, 3, 1, tzinfo=UTC).isoformat(),
    "actor": "ada",
    "correlation": "c",
    "event": {"type": "doorTurned", "version": 1, "turned": -30},
}
"""An event as version 1 recorded it."""


class Door(Model):
    """A door, as its events make it."""

    angle: int = 0
    sequence: int = 0


class DoorTurned(Event):
    """The door was turned."""

    type: Literal["doorTurned"] = "doorTurned"
    version: Literal[2] = 2
    degrees: int
    to_the: Literal["left", "right"]


def from_turned(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Make version 2 of version 1, which had `turned`, negative to the left."""
    to_the = "left" if event["turned"] < 0 else "right"
    return {"type": "doorTurned", "version": 2, "degrees": abs(event["turned"]), "toThe": to_the}


def apply(door: Door | None, recorded: Recorded[DoorTurned]) -> Door:
    """Answer the door after an event: it knows the latest version alone."""
    turned = recorded.event.degrees if recorded.event.to_the == "right" else -recorded.event.degrees
    return Door(angle=(door.angle if door else 0) + turned, sequence=recorded.sequence)


DOOR = Stream("door", Door, DoorTurned, apply, upcasters={("doorTurned", 1): from_turned})


def recorded_by_version_1(store: Store) -> None:
    items = {stream.event_id("door:d", 1): FIRST}
    store.documents.create_all(tenant=store.tenant, kind=stream.KIND, group="door:d", items=items)


def test_what_version_1_recorded_is_read_as_version_2(store: Store) -> None:
    recorded_by_version_1(store)
    (read,) = stream.read(DOOR, "d", store=store)
    assert read.event == DoorTurned(degrees=30, to_the="left")
    assert next(stream.bodies("door:d", store=store)) == FIRST, "what is recorded stays as it is"


def test_what_is_signed_is_what_version_1_recorded(store: Store) -> None:
    recorded_by_version_1(store)
    aggregate.decide(DOOR, "d", lambda _: [DoorTurned(degrees=45, to_the="right")], store=store)
    first, second = stream.canonical_bodies("door:d", store=store)
    assert first == (
        b'{"actor":"ada","at":"2026-03-01T00:00:00+00:00","correlation":"c",'
        b'"event":{"turned":-30,"type":"doorTurned","version":1},"sequence":1,"stream":"door:d"}'
    )
    (read,) = stream.read(DOOR, "d", store=store, after=1)
    assert second == canonicalize(read.model_dump(mode="json")), "of the version that is written, both are the same"
    assert list(stream.canonical_bodies("door:d", store=store, after=1)) == [second]


def test_both_versions_project_to_the_same_document(store: Store) -> None:
    recorded_by_version_1(store)
    turned = aggregate.decide(DOOR, "d", lambda _: [DoorTurned(degrees=45, to_the="right")], store=store)
    assert turned == Door(angle=15, sequence=2)
    store.documents.delete(tenant=store.tenant, kind="door", id="d")
    assert projection.current(DOOR, "d", store=store) == turned, "it can be made again from the events"
