"""HEAD wherever GET is, and 405 with Allow for every other method that an address does not take."""

import asyncio
import re

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from functions.api.http.head import HeadMiddleware
from tests.functions.api.conftest import Api

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def addresses(api: Api) -> dict[str, set[str]]:
    """The methods of each path, with something in the place of its parameters."""
    routes = [route for route in api.app.routes if isinstance(route, APIRoute)]
    paths = {re.sub(r"\{[^}]*\}", "x", route.path) for route in routes}
    return {
        path: {each for route in routes if route.path_regex.match(path) for each in route.methods} for path in paths
    }


def test_head_is_answered_as_get_without_its_content(api: Api) -> None:
    for path, methods in addresses(api).items():
        if "GET" in methods and not path.endswith("/events"):
            got, head = (api.client.request(each, path, headers=api.headers()) for each in ("GET", "HEAD"))
            assert (head.status_code, head.content) == (got.status_code, b""), path
            assert head.headers.keys() == got.headers.keys(), path
            assert head.headers.get("content-length") == got.headers.get("content-length"), path


def test_every_other_method_is_405_and_told_what_is_taken(api: Api) -> None:
    for path, methods in addresses(api).items():
        taken = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        for method in set(METHODS) - taken:
            answer = api.client.request(method, path, headers=api.headers())
            assert answer.status_code == 405, (method, path)
            assert {each.strip() for each in answer.headers["allow"].split(",")} == taken, (method, path)


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/nothing"])
def test_head_of_nothing_is_404(api: Api, path: str) -> None:
    answer = api.client.head(path)
    assert (answer.status_code, answer.content) == (404, b"")


def test_head_of_a_stream_without_an_end_is_answered_and_the_stream_is_stopped() -> None:
    stopped: list[bool] = []

    async def endless(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
                await asyncio.sleep(0)
        finally:
            stopped.append(True)

    answer = TestClient(HeadMiddleware(endless)).head("/events")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "text/event-stream"
    assert stopped == [True]
