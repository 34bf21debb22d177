"""What every exchange has: a correlation id, its trace, security headers, and an answer to unexpected errors."""

import logging
import re
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.api.http import problem
from functions.api.http.trace import TRACE_HEADER, TraceContext, trace_of

CORRELATION_HEADER = "x-correlation-id"
_CORRELATION_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_INTERNAL_DETAIL = "this is an error of the service, and it was logged; include the correlation id when you report it"
_LOG = logging.getLogger(__name__)

SECURITY_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Set unless a route has set them itself. Source: OWASP, HTTP Headers Cheat Sheet."""

HTTPS_HEADERS = {"strict-transport-security": "max-age=31536000; includeSubDomains"}


class EnvelopeMiddleware:
    """The outermost middleware: adds headers, and turns unexpected errors into problem documents."""

    def __init__(self, app: ASGIApp, new_id: Callable[[], str]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; see the ASGI specification."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace = trace_of(Headers(scope=scope))
        correlation = correlation_of(Headers(scope=scope), trace, self._new_id)
        scope["state"] = {**scope.get("state", {}), "correlation": correlation}
        outgoing = _Outgoing(send, correlation, trace, secure=is_secure(scope))
        try:
            await self._app(scope, receive, outgoing)
        except ClientDisconnect:
            _LOG.debug("the caller left %s", scope["path"])
        except Exception:
            _LOG.exception("%s %s failed, correlation %s", scope["method"], scope["path"], correlation)
            if outgoing.started:  # the status is sent: only breaking off says that the answer is incomplete
                raise
            await problem.respond(Request(scope), 500, _INTERNAL_DETAIL)(scope, receive, outgoing)


class _Outgoing:
    """Sends messages, and adds headers to the first."""

    def __init__(self, send: Send, correlation: str, trace: TraceContext | None, *, secure: bool) -> None:
        self._send = send
        self._headers = {
            CORRELATION_HEADER: correlation,
            **({TRACE_HEADER: trace.answer()} if trace else {}),
            **SECURITY_HEADERS,
            **(HTTPS_HEADERS if secure else {}),
        }
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        await self._send(message)


def correlation_of(headers: Headers, trace: TraceContext | None, new_id: Callable[[], str]) -> str:
    """Return the caller's correlation id when it is valid, otherwise the id of its trace, otherwise a new one."""
    given: Iterable[str] = headers.getlist(CORRELATION_HEADER)
    fit = [each for each in given if _CORRELATION_PATTERN.fullmatch(each)]
    known = [*fit, *([trace.trace_id] if trace else [])]
    return known[0] if known else new_id()


def is_secure(scope: Scope) -> bool:
    """Return whether the caller uses HTTPS, to us or to the proxy in front; it decides only on stricter headers."""
    return scope.get("scheme") == "https" or Headers(scope=scope).get("x-forwarded-proto") == "https"
