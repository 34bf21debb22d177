"""ARM's error responses as the product's own errors."""

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
    DeserializationError,
    IncompleteReadError,
    ServiceRequestError,
)

from shared.adapters.azure.retry_policy import DEFAULT_RETRY_SECONDS, retry_after
from shared.domain.arm_id import subscription_of
from shared.domain.error import (
    Conflict,
    CortexError,
    Forbidden,
    InvalidInput,
    Locked,
    Malformed,
    NotFound,
    Stale,
    Throttled,
    TooLarge,
    Unavailable,
)

_ACTION = re.compile(r"action '([^']{1,200})'")
_SCOPE = re.compile(r"scope '([^']{1,2048})'")
_LOCKED = "scope(s) are locked:"
_QUOTED = re.compile(r"'([^']{1,2048})'")
_MESSAGE_CHARACTERS = 500

UNKNOWN_VERSION = frozenset(
    {"InvalidApiVersionParameter", "NoRegisteredProviderFound", "UnsupportedApiVersion", "InvalidApiVersion"}
)
UNKNOWN_TYPE = frozenset({"InvalidResourceType", "InvalidResourceNamespace"})
"""Codes for types that the cloud does not have at all, which need not be read for other resources."""
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


class ArmRequestRejected(InvalidInput):
    """A request that the cloud cannot take; `codes` are ARM's names for why, the outermost first."""

    def __init__(self, message: str, *, codes: frozenset[str], path: str | None = None) -> None:
        super().__init__(message, path=path)
        self.codes = codes


@contextmanager
def error_translation(scope: str, *, writing: bool = False) -> Iterator[None]:
    """Raise the product's error in place of the SDK's; `scope` says where, `writing` that it may have happened."""
    try:
        yield
    except AzureError as error:
        raise translate(error, scope, writing=writing) from error
    except (JSONDecodeError, DeserializationError) as error:
        raise _lost(DecodeError(str(error)), scope, writing=writing) from error


def translate(error: AzureError, scope: str, *, writing: bool = False) -> CortexError:
    """Translate an error of the SDK into one of the product's."""
    # A DecodeError carries the response too, but its body is what could not be read.
    response: Any = None if isinstance(error, DecodeError) else getattr(error, "response", None)
    if response is None:
        return _lost(error, scope, writing=writing)
    detail = error_of(response)
    status = _STATUSES.get(str(detail.get("code")), response.status_code)
    make = _BY_STATUS.get(status)
    if make:
        return make(detail, scope, response.headers)
    if status < HTTPStatus.BAD_REQUEST:
        # A success with an error in it: a long-running operation was accepted, and then failed.
        return Conflict(f"the operation on {scope} failed: {_said(detail)}")
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        path = str(detail["target"]) if detail.get("target") else None
        why = f"the cloud refuses the request for {scope}: {_said(detail)}"
        return ArmRequestRejected(why, codes=codes(detail), path=path)
    doubt = "; the write may have happened: read before writing again" if writing else ""
    wait = retry_after(response.headers)
    return Unavailable(
        f"the cloud answered {status} for {scope}: {_said(detail)}{doubt}",
        retry_after=DEFAULT_RETRY_SECONDS if wait is None else wait,
    )


def error_of(response: Any) -> Mapping[str, Any]:  # noqa: ANN401 - any of the SDK's responses
    """Return the `error` object of an answer; empty when there is none."""
    try:
        body = response.json()
    except (ValueError, TypeError, AzureError):
        return {}
    if not isinstance(body, Mapping):
        return {}
    error = body.get("error", body)
    return error if isinstance(error, Mapping) else {}


def codes(error: Mapping[str, Any]) -> frozenset[str]:
    """Return all codes in an error object, of its details too."""
    found = {str(error["code"])} if error.get("code") else set()
    found.update(str(detail["code"]) for detail in _objects(error.get("details")) if detail.get("code"))
    return frozenset(found)


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list; none for what is not a list."""
    yield from (each for each in value if isinstance(each, Mapping)) if isinstance(value, list) else ()


def _lost(error: AzureError, scope: str, *, writing: bool) -> CortexError:
    if isinstance(error, ClientAuthenticationError):
        why = next(iter(str(error).splitlines()), "")[:_MESSAGE_CHARACTERS]  # the SDK lists all that it tried below
        return Forbidden(f"no token for the cloud could be obtained: {why} Sign in again", scope=scope)
    if isinstance(error, ServiceRequestError):
        return Unavailable(f"the cloud cannot be reached for {scope}: {str(error)[:_MESSAGE_CHARACTERS]}")
    broken = isinstance(error, IncompleteReadError)  # a kind of DecodeError, and a lost connection all the same
    if isinstance(error, DecodeError) and not broken and not writing:
        return Malformed(f"the cloud answered {scope} with an unreadable body: {str(error)[:_MESSAGE_CHARACTERS]}")
    doubt = "the write may have happened: read before writing again" if writing else "the answer was lost"
    return Unavailable(f"the connection broke for {scope}; {doubt}")


def _said(error: Mapping[str, Any]) -> str:
    return f"{error.get('code') or 'no code'}: {str(error.get('message') or 'no message')[:_MESSAGE_CHARACTERS]}"


def _forbidden(error: Mapping[str, Any], scope: str, _headers: object) -> CortexError:
    message = str(error.get("message") or "")
    if error.get("code") == "RequestDisallowedByPolicy":
        named = ", ".join(_policies(error)) or "it does not say which assignment"
        return Forbidden(f"Azure Policy denies the write of {scope}: {named}", scope=scope)
    action, at = _ACTION.search(message), _SCOPE.search(message)
    return Forbidden(
        f"not allowed at {scope}: {_said(error)}",
        permission=action.group(1) if action else None,
        scope=at.group(1) if at else scope,
    )


def _policies(error: Mapping[str, Any]) -> Iterator[str]:
    for each in _objects(error.get("additionalInfo")):
        info = each.get("info")
        if isinstance(info, Mapping):
            names = ("policyAssignmentDisplayName", "policyAssignmentName", "policyDefinitionDisplayName")
            yield next((str(info[name]) for name in names if info.get(name)), "unnamed")


def _absent(error: Mapping[str, Any], scope: str, _headers: object) -> CortexError:
    found = codes(error)
    if found & UNSUPPORTED:
        return ArmRequestRejected(f"the cloud does not know the type of {scope}: {_said(error)}", codes=found)
    if not found:
        return Malformed(
            f"404 for {scope}, without ARM's error: this is not Azure Resource Manager; check the endpoint"
        )
    # A subscription that cannot be seen must not make all its resources count as gone.
    if "SubscriptionNotFound" in found:
        # ARM says so of a subscription that is deleted, and of one on which the identity has no role.
        return Forbidden(
            f"{scope} cannot be seen: its subscription is deleted, or our identity has no role on it",
            permission="Microsoft.Resources/subscriptions/read",
            scope=f"/subscriptions/{subscription_of(scope)}",
        )
    return NotFound(f"{scope} does not exist in the cloud ({_said(error)})")


def _conflict(error: Mapping[str, Any], scope: str, _headers: object) -> CortexError:
    if codes(error) & UNSUPPORTED:
        return ArmRequestRejected(f"the provider of {scope} cannot be used: {_said(error)}", codes=codes(error))
    if "ScopeLocked" in codes(error):
        at = tuple(_QUOTED.findall(str(error.get("message") or "").partition(_LOCKED)[2]))
        return Locked(f"a lock at {', '.join(at) or scope} forbids changes of {scope}", scopes=at or (scope,))
    return Conflict(f"{scope} is in a state that does not allow this: {_said(error)}")


def _throttled(error: Mapping[str, Any], scope: str, headers: object) -> CortexError:
    wait = retry_after(headers)
    wait = DEFAULT_RETRY_SECONDS if wait is None else wait
    return Throttled(f"the cloud asks to wait {wait:.0f} s for {scope}: {_said(error)}", retry_after=wait)


_BY_STATUS: Mapping[int, Callable[[Mapping[str, Any], str, object], CortexError]] = {
    HTTPStatus.UNAUTHORIZED: lambda error, scope, _headers: Unavailable(
        f"the cloud refuses our token at {scope} ({_said(error)}): sign in again", retry_after=DEFAULT_RETRY_SECONDS
    ),
    HTTPStatus.FORBIDDEN: _forbidden,
    HTTPStatus.NOT_FOUND: _absent,
    HTTPStatus.CONFLICT: _conflict,
    HTTPStatus.PRECONDITION_FAILED: lambda error, scope, _headers: Stale(
        f"{scope} has changed since it was read ({_said(error)}): read it again and decide again"
    ),
    HTTPStatus.CONTENT_TOO_LARGE: lambda error, scope, _headers: TooLarge(
        f"the request for {scope} is too large: {_said(error)}"
    ),
    HTTPStatus.TOO_MANY_REQUESTS: _throttled,
}

# A failed long-running operation answers 200: here ARM's code says which status it would have had.
_STATUSES: Mapping[str, int] = {
    "RequestDisallowedByPolicy": HTTPStatus.FORBIDDEN,
    "AuthorizationFailed": HTTPStatus.FORBIDDEN,
    "PreconditionFailed": HTTPStatus.PRECONDITION_FAILED,
}
