"""Deciding: what follows from a thing as it is, is recorded and projected once, whoever decides at the same time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from shared.domain.error import NotFound
from shared.domain.identity import SYSTEM_SUBJECT, Caller
from shared.eventstore import aggregate, projection, stream
from shared.eventstore.store import Store
from tests.eventstore.conftest import COUNTER, Added, Counter
from tests.fakes.caller import caller


def add(store: Store, by: int) -> Counter:
    return aggregate.decide(COUNTER, "c", lambda _: [Added(by=by)], store=store)


def test_a_decision_is_recorded_and_projected(store: Store) -> None:
    assert add(store, 2).total == 2
    assert add(store, 3) == Counter(total=5, sequence=2, asked_by="ada")
    assert projection.find(COUNTER, "c", store=store) == Counter(total=5, sequence=2, asked_by="ada")


def test_a_decision_that_records_nothing_leaves_the_thing(store: Store) -> None:
    add(store, 2)
    nothing: Sequence[Added] = ()
    assert aggregate.decide(COUNTER, "c", lambda _: nothing, store=store).sequence == 1
    with pytest.raises(NotFound, match="counter c"):
        aggregate.decide(COUNTER, "c", lambda _: nothing, store=replace(store, caller=caller(tenant="fabrikam")))


def test_events_that_were_not_projected_are_projected_later(store: Store) -> None:
    known = add(store, 2)
    stream.append(stream.prepare(COUNTER, "c", [Added(by=40)], thing=known, store=store), store=store)
    lagging = projection.find(COUNTER, "c", store=store)
    assert lagging is not None
    assert lagging.total == 2
    caught_up = projection.current(COUNTER, "c", store=store)
    assert caught_up is not None
    assert (caught_up.total, caught_up.sequence) == (42, 2)
    assert projection.find(COUNTER, "c", store=store) == caught_up


def test_two_concurrent_decisions_are_both_recorded(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: add(store, 1), range(24)))
    found = projection.current(COUNTER, "c", store=store)
    assert found is not None
    assert (found.total, found.sequence) == (24, 24)


def test_a_lagging_projector_does_not_overwrite_one_that_is_ahead(store: Store) -> None:
    events = stream.prepare(COUNTER, "c", [Added(by=1), Added(by=2)], thing=None, store=store)
    ahead = projection.project(COUNTER, "c", None, events, store=store)
    projection.project(COUNTER, "c", None, events[:1], store=store)
    assert projection.find(COUNTER, "c", store=store) == ahead


def test_an_event_says_who_decided_on_whose_behalf_why_and_led_by_what(store: Store) -> None:
    asked = replace(store, caller=caller("grace"), correlation="c7")
    add(replace(asked, reason="the quarter ends", causation="scan:s1:3"), 1)
    add(replace(store, caller=Caller.system(store.tenant)), 1)
    first, second = stream.read(COUNTER, "c", store=store)
    assert (first.actor, first.on_behalf_of, first.correlation) == ("grace", None, "c7")
    assert (first.reason, first.causation) == ("the quarter ends", "scan:s1:3")
    assert (second.actor, second.on_behalf_of) == (SYSTEM_SUBJECT, "grace"), "the system works for who asked"
