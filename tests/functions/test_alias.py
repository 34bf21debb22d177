"""The door of the alias listing."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest

from functions import alias as door
from functions import context
from shared.adapters.local.inventory import NoInventory
from shared.domain.error import CortexError, Malformed, Throttled, Unavailable
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services.policy import alias_listing
from tests.fakes.clock import Clock
from tests.fakes.durable import connect
from tests.fakes.world import World


class Listing:
    def providers(self, *, tenant: str) -> Iterator[Mapping[str, Any]]:
        yield {"namespace": f"Test.{tenant}", "resourceTypes": []}


@pytest.fixture
def world(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> World:
    made = World(store, queue, id=request.node.name)
    connect(made, monkeypatch)
    monkeypatch.setenv("CORTEX_TENANT", store.tenant)
    return made


def fire(world: World) -> None:
    """The timer's tick, and what it sends."""
    door.alias_refresh._function._func(func.TimerRequest())
    deliver(world)


def deliver(world: World) -> None:
    for each in world.queue.receive(alias_listing.QUEUE):
        world.queue.delete(alias_listing.QUEUE, each)
        door.alias_read._function._func(func.QueueMessage(body=each.body))


@pytest.mark.parametrize(("inventory", "providers"), [(Listing(), 1), (NoInventory(), None)])
def test_the_listing_is_refreshed_where_there_is_a_cloud(
    world: World, store: Store, monkeypatch: pytest.MonkeyPatch, inventory: Any, providers: int | None
) -> None:
    ports = SimpleNamespace(**{**vars(context.ports()), "inventory": inventory})
    monkeypatch.setattr(context, "ports", lambda: ports)
    fire(world)
    found = alias_listing.current(store)
    assert (found.providers if found else None) == providers


class Refusing(Listing):
    """A cloud that answers its listing with errors first."""

    def __init__(self, *errors: CortexError) -> None:
        self.errors = list(errors)

    def providers(self, *, tenant: str) -> Iterator[Mapping[str, Any]]:
        if self.errors:
            raise self.errors.pop(0)
        return super().providers(tenant=tenant)


def connected(monkeypatch: pytest.MonkeyPatch, inventory: Listing) -> None:
    ports = SimpleNamespace(**{**vars(context.ports()), "inventory": inventory})
    monkeypatch.setattr(context, "ports", lambda: ports)


def test_a_listing_that_waits_says_until_when_and_why_and_is_read_then(
    world: World, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(monkeypatch, Refusing(Throttled("asked to wait 600 s", retry_after=600)))
    fire(world)
    known = alias_listing.find(store)
    assert known is not None
    assert (known.reason, alias_listing.current(store)) == ("asked to wait 600 s", None)
    assert known.waiting_until is not None
    clock.at += timedelta(seconds=590)
    deliver(world)
    assert alias_listing.current(store) is None
    clock.at += timedelta(seconds=15)
    deliver(world)
    found = alias_listing.current(store)
    assert found is not None
    assert (found.providers, found.waiting_until, found.reason) == (1, None, "")


def test_a_garbled_listing_says_so_and_is_left_to_the_next_day(
    world: World, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(monkeypatch, Refusing(Malformed("the cloud answered with a page that does not hold a list")))
    fire(world)
    known = alias_listing.find(store)
    assert known is not None
    assert (known.waiting_until, known.reason) == (None, "the cloud answered with a page that does not hold a list")
    assert world.queue.length(alias_listing.QUEUE) == 0
    fire(world)
    assert alias_listing.current(store) is not None


def test_a_listing_that_never_comes_is_left_to_the_next_day(
    world: World, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(monkeypatch, Refusing(*[Unavailable("away")] * 100))
    fire(world)
    for _ in range(alias_listing.RETRY_ATTEMPTS + 5):
        clock.at += timedelta(seconds=6)
        deliver(world)
    known = alias_listing.find(store)
    assert known is not None
    assert (known.waiting_until, known.reason, known.tries) == (None, "away", alias_listing.RETRY_ATTEMPTS + 1)
