"""The door of the alias listing."""

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest

from functions import alias as door
from functions import context
from shared.adapters.local.inventory import NoInventory
from shared.ports.queue import Queue
from shared.services import listing
from shared.services.estate import Store
from tests.durable import connect
from tests.world import World


class Listing:
    def providers(self, *, tenant: str) -> Iterator[Mapping[str, Any]]:
        yield {"namespace": f"Test.{tenant}", "resourceTypes": []}


@pytest.fixture
def world(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> World:
    made = World(store, queue, id=request.node.name)
    connect(made, monkeypatch)
    monkeypatch.setenv("CORTEX_TENANT", store.tenant)
    return made


def fire() -> None:
    door.alias_refresh._function._func(func.TimerRequest())


@pytest.mark.parametrize(("inventory", "providers"), [(Listing(), 1), (NoInventory(), None)])
def test_the_listing_is_refreshed_where_there_is_a_cloud(
    world: World, store: Store, monkeypatch: pytest.MonkeyPatch, inventory: Any, providers: int | None
) -> None:
    ports = SimpleNamespace(**{**vars(context.ports()), "inventory": inventory})
    monkeypatch.setattr(context, "ports", lambda: ports)
    fire()
    found = listing.current(store)
    assert (found.providers if found else None) == providers
    assert world
