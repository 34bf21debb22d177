"""Faults of Cosmos DB and Azure Storage as the product's own errors."""

import contextlib
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError

from shared.adapters.azure.patience import DEFAULT_WAIT, retry_after
from shared.domain.error import (
    AlreadyExists,
    CortexError,
    InvalidInput,
    NotFound,
    Stale,
    Throttled,
    TooLarge,
    Unavailable,
)

_MEANINGS: Mapping[int, tuple[type[CortexError], str]] = {
    HTTPStatus.BAD_REQUEST: (InvalidInput, "cannot be asked of the store"),
    HTTPStatus.NOT_FOUND: (NotFound, "is not there"),
    HTTPStatus.CONFLICT: (AlreadyExists, "is there already"),
    HTTPStatus.PRECONDITION_FAILED: (Stale, "has changed since it was read: read it again"),
    HTTPStatus.CONTENT_TOO_LARGE: (TooLarge, "is too large for the store: keep the bulk in a blob"),
}
_NOT_AN_ABSENCE = frozenset({1002, 1003})
"""Sub-statuses of Cosmos DB's 404: the session is not there yet; the container itself is missing."""


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise the product's error in place of the SDK's; `what` names the thing that was read or written."""
    try:
        yield
    except AzureError as error:
        raise translate(error, what) from error


def translate(error: AzureError, what: str) -> CortexError:
    """The product's error for one of the SDK's: by status; without one, the store did not answer."""
    status = int(getattr(error, "status_code", None) or 0)
    wait = retry_after(_headers(error))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        seconds = 1.0 if wait is None else wait
        return Throttled(f"{what}: the store asks to wait {seconds:g} s", retry_after=seconds)
    if isinstance(error, ClientAuthenticationError) or status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Unavailable(
            f"{what}: the store refuses our identity ({_first_line(error)}): check key or role", retry_after=60
        )
    if status in _MEANINGS and getattr(error, "sub_status", None) not in _NOT_AN_ABSENCE:
        make, words = _MEANINGS[status]
        return make(f"{what} {words}")
    return Unavailable(
        f"{what}: the store does not answer ({status or type(error).__name__}: {_first_line(error)})",
        retry_after=DEFAULT_WAIT if wait is None else wait,
    )


def _headers(error: AzureError) -> Mapping[str, Any]:
    headers = getattr(error, "headers", None) or getattr(getattr(error, "response", None), "headers", None)
    return {str(name).lower(): value for name, value in (headers or {}).items()}


def _first_line(error: AzureError) -> str:
    return next(iter(str(error).splitlines()), "")[:200]
