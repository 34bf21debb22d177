"""A clock that was ahead, or that differs between hosts, decides nothing about which reading is believed."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain import timestamp
from shared.domain.scan import ScanRequest, ScanStatus, ScanTrigger
from shared.domain.verdict import State
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.ports.queue import Queue
from shared.services.estate import estate, judgement, resource
from shared.services.import_job import import_job, upload
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.scan import scan
from tests.fakes.catalog import SmallCatalog
from tests.fakes.clock import Clock
from tests.fakes.inventory import SUBSCRIPTION, MemoryInventory, account
from tests.services.import_job.test_import_job import CATALOG, lines
from tests.services.scan.test_scan import Run, by_name, run

__all__ = ["SmallCatalog", "run"]  # the fixture


@pytest.fixture
def ahead(run: Run, inventory: MemoryInventory, clock: Clock) -> timedelta:
    """A clock that was a month ahead while an insecure account was scanned, and is right again."""
    inventory.put(account("a", https=False))
    clock.at += timedelta(days=30)
    run("s0")
    clock.at -= timedelta(days=30)
    return timedelta(days=30)


def state(store: Store) -> State:
    return by_name(store)["a", "https-only"].state


def is_open(store: Store) -> bool:
    return by_name(store)["a", "https-only"].open


def stored(store: Store) -> dict[str, Any]:
    ((_, row),) = resource.stored(Query(), store)
    return dict(row)


@pytest.mark.usefixtures("ahead")
def test_a_scan_believes_what_it_reads_after_a_clock_was_ahead(
    run: Run, store: Store, inventory: MemoryInventory
) -> None:
    inventory.put(account("a"))
    assert run("s1").status == ScanStatus.COMPLETED
    assert not is_open(store)
    assert timestamp.parse_time(stored(store)["collectedAt"]) < store.now()


@pytest.mark.usefixtures("ahead")
def test_a_change_event_believes_what_it_reads_after_a_clock_was_ahead(
    store: Store, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(account("a"))
    judgement.judge_resource(account("a")["id"], store=store, inventory=inventory, policies=policies)
    assert not is_open(store)


@pytest.mark.usefixtures("ahead")
def test_a_resource_that_left_while_the_clock_was_ahead_comes_back(
    run: Run, store: Store, inventory: MemoryInventory, policies: EffectivePolicies, clock: Clock
) -> None:
    inventory.remove(account("a"))
    clock.at += timedelta(days=30)
    judgement.judge_resource(account("a")["id"], store=store, inventory=inventory, policies=policies)
    clock.at -= timedelta(days=30)
    inventory.put(account("a", https=False))
    judgement.judge_resource(account("a")["id"], store=store, inventory=inventory, policies=policies)
    assert state(store) == State.NON_COMPLIANT
    assert run("s1").resources == 1


@pytest.mark.usefixtures("ahead")
def test_an_unchanged_resource_gets_the_time_it_was_read_at(run: Run, store: Store) -> None:
    run("s1")
    assert timestamp.parse_time(stored(store)["collectedAt"]) < store.now()
    assert store.documents.count(tenant=store.tenant, kind=resource.CHANGE_KIND, query=Query())[""] == 0


def test_a_reading_on_a_slow_clock_is_believed_over_what_was_stored_before_it(
    run: Run, store: Store, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    """Two hosts whose clocks differ by an hour, neither of which is ahead of the store's."""
    inventory.put(account("a", https=False))
    run("s0")
    slow = MemoryInventory(now=lambda: store.now() - timedelta(hours=1))
    slow.put(account("a"))
    judgement.judge_resource(account("a")["id"], store=store, inventory=slow, policies=policies)
    assert not is_open(store)


def test_of_two_concurrent_readings_the_later_one_is_kept(
    store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that was read before a change event was, and is recorded after it."""
    inventory.put(account("a", https=False))
    scan.request("s1", ScanRequest(), ScanTrigger.HTTP, store=store, queue=queue)
    scan.prepare("s1", store=store, inventory=inventory)
    page = inventory.page

    def overtaken(**asked: Any) -> Any:
        read = page(**asked)
        inventory.put(account("a"))
        judgement.judge_resource(account("a")["id"], store=store, inventory=inventory, policies=policies)
        return read

    monkeypatch.setattr(inventory, "page", overtaken)
    scan.step("s1", SUBSCRIPTION, store=store, inventory=inventory, policies=policies)
    assert stored(store)["record"]["body"]["properties"] == {"supportsHttpsTrafficOnly": True}


def test_an_older_export_does_not_overwrite_a_newer_reading(
    run: Run, store: Store, queue: Queue, inventory: MemoryInventory
) -> None:
    exported = timestamp.format_time(store.now())
    inventory.put(account("a"))
    run("s1")
    upload.take(
        "i1", "f.json", [lines({"body": account("a", https=False), "collectedAt": exported})], store=store, queue=queue
    )
    import_job.run("i1", store=store, queue=queue, catalog=CATALOG)
    assert stored(store)["record"]["body"]["properties"] == {"supportsHttpsTrafficOnly": True}


def test_an_import_of_one_resource_makes_no_subscription_of_the_cloud_look_new(
    run: Run, store: Store, queue: Queue, inventory: MemoryInventory
) -> None:
    inventory.put(account("a"))
    run("s1")
    before = estate.current(store, SUBSCRIPTION).as_of
    upload.take("i1", "f.json", [lines(account("b"))], store=store, queue=queue)
    import_job.run("i1", store=store, queue=queue, catalog=CATALOG)
    after = estate.current(store, SUBSCRIPTION)
    assert (after.source, after.resources, after.as_of) == ("cloud", 2, before)
