"""Answers: JSON with an ETag, pages with a cursor, accepted work with its address."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import orjson
from fastapi import Request, Response
from pydantic import ConfigDict, Field

from functions.api.access import Caller
from shared.domain.error import InvalidInput, NotFound
from shared.domain.model import Model
from shared.ports.documents import Document, Query

REVALIDATE = {"cache-control": "private, no-cache", "vary": "Authorization"}
"""May be kept by the caller alone, and asked for again with If-None-Match."""
MOST = 200


class Listing(Model):
    """The part of a query that chooses a page."""

    model_config = ConfigDict(defer_build=False)

    limit: int = Field(default=50, ge=1, le=MOST, description="items in one page")
    cursor: str | None = Field(default=None, max_length=4096, description="`nextCursor` of the page before")


class Page[T](Model):
    """One page of a listing. `nextCursor` is null on the last; the header Link has the address of the next."""

    items: tuple[T, ...]
    next_cursor: str | None = None


def ok(
    request: Request,
    body: Any,  # noqa: ANN401 - any JSON
    *,
    etag: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """200 with a body, or 304 when the caller has it already. Without an `etag` the body's digest is it."""
    content = b"" if etag else orjson.dumps(body)
    tag = _strong(etag) if etag else f'W/"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    head = {**REVALIDATE, "etag": tag, **(headers or {})}
    if _known(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=head)
    return Response(content or orjson.dumps(body), media_type="application/json", headers=head)


def document(request: Request, found: Document) -> Response:
    """A stored document as it is, under its own etag."""
    return ok(request, found.body, etag=found.etag)


def accepted(body: Any, location: str) -> Response:  # noqa: ANN401 - any JSON
    """202: work has been started, and can be followed at `location`."""
    return Response(orjson.dumps(body), 202, {"location": location}, "application/json")


def find(caller: Caller, kind: str, id_: str) -> Document:
    """A document of the caller's tenant; NotFound, also for ids that nothing can have."""
    try:
        found = caller.ports.documents.get(tenant=caller.tenant, kind=kind, id=id_)
    except InvalidInput:
        found = None
    if found is None:
        raise NotFound(f"there is no {kind} {id_[:80]}", path="id")
    return found


def listing(
    request: Request,
    caller: Caller,
    kind: str,
    query: Query,
    asked: Listing,
    *,
    show: Callable[[Document], Any] = lambda found: found.body,
) -> Response:
    """One page of the caller's documents of a kind."""
    found = caller.ports.documents.query(
        tenant=caller.tenant, kind=kind, query=query, limit=asked.limit, cursor=asked.cursor
    )
    return page(request, [show(each) for each in found.items], found.cursor)


def page(request: Request, items: Sequence[Any], cursor: str | None) -> Response:
    """A page, with the address of the next in the header Link (RFC 8288)."""
    link = {"link": f'<{_next(request, cursor)}>; rel="next"'} if cursor else {}
    return ok(request, {"items": items, "nextCursor": cursor}, headers=link)


def without(*names: str) -> Callable[[Document], Mapping[str, Any]]:
    """Shows documents without some members that only the single thing has."""
    left_out = frozenset(names)
    return lambda found: {name: value for name, value in found.body.items() if name not in left_out}


def conditions(asked: Listing, *beside: str) -> dict[str, Any]:
    """The conditions that a query for a page makes; several values of one mean any of them.

    `beside` names members that are not conditions.
    """
    given = asked.model_dump(mode="json", exclude={"limit", "cursor", *beside}, exclude_none=True)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if value != []}


def _next(request: Request, cursor: str) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return f"{request.url.path}?{urlencode([*kept, ('cursor', cursor)])}"


def _strong(etag: str) -> str:
    return '"{}"'.format(etag.strip('"').replace('"', ""))


def _known(given: str | None, tag: str) -> bool:
    """Whether If-None-Match names the tag; compared weakly (RFC 9110, section 13.1.2)."""
    if given is None:
        return False
    names = {each.strip().removeprefix("W/") for each in given.split(",")}
    return "*" in names or tag.removeprefix("W/") in names
