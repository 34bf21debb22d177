"""Pages for people: templates of this folder, rendered on the server, without scripts or external resources."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response

from shared.domain.printable import printable

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE_FOLDER = Path(__file__).parent / "templates"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""A page loads its style sheet from, and sends its form to, its own origin; there are no scripts.
Source: W3C, Content Security Policy Level 3."""

PAGE_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cache-control": "private, no-cache",
    "referrer-policy": "same-origin",  # under no-referrer a browser does not say where a form comes from
}


@cache
def environment() -> "Environment":
    """Return the environment of the templates, each read once; a missing variable is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # noqa: PLC0415 - pages alone pay

    made = Environment(
        loader=FileSystemLoader(TEMPLATE_FOLDER),
        autoescape=select_autoescape(),
        finalize=_printable,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"number": format_number, "moment": format_time, "words": split_words}
    return made


def ok(
    request: Request,
    template: str,
    parts: Mapping[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a page, or 304 when the caller has it."""
    content = _render(template, parts)
    tag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    head = {**PAGE_HEADERS, "etag": tag, **(headers or {})}
    if status == 200 and request.headers.get("if-none-match") == tag:  # noqa: PLR2004 - OK
        return Response(status_code=304, headers=head)
    return Response(content, status, head, "text/html; charset=utf-8")


def uncached(
    template: str, parts: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a page that nobody keeps: of an error, of a sign-in."""
    head = {**PAGE_HEADERS, "cache-control": "no-store", **(headers or {})}
    return Response(_render(template, parts), status, head, "text/html; charset=utf-8")


def _render(template: str, parts: Mapping[str, Any]) -> bytes:
    return environment().get_template(template).render(parts).encode()


def _printable(value: object) -> object:
    """Return a value without characters that turn or hide text; our own markup is not changed."""
    return printable(value, lines=True) if type(value) is str else value


def format_number(value: int) -> str:
    """Format 12345 as 12,345."""
    return f"{value:,}"


def format_time(text: str | None) -> str:
    """Format a stored time as 24 Nov 2026, 21:57 UTC."""
    return f"{datetime.fromisoformat(text):%d %b %Y, %H:%M} UTC".lstrip("0") if text else ""


def split_words(name: str) -> str:
    """Split a name in camelCase into words: awaitingApproval into awaiting approval."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def asset(request: Request, name: str, media_type: str) -> Response:
    """Return a file of the folder that pages load, or 304 when the caller has it."""
    content = _read(name)
    tag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    head = {"cache-control": "public, no-cache", "etag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=head)
    return Response(content, 200, head, media_type)


@cache
def _read(name: str) -> bytes:
    return (TEMPLATE_FOLDER / name).read_bytes()
