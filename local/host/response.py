"""Responses of the host itself: JSON, and errors as problem+json."""

import json
from typing import Any

from starlette.types import Send

_DETAIL_CHARACTERS = 500
"""Most characters of a detail, which may quote the request."""


async def send_json(send: Send, status: int, body: object = None, *, kind: bytes = b"application/json") -> None:
    """Send `body` as JSON, or only the status without one."""
    content = b"" if body is None else json.dumps(body).encode()
    await _send(send, status, content, [(b"content-type", kind)] if content else [])


async def send_problem(
    send: Send,
    status: int,
    title: str,
    detail: str,
    instance: str = "",
    *,
    allow: str = "",
    close: bool = False,
    more: bool = False,
) -> None:
    """Send an error (RFC 9457) that names the invocation `instance`. With `more` the caller ends the body."""
    shown = detail if len(detail) <= _DETAIL_CHARACTERS else f"{detail[:_DETAIL_CHARACTERS]}…"
    fields: dict[str, Any] = {"title": title, "status": status, "detail": shown}
    body = json.dumps(fields | ({"instance": f"urn:uuid:{instance}"} if instance else {})).encode()
    headers = [(b"content-type", b"application/problem+json")]
    headers += [(b"connection", b"close")] if close else []
    headers += [(b"allow", allow.encode())] if allow else []
    await _send(send, status, body, headers, more=more)


async def _send(
    send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]], *, more: bool = False
) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body, "more_body": more})
