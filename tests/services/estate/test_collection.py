"""Collections: all there is at first, then what is new, has changed or is due; a verification compares both."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from shared.domain.error import Throttled, Unavailable
from shared.domain.estate import CollectionProgress
from shared.domain.finding import resource_key
from shared.domain.inventory import Gap, UnreadReason
from shared.domain.scan import Scan, ScanRequest, ScanStatus, ScanTrigger
from shared.domain.scan_difference import ScanDifferenceKind, ScanMode
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.ports.queue import Queue
from shared.services.estate import collection, collection_page, estate, resource
from shared.services.estate.collection_page import is_due
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.scan import scan, subscription_progress
from tests.fakes import scan_run
from tests.fakes.clock import Clock
from tests.fakes.inventory import STORAGE, SUBSCRIPTION, MemoryInventory, account

Run = Callable[..., Scan]


@pytest.fixture
def run(store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies, clock: Clock) -> Run:
    """Run a whole scan as the workflow does; where it waits, the clock goes on."""
    numbers = iter(range(1, 100))

    def run(mode: ScanMode = ScanMode.CHANGES) -> Scan:
        inventory.named.clear()
        name = f"s{next(numbers)}"
        scan.request(name, ScanRequest(mode=mode), ScanTrigger.HTTP, store=store, queue=queue)
        scan.prepare(name, store=store, inventory=inventory)
        for each in scan_run.progress(store, name):
            step = scan.ScanStep("more")
            while step.state != "done":
                clock.at += timedelta(seconds=step.wait)
                step = scan.step(name, each, store=store, inventory=inventory, policies=policies)
        return scan.finish(name, store=store, policies=policies)

    return run


@pytest.fixture(autouse=True)
def filled(inventory: MemoryInventory) -> list[dict[str, Any]]:
    """Seven accounts that were there long before."""
    bodies = [account(f"a{number}") for number in range(7)]
    inventory.put_silently(*bodies)
    return bodies


def collected(store: Store) -> CollectionProgress:
    found = estate.current(store, SUBSCRIPTION).collection
    assert found is not None
    return found


def kept(store: Store) -> dict[str, tuple[str, str]]:
    """What is stored of the resources that are there: their hashes, and when they changed."""
    live = Query(equals={"subscription": SUBSCRIPTION, "gone": False})
    return {row["name"]: (row["hash"], row["changedAt"]) for _, row in resource.stored(live, store)}


def test_without_changes_no_resource_is_read_again(
    run: Run, store: Store, inventory: MemoryInventory, filled: Any
) -> None:
    run()
    first = kept(store)
    assert (collected(store).mode, len(first)) == (ScanMode.FULL, len(filled))
    inventory.reads = 0
    ended = run()
    assert (ended.status, ended.collected, ended.resources) == (ScanStatus.COMPLETED, len(filled), len(filled))
    assert (collected(store).mode, collected(store).complete) == (ScanMode.CHANGES, True)
    assert (inventory.named, inventory.reads) == ([], 0)
    assert kept(store) == first


def test_the_estate_is_as_new_as_the_last_scan(run: Run, store: Store, clock: Clock) -> None:
    run()
    clock.at += timedelta(days=1)
    ended = run()
    assert ended.as_of == collected(store).started_at
    assert estate.current(store, SUBSCRIPTION).whole_at < ended.as_of


def test_what_is_new_has_changed_or_is_gone_is_seen(
    run: Run, store: Store, inventory: MemoryInventory, clock: Clock, filled: Any
) -> None:
    run()
    clock.at += timedelta(days=1)
    inventory.put(account("a3", https=False))
    inventory.put_silently(account("unannounced"))
    inventory.remove(filled[5])
    ended = run()
    assert set(inventory.named) == {account(name)["id"].lower() for name in ("a3", "a5", "unannounced")}
    assert ended.resources == 7
    assert kept(store).keys() == {"a0", "a1", "a2", "a3", "a4", "a6", "unannounced"}
    assert estate.current(store, SUBSCRIPTION).resources == 7


def test_a_change_that_is_told_late_is_read_by_the_next_scan(
    run: Run, inventory: MemoryInventory, clock: Clock, filled: Any
) -> None:
    inventory.changes.append((clock() - collection_page.CHANGE_MARGIN + timedelta(minutes=1), filled[2]["id"]))
    run()
    run()
    assert inventory.named == [filled[2]["id"].lower()]


@pytest.mark.parametrize("days", [12, 14])
def test_changes_that_are_forgotten_are_not_relied_on(run: Run, store: Store, clock: Clock, days: int) -> None:
    run()
    clock.at += timedelta(days=days)
    run()
    assert collected(store).mode == (ScanMode.CHANGES if days < 13 else ScanMode.FULL)


def test_all_is_read_where_that_is_asked_for(run: Run, store: Store) -> None:
    run()
    run(ScanMode.FULL)
    assert collected(store).mode == ScanMode.FULL


@pytest.mark.parametrize(
    ("reason", "scope", "mode"),
    [
        (UnreadReason.TIMEOUT, f"/subscriptions/{SUBSCRIPTION}", ScanMode.FULL),
        (UnreadReason.FAILED, account("a1")["id"], ScanMode.FULL),
        (UnreadReason.FORBIDDEN, f"/subscriptions/{SUBSCRIPTION}", ScanMode.CHANGES),
        (UnreadReason.UNSUPPORTED, account("a1")["id"], ScanMode.CHANGES),
    ],
)
def test_what_could_not_be_read_is_tried_again(
    run: Run,
    store: Store,
    inventory: MemoryInventory,
    clock: Clock,
    reason: UnreadReason,
    scope: str,
    mode: ScanMode,
) -> None:
    inventory.gaps = [Gap(scope=scope, part=STORAGE, reason=reason, at=clock())]
    assert run().status == ScanStatus.PARTIAL
    inventory.gaps = []
    ended = run()
    assert collected(store).mode == mode
    # What is forbidden everywhere stays so until all is read; one resource is simply read again.
    stays = reason is UnreadReason.FORBIDDEN
    assert (ended.status, ended.gap_count) == ((ScanStatus.PARTIAL, 1) if stays else (ScanStatus.COMPLETED, 0))
    assert inventory.named == ([account("a1")["id"].lower()] if reason is UnreadReason.UNSUPPORTED else [])


def test_after_an_incomplete_collection_all_is_read(run: Run, store: Store, inventory: MemoryInventory) -> None:
    run()
    inventory.missing = 2
    run()
    assert (collected(store).mode, collected(store).complete) == (ScanMode.CHANGES, False)
    inventory.missing = 0
    run()
    assert (collected(store).mode, collected(store).complete) == (ScanMode.FULL, True)


def test_other_related_types_are_read_with_all_resources(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    monkeypatch.setattr(collection.CollectionRequest, "related", "others")
    run()
    assert collected(store).mode == ScanMode.FULL
    run()
    assert collected(store).mode == ScanMode.CHANGES


def test_what_is_not_told_is_read_within_days(run: Run, inventory: MemoryInventory, clock: Clock, filled: Any) -> None:
    inventory.untold = {STORAGE}
    run()
    read: list[str] = []
    for _ in range(4):
        clock.at += timedelta(days=1)
        run()
        read += inventory.named
    assert set(read) == {each["id"].lower() for each in filled}
    assert len(read) < 2 * len(filled)


def test_moments_are_spread_and_come_once_in_a_period() -> None:
    period, start = timedelta(days=3), datetime(2026, 3, 1, tzinfo=UTC)
    keys = [sha256(str(number).encode()).hexdigest() for number in range(900)]
    days = [start + timedelta(days=number) for number in range(4)]
    by_day = [{key for key in keys if is_due(key, last, now, period)} for last, now in itertools.pairwise(days)]
    assert sum(map(len, by_day)) == len(set.union(*by_day)) == len(keys)
    assert all(250 < len(each) < 350 for each in by_day)
    assert not any(is_due(key, start, start, period) for key in keys)


@pytest.mark.parametrize("call", range(12))
def test_a_cloud_that_asks_to_wait_loses_nothing(
    run: Run, store: Store, inventory: MemoryInventory, clock: Clock, filled: Any, call: int
) -> None:
    run()
    clock.at += timedelta(days=1)
    inventory.put(account("a3", https=False), account("a4", https=False), account("a6", https=False))
    inventory.put_silently(account("b1"), account("b2"), account("b3"), account("b4"))
    inventory.remove(filled[5])
    inventory.faults = [None] * call + [Throttled("wait", retry_after=1.0)]
    ended = run()
    assert (ended.status, ended.resources, ended.gap_count) == (ScanStatus.COMPLETED, 10, 0)
    after = kept(store)
    run(ScanMode.FULL)
    assert kept(store) == after


def test_a_page_that_is_delivered_twice_is_kept_once(
    run: Run, store: Store, inventory: MemoryInventory, clock: Clock, filled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    clock.at += timedelta(days=1)
    inventory.put(account("a3", https=False), account("b1"))
    keep = collection.keep_page

    def twice(*given: Any, **options: Any) -> Any:
        keep(*given, **options)
        return keep(*given, **options)

    monkeypatch.setattr(collection, "keep_page", twice)
    assert run().collected == len(filled) + 1
    assert estate.current(store, SUBSCRIPTION).resources == len(filled) + 1


def test_a_verification_finds_what_no_change_told(run: Run, inventory: MemoryInventory, clock: Clock) -> None:
    run()
    clock.at += timedelta(days=1)
    inventory.put(account("a3", https=False))
    inventory.put_silently(account("a4", https=False))
    ended = run(ScanMode.VERIFICATION)
    (found,) = ended.differences
    assert (found.kind, found.resource) == (ScanDifferenceKind.BODY, account("a4")["id"])
    assert "properties.supportsHttpsTrafficOnly" in found.cause
    assert (ended.difference_count, ended.alarm_count) == (1, 1)
    again = run(ScanMode.VERIFICATION)
    assert (again.differences, again.alarm_count) == ((), 0)


def test_a_verification_waits_for_changes_that_are_told_late(
    run: Run, inventory: MemoryInventory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    clock.at += timedelta(days=1)
    begin = inventory.page

    def written_meanwhile(**asked: Any) -> Any:
        if asked["cursor"] is None:
            inventory.put_silently(account("a4", https=False))
        return begin(**asked)

    monkeypatch.setattr(inventory, "page", written_meanwhile)
    waited: list[str] = []

    def told(_scan: str, _told: Any, error: Unavailable, _tries: int, **_: Any) -> None:
        waited.append(error.message)
        inventory.changes.append((clock.at, account("a4")["id"]))

    monkeypatch.setattr(subscription_progress, "record_waiting", told)
    assert run(ScanMode.VERIFICATION).differences == ()
    assert waited == ["1 resource differs: the cloud may still tell of the change"]


def test_a_verification_keeps_to_its_calls_a_minute(
    run: Run, inventory: MemoryInventory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    clock.at += timedelta(days=1)
    begin = inventory.page
    read_at: list[datetime] = []

    def counted(**asked: Any) -> Any:
        read_at.append(clock.at)
        return replace(begin(**asked), calls=300)

    monkeypatch.setattr(inventory, "page", counted)
    assert run(ScanMode.VERIFICATION).status == ScanStatus.COMPLETED
    waits = [later - earlier for earlier, later in itertools.pairwise(read_at)]
    assert len(waits) == 3
    assert all(timedelta(seconds=30) <= wait < timedelta(seconds=31) for wait in waits)


def test_a_verification_of_what_was_never_collected_is_a_full_collection(run: Run, store: Store) -> None:
    run(ScanMode.VERIFICATION)
    assert collected(store).mode == ScanMode.FULL


def test_a_new_row_keeps_when_it_was_judged_by_itself(
    run: Run, store: Store, inventory: MemoryInventory, clock: Clock, filled: Any
) -> None:
    run()
    key = resource_key(filled[0]["id"])
    stored = store.documents.get(tenant=store.tenant, kind=resource.KIND, id=key)
    assert stored
    body = {**stored.body, "judgedAt": "2026-01-05T10:00:00Z"}
    store.documents.put(tenant=store.tenant, kind=resource.KIND, id=key, body=body)
    clock.at += timedelta(days=1)
    inventory.put(account("a0", https=False))
    run()
    after = store.documents.get(tenant=store.tenant, kind=resource.KIND, id=key)
    assert after
    assert (after.body["judgedAt"], after.body["hash"] == stored.body["hash"]) == ("2026-01-05T10:00:00Z", False)
