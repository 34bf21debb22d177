"""Policies of the request pipeline: retries, quotas and budgets, and a token that never leaves its cloud."""

import base64
import functools
import hashlib
import json
import math
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import (
    AzureError,
    DecodeError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HTTPPolicy
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

from shared.adapters import throttling
from shared.adapters.azure import address
from shared.domain.call_budget import CallScope, Operation
from shared.domain.error import InvalidInput, Malformed, Throttled
from shared.ports.call_budget import CallBudget

WAIT_SECONDS = 10.0
"""Seconds that a call may wait in all; longer waits are for the caller to plan."""

DEFAULT_RETRY_SECONDS = 5.0
RETRY_SECONDS_MAX = 86_400.0

Sleep = Callable[[float], None]
_Request = PipelineRequest[Any]
_Response = PipelineResponse[Any, Any]

_TRANSIENT_STATUSES = frozenset({500, 502, 503, 504})
_LOST_RESPONSE_ERRORS = (ServiceRequestError, ServiceResponseError, IncompleteReadError, DecodeError)
_TIMEOUT_ERRORS = (ServiceRequestTimeoutError, ServiceResponseTimeoutError)
_GRAPH_PATH = "/providers/microsoft.resourcegraph/resources"
_OPERATIONS: dict[str, Operation] = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}
_SUBSCRIPTION = re.compile(r"/subscriptions/([\w-]{1,64})(?:[/?]|$)", re.ASCII | re.IGNORECASE)
_PRINCIPAL = re.compile(r"[\w-]{1,64}", re.ASCII)
_COUNT_DIGITS = 9
_RATE_LIMIT = "x-ms-ratelimit-remaining-"
_PROVIDER_LIMITS = (
    f"{_RATE_LIMIT}resource",
    f"{_RATE_LIMIT}subscription-resource-requests",
    f"{_RATE_LIMIT}subscription-resource-entities-read",
    f"{_RATE_LIMIT}tenant-resource-requests",
    f"{_RATE_LIMIT}tenant-resource-entities-read",
)
"""Headers by which a provider tells its own limits. Source: "Request limits and throttling", "Remaining requests"."""
_READING_POST_PATHS = (_GRAPH_PATH, "/providers/microsoft.management/getentities")


class ArmRetryPolicy(HTTPPolicy[Any, Any]):
    """Retries after short waits: after 429 always, after a failure or a lost response only what reads.

    A write is never repeated after its answer was lost or a 5xx: it may have happened.
    """

    def __init__(self, sleep: Sleep, *, budget: float = WAIT_SECONDS, attempts: int = 4) -> None:
        super().__init__()
        self._sleep = sleep
        self._budget = budget
        self._attempts = attempts

    def send(self, request: _Request) -> _Response:
        """Send, wait, and send again, until it works or the attempts or the time are used up."""
        waited = 0.0
        for attempt in range(self._attempts - 1):
            answer: _Response | AzureError
            try:
                answer = self.next.send(request)
            except _LOST_RESPONSE_ERRORS as error:
                answer = error
            wait = self._wait(request, answer, attempt)
            if wait is None or waited + wait > self._budget:
                if isinstance(answer, AzureError):
                    raise answer
                return answer
            self._sleep(wait)
            waited += wait
        # The last attempt is not judged: whatever comes of it is the answer.
        return self.next.send(request)

    def _wait(self, request: _Request, answer: _Response | AzureError, attempt: int) -> float | None:
        """Return the seconds until the next attempt; None when there should be none."""
        backoff = 0.5 * 2**attempt
        if isinstance(answer, AzureError):
            return backoff if _is_read(request) and not isinstance(answer, _TIMEOUT_ERRORS) else None
        status = answer.http_response.status_code
        if status == HTTPStatus.TOO_MANY_REQUESTS or (status in _TRANSIENT_STATUSES and _is_read(request)):
            asked = retry_after(answer.http_response.headers)
            return backoff if asked is None else asked
        return None


class QuotaPolicy(HTTPPolicy[Any, Any]):
    """Waits before a query that would exceed Resource Graph's quota, as its headers have it.

    The quota is of a window of some seconds. Calls in flight may be counted already or not: they are taken as if not.
    """

    def __init__(self, sleep: Sleep, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._sleep = sleep
        self._clock = clock
        self._left = 0
        self._in_flight = 0
        self._resets_at = -math.inf
        self._lock = threading.Lock()

    def send(self, request: _Request) -> _Response:
        """Send when the quota allows it; Throttled when that is too far off."""
        response = self._send_query(request) if _is_reading_post(request) else self.next.send(request)
        if response.http_response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            throttling.record_throttling("cloud")
        return response

    def _send_query(self, request: _Request) -> _Response:
        self._hold()
        try:
            response = self.next.send(request)
        finally:
            with self._lock:
                self._in_flight -= 1
        self._learn(response.http_response.headers)
        return response

    def _hold(self) -> None:
        waited, since = 0.0, -math.inf
        # Each thread waits for itself, and looks again: others may have been told of a new wait meanwhile.
        while (wait := self._take(since)) > 0:
            waited += wait
            if waited > WAIT_SECONDS:
                raise Throttled(f"the quota of Resource Graph is used up for {wait:.0f} s", retry_after=wait)
            since = self._clock() + wait
            self._sleep(wait)

    def _take(self, since: float) -> float:
        """Count a call as in flight and return 0, or return the seconds to wait; the time is `since` or later."""
        with self._lock:
            wait = self._resets_at - max(self._clock(), since)
            if wait > 0 and self._left <= self._in_flight:
                return wait
            self._in_flight += 1
            return 0.0

    def _learn(self, headers: Any) -> None:  # noqa: ANN401 - the SDK's header mapping
        left = _count(headers.get("x-ms-user-quota-remaining"))
        if left is None:
            return
        with self._lock:
            now = self._clock()
            at = now + clock_seconds(headers.get("x-ms-user-quota-resets-after", ""))
            # Responses come in any order, so that the lowest count of a window is right. Its end has whole seconds.
            same = now < self._resets_at and at <= self._resets_at + 1
            self._left = min(self._left, left) if same else left
            self._resets_at = max(self._resets_at, at)


class CallBudgetPolicy(HTTPPolicy[Any, Any]):
    """Waits before a call until the budget has one, and tells the budget what the response says of the rest.

    It is the last policy before the transport: the token names the principal, and each attempt is a call.
    """

    def __init__(self, budget: CallBudget, sleep: Sleep) -> None:
        super().__init__()
        self._budget = budget
        self._sleep = sleep
        self._waited = 0.0
        self._lock = threading.Lock()

    @property
    def waited(self) -> float:
        """Return the seconds that calls have waited for their turn, of all threads together."""
        return self._waited

    def send(self, request: _Request) -> _Response:
        """Send when it is the call's turn; Throttled when that is too far off."""
        scope = call_scope(request)
        if scope is None:
            return self.next.send(request)
        if (wait := self._budget.take(scope)) > 0:
            self._sleep(wait)
            with self._lock:
                self._waited += wait
        response = self.next.send(request)
        self._learn(scope, response.http_response)
        return response

    def _learn(self, scope: CallScope, response: Any) -> None:  # noqa: ANN401 - the SDK's response
        kind = "subscription" if scope.subscription else "tenant"
        headers = response.headers
        remaining = _count(headers.get(f"{_RATE_LIMIT}{kind}-{scope.operation}"))
        # The global bucket is of all principals together, and Resource Manager's own, whatever this one has left.
        spent = remaining == 0 or _count(headers.get(f"{_RATE_LIMIT}{kind}-global-{scope.operation}")) == 0
        unsaid = remaining is None and not any(name in headers for name in _PROVIDER_LIMITS)
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS and (spent or unsaid):
            asked = retry_after(headers)
            self._budget.learn_throttling(scope, DEFAULT_RETRY_SECONDS if asked is None else asked)
        elif remaining is not None:
            # A 429 with calls remaining is of the resource provider, which has limits of its own.
            self._budget.learn(scope, remaining)


class AuthenticationPolicy(ARMChallengeAuthenticationPolicy):
    """Adds the bearer token, renews it once when it is refused, and never shows it to another address."""

    def __init__(self, credential: TokenCredential, scope: str, *, endpoint: str) -> None:
        try:
            loopback, self._origin = is_loopback(endpoint), origin(endpoint)
        except Malformed as error:
            raise InvalidInput(error.message, path="cloudEndpoint") from error
        super().__init__(credential, scope, enable_cae=not loopback)
        if self._origin[0] != "https" and not loopback:
            raise InvalidInput(f"{endpoint} would send the token in clear text: use https", path="cloudEndpoint")

    def on_request(self, request: _Request) -> None:
        """Authorize a request to the cloud's own address; Malformed for any other, such as a link in a response."""
        if origin(request.http_request.url) != self._origin:
            raise Malformed(f"the cloud answered with a link to another address, {request.http_request.url[:200]}")
        if self._origin[0] == "http":
            # Only a loopback address gets here without TLS: the constructor rejects all others.
            request.context["enforce_https"] = False
        super().on_request(request)

    def send(self, request: _Request) -> _Response:
        """Send; when the token is refused, once more with a new one."""
        response = super().send(request)
        if response.http_response.status_code != HTTPStatus.UNAUTHORIZED:
            return response
        # The token may have been revoked or the clock be wrong: the credential is asked once for a new one.
        self.authorize_request(request, *self._scopes)
        return self.next.send(request)


def call_scope(request: _Request) -> CallScope | None:
    """Return the bucket that a request is counted in; None for Resource Graph, which has a quota of its own."""
    path = address.parse(request.http_request.url).path
    if path.lower().endswith(_GRAPH_PATH):
        return None
    found = _SUBSCRIPTION.match(path)
    operation = _OPERATIONS.get(request.http_request.method, "writes")
    principal = principal_of(request.http_request.headers.get("Authorization", ""))
    return CallScope(principal, found[1].lower() if found else "", operation)


@functools.lru_cache(maxsize=4)
def principal_of(authorization: str) -> str:
    """Return the object id in a bearer token of Entra ID; a digest of the token where it has none.

    The token is not verified: it is our own, and the cloud that gets it counts by it.
    """
    try:
        payload = authorization.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        if _PRINCIPAL.fullmatch(claims["oid"]):
            return str(claims["oid"])
    except (IndexError, KeyError, TypeError, ValueError):
        pass
    return hashlib.sha256(authorization.encode(errors="surrogatepass")).hexdigest()[:32]


def _count(text: str | None) -> int | None:
    """Return the number in a header; None where there is none that can be one."""
    return int(text) if text and len(text) <= _COUNT_DIGITS and text.isascii() and text.isdigit() else None


def retry_after(headers: Any) -> float | None:  # noqa: ANN401 - the SDK's header mapping
    """Return the seconds that a response asks to wait, by any of the headers Azure uses; None when it does not say.

    `Retry-After` is seconds or a date (RFC 9110, 10.2.3).
    """
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        if (wait := _number(headers.get(name))) is not None:
            return wait / 1000
    asked = headers.get("retry-after")
    wait = _number(asked)
    return wait if wait is not None else _until(asked)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return min(number, RETRY_SECONDS_MAX) if number >= 0 else None


def _until(text: str | None) -> float | None:
    try:
        at = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    # Dates in HTTP are in UTC, also where they do not say so (RFC 9110, 5.6.7).
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((at - datetime.now(UTC)).total_seconds(), 0.0), RETRY_SECONDS_MAX)


def clock_seconds(text: str) -> float:
    """Parse hh:mm:ss as seconds; anything else is the default wait."""
    try:
        hours, minutes, seconds = (float(part) for part in text.split(":"))
    except ValueError:
        return DEFAULT_RETRY_SECONDS
    return hours * 3600 + minutes * 60 + seconds


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port, with the port that the scheme implies; Malformed when it is no address."""
    return address.parse(url).origin


def is_loopback(url: str) -> bool:
    """Return whether the address is this machine's own; Malformed when it is no address."""
    return address.parse(url).is_loopback


def _is_read(request: _Request) -> bool:
    return request.http_request.method in {"GET", "HEAD"} or _is_reading_post(request)


def _is_reading_post(request: _Request) -> bool:
    """Return whether a request is a POST that only reads."""
    return address.parse(request.http_request.url).path.lower().endswith(_READING_POST_PATHS)
