"""Errors as problem documents (RFC 9457): every answer that is not a success has this shape."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from shared.domain.difference import join
from shared.domain.error import (
    Conflict,
    CortexError,
    Forbidden,
    InvalidInput,
    NotFound,
    Stale,
    Throttled,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from shared.domain.model import Model

MEDIA_TYPE = "application/problem+json"
NAMES = 20
"""The validation errors named in one answer."""

STATUSES: Mapping[type[CortexError], HTTPStatus] = {
    InvalidInput: HTTPStatus.BAD_REQUEST,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Stale: HTTPStatus.PRECONDITION_FAILED,
    Conflict: HTTPStatus.CONFLICT,
    TooLarge: HTTPStatus.CONTENT_TOO_LARGE,
    Throttled: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""In the order in which they are looked for: a class stands before those it is made from."""

TITLES: Mapping[int, tuple[str, str]] = {
    400: ("invalid-request", "The request cannot be read"),
    401: ("unauthenticated", "We do not know who is asking"),
    403: ("forbidden", "The role does not allow this"),
    404: ("not-found", "There is no such thing"),
    405: ("method-not-allowed", "This address does not take that method"),
    409: ("conflict", "The thing is not in a state that allows this"),
    412: ("stale", "The thing has changed since it was read"),
    413: ("too-large", "More was sent than is taken"),
    415: ("unsupported-media-type", "The body is of a type that is not taken here"),
    422: ("invalid-body", "The body says something that cannot be used"),
    429: ("throttled", "Too much is asked at once"),
    500: ("internal", "Something went wrong here"),
    503: ("unavailable", "Something we need does not answer"),
}
"""Status -> the problem's name, which is an anchor in the reference, and its title."""


class Fault(Model):
    """One part of a request that cannot be used."""

    path: str = Field(description="JSON path in the body (`$.expiresAt`), or `query.limit`, `header.…`")
    detail: str


class Problem(Model):
    """What went wrong. Source: RFC 9457."""

    type: str = Field(description="the address of the problem's description")
    title: str
    status: int
    detail: str
    instance: str = Field(description="the path that was asked for")
    correlation_id: str = Field(description="name it when you report the problem; the logs have it")
    path: str | None = Field(default=None, description="the offending part, when there is one")
    errors: tuple[Fault, ...] = Field(default=(), description="all offending parts, when there are several kinds")


def answer(
    status: int,
    detail: str,
    *,
    instance: str,
    correlation: str,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """A problem document as a response; `more` are further members."""
    name, title = TITLES.get(status) or ("", HTTPStatus(status).phrase)
    body = {
        "type": f"/api/docs#{name}" if name else "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
        "correlationId": correlation,
        **(more or {}),
    }
    return Response(orjson.dumps(body, default=str), status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def install(app: FastAPI) -> None:
    """Let the app answer every error as a problem."""
    app.add_exception_handler(CortexError, _on_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)


def status_of(error: CortexError) -> int:
    """The status of an error; what is wrong within a body (`$…`) is 422, what is wrong elsewhere in a request 400."""
    if isinstance(error, InvalidInput) and (error.path or "").startswith("$"):
        return HTTPStatus.UNPROCESSABLE_CONTENT
    return next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 500)


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, CortexError)  # what the handler is installed for
    names = ("path", "permission", "scope")
    more = {name: value for name in names if (value := getattr(error, name, None)) is not None}
    return _answer(request, status_of(error), error.message, _headers(error), more)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # what the handler is installed for
    detail = UNSAID.get(error.status_code, error.detail)
    headers = {"allow": _allowed(request)} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else error.headers
    return _answer(request, error.status_code, detail, headers)


def _allowed(request: Request) -> str:
    """The methods of all routes at this address; the router itself names those of the first alone."""
    matching = (route for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE)
    return ", ".join(sorted({method for route in matching for method in route.methods}))


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # what the handler is installed for
    found = error.errors()[:NAMES]
    faults = [{"path": json_path(each["loc"]), "detail": each["msg"]} for each in found]
    in_body = any(each["loc"][0] == "body" for each in found)
    status = HTTPStatus.UNPROCESSABLE_CONTENT if in_body else HTTPStatus.BAD_REQUEST
    first = faults[0]
    detail = f"{first['path']}: {first['detail']}"
    return _answer(request, status, detail, None, {"path": first["path"], "errors": faults})


UNSAID = {
    404: "there is nothing at this address; /api/docs lists what there is",
    405: "the header Allow names the methods that this address takes",
}
"""Details for errors that the router raises without one."""


def json_path(location: Sequence[str | int]) -> str:
    """Where a validation error is: `$.a[0].b` in the body, `query.limit` elsewhere."""
    where, *parts = location
    if where != "body":
        return ".".join(str(part) for part in location)
    path = "$"
    for part in parts:
        path = f"{path}[{part}]" if isinstance(part, int) else join(path, part)
    return path


def _headers(error: CortexError) -> dict[str, str]:
    if isinstance(error, Throttled | Unavailable):
        return {"retry-after": str(max(ceil(error.retry_after), 1))}
    if isinstance(error, Unauthenticated):
        return {"www-authenticate": 'Bearer realm="policycortex"'}
    return {}


def _answer(
    request: Request,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    return answer(
        status,
        detail,
        instance=request.url.path,
        correlation=request.state.correlation,
        headers=headers,
        more=more,
    )
