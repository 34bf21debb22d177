"""Workflows that were lost, missed a message or hang are mended from outside; live ones are left alone."""

import contextlib
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.error import Damaged, InvalidInput, NotFound, Throttled
from shared.domain.item import ItemOutcome
from shared.domain.progress import ENDING_DURATION, RESTART_ATTEMPTS, STUCK_AFTER, WorkflowAction
from shared.domain.remediation import Remediation
from shared.domain.remediation import RemediationStatus as Fixing
from shared.domain.scan import Scan, ScanRequest, ScanStatus, ScanTrigger
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services import compliance, reconciliation
from shared.services.policy import effective_policy
from shared.services.remediation import record
from shared.services.scan import scan
from tests.fakes import event
from tests.fakes.catalog import SmallCatalog
from tests.fakes.clock import Clock
from tests.fakes.cloud import account as wrong_account
from tests.fakes.inventory import SUBSCRIPTION, MemoryInventory, account
from tests.fakes.world import World, throw

POLICIES = effective_policy.packaged(SmallCatalog())


@pytest.fixture
def world(store: Store, queue: Queue, inventory: MemoryInventory) -> World:
    inventory.put(account("a"))
    return World(store, queue, policies=POLICIES, inventory=inventory)


def look(world: World, known: Scan | Remediation) -> WorkflowAction:
    return reconciliation.reconcile(known, store=world.store, queue=world.queue, policies=lambda _: world.policies)


def started(world: World) -> Scan:
    scan.request("s1", ScanRequest(), ScanTrigger.HTTP, store=world.store, queue=world.queue)
    scan.prepare("s1", store=world.store, inventory=world.inventory)
    taken(world, scan.QUEUE)
    return now(world)


def now(world: World) -> Scan:
    return scan.current("s1", store=world.store)


def step(world: World) -> None:
    scan.step("s1", SUBSCRIPTION, store=world.store, inventory=world.inventory, policies=POLICIES)


def taken(world: World, queue: str) -> int:
    found = world.queue.receive(queue)
    for each in found:
        world.queue.delete(queue, each)
    return len(found)


def told(world: World, name: str = "scan:s1") -> list[str]:
    return event.types(world.store, name)


def test_a_scan_on_its_way_is_only_sent_again(world: World) -> None:
    known = started(world)
    assert look(world, known) == WorkflowAction.LEAVE
    assert (taken(world, scan.QUEUE), taken(world, scan.DECISION_QUEUE)) == (1, 0)
    assert now(world) == known


def test_a_scan_whose_parts_are_all_done_is_finished(world: World, clock: Clock) -> None:
    started(world)
    step(world)
    step(world)
    clock.at += timedelta(minutes=1)
    assert look(world, now(world)) == WorkflowAction.FINISH
    assert now(world).status == ScanStatus.COMPLETED
    assert taken(world, scan.DECISION_QUEUE) == 1


def test_a_cancelled_scan_whose_message_was_lost_is_rung_and_then_finished(world: World, clock: Clock) -> None:
    started(world)
    scan.cancel("s1", store=world.store, queue=world.queue)
    taken(world, scan.DECISION_QUEUE)
    assert look(world, now(world)) == WorkflowAction.LEAVE
    assert taken(world, scan.DECISION_QUEUE) == 1
    clock.at += timedelta(minutes=1)
    assert look(world, now(world)) == WorkflowAction.FINISH
    assert now(world).status == ScanStatus.CANCELLED


def test_a_scan_that_waits_45_minutes_is_never_started_again(world: World, clock: Clock) -> None:
    started(world)
    world.inventory.faults = [Throttled("asked to wait 2700 s", retry_after=2700)]
    step(world)
    begun = clock.at
    while clock.at < begun + timedelta(minutes=59):
        assert look(world, now(world)) == WorkflowAction.LEAVE
        clock.at += timedelta(minutes=1)
    assert now(world).restarts == 0
    step(world)
    assert (now(world).collected, now(world).waiting_until) == (1, None)


def test_a_stuck_scan_is_started_again_once_a_period_and_given_up_with_a_reason(world: World, clock: Clock) -> None:
    started(world)
    actions: list[WorkflowAction] = []
    while now(world).status == ScanStatus.RUNNING:
        clock.at += timedelta(minutes=1)
        actions.append(look(world, now(world)))
    assert actions.count(WorkflowAction.RESTART) == RESTART_ATTEMPTS
    assert actions[-1] == WorkflowAction.GIVE_UP
    assert len(actions) == pytest.approx((RESTART_ATTEMPTS + 1) * STUCK_AFTER / timedelta(minutes=1), abs=1)
    assert taken(world, reconciliation.RESTART_QUEUE) == RESTART_ATTEMPTS
    assert told(world)[-RESTART_ATTEMPTS - 1 :] == ["workflowRestarted"] * RESTART_ATTEMPTS + ["scanFailed"]
    assert "started again 5 times" in now(world).reason


def test_progress_makes_good_for_restarts(world: World, clock: Clock) -> None:
    started(world)
    clock.at += STUCK_AFTER
    look(world, now(world))
    assert now(world).restarts == 1
    step(world)
    assert (now(world).restarts, now(world).restarted_at) == (0, None)


def test_a_record_that_went_on_meanwhile_is_not_started_again(world: World, clock: Clock) -> None:
    before = started(world)
    clock.at += STUCK_AFTER
    step(world)
    look(world, before)
    assert now(world).restarts == 0
    assert taken(world, reconciliation.RESTART_QUEUE) == 0


def fixing(world: World) -> World:
    """A remediation that is approved."""
    body = wrong_account()
    made = World(world.store, world.queue)
    made.put(body)
    made.approved(body, "https-only")
    for queue in (record.QUEUE, record.DECISION_QUEUE):
        taken(made, queue)
    return made


def test_a_plan_that_awaits_approval_is_left_alone_for_days(world: World, clock: Clock) -> None:
    body = wrong_account()
    made = World(world.store, world.queue)
    made.put(body)
    made.request(body, "https-only")
    made.plan()
    clock.at += timedelta(days=6)
    assert look(made, made.now()) == WorkflowAction.LEAVE
    assert made.now().waiting_until == made.now().expires_at


def test_an_approval_whose_message_was_lost_is_rung_again(world: World) -> None:
    made = fixing(world)
    assert look(made, made.now()) == WorkflowAction.LEAVE
    assert taken(made, record.DECISION_QUEUE) == 1


def test_a_remediation_whose_items_are_all_done_is_finished(world: World, clock: Clock) -> None:
    made = fixing(world)
    made.apply()
    made.verify()
    clock.at += timedelta(minutes=1)
    assert look(made, made.now()) == WorkflowAction.FINISH
    assert made.now().status == Fixing.SUCCEEDED


@pytest.mark.parametrize("begun", [False, True])
def test_a_stuck_remediation_is_given_up_and_leaves_what_was_begun_unknown(
    world: World, clock: Clock, *, begun: bool
) -> None:
    made = fixing(world)
    if begun:
        made.apply()
    while made.now().status in (Fixing.APPROVED, Fixing.APPLYING):
        clock.at += STUCK_AFTER
        look(made, made.now())
    known = made.now()
    assert known.status == Fixing.FAILED
    assert made.items()[0].outcome == (ItemOutcome.UNKNOWN if begun else ItemOutcome.SKIPPED)
    assert "started again 5 times" in known.reason
    assert made.event_types().count("workflowRestarted") == RESTART_ATTEMPTS


def test_a_remediation_that_waits_45_minutes_is_never_started_again(world: World, clock: Clock) -> None:
    made = fixing(world)
    made.cloud.before = throw(Throttled("asked to wait 2700 s", retry_after=2700))
    made.execute()
    clock.at += timedelta(minutes=59)
    assert look(made, made.now()) == WorkflowAction.LEAVE


def test_the_record_of_a_workflow_is_found_by_its_id(world: World) -> None:
    known: Any = started(world)
    assert reconciliation.find(reconciliation.instance(known), store=world.store) == known
    with pytest.raises(NotFound):
        reconciliation.find("scan-none", store=world.store)
    with pytest.raises(InvalidInput):
        reconciliation.find("other-s1", store=world.store)


@pytest.mark.parametrize("error", [Damaged("the summary is damaged"), RuntimeError("a bug")])
def test_what_can_never_be_finished_does_not_keep_the_next_one_out(
    error: Exception, world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_given: object) -> None:
        raise error

    started(world)
    step(world)
    step(world)
    monkeypatch.setattr(compliance, "refresh", refuse)
    for _ in range(RESTART_ATTEMPTS + 1):
        clock.at += ENDING_DURATION
        with contextlib.suppress(Damaged, RuntimeError):
            look(world, now(world))
        if now(world).ended_at:
            break
    ended = now(world)
    assert (ended.status, told(world).count("workflowRestarted")) == (ScanStatus.FAILED, RESTART_ATTEMPTS)
    assert "the summary is damaged" in ended.reason or f"{RESTART_ATTEMPTS} times" in ended.reason
    again = scan.request("s2", ScanRequest(), ScanTrigger.HTTP, store=world.store, queue=world.queue)
    assert again.status == ScanStatus.REQUESTED
