"""Requests through the front to functions and back, over real sockets."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest


def test_a_route_parameter_and_the_query_reach_the_function(host: Any) -> None:
    answer = host.client.get("/api/hello/Ada%20L?x=1&y=%C3%A9")
    assert answer.json() == {"name": "Ada L", "query": {"x": "1", "y": "é"}}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/nothing"), ("GET", "/hello/Ada"), ("POST", "/hello/Ada"), ("GET", "/api/number/seven")],
)
def test_a_path_without_a_route_is_not_found(host: Any, method: str, path: str) -> None:
    answer = host.client.request(method, path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == f"no function serves {method} {path}"


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("POST", "/api/hello/Ada", 405, "GET"),
        ("TRACE", "/api/files/a", 405, "GET, PUT"),
        ("BREW", "/api/hello/Ada", 501, None),
        ("get", "/api/hello/Ada", 501, None),
    ],
)
def test_a_method_without_a_function_is_405(host: Any, method: str, path: str, status: int, allow: str | None) -> None:
    answer = raw(host, f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
    head = answer.partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")
    assert head[0].split()[1] == str(status)
    assert [line for line in head if line.startswith("allow:")] == ([f"allow: {allow.lower()}"] if allow else [])


LINES = b"x: y\r\n"


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        (b"/api/hello/Ada", LINES * 98, b"200"),
        (b"/api/hello/Ada", LINES * 99, b"431"),
        (b"/api/hello/Ada", LINES * 20_000, b"431"),
        (b"/api/hello/Ada", b"x: " + b"y" * 32_000 + b"\r\n", b"200"),
        (b"/api/hello/Ada", b"x: " + b"y" * 33_000 + b"\r\n", b"431"),
        (b"/api/hello/Ada", b"x: " + b"y" * 1_000_000 + b"\r\n", b"431"),
        (b"/api/hello/Ada?" + b"a" * 8_000, b"", b"200"),
        (b"/api/hello/Ada?" + b"a" * 8_200, b"", b"414"),
        (b"/" + b"a" * 1_000_000, b"", b"414"),
        (b"/ no request", b"", b"400"),
    ],
    ids=range(10),
)
def test_a_request_head_has_the_limits_of_kestrel(host: Any, target: bytes, headers: bytes, status: bytes) -> None:
    head = b"GET %s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n%s\r\n" % (target, headers)
    head, _, body = raw(host, head).partition(b"\r\n\r\n")
    assert head.split()[1] == status
    assert status == b"200" or json.loads(body)["status"] == int(status)
    assert host.client.get("/api/hello/Ada").status_code == 200


def test_a_problem_repeats_no_more_than_the_beginning_of_an_address(host: Any) -> None:
    answer = host.client.get(f"/api/{'a' * 7_000}")
    assert answer.status_code == 404
    assert len(answer.content) < 1_000
    assert answer.json()["detail"].startswith("no function serves GET /api/aaa")


def raw(host: Any, sent: bytes) -> bytes:
    """What the host answers to bytes, to the end of the connection."""
    address = urlsplit(str(host.client.base_url))
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_constraint_and_a_catch_all(host: Any) -> None:
    assert host.client.get("/api/number/-7").json() == {"value": "-7"}
    assert host.client.put("/api/files/a/b/c.txt").json() == {"path": "a/b/c.txt", "method": "PUT"}


def test_paths_of_the_web_framework_itself_belong_to_the_app(host: Any) -> None:
    for path in ("/docs", "/openapi.json", "/redoc"):
        assert host.client.get(path).status_code == 404


def test_an_invocation_id_from_a_client_is_ignored(host: Any) -> None:
    answer = host.client.get("/api/hello/Ada", headers={"x-ms-invocation-id": "mine"})
    assert answer.json()["name"] == "Ada"


def test_events_arrive_one_by_one(host: Any) -> None:
    with host.client.stream("GET", "/api/events?count=3") as answer:
        lines = answer.iter_lines()
        for expected in range(3):  # the next one is sent only after this one has arrived
            assert next(line for line in lines if line) == f"data: {expected}"
            assert host.client.post("/api/release").status_code == 204


def test_an_upload_is_read_while_it_is_sent(host: Any) -> None:
    def body() -> Iterator[bytes]:
        for count in range(1, 4):
            yield b"x" * 1000
            arrived.append(host.until("uploaded", lambda seen: sum(seen) >= count * 1000))  # noqa: B023 - called here

    arrived: list[list[int]] = []
    assert host.client.post("/api/upload", content=body()).json() == {"bytes": 3000}
    assert [sum(each) for each in arrived] == [1000, 2000, 3000]


def test_many_slow_requests_run_side_by_side(host: Any) -> None:
    def get(_: int) -> int:
        return int(host.client.get("/api/together").status_code)

    with ThreadPoolExecutor(4) as pool:  # each waits in the function until all four are there
        assert list(pool.map(get, range(4))) == [200] * 4


def test_a_crash_is_a_500_that_names_its_invocation_and_keeps_the_cause_to_itself(host: Any) -> None:
    answer = host.client.get("/api/crash")
    assert answer.status_code == 500
    assert answer.json()["instance"].startswith("urn:uuid:")
    assert "as asked" not in answer.text
    assert host.client.get("/api/hello/Ada").status_code == 200


def test_a_broken_stream_is_seen_by_the_client(host: Any) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        host.client.get("/api/broken")


def test_a_client_that_leaves_does_no_harm(host: Any) -> None:
    address = urlsplit(str(host.client.base_url))
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(b"POST /api/upload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf")
    assert host.client.get("/api/hello/Ada").status_code == 200


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, serve: Any) -> Iterator[Any]:
    """A host that takes bodies of up to 1000 bytes."""
    with serve(tmp_path_factory.mktemp("small"), values={"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000"}) as started:
        yield started


def test_a_body_up_to_the_limit_passes(small: Any) -> None:
    assert small.client.post("/api/upload", content=b"x" * 1000).json() == {"bytes": 1000}


def test_a_declared_length_over_the_limit_is_refused(small: Any) -> None:
    answer = small.client.post("/api/upload", content=b"x" * 1001)
    assert (answer.status_code, answer.json()["title"]) == (413, "Content Too Large")


def test_a_large_body_gets_its_413_while_the_client_is_still_sending(small: Any) -> None:
    assert small.client.post("/api/upload", content=b"x" * 5_000_000).status_code == 413


def test_a_stream_over_the_limit_is_refused(small: Any) -> None:
    assert small.client.post("/api/upload", content=(b"x" * 400 for _ in range(4))).status_code == 413


def test_route_prefix_headers_and_outstanding_requests_come_from_host_json(tmp_path: Path, serve: Any) -> None:
    http = {"routePrefix": "", "customHeaders": {"X-Content-Type-Options": "nosniff"}, "maxOutstandingRequests": 1}
    with serve(tmp_path, settings={"extensions": {"http": http}}) as started:
        answer = started.client.get("/hello/Ada")
        assert (answer.status_code, answer.headers["x-content-type-options"]) == (200, "nosniff")
        with started.client.stream("GET", "/events?count=2"):
            assert started.client.get("/hello/Ada").status_code == 429
            assert started.client.get("/admin/host/status").status_code == 200
        # The client has gone, and with it the stream that would still wait.
        assert started.wait(lambda: started.client.get("/hello/Ada").status_code, lambda status: status == 200) == 200


def test_a_function_that_takes_longer_than_function_timeout_is_ended(tmp_path: Path, serve: Any) -> None:
    with serve(tmp_path, settings={"functionTimeout": "00:00:00.2"}) as started:
        answer = started.client.get("/api/wait")
        assert answer.status_code == 504
        assert "0.2 seconds" in answer.json()["detail"]
        assert started.client.get("/api/hello/Ada").status_code == 200
