"""Every fix in the catalog, from the failing fixture to the proof and back."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.adapters.local.catalog import PackagedCatalog
from shared.domain.body import canonical, comparable
from shared.domain.plan import Outcome
from shared.domain.remediation import Status
from shared.domain.resource import Resource, Unread
from shared.ports.queue import Queue
from shared.services import finding, policy
from shared.services.estate import Store
from shared.services.policy import Book
from tests.cloud import MemoryCloud
from tests.world import World

CATALOG = Path(__file__).parents[2] / "catalog"
BOOK = policy.book(PackagedCatalog(CATALOG))


def fixable(book: Book) -> list[str]:
    return [
        each.name
        for each in book.compiled.policies
        if book.entries[each.name].remediation or each.effect.lower() in finding.FIXING
    ]


FIXABLE = fixable(BOOK)


def failing(name: str) -> Resource:
    fixture = orjson.loads((CATALOG / "fixtures" / f"{name}.json").read_bytes())
    return Resource.from_record(fixture["fail"])


def put(cloud: MemoryCloud, resource: Resource) -> dict[str, Any]:
    """The resource and what belongs to it, each under its own id."""
    for related in resource.related.values():
        if not isinstance(related, Unread):
            cloud.put(*(each.body for each in related))
    cloud.put(resource.body)
    return dict(resource.body)


def group_of(body: dict[str, Any]) -> dict[str, Any]:
    identity = body["id"].partition("/providers/")[0]
    kind = "Microsoft.Resources/subscriptions/resourceGroups"
    name = identity.rpartition("/")[2]
    return {"id": identity, "name": name, "type": kind, "location": "westeurope", "tags": {"environment": "production"}}


def state(cloud: MemoryCloud) -> bytes:
    return canonical({key: comparable(body) for key, body in cloud.bodies.items()})


@pytest.mark.parametrize("name", FIXABLE)
def test_a_fix_of_the_catalog_makes_its_resource_comply_and_can_be_undone(
    name: str, store: Store, queue: Queue
) -> None:
    world = World(store, queue, book=BOOK)
    body = put(world.cloud, failing(name))
    if "/resourceGroups/" in body["id"]:
        world.put(group_of(body))
    world.judge(body["id"])
    world.request(body, name)
    known = world.plan()
    assert known.items[0].outcome == Outcome.PENDING, known.items[0].reason
    before = state(world.cloud)
    world.approve()
    known = world.run()
    assert (known.status, known.items[0].outcome) == (Status.SUCCEEDED, Outcome.DONE), known.items[0].reason
    assert not world.finding(body, name).open
    assert state(world.cloud) != before
    world.rollback()
    assert world.run().status == Status.ROLLED_BACK
    assert state(world.cloud) == before
    assert world.finding(body, name).open


def test_the_catalog_has_fixes_of_every_kind() -> None:
    effects = {each.effect for each in BOOK.compiled.policies if each.name in FIXABLE}
    assert {"modify", "deployIfNotExists"} <= effects
    assert len(FIXABLE) > 40
