"""Orchestrations, activities, entities and durable clients, run by Microsoft's engine behind the host."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

Run = Callable[..., Any]


@pytest.fixture
def run(host: Any) -> Run:
    """Starts an orchestration through the queue and waits for its end."""

    def to_its_end(name: str, given: Any, *, instance: str | None = None, starts: int = 1) -> Any:
        instance = instance or uuid4().hex
        host.send("start", {"id": instance, "name": name, "input": given})
        host.until("start", lambda seen: seen.count(instance) >= starts)
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


def test_an_entity_is_signalled_by_a_client_and_asked_by_an_orchestration(host: Any, run: Run) -> None:
    for value in (3, 4):
        assert host.client.post("/api/entities/signalled/add", json=value).status_code == 202
    assert run("asking", {"key": "signalled", "operation": "get"})["output"] == 7


def test_a_failing_operation_fails_its_caller_and_keeps_the_state(host: Any, run: Run) -> None:
    host.client.post("/api/entities/broken/add", json=5)
    ended = run("asking", {"key": "broken", "operation": "break"})
    assert ended["status"] == "FAILED"
    assert "broken as asked" in ended["failure"]
    assert run("asking", {"key": "broken", "operation": "get"})["output"] == 5


def test_an_entity_the_app_does_not_have_fails_its_caller(run: Run) -> None:
    ended = run("stranger", "nobody")
    assert ended["status"] == "FAILED"
    assert "no entity function 'nobody'" in ended["failure"]


def test_an_id_whose_instance_has_ended_can_be_started_again(run: Run) -> None:
    instance = uuid4().hex
    assert run("fan_out", [1], instance=instance)["output"] == 1
    assert run("fan_out", [2], instance=instance, starts=2)["output"] == 4


def test_an_id_whose_instance_is_alive_is_refused(host: Any) -> None:
    instance = uuid4().hex
    for starts in (1, 2):
        host.send("start", {"id": instance, "name": "approval", "input": 60.0})
        host.until("start", lambda seen, starts=starts: seen.count(instance) >= starts)
    assert host.wait(lambda: host.queue.length("start-poison"), bool) == 1
    host.client.post(f"/api/orchestrations/{instance}/events/approved")
    assert host.client.get(f"/api/orchestrations/{instance}?wait=10").json()["output"] == "yes"
    assert host.seen("start").count(instance) == 6  # the first, and five that were refused
