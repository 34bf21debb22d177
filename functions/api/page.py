"""Pages for people: templates of this folder, rendered on the server, with nothing from elsewhere."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent / "templates"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""A page loads its style sheet and sends its form to where it came from; there is no script.
Source: W3C, Content Security Policy Level 3."""


@cache
def environment() -> "Environment":
    """The templates, each read once; a value that a template misses is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # noqa: PLC0415 - pages alone pay

    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"number": number, "moment": moment, "words": words}
    return made


def ok(
    request: Request,
    template: str,
    parts: Mapping[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A page, or 304 when the caller has it already."""
    content = environment().get_template(template).render(parts).encode()
    tag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    head = {"content-security-policy": POLICY, "cache-control": "private, no-cache", "etag": tag, **(headers or {})}
    if status == 200 and request.headers.get("if-none-match") == tag:  # noqa: PLR2004 - OK
        return Response(status_code=304, headers=head)
    return Response(content, status, head, "text/html; charset=utf-8")


def number(value: int) -> str:
    """12345 as 12,345."""
    return f"{value:,}"


def moment(text: str | None) -> str:
    """A stored time for people: 24 Nov 2026, 21:57 UTC."""
    return f"{datetime.fromisoformat(text):%d %b %Y, %H:%M} UTC".lstrip("0") if text else ""


def words(name: str) -> str:
    """A name in camelCase as words: awaitingApproval as awaiting approval."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def asset(request: Request, name: str, media_type: str) -> Response:
    """A file of the folder that pages load; 304 when the caller has it already."""
    content = _read(name)
    tag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    head = {"cache-control": "public, no-cache", "etag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=head)
    return Response(content, 200, head, media_type)


@cache
def _read(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
