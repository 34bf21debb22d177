"""The answers the host gives itself: JSON, and errors as problem+json."""

import json
from typing import Any

from starlette.types import Send


async def answer(send: Send, status: int, body: object = None, *, kind: bytes = b"application/json") -> None:
    """Answer `body` as JSON; nothing but the status without one."""
    content = b"" if body is None else json.dumps(body).encode()
    await _send(send, status, content, [(b"content-type", kind)] if content else [])


async def problem(
    send: Send, status: int, title: str, detail: str, instance: str = "", *, close: bool = False, more: bool = False
) -> None:
    """Answer an error (RFC 9457), naming the invocation `instance`. With `more` the caller ends the body."""
    fields: dict[str, Any] = {"title": title, "status": status, "detail": detail}
    body = json.dumps(fields | ({"instance": f"urn:uuid:{instance}"} if instance else {})).encode()
    headers = [(b"content-type", b"application/problem+json"), *([(b"connection", b"close")] if close else [])]
    await _send(send, status, body, headers, more=more)


async def _send(
    send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]], *, more: bool = False
) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body, "more_body": more})
