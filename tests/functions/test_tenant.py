"""Timers work for every tenant there is, and one tenant's failure costs the others nothing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions import context, exemption, remediation, scan
from shared.domain.error import Unavailable
from shared.domain.exemption import ExemptionCategory, ExemptionRequest, ExemptionStatus
from shared.domain.scan import ScanRequest, ScanStatus, ScanTrigger
from shared.eventstore import tenant as registry
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services import exemption as exemptions
from shared.services.message import MessageBody
from shared.services.remediation import record as remediations
from shared.services.scan import lock
from shared.services.scan import scan as scans
from tests.fakes.caller import caller
from tests.fakes.cloud import account
from tests.fakes.durable import connect
from tests.fakes.exemption import approved_exemption, known
from tests.fakes.inventory import MemoryInventory
from tests.fakes.inventory import account as scanned_account
from tests.fakes.scan_run import run
from tests.fakes.world import World


@pytest.fixture
def world(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(replace(store, caller=caller(tenant="tailwind")), queue)
    connect(made, monkeypatch)
    return made


def fire(timer: Any) -> None:
    timer._function._func(None)


def taken(world: World, queue: str) -> list[str]:
    found = world.queue.receive(queue)
    for each in found:
        world.queue.delete(queue, each)
    return [each.body for each in found]


def test_every_tenants_exemptions_end(world: World) -> None:
    asked = ExemptionRequest(
        scope="/subscriptions/s",
        assignment="baseline",
        references=("https-only",),
        category=ExemptionCategory.WAIVER,
        reason="tested elsewhere",
        owner="team-a",
        expires_at=world.store.now() + timedelta(days=1),
    )
    known(asked.scope, world.store)
    approved_exemption("e1", asked, store=world.store, queue=world.queue, policies=world.policies)
    world.sleep(timedelta(days=2).total_seconds())
    fire(exemption.exemption_expire)
    assert exemptions.find("e1", store=world.store).status == ExemptionStatus.EXPIRED


def test_every_tenants_scans_are_reconciled(world: World) -> None:
    scans.request("s1", ScanRequest(), ScanTrigger.HTTP, store=world.store, queue=world.queue)
    taken(world, scans.QUEUE)
    fire(scan.scan_reconcile)
    (sent,) = taken(world, scans.QUEUE)
    assert '"tailwind"' in sent


def test_every_tenant_is_scanned_at_night(world: World) -> None:
    body = account()
    world.put(body)
    world.judge(body["id"])
    world.request(body, "https-only")
    numbers = iter(range(100))
    ports: Any = context.ports()
    ports.new_id = lambda: f"scan{next(numbers)}"
    fire(scan.scan_nightly)
    asked = taken(world, scans.QUEUE)
    assert any('"tailwind"' in each for each in asked)


def test_every_tenants_remediations_are_reconciled(world: World) -> None:
    body = account()
    world.put(body)
    world.request(body, "https-only")
    taken(world, remediations.QUEUE)
    fire(remediation.remediation_reconcile)
    (sent,) = taken(world, remediations.QUEUE)
    assert '"tailwind"' in sent


def test_a_tenant_that_fails_does_not_affect_the_others(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("adatum", "zava"):
        other = replace(world.store, caller=caller(tenant=name), correlation=name)
        scans.request("s1", ScanRequest(), ScanTrigger.HTTP, store=other, queue=world.queue)
    seen: list[str] = []

    def work(store: Store) -> None:
        seen.append(store.tenant)
        if store.tenant == "adatum":
            raise Unavailable("its documents do not answer")

    context.for_each_tenant("reconcile", work)
    assert {"adatum", "zava"} <= set(seen)
    assert "reconcile failed for tenant adatum" in caplog.text


def test_of_three_tenants_with_one_broken_the_others_are_scanned(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("adatum", "tailwind", "zava"):
        registry.register(name, documents=world.store.documents)
    world.store.documents.put(tenant="adatum", kind=lock.KIND, id=lock.LOCK_ID, body={"not": "a lock"})
    numbers = iter(range(100))
    ports: Any = context.ports()
    ports.new_id = lambda: f"scan{next(numbers)}"
    fire(scan.scan_nightly)
    asked = [MessageBody.model_validate_json(each) for each in taken(world, scans.QUEUE)]
    assert {"tailwind", "zava"} <= {each.tenant for each in asked}
    assert "adatum" not in {each.tenant for each in asked}
    assert "scan_nightly failed for tenant adatum" in caplog.text
    inventory = MemoryInventory(world.store.now)
    inventory.put(scanned_account("a"))
    for each in asked:
        own = context.system_store(each.tenant, each.correlation)
        ended = run(each.id, own, world.queue, inventory, world.policies)
        assert (ended.status, ended.resources) == (ScanStatus.COMPLETED, 1), each.tenant
