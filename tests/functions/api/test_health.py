"""Health: alive is one thing, ready another; and the permissions a scan needs."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from functions.api import health
from shared.domain.error import Unavailable
from shared.domain.inventory import PermissionCheck
from tests.cloud import MemoryCloud
from tests.functions.api.conftest import Api, problem


def test_the_process_lives_whatever_else_does(api: Api) -> None:
    object.__setattr__(api.ports, "documents", None)
    answer = api.client.get("/api/v1/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_everything_that_is_needed_is_asked(api: Api) -> None:
    answer = api.client.get("/api/v1/health/ready")
    assert answer.status_code == 200
    assert set(answer.json()["checks"]) == {"documents", "blobs", "queue"}
    assert all(each["ready"] and each["milliseconds"] >= 0 for each in answer.json()["checks"].values())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unavailable("the store does not answer"), "the store does not answer"),
        (OSError("secret path"), "failed with OSError"),
    ],
)
def test_what_does_not_answer_is_named(api: Api, error: Exception, reason: str) -> None:
    class Failing:
        def length(self, _queue: str) -> int:
            raise error

    object.__setattr__(api.ports, "queue", Failing())
    answer = api.client.get("/api/v1/health/ready")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    body = answer.json()
    assert not body["ready"]
    assert body["checks"]["queue"]["reason"] == reason
    assert body["checks"]["documents"]["ready"]


def test_what_answers_late_does_not_hold_up_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "DEADLINE", 0.05)
    released = threading.Event()
    found = health.look({"slow": lambda: released.wait(20), "quick": lambda: None})
    released.set()
    assert found["quick"].ready
    assert (found["slow"].ready, found["slow"].reason) == (False, "no answer within 0.05 seconds")


def test_permissions_are_tried(api: Api, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def check(**given: Any) -> Sequence[PermissionCheck]:
        asked.update(given)
        return [
            PermissionCheck(scope="/subscriptions/a", call="list", allowed=False, permission="*/read", role="Reader")
        ]

    monkeypatch.setattr(cloud, "check", check)
    found = api.get("/permissions?subscription=ABC").json()["items"]
    assert [(each["allowed"], each["role"]) for each in found] == [(False, "Reader")]
    assert (asked["tenant"], asked["subscription"]) == ("contoso", "abc")


def test_permissions_of_no_subscription(api: Api) -> None:
    for query in ("", "?subscription=", "?subscription=a/b"):
        assert problem(api.get(f"/permissions{query}"), 400)["path"] == "query.subscription"


def test_usage_is_what_the_store_was_charged(api: Api) -> None:
    assert api.get("/usage").json() == {"documents": {}}
