"""One HTTP request and its response, between the client's connection and the worker's app."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace

from starlette.types import Message, Receive, Send

from local.host import log
from local.host.invocation import InvocationResult, correlation_of
from local.host.log import EndedInvocation, Invocation
from local.host.response import send_problem

_DRAIN_SECONDS = 2.0
_FAILURE_DETAIL = "the function failed; the log says why under the invocation's id"

Headers = Sequence[tuple[bytes, bytes]]


class HttpExchange:
    """Passes the body in and the response out, as streams. A body over `limit` bytes gets a 413.

    `headers` are added to the function's response, which begins only after the invocation has succeeded.
    """

    def __init__(self, receive: Receive, send: Send, *, limit: int, headers: Headers) -> None:
        self._client_receive = receive
        self._client_send = send
        self._limit = limit
        self._headers = headers
        self._size = 0
        self._started = time.perf_counter()
        self._responded = False
        self._streams_events = False
        self._result: asyncio.Task[InvocationResult]
        self._web: asyncio.Task[None]

    async def run(self, known: Invocation, result: asyncio.Task[InvocationResult], web: asyncio.Task[None]) -> None:
        """Run the function (`result`) and the worker's app (`web`, over `receive` and `send`) to their end."""
        self._known = known
        self._result = result
        self._web = web
        try:
            ended = await result
            # A function that timed out goes on, and the app with it: nobody waits for its response any more.
            if not ended.ok:
                web.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await web
            await self._finish(ended)
        finally:  # also when the server cancels the request
            result.cancel()
            web.cancel()

    async def receive(self) -> Message:
        """Return the next part of the body; past the limit it ends as if the client had disconnected."""
        message = await self._client_receive()
        self._size += len(message.get("body", b""))
        return {"type": "http.disconnect"} if self._size > self._limit else message

    async def send(self, message: Message) -> None:
        """Pass on a part of the response."""
        if not self._responded:
            # Shielded: a client that goes away cancels this wait, and must not cancel the function.
            result = await asyncio.shield(self._result)
            if not result.ok:
                return
            self._responded = True
            headers = {name.lower(): value for name, value in message["headers"]}
            self._streams_events = headers.get(b"content-type", b"").startswith(b"text/event-stream")
            if own := correlation_of(headers.get(b"x-correlation-id")):  # the app may have chosen one
                self._known = replace(self._known, correlation=own)
            self._log(result, message["status"])
            message = {**message, "headers": [*message["headers"], *self._headers]}
        await self._client_send(message)

    def end_stream(self) -> None:
        """End a response that would never end by itself: a stream of events."""
        if self._streams_events:
            self._web.cancel()

    async def refuse(self, *, drain: bool) -> None:
        """Send 413 and read on for a while: a client that is still sending would otherwise not see it."""
        detail = f"the body has more than {self._limit} bytes"
        await send_problem(self._client_send, 413, "Content Too Large", detail, close=True, more=drain)
        if drain:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    while (await self._client_receive()).get("more_body"):
                        pass
            await self._client_send({"type": "http.response.body", "body": b""})

    async def _finish(self, result: InvocationResult) -> None:
        if self._responded:
            if self._web.cancelled():
                await self._client_send({"type": "http.response.body", "body": b""})
        elif self._size > self._limit:
            self._log(result, 413)
            await self.refuse(drain=True)
        elif result.outcome == "timed out":
            self._log(result, 504)
            await send_problem(self._client_send, 504, "Gateway Timeout", result.error, self._known.id)
        else:
            self._log(result, 500)
            await send_problem(self._client_send, 500, "Internal Server Error", _FAILURE_DETAIL, self._known.id)

    def _log(self, result: InvocationResult, status: int) -> None:
        seconds = time.perf_counter() - self._started
        log.log_ended(EndedInvocation(self._known, result.outcome, seconds, status), result.stack or result.error)
