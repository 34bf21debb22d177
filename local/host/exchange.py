"""One HTTP request and its answer, between the client's connection and the worker's app."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace

from starlette.types import Message, Receive, Send

from local.host import log
from local.host.answer import problem
from local.host.invocation import Result, correlation
from local.host.log import Ended, Invocation

_DRAIN_SECONDS = 2.0
_FAILED = "the function failed; the log tells why under the invocation's id"

Headers = Sequence[tuple[bytes, bytes]]


class Exchange:
    """Passes the body in and the answer out, as streams. A body over `limit` bytes is refused with 413.

    `headers` are added to the function's answer. The answer begins only after the invocation has ended well.
    """

    def __init__(self, receive: Receive, send: Send, *, limit: int, headers: Headers) -> None:
        self._client_receive = receive
        self._client_send = send
        self._limit = limit
        self._headers = headers
        self._size = 0
        self._started = time.perf_counter()
        self._answered = False
        self._streams_events = False
        self._result: asyncio.Task[Result]
        self._web: asyncio.Task[None]

    async def run(self, known: Invocation, result: asyncio.Task[Result], web: asyncio.Task[None]) -> None:
        """Let the function (`result`) and the worker's app (`web`, over `receive` and `send`) work to their end."""
        self._known = known
        self._result = result
        self._web = web
        try:
            ended = await result
            if not ended.ok:
                web.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await web
            await self._finish(ended)
        finally:  # when the server gives up on the request
            result.cancel()
            web.cancel()

    async def receive(self) -> Message:
        """The next part of the body; one over the limit is cut off as if the client had gone."""
        message = await self._client_receive()
        self._size += len(message.get("body", b""))
        return {"type": "http.disconnect"} if self._size > self._limit else message

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on."""
        if not self._answered:
            result = await asyncio.shield(self._result)
            if not result.ok:
                return
            self._begin(message, result)
            message = {**message, "headers": [*message["headers"], *self._headers]}
        await self._client_send(message)

    def end_stream(self) -> None:
        """End an answer that would never end by itself: a stream of events."""
        if self._streams_events:
            self._web.cancel()

    async def refuse(self, *, drain: bool) -> None:
        """Answer 413, and read on for a while: a client that is still sending would otherwise miss the answer."""
        detail = f"the body has more than {self._limit} bytes"
        await problem(self._client_send, 413, "Content Too Large", detail, close=True, more=drain)
        if drain:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    while (await self._client_receive()).get("more_body"):
                        pass
            await self._client_send({"type": "http.response.body", "body": b""})

    def _begin(self, message: Message, result: Result) -> None:
        self._answered = True
        headers = {name.lower(): value for name, value in message["headers"]}
        self._streams_events = headers.get(b"content-type", b"").startswith(b"text/event-stream")
        if own := correlation(headers.get(b"x-correlation-id")):  # the app may have chosen one
            self._known = replace(self._known, correlation=own)
        self._log(result, message["status"])

    async def _finish(self, result: Result) -> None:
        if self._answered:
            if self._web.cancelled():
                await self._client_send({"type": "http.response.body", "body": b""})
        elif self._size > self._limit:
            self._log(result, 413)
            await self.refuse(drain=True)
        elif result.outcome == "timed out":
            self._log(result, 504)
            await problem(self._client_send, 504, "Gateway Timeout", result.error, self._known.id)
        else:
            self._log(result, 500)
            await problem(self._client_send, 500, "Internal Server Error", _FAILED, self._known.id)

    def _log(self, result: Result, status: int) -> None:
        seconds = time.perf_counter() - self._started
        log.ended(Ended(self._known, result.outcome, seconds, status), result.stack or result.error)
