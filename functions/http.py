"""The door of HTTP: one trigger that hands every request to the API and streams the answer back."""

import asyncio
from collections.abc import AsyncIterator
from functools import cache

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, StreamingResponse
from starlette.types import ASGIApp, Message, Scope

from functions import context

bp = func.Blueprint()

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PARTS = ("type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string", "headers")
PARTS_OF_THE_LINE = ("client", "server", "extensions")


@bp.route(route="{*path}", methods=METHODS, auth_level=func.AuthLevel.ANONYMOUS)
async def http(req: Request) -> StreamingResponse:
    """Every request: the API decides on all of it, who may call included."""
    exchange = Exchange(await _ready(), req)
    return await exchange.response()


class Exchange:
    """One request through an ASGI app. The app runs on while its answer is sent, and is stopped when the caller leaves.

    Source: ASGI specification, "HTTP & WebSocket ASGI Message Format".
    """

    def __init__(self, app: ASGIApp, request: Request) -> None:
        self._sent: asyncio.Queue[Message] = asyncio.Queue(maxsize=1)
        self._task = asyncio.create_task(self._run(app, request))

    async def response(self) -> StreamingResponse:
        """The answer, as soon as its head is there."""
        try:
            head = await self._next()
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        answer = StreamingResponse(self._chunks(), status_code=head["status"])
        answer.raw_headers = list(head["headers"])
        return answer

    async def _run(self, app: ASGIApp, request: Request) -> None:
        await app(_scope(request.scope), request.receive, self._sent.put)

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            more = True
            while more:
                message = await self._next()
                more = message.get("more_body", False)
                yield message.get("body", b"")
            await self._task
        finally:
            self._task.cancel()

    async def _next(self) -> Message:
        """The next message of the app; its error when it ended without one."""
        waiting = asyncio.create_task(self._sent.get())
        try:
            await asyncio.wait((waiting, self._task), return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done() and self._sent.empty():
                await self._task
                raise RuntimeError("the app ended without an answer")
            return await waiting
        finally:
            waiting.cancel()


def _scope(outer: Scope) -> Scope:
    """The scope of a request without what the worker's own routing put into it."""
    inner = {name: outer[name] for name in PARTS}
    return {**inner, "root_path": "", **{name: outer[name] for name in PARTS_OF_THE_LINE if name in outer}}


@cache
def _app() -> ASGIApp:
    from functions.api.app import build  # noqa: PLC0415 - the first request pays for the API, not the start

    return build(context.ports())


async def _ready() -> ASGIApp:
    """The app, put together away from the event loop when it is not there yet."""
    return _app() if _app.cache_info().currsize else await asyncio.to_thread(_app)
