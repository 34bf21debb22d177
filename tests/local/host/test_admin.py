"""Firing functions by hand, and who may."""

from typing import Any

import httpx2
import pytest


def fire(host: Any, name: str, body: Any = None, **headers: str) -> httpx2.Response:
    return host.client.post(f"/admin/functions/{name}", json={} if body is None else body, headers=headers)


def test_a_queue_function_gets_the_input_as_its_message(host: Any) -> None:
    assert fire(host, "work", {"input": "by hand"}).status_code == 202
    assert "BY HAND" in host.until("done", lambda seen: "BY HAND" in seen)


def test_an_input_that_is_not_text_is_sent_as_json_and_case_does_not_count(host: Any) -> None:
    assert fire(host, "DONE", {"input": {"a": 1}}).status_code == 202
    assert '{"a": 1}' in host.until("done", lambda seen: '{"a": 1}' in seen)


def test_an_activity_gets_the_input(host: Any) -> None:
    assert fire(host, "flaky", {"input": {"name": "fired", "failures": 0}}).status_code == 202
    assert host.until("fired", bool) == ["tried"]


def test_an_orchestration_is_started(host: Any) -> None:
    given = {"name": "orchestrated", "failures": 0, "attempts": 1}
    assert fire(host, "patient", {"input": given}).status_code == 202
    assert host.until("orchestrated", bool) == ["tried"]


@pytest.mark.parametrize(
    ("name", "body", "status", "detail"),
    [
        ("nothing", {}, 404, "there is no function 'nothing'"),
        ("hello", {}, 400, "call its route"),
        ("counter", {}, 400, "signal it"),
        ("work", ["input"], 400, "not a JSON object"),
    ],
)
def test_what_cannot_be_fired_is_refused_with_the_reason(
    host: Any, name: str, body: Any, status: int, detail: str
) -> None:
    answer = fire(host, name, body)
    assert answer.status_code == status
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_json_is_refused(host: Any, content: bytes) -> None:
    assert host.client.post("/admin/functions/work", content=content).status_code == 400


def test_an_empty_body_is_an_empty_input(host: Any) -> None:
    assert host.client.post("/admin/functions/done").status_code == 202
    assert "" in host.until("done", lambda seen: "" in seen)


def test_a_body_over_the_limit_is_refused(host: Any) -> None:
    assert host.client.post("/admin/functions/work", content=b" " * 2_000_000).status_code == 400


def test_status_and_functions_are_listed(host: Any) -> None:
    assert host.client.get("/admin/host/status").json()["state"] == "Running"
    functions = {each["name"]: each["trigger"] for each in host.client.get("/admin/functions").json()}
    assert functions["hello"] == "http"
    assert functions["counter"] == "entity"
    assert host.client.delete("/admin/functions").status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"x-forwarded-for": "203.0.113.9"},
        {"forwarded": "for=203.0.113.9"},
        {"host": "evil.example"},
        {"x-functions-key": "guessed"},
    ],
)
def test_browsers_proxies_and_wrong_keys_are_refused(host: Any, headers: dict[str, str]) -> None:
    assert host.client.post("/admin/functions/work", json={}, headers=headers).status_code == 401


def test_the_master_key_opens_from_anywhere(host: Any) -> None:
    key = (host.state / "master.key").read_text()
    away = {"x-forwarded-for": "203.0.113.9"}
    assert fire(host, "hourly", None, **away, **{"x-functions-key": key}).status_code == 202
    assert host.client.get(f"/admin/host/status?code={key}", headers=away).status_code == 200
    assert (host.state / "master.key").stat().st_mode & 0o077 == 0
