"""Server-sent events: one by one, resumed where they were left, ended when there is no more to come."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from functions.api.app import build
from functions.api.http.stream import StreamPolling
from shared.eventstore.store import Store
from shared.services.scan import scan
from tests.functions.api.conftest import Api, problem

Event = dict[str, str]


def events(text: str) -> list[Event]:
    """What a browser would make of the stream."""
    blocks = [block.splitlines() for block in text.split("\n\n") if block]
    parsed = [dict(line.split(": ", 1) for line in lines if not line.startswith(":")) for lines in blocks]
    return [each for each in parsed if "event" in each]


@pytest.fixture
def started(api: Api) -> str:
    identity: str = api.post("/scans", {}).json()["id"]
    return identity


def test_a_scan_that_has_ended_is_streamed_in_full(api: Api, started: str, store: Store) -> None:
    scan.fail(started, "the cloud is closed", store=store)
    answer = api.get(f"/scans/{started}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.startswith("retry: ")
    result = events(answer.text)
    assert [(each["id"], each["event"]) for each in result] == [("1", "scanRequested"), ("2", "scanFailed")]
    assert json.loads(result[1]["data"])["event"]["reason"] == "the cloud is closed"


def test_it_goes_on_after_the_last_event_that_was_seen(api: Api, started: str, store: Store) -> None:
    scan.fail(started, "stopped", store=store)
    result = events(api.get(f"/scans/{started}/events", last_event_id="1").text)
    assert [each["id"] for each in result] == ["2"]


def test_who_has_seen_everything_of_what_has_ended_need_not_come_again(api: Api, started: str, store: Store) -> None:
    scan.fail(started, "stopped", store=store)
    answer = api.get(f"/scans/{started}/events", last_event_id="2")
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_running_scan_is_followed_for_a_bounded_time(api: Api, started: str) -> None:
    answer = api.get(f"/scans/{started}/events")
    assert [each["event"] for each in events(answer.text)] == ["scanRequested"]
    assert ": no new events" in answer.text


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "9" * 10, "٣"])
def test_what_is_no_id_of_an_event_is_refused(api: Api, started: str, given: str) -> None:
    headers = api.headers() | {"last-event-id": given.encode()}  # type: ignore[dict-item]
    answer = api.client.get(f"/api/v1/scans/{started}/events", headers=headers)
    assert problem(answer, 400)["path"] == "header.last-event-id"


def test_what_is_not_there_cannot_be_followed(api: Api) -> None:
    problem(api.get("/scans/none/events"), 404)
    problem(api.get("/remediations/none/events"), 404)


def test_events_come_as_they_happen(api: Api, started: str, store: Store) -> None:
    """Each step of the scan is recorded only after the event before it has arrived."""
    app = build(api.ports, StreamPolling(interval=0.001, polls=10_000))
    seen: list[str] = []

    async def follow(arrived: Callable[[bytes], Awaitable[None]]) -> None:
        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.body":
                await arrived(message.get("body", b""))

        await app(_scope(f"/api/v1/scans/{started}/events", api.headers()), _silent, send)  # type: ignore[arg-type]

    async def arrived(chunk: bytes) -> None:
        seen.extend(each["event"] for each in events(chunk.decode()))
        if seen == ["scanRequested"]:
            await asyncio.to_thread(scan.cancel, started, store=store, queue=api.ports.queue)
        elif seen == ["scanRequested", "cancelRequested"]:
            await asyncio.to_thread(scan.fail, started, "stopped", store=store)

    asyncio.run(asyncio.wait_for(follow(arrived), 20))
    assert seen == ["scanRequested", "cancelRequested", "scanFailed"]


def test_when_the_caller_leaves_nobody_looks_any_more(api: Api, started: str) -> None:
    app = build(api.ports, StreamPolling(interval=0.001, polls=1_000_000))

    async def leave() -> None:
        gone = asyncio.Event()

        async def receive() -> dict[str, str]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.body":
                gone.set()

        await app(_scope(f"/api/v1/scans/{started}/events", api.headers()), receive, send)  # type: ignore[arg-type]

    asyncio.run(asyncio.wait_for(leave(), 20))


async def _silent() -> dict[str, str]:
    await asyncio.Event().wait()
    raise AssertionError


def _scope(path: str, headers: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
