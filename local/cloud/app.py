"""The sandbox cloud as an ASGI application: it reads requests, lets faults strike, and answers."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from email.utils import format_datetime
from urllib.parse import parse_qsl

import orjson

from local.cloud import admin, graph, token
from local.cloud.address import parse, subscription_of
from local.cloud.cloud import Cloud
from local.cloud.error import ArmError, authorization_failed
from local.cloud.fault import GRAPH, Fault, Kind
from local.cloud.message import Answer, Request
from local.cloud.quota import Quota, throttled
from local.cloud.router import route
from shared.domain.resource import Json

BODY = 4 * 1024 * 1024
"""The largest request body. Source: Azure Resource Manager, "Subscription and tenant limits"."""
WRITES = frozenset({"PUT", "PATCH", "DELETE"})
_ACTIONS = {"GET": "read", "HEAD": "read", "POST": "action", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_log = logging.getLogger(__name__)

Message = dict[str, Json]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Strikes = Mapping[Kind, Fault]


class Application:
    """Serves one cloud. `drop` closes the connection from a client's address; `written` is told of every write."""

    def __init__(self, cloud: Cloud, *, drop: Callable[[Json], None], written: Callable[[], None]) -> None:
        self._cloud = cloud
        self._drop = drop
        self._written = written
        self._quota = Quota(enforced=cloud.throttle)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request (ASGI 3, HTTP)."""
        request = await _read(scope, receive)
        strikes = {fault.kind: fault for fault in reversed(self._cloud.faults.meeting(request))}
        if Kind.SLOW in strikes:
            await asyncio.sleep(strikes[Kind.SLOW].delay)
        if Kind.DROPPED in strikes:
            return await self._hang_up(scope)
        answer = self.answer(request, strikes)
        if request.method in WRITES and Kind.LOST_ANSWER in strikes:
            return await self._hang_up(scope)
        await _send(send, answer, whole=Kind.CUT not in strikes)
        return await self._hang_up(scope) if Kind.CUT in strikes else None

    def answer(self, request: Request, strikes: Strikes) -> Answer:
        """The answer to a request, with what all answers carry."""
        headers = self._common(request)
        try:
            given = self._handled(request, strikes, headers)
        except ArmError as error:
            given = _refusal(error)
        except Exception:  # noqa: BLE001 - a door: whatever went wrong is the server's fault and is told as such
            _log.exception("%s %s failed", request.method, request.path)
            given = _refusal(ArmError(500, "InternalServerError", "The sandbox cloud failed; its log says why."))
        return Answer(given.status, given.body, {**headers, **given.headers})

    def _handled(self, request: Request, strikes: Strikes, headers: dict[str, str]) -> Answer:
        if len(request.body) > BODY:
            raise ArmError(413, "RequestEntityTooLarge", f"The request content is larger than {BODY} bytes.")
        if request.path == "/admin/health":
            return admin.health(self._cloud)
        token.check(self._cloud.secret, request.headers.get("authorization", ""), self._cloud.clock())
        if request.path.startswith("/admin/"):
            return self._noted(request, admin.handle(self._cloud, request))
        _refuse(request, strikes, self._cloud)
        at = self._cloud.clock().timestamp()
        if request.path.lower() == GRAPH and request.method == "POST":
            headers |= self._quota.query(at)
            given = graph.resources(self._cloud, request, self._hidden(request))
        else:
            headers |= self._quota.request(request.method, subscription_of(request.path.lower()), at)
            given = self._noted(request, self._routed(request, lost=Kind.LOST_WRITE in strikes))
        return _spoiled(given, strikes)

    def _routed(self, request: Request, *, lost: bool) -> Answer:
        """The answer to a request; a lost write is answered as done and undone."""
        if not lost or request.method not in WRITES:
            return route(self._cloud, request)
        with self._cloud.store.undone():
            return route(replace(self._cloud, operation_seconds=0.0), request)

    def _noted(self, request: Request, given: Answer) -> Answer:
        if request.method not in {"GET", "HEAD"}:
            self._written()
        return given

    def _hidden(self, request: Request) -> list[Fault]:
        """What the query must not show; ArmError 403 when it asks for a subscription that is wholly forbidden."""
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

    def _common(self, request: Request) -> dict[str, str]:
        name = self._cloud.new_id()
        return {
            "x-ms-request-id": name,
            "x-ms-correlation-request-id": request.headers.get("x-ms-correlation-request-id", name),
            "x-ms-routing-request-id": f"SANDBOX:{self._cloud.clock():%Y%m%dT%H%M%SZ}:{name}",
            "Cache-Control": "no-cache",
            "Date": format_datetime(self._cloud.clock(), usegmt=True),
        }

    async def _hang_up(self, scope: Message) -> None:
        self._drop(scope["client"])
        await asyncio.sleep(0)  # lets the server notice before it would answer by itself


def _refusal(error: ArmError) -> Answer:
    return Answer(error.status, orjson.dumps(error.body()), error.headers)


def _refuse(request: Request, strikes: Strikes, cloud: Cloud) -> None:
    """Raise what a fault answers instead of the cloud."""
    if fault := strikes.get(Kind.THROTTLED):
        raise throttled(fault.retry_after)
    if fault := strikes.get(Kind.UNAVAILABLE):
        raise ArmError(fault.status, "ServiceUnavailable", "The service is unavailable. Please try again later.")
    if Kind.FORBIDDEN in strikes:
        raise authorization_failed(*_asked_for(request))
    if Kind.EXPIRED in strikes:
        raise token.expired(cloud.clock(), cloud.clock())


def _asked_for(request: Request) -> tuple[str, str]:
    """The action and the scope that a request needs."""
    verb = _ACTIONS.get(request.method, "action")
    head, _, last = request.path.rstrip("/").rpartition("/")
    if last.lower() in {"resources", "resourcegroups", "providers", "locations"}:
        return f"Microsoft.Resources/subscriptions/{last}/{verb}", head
    try:
        address = parse(request.path)
    except ArmError:
        return f"Microsoft.Resources/subscriptions/{verb}", request.path
    return f"{address.type}/{verb}", address.id if address.name else address.scope


def _spoiled(given: Answer, strikes: Strikes) -> Answer:
    """The answer after the faults that change its body."""
    if given.status >= 300 or not given.body:  # noqa: PLR2004 - only successes are spoiled
        return given
    body = given.body
    if Kind.PARTIAL_PAGE in strikes or Kind.TOO_LARGE in strikes:
        body = _shortened(body, strikes)
    if Kind.GARBLED in strikes:
        body = body[: len(body) // 2]
    return Answer(given.status, body, given.headers)


def _shortened(body: bytes, strikes: Strikes) -> bytes:
    content = orjson.loads(body)
    name = next((each for each in ("data", "value") if isinstance(content.get(each), list)), None)
    if name is None:
        return body
    if (limit := strikes.get(Kind.TOO_LARGE)) and len(content[name]) > limit.rows:
        raise graph.too_large(graph.PAYLOAD + len(body))
    if partial := strikes.get(Kind.PARTIAL_PAGE):
        content[name] = content[name][: math.floor(len(content[name]) * partial.keep)]
    return orjson.dumps(content)


async def _read(scope: Message, receive: Receive) -> Request:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        size += len(message.get("body", b""))
        if size <= BODY + 1:
            chunks.append(message.get("body", b""))
    return Request(
        method=scope["method"],
        path=scope["path"],
        query={name.lower(): value for name, value in query},
        headers=headers,
        body=b"".join(chunks) if size <= BODY else bytes(BODY + 1),
        base=f"{scope['scheme']}://{headers.get('host', 'localhost')}",
    )


async def _send(send: Send, given: Answer, *, whole: bool) -> None:
    body = b"" if given.status == 204 else given.body  # noqa: PLR2004 - no content
    headers = {"Content-Type": "application/json; charset=utf-8", **given.headers, "Content-Length": str(len(body))}
    if given.status == 204:  # noqa: PLR2004 - no content
        del headers["Content-Type"], headers["Content-Length"]
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": given.status, "headers": pairs})
    if whole:
        await send({"type": "http.response.body", "body": body})
    else:
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
