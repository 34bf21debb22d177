from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.domain.error import NotFound
from shared.domain.event import Actor, Event, Fact
from shared.domain.model import Model
from shared.services import record, stream
from shared.services.estate import Store


class Counter(Model):
    total: int = 0
    sequence: int = 0


def apply(counter: Counter | None, event: Event) -> Counter:
    before = counter or Counter()
    return Counter(total=before.total + event.data["by"], sequence=event.sequence)


KIND = record.Kind("counter", Counter, apply)
ACTOR = Actor(name="ada", correlation="c1")


def decide(store: Store, decision: record.Decision[Counter]) -> Counter:
    return record.decide(
        KIND, "c", decision, documents=store.documents, now=store.now, tenant=store.tenant, actor=ACTOR
    )


def add(by: int) -> record.Decision[Counter]:
    return lambda _counter: [Fact(type="added", data={"by": by})]


def test_a_decision_is_recorded_and_projected(store: Store) -> None:
    assert decide(store, add(2)).total == 2
    assert decide(store, add(3)) == Counter(total=5, sequence=2)
    assert record.find(KIND, "c", documents=store.documents, tenant=store.tenant) == Counter(total=5, sequence=2)


def test_a_decision_that_records_nothing_leaves_the_thing(store: Store) -> None:
    decide(store, add(2))
    assert decide(store, lambda _counter: []).sequence == 1
    with pytest.raises(NotFound, match="counter c"):
        record.decide(
            KIND, "c", lambda _c: [], documents=store.documents, now=store.now, tenant="fabrikam", actor=ACTOR
        )


def test_a_projector_that_died_is_caught_up(store: Store) -> None:
    decide(store, add(2))
    stream.append(
        [Fact(type="added", data={"by": 40})],
        documents=store.documents,
        now=store.now,
        tenant=store.tenant,
        stream="counter:c",
        after=1,
        actor=ACTOR,
    )
    lagging = record.find(KIND, "c", documents=store.documents, tenant=store.tenant)
    assert lagging is not None
    assert lagging.total == 2
    assert record.current(KIND, "c", documents=store.documents, tenant=store.tenant) == Counter(total=42, sequence=2)


def test_two_who_decide_at_once_both_count(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: decide(store, add(1)), range(24)))
    assert record.current(KIND, "c", documents=store.documents, tenant=store.tenant) == Counter(total=24, sequence=24)


def test_a_lagging_projector_does_not_overwrite_one_that_is_ahead(store: Store) -> None:
    events: Sequence[Event] = [
        Event.model_validate(
            {
                "stream": "counter:c",
                "sequence": n,
                "type": "added",
                "at": store.now(),
                "actor": "ada",
                "correlation": "c",
                "data": {"by": n},
            }
        )
        for n in (1, 2)
    ]
    record.project(KIND, None, events, documents=store.documents, tenant=store.tenant)
    record.project(KIND, None, events[:1], documents=store.documents, tenant=store.tenant)
    found = record.find(KIND, "c", documents=store.documents, tenant=store.tenant)
    assert found == Counter(total=3, sequence=2)
