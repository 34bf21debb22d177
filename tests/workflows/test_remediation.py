"""The workflow of a remediation under the real durable engine, with the doors' own activities."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from durabletask.client import OrchestrationStatus

from shared.domain.error import Forbidden, Throttled
from shared.domain.item import ItemOutcome
from shared.domain.remediation import RemediationStatus
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services.remediation import approval
from shared.workflows import remediation as workflow
from tests.fakes.cloud import account
from tests.fakes.durable import Engine, connect, until
from tests.fakes.world import World, throw


@pytest.fixture
def world(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> World:
    made = World(store, queue, id=request.node.name)
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


def requested(world: World, *names: str) -> dict[str, Any]:
    body = account()
    world.put(body)
    world.request(body, *(names or ("https-only",)))
    return body


def test_a_remediation_runs_from_request_to_proof(world: World, engine: Engine) -> None:
    body = requested(world)
    engine.start(world)
    until(world, RemediationStatus.AWAITING_APPROVAL)
    world.approve()
    engine.raise_event(world)
    assert engine.end(world) == OrchestrationStatus.COMPLETED
    assert world.now().status == RemediationStatus.SUCCEEDED
    assert world.cloud.writes == [("PATCH", body["id"])]
    assert engine.calls == ["look", "plan", "look", "execute", "finish"]


def test_an_approval_before_the_wait_is_found_in_the_record(world: World, engine: Engine) -> None:
    requested(world)
    world.plan()
    world.approve()
    engine.start(world)
    engine.end(world)
    assert world.now().status == RemediationStatus.SUCCEEDED
    assert engine.calls == ["look", "execute", "finish"]


def test_an_event_without_a_decision_changes_nothing(world: World, engine: Engine) -> None:
    requested(world)
    engine.start(world)
    until(world, RemediationStatus.AWAITING_APPROVAL)
    engine.raise_event(world)
    engine.raise_event(world)
    world.approve()
    engine.raise_event(world)
    engine.end(world)
    assert world.now().status == RemediationStatus.SUCCEEDED
    assert world.item_event_types().count("itemApplied") == 1


def test_a_rejection_ends_the_workflow(world: World, engine: Engine) -> None:
    requested(world)
    engine.start(world)
    until(world, RemediationStatus.AWAITING_APPROVAL)
    approval.reject(world.id, "no", store=world.by("grace"), queue=world.queue)
    engine.raise_event(world)
    assert engine.end(world) == OrchestrationStatus.COMPLETED
    assert world.now().status == RemediationStatus.REJECTED
    assert world.cloud.writes == []


def test_a_plan_that_nobody_approves_expires(world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.services.remediation.plan.EXPIRY", timedelta(milliseconds=1))
    requested(world)
    engine.start(world)
    engine.end(world)
    assert world.now().status == RemediationStatus.EXPIRED


def test_a_throttled_cloud_is_waited_for(world: World, engine: Engine) -> None:
    requested(world)
    world.plan()
    world.approve()
    world.cloud.before = throw(Throttled("slow down", retry_after=0.05))
    engine.start(world)
    engine.end(world)
    assert world.now().status == RemediationStatus.SUCCEEDED
    assert engine.calls.count("execute") == 2


def test_a_throttled_plan_is_waited_for(world: World, engine: Engine) -> None:
    requested(world)
    world.cloud.faults.append(Throttled("slow down", retry_after=0.02))
    engine.start(world)
    until(world, RemediationStatus.AWAITING_APPROVAL)
    assert engine.calls[:3] == ["look", "plan", "plan"]


def test_a_step_that_fails_once_is_done_again(world: World, engine: Engine) -> None:
    requested(world)
    world.plan()
    world.approve()
    engine.faults["execute"] = [RuntimeError("a worker died")]
    engine.start(world)
    engine.end(world)
    assert world.now().status == RemediationStatus.SUCCEEDED


def test_a_step_that_keeps_failing_is_given_up_and_recorded(world: World, engine: Engine) -> None:
    requested(world)
    world.plan()
    world.approve()
    engine.faults["execute"] = [RuntimeError("a bug"), RuntimeError("a bug")]
    engine.start(world)
    assert engine.end(world) == OrchestrationStatus.COMPLETED
    known = world.now()
    assert (known.status, world.item().outcome) == (RemediationStatus.FAILED, ItemOutcome.FAILED)
    assert "a bug" in world.item().reason


def test_an_item_that_keeps_failing_is_given_up_and_the_others_go_on(world: World, engine: Engine) -> None:
    first, second = account("alpha"), account("beta")
    world.put(first, second)
    world.request(first, "https-only", more=(world.finding(second, "https-only").id,))
    world.plan()
    world.approve()

    def bug(_method: str, resource_id: str) -> None:
        if resource_id == first["id"]:
            raise RuntimeError("a bug")

    world.cloud.before = bug
    engine.start(world)
    assert engine.end(world) == OrchestrationStatus.COMPLETED
    assert world.now().status == RemediationStatus.PARTLY_SUCCEEDED
    outcomes = {each.resource_id: each.outcome for each in world.items()}
    assert outcomes == {first["id"]: ItemOutcome.UNKNOWN, second["id"]: ItemOutcome.DONE}


def test_a_long_remediation_begins_new_histories(world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow, "HISTORY_ACTIVITIES", 2)
    monkeypatch.setattr("shared.services.remediation.execution.BATCH_ITEMS", 1)
    first = account("alpha")
    others = [account(name) for name in ("beta", "gamma", "delta")]
    world.put(first, *others)
    world.request(first, "https-only", more=tuple(world.finding(each, "https-only").id for each in others))
    world.plan()
    world.approve()
    engine.start(world)
    engine.end(world)
    assert [item.outcome for item in world.items()] == [ItemOutcome.DONE] * 4
    assert len(world.cloud.writes) == 4
    assert engine.calls.count("look") > 2


def test_a_lost_workflow_is_started_again_and_goes_on(world: World, engine: Engine) -> None:
    requested(world, "https-only", "tls-1-2")
    world.plan()
    world.approve()
    world.apply()
    engine.start(world)
    engine.end(world)
    assert engine.calls == ["look", "execute", "finish"]
    assert world.now().status == RemediationStatus.SUCCEEDED


def test_a_rollback_is_a_new_run_under_the_same_id(world: World, engine: Engine) -> None:
    body = requested(world)
    world.plan()
    world.approve()
    engine.start(world)
    engine.end(world)
    world.rollback()
    engine.purge(world)
    engine.start(world)
    engine.end(world)
    assert world.now().status == RemediationStatus.ROLLED_BACK
    assert world.cloud.writes == [("PATCH", body["id"]), ("PATCH", body["id"])]


def test_one_refused_item_does_not_stop_the_workflow(world: World, engine: Engine) -> None:
    first, second = account("alpha"), account("beta")
    world.put(first, second)
    world.request(first, "https-only", more=(world.finding(second, "https-only").id,))
    world.plan()
    world.approve()
    world.cloud.before = throw(Forbidden("no"))
    engine.start(world)
    engine.end(world)
    assert world.now().status == RemediationStatus.PARTLY_SUCCEEDED
