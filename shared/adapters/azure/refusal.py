"""What the cloud's refusals mean: ARM's error answers as the product's own errors."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from json import JSONDecodeError
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    ServiceRequestError,
)

from shared.adapters.azure.patience import DEFAULT_WAIT, retry_after
from shared.domain.error import (
    Conflict,
    CortexError,
    Forbidden,
    InvalidInput,
    NotFound,
    Stale,
    Throttled,
    TooLarge,
    Unavailable,
)

_ACTION = re.compile(r"action '([^']{1,200})'")
_SCOPE = re.compile(r"scope '([^']{1,2048})'")
_MESSAGE = 500

UNKNOWN_VERSION = frozenset(
    {"InvalidApiVersionParameter", "NoRegisteredProviderFound", "UnsupportedApiVersion", "InvalidApiVersion"}
)
UNKNOWN_TYPE = frozenset({"InvalidResourceType", "InvalidResourceNamespace"})
"""Codes for types that the cloud does not have at all: what belongs to other resources need not be asked for."""
UNSUPPORTED = frozenset(
    {
        *UNKNOWN_VERSION,
        *UNKNOWN_TYPE,
        "ResourceTypeNotSupported",
        "NotSupported",
        "MissingSubscriptionRegistration",
    }
)
PAYLOAD_TOO_LARGE = "ResponsePayloadTooLarge"


class Refused(InvalidInput):
    """A request that the cloud cannot take; `codes` are ARM's names for why, the outermost first."""

    def __init__(self, message: str, *, codes: frozenset[str], path: str | None = None) -> None:
        super().__init__(message, path=path)
        self.codes = codes


@contextmanager
def translated(scope: str, *, writing: bool = False) -> Iterator[None]:
    """Raise the product's error in place of the SDK's; `scope` says where, `writing` that it may have happened."""
    try:
        yield
    except AzureError as error:
        raise translate(error, scope, writing=writing) from error
    except JSONDecodeError as error:
        raise _lost(DecodeError(str(error)), scope, writing=writing) from error


def translate(error: AzureError, scope: str, *, writing: bool = False) -> CortexError:
    """The product's error for one of the SDK's."""
    response: Any = None if isinstance(error, DecodeError) else getattr(error, "response", None)
    if response is None:
        return _lost(error, scope, writing=writing)
    detail = error_of(response)
    status = _STATUSES.get(str(detail.get("code")), response.status_code)
    make = _BY_STATUS.get(status)
    if make:
        return make(detail, scope, response.headers)
    if status < HTTPStatus.BAD_REQUEST:
        return _failed(detail, scope)
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return _bad(detail, scope, response.headers)
    doubt = "; the write may have happened: read before writing again" if writing else ""
    wait = retry_after(response.headers)
    return Unavailable(
        f"the cloud answered {status} for {scope}: {_said(detail)}{doubt}",
        retry_after=DEFAULT_WAIT if wait is None else wait,
    )


def error_of(response: Any) -> Mapping[str, Any]:  # noqa: ANN401 - any of the SDK's responses
    """The `error` object of an answer; empty when there is none."""
    try:
        body = response.json()
    except (ValueError, TypeError, AzureError):
        return {}
    if not isinstance(body, Mapping):
        return {}
    error = body.get("error", body)
    return error if isinstance(error, Mapping) else {}


def codes(error: Mapping[str, Any]) -> frozenset[str]:
    """All codes in an error object, of its details too."""
    found = {str(error["code"])} if error.get("code") else set()
    for detail in error.get("details") or ():
        if isinstance(detail, Mapping) and detail.get("code"):
            found.add(str(detail["code"]))
    return frozenset(found)


def _lost(error: AzureError, scope: str, *, writing: bool) -> CortexError:
    if isinstance(error, ClientAuthenticationError):
        return Forbidden(f"no token for the cloud could be had: {str(error)[:_MESSAGE]}; sign in again", scope=scope)
    if isinstance(error, ServiceRequestError):
        return Unavailable(f"the cloud cannot be reached for {scope}: {str(error)[:_MESSAGE]}")
    doubt = "the write may have happened: read before writing again" if writing else "the answer was lost"
    return Unavailable(f"the connection broke for {scope}; {doubt}")


def _said(error: Mapping[str, Any]) -> str:
    return f"{error.get('code') or 'no code'}: {str(error.get('message') or 'no message')[:_MESSAGE]}"


def _forbidden(error: Mapping[str, Any], scope: str, _headers: object) -> CortexError:
    message = str(error.get("message") or "")
    if error.get("code") == "RequestDisallowedByPolicy":
        named = ", ".join(_policies(error)) or "an assignment that is not named"
        return Forbidden(f"Azure Policy denies the write of {scope}: {named}", scope=scope)
    action, at = _ACTION.search(message), _SCOPE.search(message)
    return Forbidden(
        f"not allowed at {scope}: {_said(error)}",
        permission=action.group(1) if action else None,
        scope=at.group(1) if at else scope,
    )


def _policies(error: Mapping[str, Any]) -> Iterator[str]:
    for each in error.get("additionalInfo") or ():
        info = each.get("info") if isinstance(each, Mapping) else None
        if isinstance(info, Mapping):
            names = ("policyAssignmentDisplayName", "policyAssignmentName", "policyDefinitionDisplayName")
            yield next((str(info[name]) for name in names if info.get(name)), "unnamed")


def _unauthenticated(error: Mapping[str, Any], scope: str, _headers: object) -> CortexError:
    return Unavailable(
        f"the cloud refuses our token at {scope} ({_said(error)}): sign in again", retry_after=DEFAULT_WAIT
    )


def _absent(error: Mapping[str, Any], scope: str, _headers: object) -> CortexError:
    if codes(error) & UNSUPPORTED:
        return Refused(f"the cloud does not know the type of {scope}: {_said(error)}", codes=codes(error))
    return NotFound(f"{scope} does not exist in the cloud ({_said(error)})")


def _bad(error: Mapping[str, Any], scope: str, _headers: object) -> CortexError:
    path = str(error["target"]) if error.get("target") else None
    return Refused(f"the cloud refuses the request for {scope}: {_said(error)}", codes=codes(error), path=path)


def _conflict(error: Mapping[str, Any], scope: str, _headers: object) -> CortexError:
    if codes(error) & UNSUPPORTED:
        return Refused(f"the provider of {scope} cannot be used: {_said(error)}", codes=codes(error))
    return Conflict(f"{scope} is in a state that does not allow this: {_said(error)}")


def _stale(error: Mapping[str, Any], scope: str, _headers: object) -> CortexError:
    return Stale(f"{scope} has changed since it was read ({_said(error)}): read it again and decide again")


def _large(error: Mapping[str, Any], scope: str, _headers: object) -> CortexError:
    return TooLarge(f"the request for {scope} is too large: {_said(error)}")


def _throttled(error: Mapping[str, Any], scope: str, headers: object) -> CortexError:
    wait = retry_after(headers)
    wait = DEFAULT_WAIT if wait is None else wait
    return Throttled(f"the cloud asks to wait {wait:.0f} s for {scope}: {_said(error)}", retry_after=wait)


def _failed(error: Mapping[str, Any], scope: str) -> CortexError:
    """A long-running operation that was accepted, and then failed."""
    return Conflict(f"the operation on {scope} failed: {_said(error)}")


_BY_STATUS: Mapping[int, Callable[[Mapping[str, Any], str, object], CortexError]] = {
    HTTPStatus.UNAUTHORIZED: _unauthenticated,
    HTTPStatus.FORBIDDEN: _forbidden,
    HTTPStatus.NOT_FOUND: _absent,
    HTTPStatus.CONFLICT: _conflict,
    HTTPStatus.PRECONDITION_FAILED: _stale,
    HTTPStatus.CONTENT_TOO_LARGE: _large,
    HTTPStatus.TOO_MANY_REQUESTS: _throttled,
}

# A failed long-running operation answers 200; then ARM's code tells what the status would have been.
_STATUSES: Mapping[str, int] = {
    "RequestDisallowedByPolicy": HTTPStatus.FORBIDDEN,
    "AuthorizationFailed": HTTPStatus.FORBIDDEN,
    "PreconditionFailed": HTTPStatus.PRECONDITION_FAILED,
}
