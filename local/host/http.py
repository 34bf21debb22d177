"""The HTTP front: finds the function for a request, invokes it, and streams both ways without buffering."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from local.host.exchange import HttpExchange
from local.host.function import AppFunction
from local.host.invocation import InvocationInput, InvocationResult, Invoker, correlation_of, make_invocation
from local.host.proto import RpcHttp, TypedData
from local.host.response import send_problem
from local.host.route import Routes

WebHandler = Callable[[str, Scope, Receive, Send], Awaitable[None]]
"""Lets the function of an invocation read a request and send the response."""

_DETAIL_CHARACTERS = 200
_READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Source: RFC 9110, section 9.1, and RFC 5789.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Limits: bytes of one body, and how many requests may be under way (-1: any number)."""

    body: int
    outstanding: int


class HttpFront:
    """The ASGI app that the server runs. `changed` is called after a request that may have sent messages."""

    def __init__(
        self,
        *,
        routes: Routes,
        web: WebHandler,
        invoker: Invoker,
        admin: ASGIApp,
        limits: HttpLimits,
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
        self._open: set[HttpExchange] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["path"] == "/admin" or scope["path"].startswith("/admin/"):
            await self._admin(scope, receive, send)
            return
        found = self._routes.match(scope["method"], scope["path"])
        if found is None:
            await _no_route(send, scope, self._routes.methods(scope["path"]))
        elif 0 <= self._limits.outstanding <= len(self._open):
            await send_problem(send, 429, "Too Many Requests", "the host has as many requests as host.json allows")
        else:
            exchange = HttpExchange(receive, send, limit=self._limits.body, headers=self._headers)
            await self._invoke(*found, scope, exchange)

    def end_streams(self) -> None:
        """End the responses that would never end by themselves: streams of events."""
        for each in self._open:
            each.end_stream()

    async def _invoke(
        self, function: AppFunction, parameters: Mapping[str, str], scope: Scope, exchange: HttpExchange
    ) -> None:
        headers = dict(scope["headers"])
        if int(headers.get(b"content-length", b"0")) > self._limits.body:
            # Who expects 100 Continue has sent no body yet, and will not send one now.
            await exchange.refuse(drain=b"expect" not in headers)
            return
        call = _invocation_input(scope, headers, parameters)
        known = make_invocation(function, call)
        self._open.add(exchange)
        try:
            result = asyncio.create_task(self._invoker.run(function, call, known))
            web = asyncio.create_task(self._run_web(call.id, scope, exchange, result))
            await exchange.run(known, result, web)
        finally:
            self._open.discard(exchange)
            if scope["method"] not in _READ_METHODS:
                self._changed()

    async def _run_web(
        self, invocation_id: str, scope: Scope, exchange: HttpExchange, result: asyncio.Task[InvocationResult]
    ) -> None:
        try:
            await self._web(invocation_id, scope, exchange.receive, exchange.send)
        except Exception:  # the worker's app raises what the function raised, which the result already has
            if (await result).ok:
                raise


async def _no_route(send: Send, scope: Scope, methods: Sequence[str]) -> None:
    """Respond to a request that no function takes; the Functions host has a 404 for all of them."""
    detail = f"no function serves {scope['method']} {scope['path']}"
    if scope["method"] not in _METHODS:
        await send_problem(send, 501, "Not Implemented", detail)
    elif methods:
        await send_problem(send, 405, "Method Not Allowed", detail, allow=", ".join(methods))
    else:
        await send_problem(send, 404, "Not Found", detail)


def _invocation_input(scope: Scope, headers: Mapping[bytes, bytes], parameters: Mapping[str, str]) -> InvocationInput:
    url = f"{scope['scheme']}://{headers.get(b'host', b'localhost').decode('latin-1')}{scope['path']}"
    # The function reads the request itself, as a stream; only the route parameters travel with the invocation.
    http = RpcHttp(method=scope["method"], url=url, params=parameters, headers={}, query={}, body=TypedData())
    return InvocationInput(
        TypedData(http=http),
        correlation=correlation_of(headers.get(b"x-correlation-id")),
        trace=headers.get(b"traceparent", b"").decode("latin-1"),
        detail=f"{scope['method']} {scope['raw_path'].decode('latin-1')}"[:_DETAIL_CHARACTERS],
    )
