"""How an equal body was read: with which api-version, and why a part of it was not; verdicts follow the latest."""

from datetime import timedelta
from typing import Any

import pytest

from shared.bootstrap import catalog
from shared.domain.finding import resource_key
from shared.domain.resource import Resource, Unread
from shared.domain.scan import ScanRequest
from shared.domain.scan_difference import ScanMode
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.ports.queue import Queue
from shared.services import finding
from shared.services.estate import judgement
from shared.services.estate.resource_change import CHANGE_KIND, RESOURCE_KIND
from shared.services.policy import effective_policy
from shared.services.policy.effective_policy import EffectivePolicies
from tests.fakes import scan_run
from tests.fakes.clock import Clock
from tests.fakes.inventory import SUBSCRIPTION, MemoryInventory, account
from tests.services.scan.test_scan import run

__all__ = ["run"]  # the fixture

SITE = {
    "id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Web/sites/w",
    "name": "w",
    "type": "Microsoft.Web/sites",
    "location": "westeurope",
    "kind": "app",
    "properties": {"state": "Running"},
}


class TellingInventory(MemoryInventory):
    """An inventory whose resources were read with one api-version, and of which a part may be unread."""

    api_version: str | None = None
    why: str = ""

    def _resource(self, name: str) -> Resource:
        found = super()._resource(name)
        body = {key: value for key, value in found.body.items() if not (self.why and key == "properties")}
        unread = {"properties": Unread(self.why)} if self.why else {}
        return Resource(body, self.api_version, found.collected_at, unread, found.related)


def row(store: Store, body: dict[str, Any]) -> dict[str, Any]:
    found = store.documents.get(tenant=store.tenant, kind=RESOURCE_KIND, id=resource_key(body["id"]))
    assert found is not None
    return dict(found.body)


def test_the_verdict_of_an_equal_body_follows_the_api_version(store: Store, queue: Queue, clock: Clock) -> None:
    policies, inventory = effective_policy.packaged(catalog()), TellingInventory(now=clock)
    inventory.put(SITE)
    states = []
    for version in ("2015-08-01", "2024-04-01"):
        inventory.api_version = version
        scan_run.run(version, store, queue, inventory, policies, ScanRequest(mode=ScanMode.FULL))
        clock.at += timedelta(days=1)
        (found,) = finding.stored(Query(equals={"policy": "app-https-only"}), store)
        states.append(found["state"])
    assert states == ["unknown", "nonCompliant"], "the older version has no such property"
    assert row(store, SITE)["record"]["apiVersion"] == "2024-04-01"
    changes = store.documents.query(tenant=store.tenant, kind=CHANGE_KIND, query=Query()).items
    assert not changes, "nothing has changed in it"


@pytest.mark.parametrize(
    ("first", "then", "unsettled"), [("timeout", "forbidden", False), ("forbidden", "timeout", True)]
)
def test_why_a_part_was_not_read_follows(
    store: Store, policies: EffectivePolicies, clock: Clock, first: str, then: str, *, unsettled: bool
) -> None:
    inventory, body = TellingInventory(now=clock), account("a")
    inventory.put(body)
    for inventory.why in (first, then):
        judgement.judge_resource(body["id"], store=store, inventory=inventory, policies=policies)
        clock.at += timedelta(minutes=1)
    kept = row(store, body)
    assert kept["record"]["unread"]["properties"]["reason"] == then
    assert kept["unsettled"] is unsettled
    (told,) = {
        need["reason"]
        for each in finding.stored(Query(equals={"policy": "https-only"}), store)
        for need in each["missing"]
    }
    assert told == then
