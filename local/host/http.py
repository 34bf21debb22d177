"""The HTTP front: finds the function for a request, invokes it, and streams both ways without buffering."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from local.host.answer import problem
from local.host.exchange import Exchange
from local.host.function import Function
from local.host.invocation import Call, Invoker, Result, correlation, invocation
from local.host.proto import RpcHttp, TypedData
from local.host.route import Routes

Web = Callable[[str, Scope, Receive, Send], Awaitable[None]]
"""Lets the function of an invocation read a request and answer it."""

_LONGEST_DETAIL = 200
_ONLY_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for: bytes of body, and how many requests may be under way (-1: any number)."""

    body: int
    outstanding: int


class Front:
    """The ASGI app that the server runs. `changed` is told when a request ended that may have sent messages."""

    def __init__(
        self,
        *,
        routes: Routes,
        web: Web,
        invoker: Invoker,
        admin: ASGIApp,
        limits: Limits,
        headers: Mapping[str, str],
        changed: Callable[[], None],
    ) -> None:
        self._routes = routes
        self._web = web
        self._invoker = invoker
        self._admin = admin
        self._limits = limits
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._changed = changed
        self._open: set[Exchange] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] == "/admin" or scope["path"].startswith("/admin/"):
            await self._admin(scope, receive, send)
            return
        found = self._routes.match(scope["method"], scope["path"])
        if found is None:
            await problem(send, 404, "Not Found", f"no function answers {scope['method']} {scope['path']}")
        elif 0 <= self._limits.outstanding <= len(self._open):
            await problem(send, 429, "Too Many Requests", "the host has as many requests as host.json allows")
        else:
            exchange = Exchange(receive, send, limit=self._limits.body, headers=self._headers)
            await self._answer(*found, scope, exchange)

    def end_streams(self) -> None:
        """End the answers that would never end by themselves: streams of events."""
        for each in self._open:
            each.end_stream()

    async def _answer(
        self, function: Function, parameters: Mapping[str, str], scope: Scope, exchange: Exchange
    ) -> None:
        headers = dict(scope["headers"])
        if int(headers.get(b"content-length", b"0")) > self._limits.body:
            await exchange.refuse(drain=b"expect" not in headers)
            return
        call = _call(scope, headers, parameters)
        known = invocation(function, call)
        self._open.add(exchange)
        try:
            result = asyncio.create_task(self._invoker.run(function, call, known))
            web = asyncio.create_task(self._run_web(call.id, scope, exchange, result))
            await exchange.run(known, result, web)
        finally:
            self._open.discard(exchange)
            if scope["method"] not in _ONLY_READS:
                self._changed()

    async def _run_web(
        self, invocation_id: str, scope: Scope, exchange: Exchange, result: asyncio.Task[Result]
    ) -> None:
        try:
            await self._web(invocation_id, scope, exchange.receive, exchange.send)
        except Exception:  # the worker's app raises again what the function raised, and the result tells of that
            if (await result).ok:
                raise


def _call(scope: Scope, headers: Mapping[bytes, bytes], parameters: Mapping[str, str]) -> Call:
    url = f"{scope['scheme']}://{headers.get(b'host', b'localhost').decode('latin-1')}{scope['path']}"
    # The function reads the request itself, as a stream; only the route parameters travel with the invocation.
    http = RpcHttp(method=scope["method"], url=url, params=parameters, headers={}, query={}, body=TypedData())
    return Call(
        TypedData(http=http),
        correlation=correlation(headers.get(b"x-correlation-id")),
        trace=headers.get(b"traceparent", b"").decode("latin-1"),
        detail=f"{scope['method']} {scope['raw_path'].decode('latin-1')}"[:_LONGEST_DETAIL],
    )
