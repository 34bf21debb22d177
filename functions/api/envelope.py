"""What every exchange has: a correlation id, careful headers, and an answer when all else fails."""

import logging
import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.api import problem
from shared.ports.clock import NewId

CORRELATION = "x-correlation-id"
_CORRELATION_SPELLING = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LOG = logging.getLogger(__name__)

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Set unless a route has set them itself. Source: OWASP, HTTP Headers Cheat Sheet."""

HTTPS_ONLY = {"strict-transport-security": "max-age=31536000; includeSubDomains"}


class Envelope:
    """The outermost middleware."""

    def __init__(self, app: ASGIApp, new_id: NewId) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation = correlation_of(Headers(scope=scope), self._new_id)
        scope["state"] = {**scope.get("state", {}), "correlation": correlation}
        outgoing = _Outgoing(send, correlation, secure=is_secure(scope))
        try:
            await self._app(scope, receive, outgoing)
        except ClientDisconnect:
            _LOG.debug("the caller left %s", scope["path"])
        except Exception:
            _LOG.exception("%s %s failed, correlation %s", scope["method"], scope["path"], correlation)
            if outgoing.started:
                raise
            await _apology(scope["path"], correlation)(scope, receive, outgoing)


class _Outgoing:
    """Sends, and puts the headers in front."""

    def __init__(self, send: Send, correlation: str, *, secure: bool) -> None:
        self._send = send
        self._headers = {CORRELATION: correlation, **HEADERS, **(HTTPS_ONLY if secure else {})}
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        await self._send(message)


def correlation_of(headers: Headers, new_id: NewId) -> str:
    """The caller's correlation id when it is one, a new one otherwise."""
    given: Iterable[str] = headers.getlist(CORRELATION)
    fit = [each for each in given if _CORRELATION_SPELLING.fullmatch(each)]
    return fit[0] if fit else new_id()


def is_secure(scope: Scope) -> bool:
    """Whether the caller came by HTTPS, to us or to the proxy before us; decides on nothing but stricter headers."""
    return scope.get("scheme") == "https" or Headers(scope=scope).get("x-forwarded-proto") == "https"


def _apology(path: str, correlation: str) -> ASGIApp:
    detail = "this is a fault of the service, and it has been logged; tell the correlation id when you report it"
    return problem.answer(500, detail, instance=path, correlation=correlation)
