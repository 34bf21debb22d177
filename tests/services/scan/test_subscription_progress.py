"""The progress of a scan is recorded once: in the estates while it is at work there, then in a small record each."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from shared.domain.error import NotFound, Throttled
from shared.domain.estate import Estate, JudgementProgress
from shared.domain.page import PageRequest
from shared.domain.scan import Scan, ScanRequest, ScanStatus, ScanTrigger, SubscriptionProgress, SubscriptionStatus
from shared.domain.scan_event import ScanStarted
from shared.eventstore.aggregate import decide
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services.estate import estate, judgement
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.scan import scan, subscription_progress
from tests.fakes import event, scan_run
from tests.fakes.inventory import SUBSCRIPTION, MemoryInventory, account

PARTS = PageRequest()


@pytest.fixture
def begun(
    store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies, monkeypatch: pytest.MonkeyPatch
) -> Store:
    """A scan of five resources whose steps end after each page of two."""
    monkeypatch.setattr(scan, "STEP_DURATION", timedelta(0))
    inventory.put(*(account(f"a{number}") for number in range(5)))
    scan.request("s1", ScanRequest(), ScanTrigger.HTTP, store=store, queue=queue)
    scan.prepare("s1", store=store, inventory=inventory)
    scan.step("s1", SUBSCRIPTION, store=store, inventory=inventory, policies=policies)
    return store


def now(store: Store) -> Scan:
    return scan.get("s1", store=store).model


def parts(store: Store) -> list[SubscriptionProgress]:
    return list(scan.subscriptions("s1", PARTS, store=store).items)


def test_a_scan_records_of_a_subscription_that_it_has_ended_and_nothing_else(
    store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(*(account(f"a{number}") for number in range(5)))
    ended = scan_run.run("s1", store, queue, inventory, policies)
    told = ["scanRequested", "scanStarted", "subscriptionEnded", "scanCompleted"]
    assert event.types(store, "scan:s1") == told
    assert (ended.collected, ended.expected, ended.resources, ended.unfinished) == (5, 5, 5, 0)
    (part,) = parts(store)
    assert (part.status, part.collected, part.judged) == (SubscriptionStatus.COMPLETED, 5, 5)


def test_how_far_a_scan_is_in_between_is_read_from_the_estates(
    begun: Store, inventory: MemoryInventory, policies: EffectivePolicies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judgement, "PAGE_RESOURCES", 3)
    assert event.types(begun, "scan:s1") == ["scanRequested", "scanStarted"]
    assert (now(begun).collected, now(begun).expected, now(begun).unfinished) == (2, 5, 1)
    (part,) = parts(begun)
    assert (part.status, part.collected, part.expected) == (SubscriptionStatus.COLLECTING, 2, 5)
    seen = []
    while scan.step("s1", SUBSCRIPTION, store=begun, inventory=inventory, policies=policies).state != "done":
        seen.append((parts(begun)[0].status, now(begun).collected, now(begun).resources))
    assert seen[0] == (SubscriptionStatus.COLLECTING, 4, 0)
    assert (SubscriptionStatus.JUDGING, 5, 3) in seen
    assert now(begun).resources == 5, "what has ended counts once"
    listed = scan.list_(scan.ScanListing(), store=begun).items
    assert [each.resources for each in listed] == [5]


def test_what_comes_further_in_an_estate_is_progress_of_its_scan(begun: Store) -> None:
    recorded = scan.find("s1", store=begun)
    assert now(begun).changed_at > recorded.changed_at


def test_a_wait_is_over_as_soon_as_its_estate_comes_further(
    begun: Store, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    clock: Any = begun.now
    inventory.faults = [Throttled("asked to wait 600 s", retry_after=600)]
    scan.step("s1", SUBSCRIPTION, store=begun, inventory=inventory, policies=policies)
    assert (now(begun).reason, parts(begun)[0].reason) == ("asked to wait 600 s", "asked to wait 600 s")
    clock.at += timedelta(seconds=600)
    scan.step("s1", SUBSCRIPTION, store=begun, inventory=inventory, policies=policies)
    assert (now(begun).waiting_until, now(begun).reason) == (None, "")
    assert (parts(begun)[0].waiting_until, parts(begun)[0].collected) == (None, 4)


def test_a_cancelled_scan_leaves_its_subscription_where_it_was(
    begun: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    scan.cancel("s1", store=begun, queue=queue)
    ended = scan.finish("s1", store=begun, policies=policies)
    assert (ended.status, ended.subscriptions, ended.unfinished) == (ScanStatus.CANCELLED, 1, 1)
    assert scan.step("s1", SUBSCRIPTION, store=begun, inventory=inventory, policies=policies).state == "done"
    told = ["scanRequested", "scanStarted", "cancelRequested", "scanCancelled"]
    assert event.types(begun, "scan:s1") == told
    assert [each.status for each in parts(begun)] == [SubscriptionStatus.PENDING]
    assert not estate.at_work("s1", store=begun)
    assert scan_run.run("s2", begun, queue, inventory, policies).status == ScanStatus.COMPLETED
    assert [each.status for each in parts(begun)] == [SubscriptionStatus.PENDING], "another scan is not its progress"


def test_the_subscriptions_of_a_scan_that_is_not_there_are_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        scan.subscriptions("s1", PARTS, store=store)


class Weighing:
    """Documents that count the bytes written, by kind."""

    def __init__(self, documents: Any) -> None:
        self._documents, self.written = documents, Counter[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)

    def put_many(self, *, kind: str, items: Mapping[str, Any], **given: Any) -> None:
        self.written[kind] += sum(len(orjson.dumps(each)) for each in items.values())
        self._documents.put_many(kind=kind, items=items, **given)

    def create_all(self, *, kind: str, items: Mapping[str, Any], **given: Any) -> None:
        self.written[kind] += sum(len(orjson.dumps(each)) for each in items.values())
        self._documents.create_all(kind=kind, items=items, **given)


def _written(number: int, store: Store, queue: Queue) -> int:
    """The bytes that a scan of so many subscriptions, each of which waits once, writes of its own."""
    documents: Any = Weighing(store.documents)
    weighed, name = replace(store, documents=documents), f"s{number}"
    names = tuple(f"{each:08}-0000-0000-0000-000000000001" for each in range(number))
    scan.request(name, ScanRequest(subscriptions=names), ScanTrigger.HTTP, store=weighed, queue=queue)
    told = tuple(SubscriptionProgress(subscription=each) for each in names)
    decide(scan.STREAM, name, lambda _: (ScanStarted(subscriptions=told),), store=weighed)
    done = JudgementProgress(scan=name, first=1, started_at=store.now(), judged=1, evaluation_count=2)
    for each in told:
        wait = Throttled("asked to wait", retry_after=60)
        subscription_progress.record_waiting(name, each, wait, 1, store=weighed)
        known = Estate(subscription=each.subscription, last=done, last_scan=name)
        subscription_progress.record_judged(name, each, known, store=weighed)
    assert scan.find(name, store=store).unfinished == 0
    scan.fail(name, "for the test", store=store)
    return documents.written.total()


@pytest.mark.slow
@pytest.mark.parametrize(("few", "many"), [(50, 500), (200, 2_000)])
def test_what_a_scan_writes_grows_with_its_subscriptions_and_not_with_their_square(
    store: Store, queue: Queue, few: int, many: int
) -> None:
    first, second = (_written(number, store, queue) for number in (few, many))
    assert second / first < 1.05 * many / few
    assert second / many < 6_000
