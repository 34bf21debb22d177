"""Orchestrations, activities, entities and durable clients, run by Microsoft's engine behind the host."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

pytestmark = pytest.mark.xdist_group("host-durable")

Run = Callable[..., Any]


@pytest.fixture
def run(host: Any) -> Run:
    """Starts an orchestration through the queue and waits for its end."""

    def to_its_end(name: str, given: Any, *, instance: str | None = None) -> Any:
        instance = instance or uuid4().hex
        host.send("start", {"id": instance, "name": name, "input": given})
        host.until("start", lambda seen: instance in seen)
        return host.client.get(f"/api/orchestrations/{instance}?wait=10").json()

    return to_its_end


def test_fans_out_to_activities_and_adds_up(run: Run) -> None:
    assert run("fan_out", [1, 2, 3]) == {"status": "COMPLETED", "output": 14, "failure": None}


def test_runs_sub_orchestrations(run: Run) -> None:
    assert run("family", [[1, 2], [3]])["output"] == [5, 9]


def test_retries_an_activity_as_its_policy_says(run: Run, host: Any) -> None:
    name = uuid4().hex
    assert run("patient", {"name": name, "failures": 2, "attempts": 3})["output"] == 3
    assert len(host.seen(name)) == 3


def test_fails_with_the_activity_when_the_attempts_are_used_up(run: Run, host: Any) -> None:
    name = uuid4().hex
    ended = run("patient", {"name": name, "failures": 9, "attempts": 2})
    assert ended["status"] == "FAILED"
    assert "attempt 2 fails" in ended["failure"]
    assert len(host.seen(name)) == 2


def test_an_unknown_activity_fails_its_caller(run: Run) -> None:
    ended = run("lost", 1)
    assert ended["status"] == "FAILED"
    assert "no_such_activity" in ended["failure"]


def test_an_unknown_orchestration_fails_and_says_so(run: Run) -> None:
    ended = run("no_such_orchestration", 1)
    assert ended["status"] == "FAILED"
    assert "no_such_orchestration" in ended["failure"]


def test_waits_for_an_external_event(host: Any) -> None:
    instance = uuid4().hex
    host.send("start", {"id": instance, "name": "approval", "input": 60.0})
    host.until("start", lambda seen: instance in seen)
    assert host.client.get(f"/api/orchestrations/{instance}").json()["output"] is None
    assert host.client.post(f"/api/orchestrations/{instance}/events/approved").status_code == 202
    ended = host.client.get(f"/api/orchestrations/{instance}?wait=10").json()
    assert ended == {"status": "COMPLETED", "output": "yes", "failure": None}


def test_a_timer_fires(run: Run) -> None:
    assert run("approval", 0.01)["output"] == "too late"


def test_an_entity_keeps_its_state(run: Run) -> None:
    assert run("counting", [5, 6, 7])["output"] == 18


def test_an_instance_that_does_not_exist_has_no_status(host: Any) -> None:
    assert host.client.get("/api/orchestrations/nobody").status_code == 404


def test_starting_an_instance_twice_is_the_callers_failure(host: Any, run: Run) -> None:
    instance = uuid4().hex
    run("fan_out", [1], instance=instance)
    host.send("start", {"id": instance, "name": "fan_out", "input": [2]})
    host.until("start", lambda seen: seen.count(instance) >= 2)
    assert host.client.get(f"/api/orchestrations/{instance}?wait=10").json()["output"] == 1
