"""Resources: GET, HEAD, PUT, PATCH and DELETE of one resource by id, at any depth."""

from collections import defaultdict
from dataclasses import replace

import orjson

from local.cloud import document, operation
from local.cloud import kind as kinds
from local.cloud.address import RESOURCE_GROUP, SUBSCRIPTION, Address
from local.cloud.cloud import Cloud
from local.cloud.error import ArmError, group_not_found, not_allowed, resource_not_found, subscription_not_found
from local.cloud.lock import check_locks
from local.cloud.message import Answer, Request
from local.cloud.store import Row, row
from local.template import Template
from shared.domain.resource import Json

_ABSENT = 404
_BUILT_IN = frozenset({
    "microsoft.authorization/roledefinitions", "microsoft.authorization/policydefinitions",
    "microsoft.authorization/policysetdefinitions",
})  # fmt: skip
"""Types whose built-in resources stand at the tenant and can be read under any scope."""


def get(cloud: Cloud, request: Request, address: Address) -> Answer:
    """The resource as it is."""
    found = existing(cloud, request, address)
    return Answer(200, shown(cloud, found), _headers(found))


def head(cloud: Cloud, request: Request, address: Address) -> Answer:
    """204 when it exists, 404 when not."""
    try:
        existing(cloud, request, address)
    except ArmError as error:
        if error.status != _ABSENT:
            raise
        return Answer(_ABSENT)
    return Answer(204)


def put(cloud: Cloud, request: Request, address: Address) -> Answer:
    """Create or replace. What the service keeps itself (ids, endpoints, states) stays as it was."""
    kind = checked_kind(request, address)
    content = document.content(request)
    if kind.type == SUBSCRIPTION:
        raise not_allowed("PUT", kind.type)
    with cloud.store.writing():
        old = writable(cloud, request, address)
        if old is None:
            require_scope(cloud, address)
        body = document.replaced(kind, address, content, old.document() if old else None)
        new = _written(cloud, request, address, (kind, body, old))
        if old is None:
            _add_singletons(cloud, kind, new)
        return operation.answer(cloud, request, new, Answer(200 if old else 201, shown(cloud, new), _headers(new)))


def patch(cloud: Cloud, request: Request, address: Address) -> Answer:
    """Merge what the type lets PATCH change; anything else in the body is passed over, as the services do."""
    kind = checked_kind(request, address)
    content = document.content(request)
    if kind.patch == "none":
        raise not_allowed("PATCH", kind.type)
    with cloud.store.writing():
        old = writable(cloud, request, address) or existing(cloud, request, address)
        body = document.patched(kind, content, old.document())
        new = _written(cloud, request, address, (kind, body, old))
        return operation.answer(cloud, request, new, Answer(200, shown(cloud, new), _headers(new)))


def delete(cloud: Cloud, request: Request, address: Address) -> Answer:
    """Delete the resource and all that lies in it; 204 when there was nothing."""
    kind = checked_kind(request, address)
    if kind.singleton or kind.type == SUBSCRIPTION:
        raise not_allowed("DELETE", kind.type)
    with cloud.store.writing():
        old = writable(cloud, request, address)
        if old is None:
            return Answer(204)
        cloud.store.delete(old.key)
        log(cloud, request, address, old.etag)
        return operation.deleted(cloud, request, old, slow=kind.slow or kind.type == RESOURCE_GROUP)


def shown(cloud: Cloud, found: Row) -> bytes:
    """The body as a reader sees it: still updating while an operation runs."""
    if not cloud.busy(found):
        return found.body
    body = found.document()
    if "provisioningState" in body["properties"]:
        body["properties"]["provisioningState"] = "Updating"
    return orjson.dumps(body)


def log(cloud: Cloud, request: Request, address: Address, etag: str | None) -> None:
    """Note a write that was done."""
    cloud.store.log(
        at=cloud.timestamp(),
        method=request.method,
        resource_id=address.id,
        kind=address.type,
        etag=etag,
        source="client",
        correlation=request.headers.get("x-ms-correlation-request-id", ""),
    )


def missing(cloud: Cloud, address: Address) -> ArmError:
    """The 404 that tells which part of an address is not there."""
    subscription = f"/subscriptions/{address.subscription}"
    if address.subscription and not cloud.store.get(subscription):
        return subscription_not_found(address.subscription)
    if address.group and not cloud.store.get(f"{subscription}/resourcegroups/{address.group.lower()}"):
        return group_not_found(address.group)
    return resource_not_found(address.type, address.name, address.group)


def checked_kind(request: Request, address: Address) -> Template:
    """The kind of a resource; ArmError when it is not known or has no such api-version."""
    kind = kinds.find(address.type)
    kinds.check_version(kind, request.api_version)
    return kind


def existing(cloud: Cloud, request: Request, address: Address) -> Row:
    """The resource; ArmError 404 when it is not there."""
    checked_kind(request, address)
    found = cloud.store.get(address.key)
    if found is None and address.type.lower() in _BUILT_IN:
        found = cloud.store.get(f"/providers/{address.type}/{address.name}".lower())
    if found is None:
        raise missing(cloud, address)
    return found


def writable(cloud: Cloud, request: Request, address: Address) -> Row | None:
    """The resource before a write, once everything that could forbid the write has been looked at."""
    old = cloud.store.get(address.key)
    _check_conditions(request, old)
    check_locks(cloud, request.method, address)
    if old and cloud.busy(old):
        message = f"Another operation on this or dependent resource is in progress: '{address.id}'."
        raise ArmError(409, "AnotherOperationInProgress", message)
    return old


def require_scope(cloud: Cloud, address: Address) -> None:
    """ArmError unless what a new resource is to lie in exists."""
    if address.scope and not cloud.store.get(address.scope.lower()):
        error = missing(cloud, address)
        code = "ParentResourceNotFound" if error.code == "ResourceNotFound" else error.code
        raise ArmError(error.status, code, error.message)


def keep(
    cloud: Cloud, address: Address, change: tuple[Template, dict[str, Json], Row | None], *, seconds: float = 0.0
) -> Row:
    """Store a body in place of an old row, under a new etag; the write takes `seconds`."""
    kind, body, old = change
    etag = document.stamped(kind, body, old.etag if old else None, cloud.new_id())
    at = cloud.timestamp()
    new = row(address.key, kind=kind.type, graph=kind.graph, at=at, body=orjson.dumps(body), etag=etag)
    ready = cloud.clock().timestamp() + seconds if seconds else 0.0
    new = replace(new, created=old.created if old else at, ready=ready)
    cloud.store.put(new)
    return new


def _written(
    cloud: Cloud, request: Request, address: Address, change: tuple[Template, dict[str, Json], Row | None]
) -> Row:
    new = keep(cloud, address, change, seconds=cloud.operation_seconds if change[0].slow else 0.0)
    log(cloud, request, address, new.etag)
    return new


def _check_conditions(request: Request, old: Row | None) -> None:
    """If-Match and If-None-Match. Source: RFC 9110, 13.1."""
    match, none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
    failed = match is not None and (old is None or (match != "*" and _opaque(match) != _opaque(old.etag)))
    if failed or (none_match == "*" and old is not None):
        message = "The condition specified using HTTP conditional header(s) is not met."
        raise ArmError(412, "PreconditionFailed", message)


def _opaque(etag: str | None) -> str | None:
    return etag and etag.removeprefix("W/").strip('"')


def _add_singletons(cloud: Cloud, kind: Template, parent: Row) -> None:
    """The children that come with a resource."""
    body = parent.document()
    known = {"location": body.get("location", ""), "tags": "{}", "parent": body["name"], "parentId": body["id"]}
    slots: defaultdict[str, str] = defaultdict(str, known)
    for child in kind.children:
        if child.singleton:
            place = body["id"] + child.place % slots
            made = child.render(place, slots, bytes(kind.draws))[0]
            cloud.store.put(
                row(place.lower(), kind=child.type, graph=child.graph, at=parent.created, body=made.text.encode())
            )


def _headers(found: Row) -> dict[str, str]:
    return {"ETag": found.etag} if found.etag else {}
