"""The HTTP trigger: hands every request to the API and streams the answer back."""

import asyncio
import logging
from collections.abc import AsyncIterator
from functools import cache

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, StreamingResponse
from starlette.types import ASGIApp, Message, Scope

from functions import context
from shared.domain.error import CortexError

bp = func.Blueprint()
logger = logging.getLogger(__name__)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SCOPE_KEYS = ("type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string", "headers")
CONNECTION_SCOPE_KEYS = ("client", "server", "extensions")


@bp.route(route="{*path}", methods=METHODS, auth_level=func.AuthLevel.ANONYMOUS)
async def http(req: Request) -> StreamingResponse:
    """Answer a request with the API, which also decides who may call."""
    exchange = AsgiExchange(await _startup(), req)
    return await exchange.response()


class AsgiExchange:
    """One request through an ASGI app, which runs while its answer is sent and is cancelled when the caller leaves.

    Source: ASGI specification, "HTTP & WebSocket ASGI Message Format".
    """

    def __init__(self, app: ASGIApp, request: Request) -> None:
        # one message at a time: the app produces no faster than the caller reads
        self._sent: asyncio.Queue[Message] = asyncio.Queue(maxsize=1)
        self._task = asyncio.create_task(self._run(app, request))

    async def response(self) -> StreamingResponse:
        """Return the answer as soon as its status and headers are known."""
        try:
            head = await self._next()
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        answer = StreamingResponse(self._chunks(), status_code=head["status"])
        # as the app sent them: a header that occurs twice stays twice
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
        """Return the next message of the app; raise its error when it ended without one."""
        # waits for the app as well, because an app that fails before it answers sends nothing
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
    """Return the scope of a request without what the worker's own routing added."""
    inner = {name: outer[name] for name in SCOPE_KEYS}
    return {**inner, "root_path": "", **{name: outer[name] for name in CONNECTION_SCOPE_KEYS if name in outer}}


@cache
def _app() -> ASGIApp:
    from functions.api.app import build  # noqa: PLC0415 - the first request pays for the API, not the start

    return build(context.ports())


def _app_or_reason() -> ASGIApp:
    """Return the app, or one that answers why it cannot start; the next request tries again."""
    try:
        return _app()
    except CortexError as error:
        from functions.api.startup_error import build  # noqa: PLC0415 - for the day when it is needed

        logger.error("the API cannot start: %s", error)  # noqa: TRY400 - the message says it all
        return build(error)


async def _startup() -> ASGIApp:
    """Return the app; the first time it is built in a thread, not on the event loop."""
    return _app() if _app.cache_info().currsize else await asyncio.to_thread(_app_or_reason)
