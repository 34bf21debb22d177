"""Correlation ids, careful headers, and the answer when all else fails."""

import logging
from typing import Any

import pytest

from shared.domain.error import (
    AlreadyExists,
    Conflict,
    CortexError,
    Forbidden,
    InvalidInput,
    NotFound,
    Stale,
    Throttled,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from tests.functions.api.conftest import Api, problem
from tests.functions.api.test_access import OPERATIONS

ERRORS: list[tuple[Exception, int, dict[str, str]]] = [
    (InvalidInput("no", path="query.limit"), 400, {}),
    (InvalidInput("no", path="$.a"), 422, {}),
    (Unauthenticated("no"), 401, {"www-authenticate": 'Bearer realm="policycortex"'}),
    (Forbidden("no", permission="p", scope="/s"), 403, {}),
    (NotFound("no"), 404, {}),
    (Conflict("no"), 409, {}),
    (AlreadyExists("no"), 409, {}),
    (Stale("no"), 409, {}),
    (TooLarge("no"), 413, {}),
    (Throttled("no", retry_after=2.1), 429, {"retry-after": "3"}),
    (Unavailable("no", retry_after=0), 503, {"retry-after": "1"}),
    (CortexError("no"), 500, {}),
]


def test_a_problem_repeats_no_more_than_the_beginning_of_what_a_request_says(api: Api) -> None:
    name = "a" * 50_000
    absent = problem(api.get(f"/findings/{name}"), 404)
    wrong = problem(api.post("/scans", {name: 1}), 422)
    for body in (absent, wrong):
        assert len(str(body)) < 12_000
        assert "a" * 1_000 in str(body)


def fail(api: Api, error: Exception) -> None:
    """Let the documents fail from now on."""

    class Failing:
        def __getattr__(self, name: str) -> Any:
            raise error

    object.__setattr__(api.ports, "documents", Failing())
    api.app.state.failing = True


@pytest.mark.parametrize(("error", "status", "headers"), ERRORS)
def test_each_error_has_its_status(api: Api, error: Exception, status: int, headers: dict[str, str]) -> None:
    fail(api, error)
    answer = api.get("/findings")
    body = problem(answer, status)
    assert body["detail"] == "no"
    assert body["instance"] == "/api/v1/findings"
    assert body.get("path") == getattr(error, "path", None)
    assert headers.items() <= dict(answer.headers).items()


def test_what_would_be_needed_is_reported(api: Api) -> None:
    fail(api, Forbidden("no", permission="Microsoft.X/read", scope="/subscriptions/1"))
    body = problem(api.get("/findings"), 403)
    assert (body["permission"], body["scope"]) == ("Microsoft.X/read", "/subscriptions/1")


def test_a_fault_of_ours_says_nothing_of_itself_but_is_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    fail(api, ZeroDivisionError("secret detail"))
    with caplog.at_level(logging.ERROR):
        answer = api.get("/findings", x_correlation_id="mine-1")
    body = problem(answer, 500)
    assert "secret" not in answer.text
    assert body["correlationId"] == "mine-1"
    assert "secret detail" in caplog.text
    assert "mine-1" in caplog.text


def test_an_address_that_is_not_there(api: Api) -> None:
    for path in ("/nope", "/api/v1", "/api/v1/", "/api/v1/scans/", "/api/v1/findings/a/b/c", "/API/V1/scans"):
        body = problem(api.client.get(path, headers=api.headers()), 404)
        assert body["instance"] == path


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/scans", "GET, HEAD, OPTIONS, POST"),
        ("PUT", "/api/v1/scans/x", "GET, HEAD, OPTIONS"),
        ("GET", "/api/v1/scans/x/cancel", "OPTIONS, POST"),
        ("PATCH", "/api/v1/findings", "GET, HEAD, OPTIONS"),
        ("TRACE", "/api/v1/findings", "GET, HEAD, OPTIONS"),
        ("BREW", "/", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_method_that_is_not_taken(api: Api, method: str, path: str, allowed: str) -> None:
    answer = api.client.request(method, path, headers=api.headers())
    problem(answer, 405)
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("given", ["c1", "0af7651916cd43dd8448eb211c80319c", "a.b-c_D", "x" * 64])
def test_a_correlation_id_is_handed_back(api: Api, given: str) -> None:
    assert api.get("/scans", x_correlation_id=given).headers["x-correlation-id"] == given


@pytest.mark.parametrize("given", ["", "-c1", "a b", "x" * 65, "a;b", "<script>", "a/b"])
def test_what_is_no_correlation_id_is_replaced(api: Api, given: str) -> None:
    taken = api.get("/scans", x_correlation_id=given).headers["x-correlation-id"]
    assert taken
    assert taken != given


def test_the_correlation_goes_where_the_work_goes(api: Api) -> None:
    started = api.post("/scans", {}, x_correlation_id="work-7").json()
    assert started["correlation"] == "work-7"
    assert '"correlation":"work-7"' in api.ports.queue.receive("scan-requests")[0].body


def test_answers_are_careful(api: Api) -> None:
    for answer in (api.get("/scans"), api.client.get("/nope"), api.client.get("/api/v1/health")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "access-control-allow-origin" not in answer.headers
        assert "strict-transport-security" not in answer.headers
        assert "server" not in answer.headers


def test_behind_https_the_browser_must_stay_there(api: Api) -> None:
    answer = api.client.get("/api/v1/health", headers={"x-forwarded-proto": "https"})
    assert answer.headers["strict-transport-security"].startswith("max-age=")


def test_other_sites_get_no_leave_to_read(api: Api) -> None:
    preflight = {"origin": "https://evil.example", "access-control-request-method": "GET"}
    answer = api.client.options("/api/v1/scans", headers=preflight)
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    assert "access-control-allow-origin" not in answer.headers


def test_options_names_the_methods_of_an_address(api: Api) -> None:
    for path in {route.path for route in OPERATIONS.values()}:
        answer = api.client.options(path.replace("{id}", "none").replace("{name}", "none"))
        allowed = set(answer.headers["allow"].split(", "))
        assert (answer.status_code, answer.content) == (204, b""), path
        assert allowed >= {
            "OPTIONS", *(each for route in OPERATIONS.values() if route.path == path for each in route.methods)
        }  # fmt: skip
        assert "HEAD" in allowed or "GET" not in allowed, path
    problem(api.client.options("/nowhere"), 404)
