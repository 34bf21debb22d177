"""Health: alive is one thing, ready another; and the permissions a scan needs."""

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from functions.api import health
from functions.api.app import build
from shared.bootstrap import Ports
from shared.domain.error import Damaged, Throttled, Unavailable, Unusable
from shared.domain.inventory import PermissionCheck
from tests.fakes.cloud import MemoryCloud
from tests.fakes.corruption import checkpoint, files_at_most, spoil, unprivileged
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


def test_what_does_not_answer_is_named_and_no_address_is_reported(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check() -> None:
        raise Unavailable("https://secret.example answers 500")

    monkeypatch.setattr(ports.queue, "check", check)
    answer = TestClient(build(ports)).get("/api/v1/health/ready")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    body = answer.json()
    assert not body["ready"]
    assert body["checks"]["queue"]["reason"] == "the store does not answer or refuses us; see the log"
    assert body["checks"]["documents"]["ready"]
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unusable("queue.db is full"), "queue.db is full"),
        (Damaged("queue.db is damaged", place="/var/secret/queue.db"), "queue.db is damaged"),
        (Throttled("https://secret.example", retry_after=9), "the store asks us to wait"),
        (OSError("/var/secret"), "the check failed; see the log"),
    ],
)
def test_reasons_are_in_words_that_anybody_may_read(error: Exception, reason: str) -> None:
    def check() -> None:
        raise error

    assert health.ReadinessChecks({"queue": check}).look()["queue"].reason == reason


@pytest.fixture
def asked(ports: Ports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], dict[str, str]]]:
    """Asks for readiness; the reasons of what is not ready."""
    monkeypatch.setattr(health, "CACHE_SECONDS", 0.0)
    with TestClient(build(ports)) as client:

        def ask() -> dict[str, str]:
            answer = client.get("/api/v1/health/ready")
            reasons = {name: each["reason"] for name, each in answer.json()["checks"].items() if not each["ready"]}
            assert answer.status_code == (503 if reasons else 200)
            assert str(tmp_path) not in answer.text
            return reasons

        assert ask() == {}
        yield ask


def test_a_removed_state_folder_is_noticed(asked: Callable[[], dict[str, str]], tmp_path: Path) -> None:
    shutil.rmtree(tmp_path)
    assert {name: reason.partition(" ")[2][:23] for name, reason in asked().items()} == {
        "documents": "was removed while in us",
        "blobs": "was removed or replaced",
        "queue": "was removed while in us",
    }
    assert not tmp_path.exists()


@pytest.mark.parametrize("name", ["documents", "queue"])
def test_a_malformed_database_is_noticed(asked: Callable[[], dict[str, str]], tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.db"
    checkpoint(path)
    spoil(path, at=path.stat().st_size // 2, length=path.stat().st_size // 4)
    assert set(asked()) == {name}
    assert f"{name}.db is damaged" in asked()[name]


@pytest.mark.parametrize("name", ["documents", "queue"])
def test_a_replaced_database_is_noticed(asked: Callable[[], dict[str, str]], tmp_path: Path, name: str) -> None:
    shutil.copy(tmp_path / f"{name}.db", tmp_path / "copy.db")
    (tmp_path / "copy.db").replace(tmp_path / f"{name}.db")
    assert asked() == {name: f"{name}.db was replaced while in use: restart"}


def test_a_full_disk_is_noticed(asked: Callable[[], dict[str, str]]) -> None:
    with files_at_most(0):
        found = asked()
    assert set(found) == {"documents", "blobs", "queue"}
    assert "check the disk" in found["documents"]
    assert asked() == {}


def test_a_disk_without_room_is_noticed(asked: Callable[[], dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.adapters.local.file.FREE_BYTES", 1 << 60)
    assert {reason.partition(" is full")[1] for reason in asked().values()} == {" is full"}


def test_files_that_may_not_be_written_are_noticed(ports: Ports, tmp_path: Path) -> None:
    (tmp_path / "documents.db").chmod(0o400)
    (tmp_path / "blobs").chmod(0o500)
    with unprivileged(), TestClient(build(ports)) as client:
        checks = client.get("/api/v1/health/ready").json()["checks"]
    assert {name: each["ready"] for name, each in checks.items()} == {
        "documents": False, "blobs": False, "queue": True
    }  # fmt: skip
    assert "documents.db cannot be written: let this user" in checks["documents"]["reason"]


def test_a_check_that_hangs_is_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(health, "CACHE_SECONDS", 0.0)
    released, begun = threading.Event(), []
    checks = health.ReadinessChecks(
        {"slow": lambda: (begun.append(1), released.wait(20), None)[2], "quick": lambda: None}
    )
    for _ in range(3):
        found = checks.look()
        assert found["quick"].ready
        assert (found["slow"].ready, found["slow"].reason) == (False, "no answer within 0.05 seconds")
    released.set()
    assert len(begun) == 1


def test_many_callers_cost_one_look() -> None:
    begun: list[int] = []
    checks = health.ReadinessChecks({"counted": lambda: begun.append(1)})
    assert [checks.look()["counted"].ready for _ in range(50)] == [True] * 50
    assert len(begun) == 1


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


def test_permissions_of_what_is_no_subscription(api: Api) -> None:
    for query in ("?subscription=", "?subscription=a/b"):
        assert problem(api.get(f"/permissions{query}"), 400)["path"] == "query.subscription"


def test_usage_is_what_the_store_was_charged(api: Api) -> None:
    assert api.get("/usage").json() == {"documents": {}}
