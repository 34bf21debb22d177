"""One client's connection: uvicorn's, with limits on what a client may send and on how long it may take.

The limits are those of Kestrel, the server within the Functions host, where it has them.
Source: "Configure options for the ASP.NET Core Kestrel web server", KestrelServerLimits.
"""

import asyncio
import json
from http import HTTPStatus
from typing import Any, override

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 30.0
"""How long the head of a request may take, and how long a new connection may wait for the first one."""
GRACE_SECONDS = 5.0
BODY_BYTES_PER_SECOND = 240.0
"""The least rate of a body, after the grace."""
STALL_SECONDS = 30.0
"""How long a client may read nothing of a response that waits for it."""
OPEN_CONNECTIONS = 512
"""Clients at once. One more replaces the one that has been idle for the longest time."""

LINE_BYTES = 8 << 10
"""Most bytes of the request line: method, address and version."""
REQUEST_HEADERS, HEADER_BYTES = 100, 32 << 10
"""Most headers of a request, and their bytes."""

_DRAIN_SECONDS = 2.0  # closed earlier, a client that is still sending would not see the response
_CHECK_SECONDS = 1.0  # a longer gap between checks was a busy loop, and is not charged to the client


class RequestParser(h11.Connection):
    """Rejects a request whose head is too large; `rejection` has the status and the reason."""

    rejection: tuple[int, str] = (400, "the request is not HTTP/1.1")

    def __init__(self) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=LINE_BYTES + HEADER_BYTES)

    @override
    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        awaits_head = self.their_state is h11.IDLE
        try:
            event = super().next_event()
        except h11.RemoteProtocolError as error:
            if awaits_head and error.error_status_hint == 431:  # noqa: PLR2004 - Request Header Fields Too Large
                self.rejection = _rejection(self.trailing_data[0].partition(b"\n")[0], 0, HEADER_BYTES + 1)
            raise
        if isinstance(event, h11.Request):
            line = b"%s %s HTTP/%s" % (event.method, event.target, event.http_version)
            size = sum(len(name) + len(value) + 4 for name, value in event.headers)  # with ": " and the line's end
            if len(line) > LINE_BYTES or len(event.headers) > REQUEST_HEADERS or size > HEADER_BYTES:
                self.rejection = _rejection(line, len(event.headers), size)
                raise h11.RemoteProtocolError(self.rejection[1], error_status_hint=self.rejection[0])
        return event


def _rejection(line: bytes, headers: int, size: int) -> tuple[int, str]:
    """Return status and reason for the head of a request that is over one of the limits."""
    if len(line) > LINE_BYTES:
        return 414, f"the request line has more than {LINE_BYTES} bytes"
    if headers > REQUEST_HEADERS:
        return 431, f"the request has more than {REQUEST_HEADERS} headers"
    assert size > HEADER_BYTES, "too large in one way"
    return 431, f"the headers have more than {HEADER_BYTES} bytes"


class ClientConnection(H11Protocol):
    """Responds 408 to a client that is too slow, and closes; `check_time` is called several times a second."""

    conn: RequestParser

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **options)
        self.conn = RequestParser()
        self._refused = False
        self._waiting = self._stalled = 0.0
        self._body_bytes = 0
        self.made = self._checked = self.loop.time()

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        opened = [
            each for each in self.connections if isinstance(each, ClientConnection) and not each.transport.is_closing()
        ]
        if len(opened) > OPEN_CONNECTIONS:
            idle = [each for each in opened if each.is_idle]  # this one at least is
            max(idle, key=lambda each: (each.waited, -each.made)).transport.abort()

    @override
    def data_received(self, data: bytes) -> None:
        if self._refused:
            return  # sent before the client saw the rejection
        before = self.conn.their_state
        if before is h11.SEND_BODY:
            self._body_bytes += len(data)
        super().data_received(data)
        if self.conn.their_state is not before:
            self._waiting = 0.0
            self._body_bytes = 0

    @property
    def is_idle(self) -> bool:
        """Return whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def waited(self) -> float:
        """Return the seconds that we have waited for a head, or for the rest of a body."""
        return self._waiting

    def check_time(self) -> None:
        """Close the connection when its client has taken too long."""
        now = self.loop.time()
        passed, self._checked = min(now - self._checked, _CHECK_SECONDS), now
        self._stalled = self._stalled + passed if self.flow.write_paused else 0.0
        # While the app does not read, it is not the client that is slow.
        if self.flow.read_paused or self.transport.is_closing():
            return
        if self.conn.their_state in {h11.IDLE, h11.SEND_BODY}:
            self._waiting += passed
        if self._stalled > STALL_SECONDS:
            self.transport.abort()
        elif self._waiting > self._limit():
            if self.cycle is not None and not self.cycle.response_complete:
                self.cycle.disconnected = True  # what the app still sends is dropped
                self.cycle.message_event.set()
            self._send_problem(408, "the request came too slowly")
            self.transport.close()

    def _limit(self) -> float:
        if self.conn.their_state is h11.SEND_BODY:
            return GRACE_SECONDS + self._body_bytes / BODY_BYTES_PER_SECOND
        # Between two requests uvicorn's own limit for idle connections counts, until a head has begun.
        awaits_head = self.cycle is None or self.timeout_keep_alive_task is None
        return HEAD_SECONDS if awaits_head else float("inf")

    @override
    def send_400_response(self, msg: str) -> None:
        self._send_problem(*self.conn.rejection)
        self._refused = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_DRAIN_SECONDS, self.transport.close)

    def _send_problem(self, status: int, detail: str) -> None:
        """Send a problem, unless a response is under way."""
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return
        title = HTTPStatus(status).phrase
        body = json.dumps({"title": title, "status": status, "detail": detail})
        headers = [
            ("content-type", "application/problem+json"),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        for event in (
            h11.Response(status_code=status, headers=headers, reason=title.encode()),
            h11.Data(data=body.encode()),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
