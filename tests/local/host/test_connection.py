"""Clients that are too slow, or too many: each is let go in time, and the others are served meanwhile."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from local.host import connection

pytestmark = pytest.mark.slow

TIMEOUT_SECONDS = 10
HEAD = b"POST /api/upload HTTP/1.1\r\nhost: localhost\r\n"
SLOW = {
    "nothing": lambda _: b"",
    "a head without an end": lambda at: b"GET / HTTP/1.1\r\n" if at == 0 else b"x: y\r\n",
    "a body that stops": lambda at: HEAD + b"content-length: 100000\r\n\r\nhalf" if at == 0 else b"",
    "a body byte by byte": lambda at: HEAD + b"content-length: 100000\r\n\r\n" if at == 0 else b"x",
    "chunks byte by byte": lambda at: HEAD + b"transfer-encoding: chunked\r\n\r\n" if at == 0 else b"1\r\nx\r\n",
    "a body that nobody reads": lambda at: (
        b"GET /api/hello/Ada HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n" if at == 0 else b"x"
    ),
}


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_SECONDS", "GRACE_SECONDS", "STALL_SECONDS"):
        monkeypatch.setattr(connection, name, 0.25)


@contextlib.contextmanager
def connected(host: Any) -> Iterator[socket.socket]:
    address = urlsplit(str(host.client.base_url))
    with socket.create_connection((address.hostname, address.port), timeout=TIMEOUT_SECONDS) as opened:
        yield opened


def drip(opened: socket.socket, part: Callable[[int], bytes]) -> bytes:
    """Send part after part until the host lets go; what it said."""
    opened.settimeout(0.05)
    said = b""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    at = 0
    while time.monotonic() < deadline:
        try:
            opened.sendall(part(at))
            at += 1
            received = opened.recv(65536)
            if not received:
                return said
            said += received
        except TimeoutError:
            continue
        except OSError:
            return said
    raise AssertionError("the host kept the connection")


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize("part", SLOW.values(), ids=SLOW.keys())
def test_a_client_that_is_too_slow_is_disconnected(host: Any, part: Callable[[int], bytes]) -> None:
    with connected(host) as opened:
        said = drip(opened, part)
    assert said.startswith((b"HTTP/1.1 408", b"HTTP/1.1 200"))  # 200 where the answer needed no body
    assert host.client.get("/api/hello/Ada").status_code == 200


@pytest.mark.usefixtures("_soon")
def test_a_slow_head_on_a_used_connection_is_disconnected_too(host: Any) -> None:
    with connected(host) as opened:
        opened.sendall(b"GET /api/hello/Ada HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert opened.recv(65536).startswith(b"HTTP/1.1 200")
        time.sleep(0.5)  # idle for longer than a head may take
        said = drip(opened, lambda at: b"GET / HTTP/1.1\r\n" if at == 0 else b"x: y\r\n")
    assert b"HTTP/1.1 408" in said


@pytest.mark.usefixtures("_soon")
def test_a_client_that_does_not_read_its_response_is_disconnected(host: Any) -> None:
    with connected(host) as opened:
        opened.sendall(b"GET /api/large HTTP/1.1\r\nhost: localhost\r\n\r\n")
        time.sleep(1)
        read = 0
        with contextlib.suppress(ConnectionError):
            while received := opened.recv(1 << 20):
                read += len(received)
    assert read < 40_000_000


@pytest.mark.usefixtures("_soon")
def test_a_slow_upload_above_the_rate_passes(host: Any) -> None:
    with connected(host) as opened:
        opened.sendall(HEAD + b"content-length: 3000\r\nconnection: close\r\n\r\n")
        for _ in range(6):
            opened.sendall(b"x" * 500)
            time.sleep(0.1)
        assert b'{"bytes":3000}' in opened.recv(65536)


@pytest.mark.usefixtures("_soon")
def test_a_function_that_takes_its_time_and_a_stream_without_an_end_are_no_slow_clients(host: Any) -> None:
    assert host.client.get("/api/nap?seconds=0.6").status_code == 200
    with host.client.stream("GET", "/api/events?count=2") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "data: 0"
        time.sleep(0.6)
        assert host.client.post("/api/release").status_code == 204
        assert next(line for line in lines if line) == "data: 1"
        host.client.post("/api/release")


def test_one_client_too_many_takes_the_place_of_the_longest_idle(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    host.client.get("/api/hello/Ada")
    with contextlib.ExitStack() as opened:
        monkeypatch.setattr(connection, "OPEN_CONNECTIONS", 20)
        idle = [opened.enter_context(connected(host)) for _ in range(40)]
        # A client of its own: the first one's kept connection may be the longest idle, and was let go.
        assert httpx2.get(f"{str(host.client.base_url).rstrip('/')}/api/hello/Ada").status_code == 200
        kept = sum(is_open(each) for each in idle)
    assert 0 < kept <= 20


def is_open(opened: socket.socket) -> bool:
    opened.settimeout(0.02)
    try:
        return bool(opened.recv(1))
    except TimeoutError:
        return True
    except OSError:
        return False
