"""The HTTP front: finds the function for a request, invokes it, and streams both ways without buffering."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.host.answer import problem
from local.host.function import Function
from local.host.invocation import Call, Invoker, Result, correlation
from local.host.proto import RpcHttp, TypedData
from local.host.route import Routes

Web = Callable[[str, Scope, Receive, Send], Awaitable[None]]

_DRAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for: bytes of body, and how many requests may be under way (-1: any number)."""

    body: int = 100 * 1024 * 1024
    outstanding: int = -1


class Front:
    """The ASGI app that the server runs. `web` lets the function of an invocation answer the request."""

    def __init__(
        self,
        *,
        routes: Routes,
        web: Web,
        invoker: Invoker,
        admin: ASGIApp,
        limits: Limits,
        headers: Mapping[str, str],
    ) -> None:
        self._routes = routes
        self._web = web
        self._invoker = invoker
        self._admin = admin
        self._limits = limits
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._open: set[_Exchange] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other kinds of connections are closed."""
        if scope["type"] != "http":
            return
        if scope["path"] == "/admin" or scope["path"].startswith("/admin/"):
            await self._admin(scope, receive, send)
            return
        found = self._routes.match(scope["method"], scope["path"])
        if found is None:
            await problem(send, 404, "Not Found", f"no function answers {scope['method']} {scope['path']}")
        elif 0 <= self._limits.outstanding <= len(self._open):
            await problem(send, 429, "Too Many Requests", "the host has as many requests as host.json allows")
        else:
            await self._exchange(*found, scope, _Exchange(receive, send, self._limits.body, self._headers))

    def end_streams(self) -> None:
        """End the answers that would never end by themselves: event streams."""
        for each in self._open:
            each.end_stream()

    async def _exchange(
        self, function: Function, parameters: Mapping[str, str], scope: Scope, exchange: "_Exchange"
    ) -> None:
        headers = dict(scope["headers"])
        if int(headers.get(b"content-length", b"0")) > self._limits.body:
            await exchange.refuse(drain=b"expect" not in headers)
            return
        data = RpcHttp(
            method=scope["method"], url=_url(scope, headers), headers={}, params=parameters, query={}, body=TypedData()
        )
        call = Call(
            TypedData(http=data),
            correlation=correlation(headers.get(b"x-correlation-id")),
            trace=headers.get(b"traceparent", b"").decode("latin-1"),
            only_reads=scope["method"] in {"GET", "HEAD", "OPTIONS"},
        )
        self._open.add(exchange)
        try:
            await self._answer(function, call, scope, exchange)
        finally:
            self._open.discard(exchange)

    async def _answer(self, function: Function, call: Call, scope: Scope, exchange: "_Exchange") -> None:
        exchange.result = asyncio.create_task(self._invoker.invoke(function, call))
        exchange.web = asyncio.create_task(self._run_web(call.id, scope, exchange))
        try:
            result = await exchange.result
            if not result.ok:
                exchange.web.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await exchange.web
            await exchange.finish(result, call.id)
        finally:  # when the server gives up on the request
            exchange.result.cancel()
            exchange.web.cancel()

    async def _run_web(self, invocation_id: str, scope: Scope, exchange: "_Exchange") -> None:
        try:
            await self._web(invocation_id, scope, exchange.receive, exchange.send)
        except Exception:  # the door: the worker's app re-raises what the function raised, which the result tells
            if (await exchange.result).ok:
                raise


@dataclass(eq=False)
class _Exchange:
    """One request and its answer, between the client's connection and the worker's app."""

    client_receive: Receive
    client_send: Send
    limit: int
    headers: list[tuple[bytes, bytes]]
    result: asyncio.Task[Result] = field(init=False)
    web: asyncio.Task[None] = field(init=False)
    size: int = 0
    started: bool = False
    streams_events: bool = False

    async def receive(self) -> Message:
        """The next part of the body; a body over the limit is cut off as if the client had gone."""
        message = await self.client_receive()
        self.size += len(message.get("body", b""))
        return {"type": "http.disconnect"} if self.size > self.limit else message

    async def send(self, message: Message) -> None:
        """Pass the answer on, once the invocation has ended well."""
        if not self.started:
            if not (await asyncio.shield(self.result)).ok:
                return
            self.started = True
            kinds = [value for name, value in message["headers"] if name.lower() == b"content-type"]
            self.streams_events = any(kind.startswith(b"text/event-stream") for kind in kinds)
            message = {**message, "headers": [*message["headers"], *self.headers]}
        await self.client_send(message)

    def end_stream(self) -> None:
        """Stop the worker's app from sending events; `finish` then ends the answer properly."""
        if self.streams_events:
            self.web.cancel()

    async def finish(self, result: Result, invocation_id: str) -> None:
        """Answer a failure, or end an answer that was cut."""
        if self.started:
            if self.web.cancelled():
                await self.client_send({"type": "http.response.body", "body": b""})
        elif self.size > self.limit:
            await self.refuse(drain=True)
        elif result.outcome == "timed out":
            await problem(self.client_send, 504, "Gateway Timeout", result.error, invocation_id)
        else:
            detail = "the function failed; the log tells why under the invocation id"
            await problem(self.client_send, 500, "Internal Server Error", detail, invocation_id)

    async def refuse(self, *, drain: bool) -> None:
        """Answer 413, and read on for a while: a client that is still sending would otherwise miss the answer."""
        detail = f"the body has more than {self.limit} bytes"
        await problem(self.client_send, 413, "Content Too Large", detail, close=True, more=drain)
        if not drain:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while (await self.client_receive()).get("more_body"):
                    pass
        await self.client_send({"type": "http.response.body", "body": b""})


def _url(scope: Scope, headers: Mapping[bytes, bytes]) -> str:
    query = scope["query_string"].decode("latin-1")
    host = headers.get(b"host", b"localhost").decode("latin-1")
    return f"{scope['scheme']}://{host}{scope['path']}" + (f"?{query}" if query else "")
