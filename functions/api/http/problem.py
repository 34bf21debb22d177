"""Errors as problem documents (RFC 9457): the shape of every answer that is not a success."""

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

from functions.api.http.accept import prefers_html
from functions.pages.error import error_page
from shared.domain import validation_message
from shared.domain.error import (
    Busy,
    Conflict,
    CortexError,
    Damaged,
    Forbidden,
    InvalidInput,
    NotFound,
    Requested,
    Throttled,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Underway,
)
from shared.domain.model import Model
from shared.domain.property_path import join

MEDIA_TYPE = "application/problem+json"
ERROR_ITEMS = 20
"""The most validation errors in one answer."""
DETAIL_CHARACTERS = 2000
"""Maximum characters of a text in a problem, which may repeat text of the request."""

STATUS_BY_ERROR: Mapping[type[CortexError], HTTPStatus] = {
    InvalidInput: HTTPStatus.BAD_REQUEST,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    TooLarge: HTTPStatus.CONTENT_TOO_LARGE,
    Throttled: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    Damaged: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""In the order of the search: a class comes before its base classes."""

TITLE_BY_STATUS: Mapping[int, tuple[str, str]] = {
    400: ("invalid-request", "The request is invalid"),
    401: ("unauthenticated", "The caller is not authenticated"),
    403: ("forbidden", "The role does not allow this"),
    404: ("not-found", "There is nothing with this address or id"),
    405: ("method-not-allowed", "The method is not allowed here"),
    409: ("conflict", "The current state does not allow this"),
    413: ("too-large", "The body is too large"),
    415: ("unsupported-media-type", "The media type of the body is not supported"),
    422: ("invalid-body", "The body is invalid"),
    429: ("throttled", "Too many requests"),
    500: ("internal", "The service has failed"),
    503: ("unavailable", "A service that we depend on does not answer"),
}
"""Status -> the name of the problem, which is an anchor in the reference, and its title."""

DAMAGED_TITLE = ("damaged", "Stored data is damaged and must be restored")
"""Name and title of a 503 that retrying does not end."""


class FieldError(Model):
    """An invalid part of a request."""

    path: str = Field(description="JSON path in the body (`$.expiresAt`), or `query.limit`, `header.…`")
    detail: str


class Problem(Model):
    """What went wrong. Source: RFC 9457."""

    type: str = Field(description="the address of the problem's description")
    title: str
    status: int
    detail: str
    instance: str = Field(description="the path of the request")
    correlation_id: str = Field(description="include it when you report the problem; it is in the logs")
    path: str | None = Field(default=None, description="the invalid part of the request, if there is one")
    permission: str | None = Field(default=None, description="the role or ARM action that is needed")
    scope: str | None = Field(default=None, description="the scope where it is needed")
    remediation: str | None = Field(default=None, description="the remediation that has not ended, with `link`")
    exemption: str | None = Field(default=None, description="the exemption that is the same, with `link`")
    link: str | None = Field(default=None, description="the address of what is in the way")
    errors: tuple[FieldError, ...] = Field(default=(), description="the invalid parts of the request")


def respond(
    request: Request,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
    named: tuple[str, str] | None = None,
) -> Response:
    """Return a problem as a response: a document, or a page when the caller would rather read HTML.

    `more` has further members of the document, `named` replaces its name and title.
    """
    name, title = named or TITLE_BY_STATUS.get(status) or ("", HTTPStatus(status).phrase)
    body = {
        "type": f"/api/docs#{name}" if name else "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "correlationId": request.state.correlation,
        **(more or {}),
    }
    shown, head = _truncate(body), {**(headers or {}), "vary": "Accept"}
    if prefers_html(", ".join(request.headers.getlist("accept"))):
        return error_page(shown, head)
    return Response(orjson.dumps(shown, default=str), status, media_type=MEDIA_TYPE, headers=head)


def _truncate(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a value with every text in it cut to a bounded length; a problem may repeat text of the request."""
    if isinstance(value, str):
        return value if len(value) <= DETAIL_CHARACTERS else f"{value[:DETAIL_CHARACTERS]}…"
    if isinstance(value, Mapping):
        return {name: _truncate(each) for name, each in value.items()}
    return [_truncate(each) for each in value] if isinstance(value, list | tuple) else value


def install_handlers(app: FastAPI) -> None:
    """Make the app answer every error as a problem."""
    app.add_exception_handler(CortexError, _on_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)


def status_of(error: CortexError) -> int:
    """Return the status of an error: 422 for an invalid part of a body (`$…`), 400 for other parts of a request."""
    if isinstance(error, InvalidInput) and (error.path or "").startswith("$"):
        return HTTPStatus.UNPROCESSABLE_CONTENT
    return next((status for kind, status in STATUS_BY_ERROR.items() if isinstance(error, kind)), 500)


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, CortexError)  # what the handler is installed for
    names = ("path", "permission", "scope")
    more = {name: value for name in names if (value := getattr(error, name, None)) is not None}
    if isinstance(error, Underway):
        more |= {"remediation": error.remediation, "link": f"/api/v1/remediations/{error.remediation}"}
    if isinstance(error, Requested):
        more |= {"exemption": error.exemption, "link": f"/api/v1/exemptions/{error.exemption}"}
    named = DAMAGED_TITLE if isinstance(error, Damaged) else None
    return respond(request, status_of(error), error.message, _error_headers(error), more, named)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # what the handler is installed for
    detail = DEFAULT_DETAILS.get(error.status_code, error.detail)
    if error.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
        return respond(request, error.status_code, detail, error.headers)
    allowed = {"allow": ", ".join(sorted(_allowed_methods(request)))}
    if request.method == "OPTIONS":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=allowed)
    return respond(request, error.status_code, detail, allowed)


def _allowed_methods(request: Request) -> set[str]:
    """Return the methods of all routes at this address; the router itself names only those of the first."""
    matching = (route for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE)
    found = {method for route in matching for method in route.methods}
    return found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set())


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # what the handler is installed for
    found = error.errors()[:ERROR_ITEMS]
    errors = [{"path": json_path(each["loc"]), "detail": validation_message.describe(each)} for each in found]
    in_body = any(each["loc"][0] == "body" for each in found)
    status = HTTPStatus.UNPROCESSABLE_CONTENT if in_body else HTTPStatus.BAD_REQUEST
    first = errors[0]
    detail = f"{first['path']}: {first['detail']}"
    return respond(request, status, detail, None, {"path": first["path"], "errors": errors})


DEFAULT_DETAILS = {
    404: "there is nothing at this address; /api/docs lists all addresses",
    405: "the header Allow lists the methods that are allowed here",
}
"""Details for errors that the router raises without one."""


def json_path(location: Sequence[str | int]) -> str:
    """Return the path of a validation error: `$.a[0].b` in the body, `query.limit` elsewhere."""
    where, *parts = location
    if where != "body":
        return ".".join(str(part) for part in location)
    path = "$"
    for part in parts:
        path = f"{path}[{part}]" if isinstance(part, int) else join(path, part)
    return path


def _error_headers(error: CortexError) -> dict[str, str]:
    if isinstance(error, Busy | Throttled | Unavailable | Damaged):
        return {"retry-after": str(max(ceil(error.retry_after), 1))}
    if isinstance(error, Unauthenticated):
        return {"www-authenticate": 'Bearer realm="policycortex"'}
    return {}
