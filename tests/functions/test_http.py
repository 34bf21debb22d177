"""The HTTP door: one trigger, answers as they are made, work that stops when the caller leaves."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions import http
from functions.http import AsgiExchange
from shared import bootstrap
from shared.domain.error import Unavailable

Sent = list[Message]


def request(path: str = "/", body: bytes = b"", receive: Receive | None = None) -> Request:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"a=1",
        "root_path": "/worker",
        "headers": [(b"x-a", b"1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "path_params": {"path": path},
        "route": object(),
        "state": {"of": "the worker"},
    }

    async def whole() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive or whole)


async def exchange(app: ASGIApp, asked: Request) -> Sent:
    """What the worker's server would be sent."""
    sent: Sent = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def connected() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    answer = await AsgiExchange(app, asked).response()
    await answer(asked.scope, connected, send)
    return sent


def run(app: ASGIApp, asked: Request | None = None) -> Sent:
    return asyncio.run(asyncio.wait_for(exchange(app, asked or request()), 10))


def answering(*chunks: bytes, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})

    return app


def test_an_answer_is_handed_through_as_it_is() -> None:
    headers = ((b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"content-type", b"text/plain"))
    sent = run(answering(b"one", b"two", status=201, headers=headers))
    assert (sent[0]["status"], tuple(sent[0]["headers"])) == (201, headers)
    assert b"".join(each["body"] for each in sent[1:]) == b"onetwo"
    assert [each.get("more_body") for each in sent[1:]][-1] is False


def test_the_app_sees_the_request_and_nothing_of_the_worker() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.update(scope, body=(await receive())["body"])
        await answering()(scope, receive, send)

    run(app, request("/api/v1/x", b"hello"))
    assert (seen["path"], seen["method"], seen["query_string"], seen["body"]) == ("/api/v1/x", "POST", b"a=1", b"hello")
    assert seen["root_path"] == ""
    assert not {"path_params", "route", "state"} & set(seen)


def test_a_chunk_is_sent_before_the_next_is_made() -> None:
    made: list[int] = []
    taken: list[tuple[int, int]] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(50):
            made.append(number)
            await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})
        await send({"type": "http.response.body"})

    async def slowly() -> None:
        answer = await AsgiExchange(app, request()).response()
        taken.extend([(int(chunk), len(made)) async for chunk in answer.body_iterator if chunk])

    asyncio.run(asyncio.wait_for(slowly(), 10))
    assert [number for number, _ in taken] == list(range(50))
    assert all(ahead <= number + 4 for number, ahead in taken)


def test_an_app_that_fails_before_it_answers_is_reported() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        run(app)


def test_an_app_that_fails_in_the_middle_breaks_the_answer_off() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        run(app)


def test_an_app_that_says_nothing_is_reported() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        return

    with pytest.raises(RuntimeError, match="without an answer"):
        run(app)


def endless(stopped: list[str]) -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": b"more", "more_body": True})
        except asyncio.CancelledError:
            stopped.append("stopped")
            raise

    return app


def test_work_stops_when_the_caller_leaves() -> None:
    stopped: list[str] = []

    async def leave() -> None:
        gone = asyncio.Event()
        asked = request()

        async def send(message: Message) -> None:
            if message.get("body"):
                gone.set()

        async def receive() -> Message:
            await gone.wait()
            return {"type": "http.disconnect"}

        answer = await AsgiExchange(endless(stopped), asked).response()
        await answer(asked.scope, receive, send)
        await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(leave(), 10))
    assert stopped == ["stopped"]


def test_work_stops_when_the_invocation_is_cancelled_before_the_answer() -> None:
    stopped: list[str] = []

    async def waiting(_scope: Scope, _receive: Receive, _send: Send) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append("stopped")
            raise

    async def cancel() -> None:
        task = asyncio.create_task(AsgiExchange(waiting, request()).response())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(cancel(), 10))
    assert stopped == ["stopped"]


def test_the_trigger_hands_everything_to_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    app = answering(b"hello")
    monkeypatch.setattr(http, "_startup", _later(app))
    built = http.bp._function_builders[0]._function
    trigger = built.get_trigger()
    assert (built.get_function_name(), trigger.route, trigger.type) == ("http", "{*path}", "httpTrigger")
    answer = asyncio.run(_text(built.get_user_function()))
    assert answer == b"hello"


def _later(app: ASGIApp) -> Callable[[], Awaitable[ASGIApp]]:
    async def ready() -> ASGIApp:
        return app

    return ready


async def _text(door: Callable[[Request], Awaitable[Any]]) -> bytes:
    answer = await door(request())
    return b"".join([chunk async for chunk in answer.body_iterator])


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("/api/v1/health", 200, "ok"),
        ("/api/v1/health/ready", 503, "CORTEX_METRICS_TOKEN must have 16 characters or more"),
        ("/api/v1/scans", 503, "CORTEX_METRICS_TOKEN must have 16 characters or more"),
        ("/", 503, "CORTEX_METRICS_TOKEN must have 16 characters or more"),
    ],
)
def test_with_a_bad_setting_the_app_answers_with_the_reason_and_never_the_value(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, path: str, status: int, expected: str
) -> None:
    monkeypatch.setattr(bootstrap, "_built", None)
    monkeypatch.setenv("CORTEX_METRICS_TOKEN", "hush-5318")
    http._app.cache_clear()
    method = "GET" if path != "/api/v1/scans" else "POST"
    app = asyncio.run(http._startup())
    asked = request(path)
    asked.scope["method"] = method
    head, *rest = run(app, asked)
    body = b"".join(each.get("body", b"") for each in rest).decode()
    assert head["status"] == status
    assert expected in body
    assert "5318" not in f"{body}{caplog.text}"
    assert "CORTEX_METRICS_TOKEN must have" in caplog.text


def test_what_only_the_log_should_have_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise Unavailable("https://secret-place.example does not answer")

    monkeypatch.setattr(http, "_app", fail)
    head, *rest = run(http._app_or_reason(), request("/api/v1/scans"))
    body = b"".join(each.get("body", b"") for each in rest).decode()
    assert head["status"] == 503
    assert "see the log" in body
    assert "secret-place" not in body
