import pytest

from shared.domain.error import Stale
from shared.domain.event import Actor, Fact
from shared.services import stream
from shared.services.estate import Store

ACTOR = Actor(name="ada", correlation="c1")


def append(store: Store, name: str, after: int, *types: str) -> list[str]:
    facts = [Fact(type=each, data={"n": index}) for index, each in enumerate(types)]
    events = stream.append(
        facts, documents=store.documents, now=store.now, tenant=store.tenant, stream=name, after=after, actor=ACTOR
    )
    return [event.type for event in events]


def types(store: Store, name: str, after: int = 0) -> list[str]:
    return [each.type for each in stream.read(documents=store.documents, tenant=store.tenant, stream=name, after=after)]


def test_events_are_read_in_the_order_they_were_appended(store: Store) -> None:
    append(store, "scan:a", 0, "one", "two")
    append(store, "scan:a", 2, "three")
    assert types(store, "scan:a") == ["one", "two", "three"]
    assert types(store, "scan:a", after=2) == ["three"]


def test_appending_where_others_were_first_is_stale_and_writes_nothing(store: Store) -> None:
    append(store, "scan:a", 0, "one")
    with pytest.raises(Stale, match="scan:a"):
        append(store, "scan:a", 0, "other", "another")
    assert types(store, "scan:a") == ["one"]


def test_streams_do_not_mix(store: Store) -> None:
    append(store, "scan:a", 0, "one")
    append(store, "scan:ab", 0, "two")
    assert types(store, "scan:a") == ["one"]
    assert list(stream.streams(documents=store.documents, tenant=store.tenant)) == ["scan:a", "scan:ab"]
    assert list(stream.streams(documents=store.documents, tenant="fabrikam")) == []


def test_a_long_stream_is_read_whole(store: Store) -> None:
    for start in range(0, 1100, 100):
        append(store, "estate:s", start, *(str(number) for number in range(start, start + 100)))
    assert types(store, "estate:s") == [str(number) for number in range(1100)]
