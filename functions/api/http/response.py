"""Responses: JSON with an ETag, pages with a cursor, accepted work with its address."""

import hashlib
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
from fastapi import Request, Response

from shared.domain.model import Model, internal_members
from shared.domain.page import Page
from shared.services.read_model import Stored

REVALIDATE_HEADERS = {"cache-control": "private, no-cache", "vary": "Authorization"}
"""Only the caller may cache it, and revalidates it with If-None-Match."""
RETRY_SECONDS = 1
"""Seconds after which it is worth looking how far the work of a 202 is (RFC 9110, section 10.2.3)."""


def ok(
    request: Request,
    body: Any,  # noqa: ANN401 - any JSON
    *,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer 200 with a body, or 304 when the caller has it."""
    return _with_etag(request, orjson.dumps(as_json(body)), headers or {})


def stored(
    request: Request, found: Stored[Any], *, without: Collection[str] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """Answer a stored document as this code reads it, without some members, or 304 when the caller has that."""
    return _with_etag(request, found.json(without), headers or {})


def page(request: Request, found: Page[Any], *, without: Collection[str] = ()) -> Response:
    """Answer a page, its items without some members, with the address of the next in the header Link (RFC 8288)."""
    cursor = found.next_cursor
    link = {}
    if cursor:  # the next page keeps the filters of this one
        others = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
        link["link"] = f'<{request.url.path}?{urlencode([*others, ("cursor", cursor)])}>; rel="next"'
    models: set[type[Model]] = {type(each) for each in found.items}
    unshown = frozenset(without).union(*map(internal_members, models))
    hidden: dict[str, Any] = {"items": {"__all__": set(unshown)}} if unshown else {}
    if found.total is None:
        hidden["total"] = True
    return _with_etag(request, found.model_dump_json(exclude=hidden).encode(), link)


def accepted(body: Any, location: str | None = None) -> Response:  # noqa: ANN401 - any JSON
    """Answer 202: work was started, and can be followed at `location`; None where it has no record of its own."""
    head = {"retry-after": str(RETRY_SECONDS), **({"location": location} if location else {})}
    return Response(orjson.dumps(body), 202, head, "application/json")


def as_json(body: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a body as JSON has it: a model without its internal members."""
    return body.model_dump(mode="json", exclude=set(internal_members(type(body)))) if isinstance(body, Model) else body


def _with_etag(request: Request, content: bytes, headers: Mapping[str, str]) -> Response:
    # Of the bytes, and not the version of a document: another release may make another representation of the same
    # document, which a strong ETag has to tell apart (RFC 9110, section 8.8.1).
    tag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    head = {**REVALIDATE_HEADERS, "etag": tag, **headers}
    if _etag_matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=head)
    return Response(content, media_type="application/json", headers=head)


def _etag_matches(given: str | None, tag: str) -> bool:
    """Return whether If-None-Match names the tag, by weak comparison (RFC 9110, section 13.1.2)."""
    if given is None:
        return False
    names = {each.strip().removeprefix("W/") for each in given.split(",")}
    return "*" in names or tag.removeprefix("W/") in names
