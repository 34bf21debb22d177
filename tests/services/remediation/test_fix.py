"""Every fix in the catalog, from the failing fixture to the proof and back."""

from typing import Any

import orjson
import pytest

from shared.adapters.local.catalog import PackagedCatalog
from shared.domain.body import comparable
from shared.domain.canonical import canonicalize
from shared.domain.item import ItemOutcome
from shared.domain.remediation import RemediationStatus
from shared.domain.resource import Resource, Unread
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services import finding
from shared.services.policy import effective_policy
from shared.services.policy.effective_policy import EffectivePolicies
from tests.fakes.assignment import Everything
from tests.fakes.catalog import CATALOG
from tests.fakes.cloud import MemoryCloud
from tests.fakes.world import World

POLICIES = effective_policy.packaged(Everything(PackagedCatalog(CATALOG)))


def fixable(policies: EffectivePolicies) -> list[str]:
    return [
        each.policy.name
        for each in policies.compiled.policies
        if policies.entry(each).remediation or each.policy.effect.lower() in finding.FIXING_EFFECTS
    ]


FIXABLE = fixable(POLICIES)


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
    return canonicalize({key: comparable(body) for key, body in cloud.bodies.items()})


@pytest.mark.parametrize("name", FIXABLE)
def test_a_fix_of_the_catalog_makes_its_resource_comply_and_can_be_undone(
    name: str, store: Store, queue: Queue
) -> None:
    world = World(store, queue, policies=POLICIES)
    body = put(world.cloud, failing(name))
    if "/resourceGroups/" in body["id"]:
        world.put(group_of(body))
    world.judge(body["id"])
    world.request(body, name)
    known = world.plan()
    assert world.item().outcome == ItemOutcome.PENDING, world.item().reason
    before = state(world.cloud)
    world.approve()
    known = world.run()
    assert (known.status, world.item().outcome) == (RemediationStatus.SUCCEEDED, ItemOutcome.DONE), world.item().reason
    assert not world.finding(body, name).open
    assert state(world.cloud) != before
    world.rollback()
    assert world.run().status == RemediationStatus.ROLLED_BACK
    assert state(world.cloud) == before
    assert world.finding(body, name).open


def test_the_catalog_has_fixes_of_every_kind() -> None:
    effects = {each.policy.effect for each in POLICIES.compiled.policies if each.policy.name in FIXABLE}
    assert {"modify", "deployIfNotExists"} <= effects
    assert len(FIXABLE) > 40
