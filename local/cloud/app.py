"""The sandbox cloud as an ASGI application: reads a request, applies faults, sends the response."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from email.utils import format_datetime
from urllib.parse import parse_qsl

import orjson

from local.cloud import admin, token
from local.cloud.arm.address import parse, subscription_of
from local.cloud.arm.error import ArmError, authorization_failed
from local.cloud.arm.http import ArmRequest, ArmResponse
from local.cloud.arm.router import route
from local.cloud.cloud import Cloud
from local.cloud.faults import corruption
from local.cloud.faults.fault import GRAPH_PATH, Fault, FaultKind, MatchedFaults
from local.cloud.graph import endpoint
from local.cloud.quota import RateLimits, throttled_error
from shared.domain.resource import Json

BODY_BYTES = 4 * 1024 * 1024
"""The largest request body. Source: Azure Resource Manager, "Subscription and tenant limits"."""
WRITE_METHODS = frozenset({"PUT", "PATCH", "DELETE"})
_ACTIONS = {"GET": "read", "HEAD": "read", "POST": "action", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_log = logging.getLogger(__name__)

AsgiMessage = dict[str, Json]
AsgiReceive = Callable[[], Awaitable[AsgiMessage]]
AsgiSend = Callable[[AsgiMessage], Awaitable[None]]


class Application:
    """Serves one cloud. `drop` closes the connection from a client's address; `written` is called after every write."""

    def __init__(self, cloud: Cloud, *, drop: Callable[[Json], None], written: Callable[[], None]) -> None:
        self._cloud = cloud
        self._drop = drop
        self._written = written
        self._quota = RateLimits(enforced=cloud.throttle, scale=cloud.limit_scale)

    async def __call__(self, scope: AsgiMessage, receive: AsgiReceive, send: AsgiSend) -> None:
        """Serve one request (ASGI 3, HTTP)."""
        request = await _read(scope, receive)
        # Of several faults of one kind the first that was added counts.
        matched = {fault.kind: fault for fault in reversed(self._cloud.faults.matching(request))}
        if FaultKind.SLOW in matched:
            await asyncio.sleep(matched[FaultKind.SLOW].delay)
        # Dropped before the work or lost after it: to the client both look the same.
        if FaultKind.DROPPED in matched:
            return await self._hang_up(scope)
        response = self.respond(request, matched)
        if request.method in WRITE_METHODS and FaultKind.LOST_RESPONSE in matched:
            return await self._hang_up(scope)
        await _send(send, response, whole=FaultKind.CUT not in matched)
        return await self._hang_up(scope) if FaultKind.CUT in matched else None

    def respond(self, request: ArmRequest, matched: MatchedFaults) -> ArmResponse:
        """Return the response to a request, with the headers of every response."""
        name = self._cloud.new_id()
        headers = {
            "x-ms-request-id": name,
            "x-ms-correlation-request-id": request.headers.get("x-ms-correlation-request-id", name),
            "x-ms-routing-request-id": f"SANDBOX:{self._cloud.clock():%Y%m%dT%H%M%SZ}:{name}",
            "Cache-Control": "no-cache",
            "Date": format_datetime(self._cloud.clock(), usegmt=True),
        }
        try:
            given = self._handled(request, matched, headers)
        except ArmError as error:
            given = _error_response(error)
        except Exception:  # noqa: BLE001 - a door: whatever went wrong is a server error to the client
            _log.exception("%s %s failed", request.method, request.path)
            given = _error_response(ArmError(500, "InternalServerError", "The sandbox cloud failed; its log says why."))
        # What a handler says counts more than what every response has.
        return ArmResponse(given.status, given.body, {**headers, **given.headers})

    def _handled(self, request: ArmRequest, matched: MatchedFaults, headers: dict[str, str]) -> ArmResponse:
        if len(request.body) > BODY_BYTES:
            raise ArmError(413, "RequestEntityTooLarge", f"The request content is larger than {BODY_BYTES} bytes.")
        # Health needs no token: a probe may ask before it has one.
        if request.path == "/admin/health":
            return admin.health(self._cloud)
        given_token = request.headers.get("authorization", "")
        principal = token.check_token(self._cloud.secret, given_token, self._cloud.clock())
        if request.path.startswith("/admin/"):
            return self._notify(request, admin.handle_admin(self._cloud, request))
        # Errors on demand do not reach /admin: a test must be able to take them back.
        if FaultKind.EXPIRED in matched:
            raise token.expired_error(self._cloud.clock(), self._cloud.clock())
        graph = request.path.lower() == GRAPH_PATH and request.method == "POST"
        # Counted before a provider fails: its errors, 429 included, tell what Resource Manager has left.
        headers |= self._counted(request, principal, graph=graph)
        _raise_fault(request, matched)
        if graph:
            given = endpoint.query_resources(self._cloud, request, self._hidden(request))
        else:
            if FaultKind.LOST_WRITE in matched and request.method in WRITE_METHODS:
                # Reported as done and rolled back; at once, as a slow one would leave an operation to ask for.
                with self._cloud.store.rolled_back():
                    given = route(replace(self._cloud, operation_seconds=0.0), request)
            else:
                given = route(self._cloud, request)
            given = self._notify(request, given)
        return corruption.corrupt_response(given, matched)

    def _counted(self, request: ArmRequest, principal: str, *, graph: bool) -> dict[str, str]:
        """Count a request against its caller's limits. Return headers with what is left; ArmError 429 at none."""
        at = self._cloud.clock().timestamp()
        if graph:
            return self._quota.query(principal, at)
        return self._quota.request(principal, request.method, subscription_of(request.path.lower()), at)

    def _notify(self, request: ArmRequest, given: ArmResponse) -> ArmResponse:
        if request.method not in {"GET", "HEAD"}:
            self._written()
        return given

    def _hidden(self, request: ArmRequest) -> list[Fault]:
        """Find what a query must not show. ArmError 403 when it names a subscription that is forbidden as a whole."""
        hidden = self._cloud.faults.hidden()
        asked = {f"/subscriptions/{name}".lower() for name in request.document().get("subscriptions") or ()}
        for each in hidden:
            if (
                not each.provider
                and not each.type
                and each.scope
                and any(f"{name}/".startswith(each.scope.lower().rstrip("/") + "/") for name in asked)
            ):
                raise authorization_failed("Microsoft.Resources/subscriptions/resources/read", each.scope)
        return hidden

    async def _hang_up(self, scope: AsgiMessage) -> None:
        self._drop(scope["client"])
        await asyncio.sleep(0)  # lets the server notice before it would respond by itself


def _error_response(error: ArmError) -> ArmResponse:
    return ArmResponse(error.status, orjson.dumps(error.body()), error.headers)


def _raise_fault(request: ArmRequest, matched: MatchedFaults) -> None:
    """Raise the error that a fault puts in the place of the response."""
    if fault := matched.get(FaultKind.THROTTLED):
        raise throttled_error(fault.retry_after)
    if fault := matched.get(FaultKind.UNAVAILABLE):
        raise ArmError(fault.status, "ServiceUnavailable", "The service is unavailable. Please try again later.")
    if FaultKind.FORBIDDEN in matched:
        raise authorization_failed(*_operation_name(request))


def _operation_name(request: ArmRequest) -> tuple[str, str]:
    """Return the action and the scope that a request needs."""
    verb = _ACTIONS.get(request.method, "action")
    head, _, last = request.path.rstrip("/").rpartition("/")
    # Collections of the platform have no provider in their path: their action is named by hand.
    if last.lower() in {"resources", "resourcegroups", "providers", "locations"}:
        return f"Microsoft.Resources/subscriptions/{last}/{verb}", head
    try:
        address = parse(request.path)
    except ArmError:
        return f"Microsoft.Resources/subscriptions/{verb}", request.path
    return f"{address.type}/{verb}", address.id if address.name else address.scope


async def _read(scope: AsgiMessage, receive: AsgiReceive) -> ArmRequest:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        size += len(message.get("body", b""))
        if size <= BODY_BYTES + 1:  # read on without keeping: the client sees the 413 only when it has sent everything
            chunks.append(message.get("body", b""))
    return ArmRequest(
        method=scope["method"],
        path=scope["path"],
        query={name.lower(): value for name, value in query},
        headers=headers,
        body=b"".join(chunks) if size <= BODY_BYTES else bytes(BODY_BYTES + 1),
        base=f"{scope['scheme']}://{headers.get('host', 'localhost')}",
    )


async def _send(send: AsgiSend, given: ArmResponse, *, whole: bool) -> None:
    body = b"" if given.status == 204 else given.body  # noqa: PLR2004 - no content
    headers = {"Content-Type": "application/json; charset=utf-8", **given.headers, "Content-Length": str(len(body))}
    # A 204 has neither a body nor a length (RFC 9110, 8.6).
    if given.status == 204:  # noqa: PLR2004 - no content
        del headers["Content-Type"], headers["Content-Length"]
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": given.status, "headers": pairs})
    if whole:
        await send({"type": "http.response.body", "body": body})
    else:
        # The length announced all of it; the caller closes the connection.
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
