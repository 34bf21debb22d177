"""Events: every write reaches the webhook as an Event Grid event."""

import json
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from local.cloud import Sandbox
from shared.domain.error import InvalidInput

V = "2025-06-01"


@dataclass
class Hook:
    """A webhook that keeps what it gets and responds as the test says."""

    url: str
    batches: "queue.Queue[tuple[dict[str, str], list[dict[str, Any]]]]" = field(default_factory=queue.Queue)
    answers: list[int] = field(default_factory=list)

    def next(self) -> list[dict[str, Any]]:
        return self.batches.get(timeout=90)[1]


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.batches.put(({name.lower(): value for name, value in self.headers.items()}, json.loads(body)))
            self.send_response(made.answers.pop(0) if made.answers else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}/events"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_write_is_posted(start: Callable[..., Sandbox], connect: Any, hook: Hook) -> None:
    cloud = start(events=hook.url, events_token="secret")
    account = cloud.ids("Microsoft.Storage/storageAccounts")[0]
    connect(cloud)("PATCH", account, {"tags": {}}, version=V, x_ms_correlation_request_id="c-1")
    headers, (event,) = hook.batches.get(timeout=90)
    assert headers["aeg-event-type"] == "Notification"
    assert headers["authorization"] == "Bearer secret"
    assert (event["eventType"], event["subject"]) == ("Microsoft.Resources.ResourceWriteSuccess", account)
    assert event["topic"] == account[: len("/subscriptions/") + 36]
    assert (
        event["data"].items()
        >= {
            "resourceUri": account,
            "operationName": "Microsoft.Storage/storageAccounts/write",
            "correlationId": "c-1",
            "status": "Succeeded",
        }.items()
    )
    assert {"id", "eventTime", "dataVersion"} <= event.keys()


def test_drift_is_posted_and_a_delete_is_a_delete_event(
    start: Callable[..., Sandbox], connect: Any, hook: Hook
) -> None:
    cloud = start(events=hook.url)
    changed = cloud.drift(5)
    found: list[str] = []
    while len(found) < len(changed):
        batch = hook.next()
        assert batch == sorted(batch, key=lambda event: str(event["id"])), "not in the order of the writes"
        found += [event["data"]["resourceUri"] for event in batch]
    workflow = cloud.ids("Microsoft.Logic/workflows")[0]
    connect(cloud)("DELETE", workflow, version="2019-05-01")
    (event,) = hook.next()
    assert sorted(found) == sorted(changed)
    assert event["eventType"] == "Microsoft.Resources.ResourceDeleteSuccess"


def test_a_lost_write_is_not_posted(start: Callable[..., Sandbox], connect: Any, hook: Hook) -> None:
    cloud = start(events=hook.url)
    account = cloud.ids("Microsoft.Storage/storageAccounts")[0]
    cloud.faults.add("lostWrite", times=1)
    connect(cloud)("PATCH", account, {"tags": {"n": "1"}}, version=V)
    connect(cloud)("PATCH", account, {"tags": {"n": "2"}}, version=V)
    assert len(hook.next()) == 1
    assert hook.batches.empty()


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_events_that_the_receiver_refuses_are_dropped(
    start: Callable[..., Sandbox], connect: Any, hook: Hook, status: int
) -> None:
    hook.answers = [status]
    cloud = start(events=hook.url)
    account, other = cloud.ids("Microsoft.Storage/storageAccounts")[:2]
    connect(cloud)("PATCH", account, {"tags": {}}, version=V)
    assert hook.next()[0]["subject"] == account
    connect(cloud)("PATCH", other, {"tags": {}}, version=V)
    assert [event["subject"] for event in hook.next()] == [other]


@pytest.mark.parametrize("status", [404, 408, 429, 500, 503])
def test_a_failed_delivery_is_tried_again(
    start: Callable[..., Sandbox], connect: Any, hook: Hook, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr("local.cloud.event._RETRY_SECONDS", 0.01)
    hook.answers = [status]
    cloud = start(events=hook.url)
    account = cloud.ids("Microsoft.Storage/storageAccounts")[0]
    connect(cloud)("PATCH", account, {"tags": {}}, version=V)
    first, second = hook.next(), hook.next()
    assert first == second, "the same event under the same id"


def test_what_comes_behind_a_failed_delivery_is_not_held_up(
    start: Callable[..., Sandbox], connect: Any, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.cloud.event._RETRY_SECONDS", 0.01)
    monkeypatch.setattr("local.cloud.event._BATCH_EVENTS", 1)
    hook.answers = [503] * 3
    cloud = start(events=hook.url)
    account, other = cloud.ids("Microsoft.Storage/storageAccounts")[:2]
    connect(cloud)("PATCH", account, {"tags": {}}, version=V)
    assert hook.next()[0]["subject"] == account
    connect(cloud)("PATCH", other, {"tags": {}}, version=V)
    delivered = [hook.next()[0]["subject"] for _ in range(4)]
    assert set(delivered) == {account, other}


def test_a_webhook_needs_an_http_address(start: Callable[..., Sandbox]) -> None:
    with pytest.raises(InvalidInput, match="http"):
        start(events="file:///etc/passwd")
