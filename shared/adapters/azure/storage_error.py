"""Errors of Cosmos DB and Azure Storage as the product's own."""

import contextlib
from collections.abc import Iterator, Mapping
from http import HTTPStatus

from azure.core.exceptions import AzureError, ClientAuthenticationError

from shared.adapters import throttling
from shared.adapters.azure.retry_policy import DEFAULT_RETRY_SECONDS, retry_after
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

_ERROR_BY_STATUS: Mapping[int, tuple[type[CortexError], str]] = {
    HTTPStatus.BAD_REQUEST: (InvalidInput, "is not accepted by the store"),
    HTTPStatus.NOT_FOUND: (NotFound, "does not exist"),
    HTTPStatus.CONFLICT: (AlreadyExists, "already exists"),
    HTTPStatus.PRECONDITION_FAILED: (Stale, "has changed since it was read: read it again"),
    HTTPStatus.CONTENT_TOO_LARGE: (TooLarge, "is too large for the store: keep the bulk in a blob"),
}
_MISSING_CONTAINER_SUBSTATUSES = frozenset({1002, 1003})
"""Sub-statuses of Cosmos DB's 404: the session is not there yet; the container itself is missing."""
_RETRY_WITH_STATUS = 449
_PARTITION_FULL_SUBSTATUS = 1014
"""The sub-status of Cosmos DB's 403 when a logical partition holds its 20 GB ("Troubleshoot forbidden exceptions")."""
_PARTITION_FULL_RETRY_SECONDS = 3600.0


class Contended(Unavailable):
    """The write was in conflict with another one, and nothing was done; it passes within milliseconds."""


@contextlib.contextmanager
def error_translation(what: str) -> Iterator[None]:
    """Raise the product's error in place of the SDK's; `what` names the thing that was read or written."""
    try:
        yield
    except AzureError as error:
        raise translate(error, what) from error


def translate(error: AzureError, what: str) -> CortexError:
    """Translate an error of the SDK by its status; without a status, the store did not answer."""
    status = int(getattr(error, "status_code", None) or 0)
    wait = retry_after(_headers(error))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        throttling.record_throttling("store")
        seconds = 1.0 if wait is None else wait
        return Throttled(f"{what}: the store asks to wait {seconds:g} s", retry_after=seconds)
    if status == _RETRY_WITH_STATUS:
        return Contended(f"{what}: the write was in conflict with another one", retry_after=DEFAULT_RETRY_SECONDS)
    # Also a 403, but nothing is wrong about the identity: it is handled before keys and roles are blamed.
    if getattr(error, "sub_status", None) == _PARTITION_FULL_SUBSTATUS:
        return Unavailable(
            f"{what}: the partition is full (20 GB): keep this kind for fewer days (CORTEX_RETENTION__…)",
            retry_after=_PARTITION_FULL_RETRY_SECONDS,
        )
    if isinstance(error, ClientAuthenticationError) or status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Unavailable(
            f"{what}: the store refuses our identity ({_first_line(error)}): check key or role", retry_after=60
        )
    if status in _ERROR_BY_STATUS and getattr(error, "sub_status", None) not in _MISSING_CONTAINER_SUBSTATUSES:
        make, words = _ERROR_BY_STATUS[status]
        return make(f"{what} {words}")
    return Unavailable(
        f"{what}: the store does not answer ({status or type(error).__name__}: {_first_line(error)})",
        retry_after=DEFAULT_RETRY_SECONDS if wait is None else wait,
    )


def _headers(error: AzureError) -> dict[str, str]:
    # Cosmos DB's errors hold the headers themselves, those of Storage hold the response.
    headers = getattr(error, "headers", None) or getattr(getattr(error, "response", None), "headers", None) or {}
    return {str(name).lower(): value for name, value in headers.items()}


def _first_line(error: AzureError) -> str:
    return next(iter(str(error).splitlines()), "")[:200]
