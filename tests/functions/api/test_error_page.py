"""Errors in a browser: a page that says what to do; everybody else gets the problem document."""

import pytest
from starlette.testclient import TestClient

from functions.api import startup_error
from shared.domain.error import Unavailable
from shared.domain.identity import Role
from tests.functions.api.conftest import Api, problem
from tests.functions.api.test_envelope import fail
from tests.functions.api.test_home import Markup

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
PAGES = (
    CHROMIUM, FIREFOX, "text/html", "TEXT/HTML", "text/*", "text/html, */*", "application/json;q=0.5, text/html",
    "text/html;level=1", "application/json;q=0, application/problem+json;q=0, text/*;q=0.1",
    "text/html ; q=0.9 , */* ; q=0.1", "application/*, text/html",
)  # fmt: skip
DOCUMENTS = (
    "", "*/*", "application/json", "application/problem+json", "application/json, text/html", "text/event-stream",
    "text/html;q=0.5, application/json", "text/html;q=0, */*", "application/problem+json, text/html;q=0.9", "image/*",
    "text/html;q=2", ",,;q=", "text/html;q=nan", "*",
)  # fmt: skip
"""The last four have no weight that counts, or name no type. RFC 9110, section 12.5.1."""


@pytest.mark.parametrize("accept", PAGES + DOCUMENTS)
def test_who_prefers_html_gets_a_page(api: Api, accept: str) -> None:
    answer = api.client.get("/nope", headers={"accept": accept})
    assert answer.status_code == 404
    assert answer.headers["vary"] == "Accept"
    kind = "text/html; charset=utf-8" if accept in PAGES else "application/problem+json"
    assert answer.headers["content-type"] == kind


def seen(api: Api, method: str, path: str, status: int, **more: str) -> str:
    answer = api.client.request(method, path, headers={"accept": CHROMIUM, **more})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-correlation-id"] in answer.text
    assert "What to do" in answer.text
    assert Markup(answer.text).open == Markup(answer.text).styles == []
    return answer.text


def test_each_error_says_what_to_do(api: Api) -> None:
    assert "cortex sign-in" in seen(api, "GET", "/api/v1/findings", 401)
    denied = seen(api, "POST", "/api/v1/scans", 403, **api.headers(Role.READER))
    assert "This needs the role &#39;operator&#39;" in denied
    assert "as somebody who has it" in denied
    assert "Check the address" in seen(api, "GET", "/nope", 404)
    assert "for programs" in seen(api, "GET", "/session", 405)
    assert "limit" in seen(api, "GET", "/api/v1/findings?limit=x", 400, **api.headers())
    fail(api, Unavailable("the store is away", retry_after=7))
    assert "Wait a moment" in seen(api, "GET", "/api/v1/findings", 503, **api.headers())
    fail(api, ZeroDivisionError("secret"))
    failed = seen(api, "GET", "/api/v1/findings", 500, **api.headers())
    assert "secret" not in failed
    assert "report it with the id" in failed


def test_a_page_keeps_the_headers_of_its_error(api: Api) -> None:
    head = {"accept": CHROMIUM}
    assert api.client.get("/api/v1/scans", headers=head).headers["www-authenticate"].startswith("Bearer")
    assert api.client.delete("/api/v1/scans", headers=head).headers["allow"] == "GET, HEAD, OPTIONS, POST"
    options = api.client.options("/api/v1/scans", headers=head)
    assert (options.status_code, options.content) == (204, b"")


def test_text_of_a_request_is_no_markup(api: Api) -> None:
    text = seen(api, "GET", "/api/v1/findings/%3Cscript%3Ealert(1)%3C%2Fscript%3E%E2%80%AE`", 404, **api.headers())
    assert "<script" not in text
    assert "\u202e" not in text
    text = seen(api, "GET", "/api/v1/findings?severity=%3Cimg%20src=x%3E", 400, **api.headers())
    assert "<img" not in text


def test_head_of_an_error_is_that_of_its_page(api: Api) -> None:
    got, head = (api.client.request(each, "/nope", headers={"accept": CHROMIUM}) for each in ("GET", "HEAD"))
    assert head.content == b""
    assert head.headers["content-length"] == got.headers["content-length"]


def test_a_product_that_cannot_start_has_a_page_too() -> None:
    with TestClient(startup_error.build(Unavailable("the store is away"))) as client:
        answer = client.get("/", headers={"accept": CHROMIUM})
        assert answer.status_code == 503
        assert "Wait a moment" in answer.text
        assert client.get("/style.css").headers["content-type"] == "text/css; charset=utf-8"
        problem(client.get("/"), 503)
