"""The workflow of a scan under the real durable engine, with the doors' own activities."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from durabletask.client import OrchestrationStatus

from functions import scan as door
from shared.domain.error import CortexError, Malformed, Throttled, Unavailable
from shared.domain.scan import Scan, ScanRequest, ScanStatus, ScanTrigger, SubscriptionProgress, SubscriptionStatus
from shared.eventstore.store import Store
from shared.ports.inventory import InventoryPage, RelatedTypes
from shared.ports.queue import Queue
from shared.services.policy import effective_policy
from shared.services.scan import scan
from shared.workflows import scan as workflow
from shared.workflows.wait import DECISION_EVENT
from tests.fakes import event, scan_run
from tests.fakes.catalog import SmallCatalog
from tests.fakes.durable import Engine, connect, given
from tests.fakes.inventory import MemoryInventory, account
from tests.fakes.world import World

DAY = 86_400.0


def name(number: int) -> str:
    return f"{number:08}-0000-0000-0000-000000000001"


@dataclass
class Estate(MemoryInventory):
    """Subscriptions that answer with errors of their own: `errors` by id, each taken once; `away` for the list."""

    errors: dict[str, list[CortexError]] = field(default_factory=dict)
    away: list[CortexError] = field(default_factory=list)

    def subscriptions(self, *, tenant: str) -> Any:
        if self.away:
            raise self.away.pop(0)
        return super().subscriptions(tenant=tenant)

    def page(self, *, tenant: str, subscription: str, wanted: RelatedTypes, cursor: str | None = None) -> InventoryPage:
        if self.errors.get(subscription):
            raise self.errors[subscription].pop(0)
        return super().page(tenant=tenant, subscription=subscription, wanted=wanted, cursor=cursor)


@pytest.fixture
def world(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> World:
    made = World(
        store, queue, cloud=Estate(store.now), policies=effective_policy.packaged(SmallCatalog()), id=request.node.name
    )
    connect(made, monkeypatch)
    return made


@pytest.fixture(scope="module")
def running() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.stop()


@pytest.fixture
def engine(running: Engine) -> Engine:
    running.reset()
    return running


def begin(world: World, engine: Engine, *, subscriptions: int = 1) -> str:
    """Start the scan of an estate; the id of its workflow."""
    world.cloud.put(*(account("a", subscription=name(number)) for number in range(subscriptions)))
    scan.request(world.id, ScanRequest(), ScanTrigger.HTTP, store=world.store, queue=world.queue)
    engine.begin("scan", door.instance_id(world.id), given(world.store, world.id), "1.1")
    return door.instance_id(world.id)


def now(world: World) -> Scan:
    return scan.find(world.id, store=world.store)


def progress(world: World) -> dict[str, SubscriptionProgress]:
    return scan_run.progress(world.store, world.id)


def until(world: World, true: Callable[[Scan], Any]) -> Scan:
    """The scan as soon as it is as expected, which other threads bring about."""
    waited = threading.Event()
    for _ in range(500):
        if true(found := now(world)):
            return found
        waited.wait(0.02)
    raise AssertionError(now(world))


def event_types(world: World) -> list[str]:
    return event.types(world.store, f"scan:{world.id}")


def cancel(world: World, engine: Engine) -> None:
    scan.cancel(world.id, store=world.store, queue=world.queue)
    engine.client.raise_orchestration_event(door.instance_id(world.id), DECISION_EVENT)


def test_a_scan_runs_from_request_to_end(world: World, engine: Engine) -> None:
    instance = begin(world, engine, subscriptions=3)
    assert engine.ended(instance) == OrchestrationStatus.COMPLETED
    assert (now(world).status, now(world).resources) == (ScanStatus.COMPLETED, 3)
    assert engine.calls.count("step") == 6


def test_eight_slow_subscriptions_do_not_hold_up_the_ninth(world: World, engine: Engine) -> None:
    slow = [name(number) for number in range(8)]
    world.cloud.errors = {each: [Throttled("asked to wait a day", retry_after=DAY)] for each in slow}
    instance = begin(world, engine, subscriptions=9)
    known = until(world, lambda found: found.waiting_until)
    waiting = [each for each in progress(world).values() if not each.is_over]
    assert {each.subscription for each in waiting} == set(slow)
    assert all(each.reason == "asked to wait a day" for each in waiting)
    assert known.reason == "asked to wait a day"
    assert known.waiting_until == min(each.waiting_until for each in waiting if each.waiting_until)
    cancel(world, engine)
    assert engine.ended(instance) == OrchestrationStatus.COMPLETED
    assert now(world).status == ScanStatus.CANCELLED


@pytest.mark.slow
def test_many_slow_subscriptions_do_not_hold_up_the_rest(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "BATCH_SUBSCRIPTIONS", 3)
    world.cloud.errors = {name(number): [Throttled("wait", retry_after=DAY)] for number in range(5)}
    instance = begin(world, engine, subscriptions=7)
    until(world, lambda found: found.unfinished == 5 and found.waiting_until)
    cancel(world, engine)
    engine.ended(instance)


@pytest.mark.slow
def test_a_wait_ends_by_itself(world: World, engine: Engine) -> None:
    world.cloud.errors = {name(0): [Throttled("asked to wait", retry_after=0.1)]}
    instance = begin(world, engine)
    engine.ended(instance)
    ended = now(world)
    assert (ended.status, ended.waiting_until) == (ScanStatus.COMPLETED, None)
    assert progress(world)[name(0)].reason == ""
    assert "subscriptionWaiting" in event_types(world)


def test_a_list_of_subscriptions_that_is_refused_says_until_when_and_why(world: World, engine: Engine) -> None:
    world.cloud.away = [Unavailable("the token is refused (401)", retry_after=DAY)]
    instance = begin(world, engine)
    known = until(world, lambda found: found.waiting_until)
    assert (known.status, known.reason) == (ScanStatus.REQUESTED, "the token is refused (401)")
    cancel(world, engine)
    assert engine.ended(instance) == OrchestrationStatus.COMPLETED
    assert now(world).status == ScanStatus.CANCELLED


@pytest.mark.slow
def test_a_list_that_never_comes_fails_the_scan_with_its_reason(world: World, engine: Engine) -> None:
    world.cloud.away = [Unavailable("away", retry_after=0.01)] * (scan.WAIT_ATTEMPTS + 1)
    engine.ended(begin(world, engine))
    assert (now(world).status, now(world).reason) == (ScanStatus.FAILED, "away")


def test_a_garbled_list_fails_the_scan_at_once(world: World, engine: Engine) -> None:
    world.cloud.away = [Malformed("the cloud answered with a page that holds no list")]
    engine.ended(begin(world, engine))
    assert (now(world).status, now(world).reason) == (
        ScanStatus.FAILED,
        "the cloud answered with a page that holds no list",
    )
    assert engine.calls.count("prepare") == 1


@pytest.mark.slow
def test_a_step_that_keeps_failing_ends_its_subscription_alone(world: World, engine: Engine) -> None:
    engine.faults["step"] = [RuntimeError("a bug"), RuntimeError("a bug")]
    engine.ended(begin(world, engine, subscriptions=1))
    ended = now(world)
    assert (ended.status, progress(world)[name(0)].status) == (ScanStatus.PARTIAL, SubscriptionStatus.FAILED)
    assert ended.gaps[0].message == "a bug"


@pytest.mark.slow
@pytest.mark.parametrize("step", ["abandon", "finish", "prepare"])
def test_a_permanent_error_fails_the_scan_with_its_reason_only(step: str, world: World, engine: Engine) -> None:
    engine.faults = {step: [RuntimeError("a bug")] * 2, "step": [RuntimeError("x")] * 2 * (step == "abandon")}
    engine.ended(begin(world, engine))
    assert (now(world).status, now(world).reason) == (ScanStatus.FAILED, "a bug")


def test_a_cancellation_does_not_wait_for_a_step_under_way(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, begun = threading.Event(), threading.Event()
    page = world.cloud.page

    def slow(**asked: Any) -> Any:
        begun.set()
        held.wait(20)
        return page(**asked)

    monkeypatch.setattr(world.cloud, "page", slow)
    instance = begin(world, engine)
    assert begun.wait(10)
    cancel(world, engine)
    assert engine.ended(instance) == OrchestrationStatus.COMPLETED
    assert now(world).status == ScanStatus.CANCELLED
    held.set()


def test_a_slow_list_of_subscriptions_says_so_and_holds_up_no_cancellation(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing_may_end, listed = threading.Event(), world.cloud.subscriptions

    def slow(**asked: Any) -> Any:
        listing_may_end.wait(20)
        return listed(**asked)

    monkeypatch.setattr(world.cloud, "subscriptions", slow)
    monkeypatch.setattr(workflow, "SLOW_SECONDS", 0.01)
    instance = begin(world, engine)
    assert until(world, lambda found: found.reason).reason == scan.SLOW_REASON
    cancel(world, engine)
    assert engine.ended(instance) == OrchestrationStatus.COMPLETED
    assert (now(world).status, now(world).reason) == (ScanStatus.CANCELLED, "")
    listing_may_end.set()


@pytest.mark.slow
def test_a_long_scan_begins_new_histories(world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow, "HISTORY_ACTIVITIES", 5)
    instance = begin(world, engine, subscriptions=6)
    assert engine.ended(instance) == OrchestrationStatus.COMPLETED
    assert (now(world).status, now(world).resources) == (ScanStatus.COMPLETED, 6)
    asked = [each for each in engine.events(instance) if each.HasField("taskScheduled")]
    assert len(asked) <= 8


def test_a_scan_that_was_lost_goes_on_where_its_record_is(world: World, engine: Engine) -> None:
    world.cloud.put(account("a", subscription=name(0)))
    scan.request(world.id, ScanRequest(), ScanTrigger.HTTP, store=world.store, queue=world.queue)
    scan.prepare(world.id, store=world.store, inventory=world.cloud)
    for _ in range(2):
        scan.step(world.id, name(0), store=world.store, inventory=world.cloud, policies=world.policies)
    engine.begin("scan", door.instance_id(world.id), given(world.store, world.id))
    engine.ended(door.instance_id(world.id))
    assert engine.calls == ["look", "finish"]
    assert now(world).status == ScanStatus.COMPLETED
