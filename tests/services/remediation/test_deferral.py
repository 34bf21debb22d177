"""A resource that cannot be read while planning is tried again, and costs the others nothing."""

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.error import CortexError, Throttled, Unavailable
from shared.domain.item import ItemOutcome
from shared.domain.remediation import FindingFilter, Remediation, RemediationRequest, RemediationStatus
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services.remediation import plan, progress, record, request, rollback
from tests.fakes.cloud import account
from tests.fakes.interruption import Killed
from tests.fakes.world import World

DOWN = Unavailable("the cloud answered 503", retry_after=5)


@pytest.fixture
def world(store: Store, queue: Queue) -> World:
    return World(store, queue)


class Outage:
    """Fails the reads of some resources, by name, while it lasts; counts them."""

    def __init__(self, world: World, *names: str, error: CortexError = DOWN) -> None:
        self.names, self.error, self.reads = set(names), error, Counter[str]()
        self.read = world.cloud.read
        world.cloud.read = self

    def __call__(self, *, resource_id: str, **given: Any) -> Any:
        name = resource_id.rpartition("/")[2]
        self.reads[name] += 1
        if name in self.names:
            raise self.error
        return self.read(resource_id=resource_id, **given)


def asked(world: World, *names: str, filtered: bool = True) -> None:
    world.put(*(account(each) for each in names))
    ids = tuple(world.finding(account(each), "https-only").id for each in names)
    chosen = {"filter": FindingFilter(policy="https-only")} if filtered else {"findings": ids}
    request.request(world.id, RemediationRequest(**chosen), store=world.store, queue=world.queue)


def planned(world: World) -> Remediation:
    """Plan until the plan is made, as the workflow does."""
    for _ in range(50):
        if world.step() == "wait":
            break
    return world.now()


def outcomes(world: World) -> dict[str, ItemOutcome]:
    return {each.resource_id.rpartition("/")[2]: each.outcome for each in world.items()}


@pytest.mark.parametrize("filtered", [True, False])
def test_the_others_are_planned_while_one_waits(world: World, *, filtered: bool) -> None:
    names = [f"a{at}" for at in range(5)]
    asked(world, *names, filtered=filtered)
    outage = Outage(world, "a2")
    known = world.plan_batch()
    assert (known.status, known.item_count, known.reason) == (RemediationStatus.PLANNING, 4, DOWN.message)
    assert set(outcomes(world)) == {*names} - {"a2"}
    wait = progress.ahead(known, store=world.store)
    assert (wait["do"], wait["wait"]) == ("wait", pytest.approx(plan.RETRY_SECONDS, abs=1))
    outage.names.clear()
    known = planned(world)
    assert (known.status, known.item_count, known.deferred) == (RemediationStatus.AWAITING_APPROVAL, 5, ())
    assert outcomes(world) == dict.fromkeys(names, ItemOutcome.PENDING)
    assert set(outage.reads.values()) == {1, 2}


def test_after_some_attempts_it_is_left_out_with_its_reason(world: World) -> None:
    asked(world, "a0", "a1", "a2")
    outage, begun = Outage(world, "a0"), world.store.now()
    known = planned(world)
    assert (known.status, known.refused_count) == (RemediationStatus.AWAITING_APPROVAL, 1)
    assert outage.reads["a0"] == plan.PLANNING_ATTEMPTS
    left_out = next(each for each in world.items() if each.resource_id.endswith("a0"))
    assert left_out.outcome == ItemOutcome.REFUSED
    assert left_out.reason == f"given up after {plan.PLANNING_ATTEMPTS} attempts: {DOWN.message}"
    assert timedelta(minutes=5) < world.store.now() - begun < timedelta(minutes=15)


def test_one_whose_findings_are_resolved_meanwhile_is_skipped(world: World) -> None:
    asked(world, "a0", "a1")
    outage = Outage(world, "a0")
    world.plan_batch()
    outage.names.clear()
    world.put(account("a0", supportsHttpsTrafficOnly=True))
    planned(world)
    assert outcomes(world) == {"a0": ItemOutcome.SKIPPED, "a1": ItemOutcome.PENDING}


def test_throttling_makes_all_of_the_plan_wait(world: World) -> None:
    asked(world, "a0", "a1")
    Outage(world, "a0", "a1", error=Throttled("asked to wait", retry_after=600))
    known = world.plan_batch()
    assert (known.item_count, known.deferred, known.reason) == (0, (), "asked to wait")


def test_where_too_many_wait_all_of_the_plan_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "DEFERRED_RESOURCES", 2)
    names = [f"a{at}" for at in range(5)]
    asked(world, *names)
    outage = Outage(world, *names)
    known = world.plan_batch()
    assert (known.status, known.item_count, len(known.deferred)) == (RemediationStatus.PLANNING, 0, 2)
    assert world.event_types()[-1] == "planningDelayed"
    outage.names.clear()
    assert planned(world).item_count == 5
    assert outcomes(world) == dict.fromkeys(names, ItemOutcome.PENDING)


def died(world: World, outage: Outage, at: int) -> bool:
    """Plan to the end, dying before the n-th record once; whether there was one."""
    decide, left = record.decide, [at]

    def counted(*given: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return decide(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record, "decide", counted)
        for _ in range(20):
            with suppress(Killed):
                if world.step() == "wait":
                    break
            if world.now().deferred:
                outage.names.discard("a1")
    return left[0] <= 0


def test_killed_at_each_record_the_plan_holds_each_resource_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "BATCH_ITEMS", 2)
    monkeypatch.setattr(plan, "PLANNING_ATTEMPTS", 3)
    names = [f"a{at}" for at in range(4)]
    for at in range(1, 60):
        world.id = f"r{at}"
        asked(world, *names)
        outage = Outage(world, "a1", "a3")
        killed = died(world, outage, at)
        known = world.now()
        assert (known.status, known.item_count) == (RemediationStatus.AWAITING_APPROVAL, 4), f"killed at {at}"
        assert sorted(outcomes(world)) == names, f"killed at {at}"
        world.cloud.read = outage.read
        rollback.cancel(world.id, store=world.store, queue=world.queue)
        if not killed:
            assert at > 5
            return
    pytest.fail("never came to the end")
