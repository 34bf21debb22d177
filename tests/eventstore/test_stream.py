"""Streams: events are recorded once, in order, and read back as the models that this code knows."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.error import Stale, UnknownEvent
from shared.domain.event import Event
from shared.eventstore import aggregate, projection, stream
from shared.eventstore.store import Store
from shared.services.rebuild import STREAMS
from tests.eventstore.conftest import COUNTER, Added, Counter
from tests.fakes.caller import caller


def append(store: Store, thing: str, after: int, *numbers: int) -> None:
    known = Counter(sequence=after)
    prepared = stream.prepare(COUNTER, thing, [Added(by=each) for each in numbers], thing=known, store=store)
    stream.append(prepared, store=store)


def numbers(store: Store, thing: str, after: int = 0) -> list[int]:
    read = stream.read(COUNTER, thing, store=store, after=after)
    return [each.event.by for each in read if isinstance(each.event, Added)]


def write(store: Store, sequence: int, event: dict[str, Any]) -> None:
    """Record an event as other code would."""
    body = {"stream": "counter:c", "sequence": sequence, "at": "2026-03-01T12:00:00Z", "actor": "ada"}
    items = {stream.event_id("counter:c", sequence): {**body, "correlation": "c", "event": event}}
    store.documents.create_all(tenant=store.tenant, kind=stream.KIND, group="counter:c", items=items)


def status(store: Store) -> tuple[int, str, int] | None:
    """What is recorded of the stream's projection while it is stopped."""
    found = store.documents.get(tenant=store.tenant, kind=projection.STOPPED_KIND, id="counter:c")
    return (found.body["sequence"], found.body["type"], found.body["version"]) if found else None


def test_events_are_read_in_the_order_they_were_appended(store: Store) -> None:
    append(store, "a", 0, 1, 2)
    append(store, "a", 2, 3)
    assert numbers(store, "a") == [1, 2, 3]
    assert numbers(store, "a", after=2) == [3]


def test_appending_where_others_were_first_is_stale_and_writes_nothing(store: Store) -> None:
    append(store, "a", 0, 1)
    with pytest.raises(Stale, match="counter:a"):
        append(store, "a", 0, 7, 8)
    assert numbers(store, "a") == [1]


def test_streams_do_not_mix(store: Store) -> None:
    append(store, "a", 0, 1)
    append(store, "ab", 0, 2)
    assert numbers(store, "a") == [1]
    assert list(stream.names(store=store)) == ["counter:a", "counter:ab"]
    assert list(stream.names(store=replace(store, caller=caller(tenant="fabrikam")))) == []


def test_a_long_stream_is_read_whole(store: Store) -> None:
    for start in range(0, 1100, 100):
        append(store, "s", start, *range(start, start + 100))
    assert numbers(store, "s") == list(range(1100))


def test_an_event_of_an_older_version_is_read_as_the_one_in_use(store: Store) -> None:
    write(store, 1, {"type": "added", "version": 1, "amount": 7})
    append(store, "c", 1, 3)
    assert numbers(store, "c") == [7, 3]
    found = projection.current(COUNTER, "c", store=store)
    assert found is not None
    assert found.total == 10


@pytest.mark.parametrize(
    "event", [{"type": "divided", "version": 1, "by": 2}, {"type": "added", "version": 3, "by": {"two": 2}}]
)
def test_an_event_of_newer_code_stops_its_stream_until_code_knows_it(store: Store, event: dict[str, Any]) -> None:
    append(store, "c", 0, 5)
    write(store, 2, event)
    append(store, "c", 2, 1)
    with pytest.raises(UnknownEvent, match="event 2 of counter:c") as raised:
        projection.current(COUNTER, "c", store=store)
    assert raised.value.retry_after > 0
    with pytest.raises(UnknownEvent):
        aggregate.decide(COUNTER, "c", lambda _: [Added(by=1)], store=store)
    assert len(list(stream.bodies("counter:c", store=store))) == 3, "nothing was recorded upon what is not known"
    assert status(store) == (2, event["type"], event["version"])
    append(store, "other", 0, 1)
    assert projection.current(COUNTER, "other", store=store) is not None, "another stream goes on"
    known = replace(COUNTER, upcasters={(event["type"], event["version"]): lambda _: {**Added(by=2).model_dump()}})
    found = projection.current(known, "c", store=store)
    assert found is not None
    assert found.total == 8
    assert status(store) is None, "it goes on"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "added", "version": 2, "by": "many"}, "valid integer"),
        ({"type": "added", "version": 2, "by": -1}, "only grows"),
    ],
)
def test_a_known_event_that_cannot_be_projected_is_a_gap_and_the_stream_goes_on(
    store: Store, event: dict[str, Any], reason: str
) -> None:
    append(store, "c", 0, 5)
    write(store, 2, event)
    append(store, "c", 2, 1)
    found = projection.current(COUNTER, "c", store=store)
    assert found is not None
    assert (found.total, found.sequence) == (6, 3)
    gap = store.documents.get(tenant=store.tenant, kind=projection.GAP_KIND, id=stream.event_id("counter:c", 2))
    assert gap is not None
    assert reason in gap.body["reason"]
    assert aggregate.decide(COUNTER, "c", lambda _: [Added(by=1)], store=store).total == 7


KINDS = [kind for each in STREAMS.values() for kind in stream.kinds_of(each.events)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_event_is_frozen_and_says_its_type_and_version(kind: type[Event]) -> None:
    fields = kind.model_fields
    assert fields["type"].default == kind.__name__[0].lower() + kind.__name__[1:]
    assert fields["version"].default >= 1
    with pytest.raises(ValidationError, match="frozen"):
        kind.model_construct().type = "another"


@pytest.mark.parametrize("name", STREAMS)
def test_every_version_below_the_one_in_use_has_an_upcaster(name: str) -> None:
    known = STREAMS[name]
    latest = {
        each.model_fields["type"].default: each.model_fields["version"].default
        for each in stream.kinds_of(known.events)
    }
    needed = {(kind, version) for kind, last in latest.items() for version in range(1, last)}
    assert known.upcasters.keys() >= needed
