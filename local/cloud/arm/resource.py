"""Resources: GET, HEAD, PUT, PATCH and DELETE of one resource by id, at any depth."""

from collections import defaultdict
from dataclasses import replace

import orjson

from local.cloud.arm import document, operation
from local.cloud.arm import resource_type as kinds
from local.cloud.arm.address import RESOURCE_GROUP, SUBSCRIPTION, Address
from local.cloud.arm.error import ArmError, group_not_found, not_allowed, resource_not_found, subscription_not_found
from local.cloud.arm.http import ArmRequest, ArmResponse
from local.cloud.arm.lock import check_locks
from local.cloud.cloud import Cloud
from local.cloud.graph import change as graph_change
from local.cloud.store import StoredRow, make_row
from local.resource_template import ResourceTemplate
from shared.domain.resource import Json

_NOT_FOUND = 404
_BUILT_IN = frozenset({
    "microsoft.authorization/roledefinitions", "microsoft.authorization/policydefinitions",
    "microsoft.authorization/policysetdefinitions",
})  # fmt: skip
"""Types whose built-in resources lie at the tenant and can be read under any scope."""


def get(cloud: Cloud, request: ArmRequest, address: Address) -> ArmResponse:
    """Return the resource as it is."""
    found = require_existing(cloud, request, address)
    return ArmResponse(200, public_body(cloud, found), _headers(found))


def head(cloud: Cloud, request: ArmRequest, address: Address) -> ArmResponse:
    """Return 204 when the resource exists, 404 otherwise."""
    try:
        require_existing(cloud, request, address)
    except ArmError as error:
        if error.status != _NOT_FOUND:
            raise
        return ArmResponse(_NOT_FOUND)
    return ArmResponse(204)


def put(cloud: Cloud, request: ArmRequest, address: Address) -> ArmResponse:
    """Create or replace the resource. What the service sets itself (ids, endpoints, states) stays as it was."""
    kind = require_type(request, address)
    content = document.put_content(request, kind.type)
    if kind.type == SUBSCRIPTION:
        raise not_allowed("PUT", kind.type)
    # One transaction: what is checked still holds when it is written.
    with cloud.store.writing():
        old = require_writable(cloud, request, address)
        if old is None:
            require_scope(cloud, address)
        body = document.replace(kind, address, content, old.document() if old else None)
        new = _written(cloud, request, address, (kind, body, old))
        if old is None:
            _add_singletons(cloud, kind, new)
        return operation.accepted(
            cloud, request, new, ArmResponse(200 if old else 201, public_body(cloud, new), _headers(new))
        )


def patch(cloud: Cloud, request: ArmRequest, address: Address) -> ArmResponse:
    """Merge what the type lets PATCH change; anything else in the body is ignored, as the services do."""
    kind = require_type(request, address)
    content = document.put_content(request, kind.type)
    if kind.patch == "none":
        raise not_allowed("PATCH", kind.type)
    with cloud.store.writing():
        old = require_writable(cloud, request, address) or require_existing(cloud, request, address)
        body = document.apply_patch(kind, content, old.document())
        new = _written(cloud, request, address, (kind, body, old))
        return operation.accepted(cloud, request, new, ArmResponse(200, public_body(cloud, new), _headers(new)))


def delete(cloud: Cloud, request: ArmRequest, address: Address) -> ArmResponse:
    """Delete the resource and everything in it; 204 when there is none."""
    kind = require_type(request, address)
    if kind.singleton or kind.type == SUBSCRIPTION:
        raise not_allowed("DELETE", kind.type)
    with cloud.store.writing():
        old = require_writable(cloud, request, address)
        if old is None:
            return ArmResponse(204)
        graph_change.record_deleted(cloud, old.key)
        cloud.store.delete(old.key)
        log(cloud, request, address, old.etag)
        return operation.delete_accepted(cloud, request, old, slow=kind.slow or kind.type == RESOURCE_GROUP)


def public_body(cloud: Cloud, found: StoredRow) -> bytes:
    """Return the body as a reader sees it: still updating while an operation runs."""
    if not cloud.busy(found):
        return found.body
    body = found.document()
    if "provisioningState" in body["properties"]:
        body["properties"]["provisioningState"] = "Updating"
    return orjson.dumps(body)


def log(cloud: Cloud, request: ArmRequest, address: Address, etag: str | None) -> None:
    """Add a write to the log."""
    cloud.store.log(
        at=cloud.timestamp(),
        method=request.method,
        resource_id=address.id,
        kind=address.type,
        etag=etag,
        source="client",
        correlation=request.headers.get("x-ms-correlation-request-id", ""),
    )


def missing_error(cloud: Cloud, address: Address) -> ArmError:
    """Return the 404 that names the part of an address that does not exist."""
    subscription = f"/subscriptions/{address.subscription}"
    if address.subscription and not cloud.store.get(subscription):
        return subscription_not_found(address.subscription)
    if address.group and not cloud.store.get(f"{subscription}/resourcegroups/{address.group.lower()}"):
        return group_not_found(address.group)
    return resource_not_found(address.type, address.name, address.group)


def require_type(request: ArmRequest, address: Address) -> ResourceTemplate:
    """Return the type of an address; ArmError when it is not known or has no such api-version."""
    kind = kinds.find_type(address.type)
    kinds.check_version(kind, request.api_version)
    return kind


def require_existing(cloud: Cloud, request: ArmRequest, address: Address) -> StoredRow:
    """Return the resource; ArmError 404 when there is none."""
    require_type(request, address)
    found = cloud.store.get(address.key)
    if found is None and address.type.lower() in _BUILT_IN:
        found = cloud.store.get(f"/providers/{address.type}/{address.name}".lower())
    if found is None:
        raise missing_error(cloud, address)
    return found


def require_writable(cloud: Cloud, request: ArmRequest, address: Address) -> StoredRow | None:
    """Return the resource before a write; ArmError when a condition, a lock or a running operation forbids it."""
    old = cloud.store.get(address.key)
    match, none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
    # Source: RFC 9110, 13.1; conditions come before anything else that could fail.
    failed = match is not None and (old is None or (match != "*" and _bare_etag(match) != _bare_etag(old.etag)))
    if failed or (none_match == "*" and old is not None):
        message = "The condition specified using HTTP conditional header(s) is not met."
        raise ArmError(412, "PreconditionFailed", message)
    check_locks(cloud, request.method, address)
    if old and cloud.busy(old):
        message = f"Another operation on this or dependent resource is in progress: '{address.id}'."
        raise ArmError(409, "AnotherOperationInProgress", message)
    return old


def require_scope(cloud: Cloud, address: Address) -> None:
    """Check that the parent of a new resource exists; ArmError when it does not."""
    if address.scope and not cloud.store.get(address.scope.lower()):
        error = missing_error(cloud, address)
        code = "ParentResourceNotFound" if error.code == "ResourceNotFound" else error.code
        raise ArmError(error.status, code, error.message)


def store_resource(
    cloud: Cloud,
    address: Address,
    change: tuple[ResourceTemplate, dict[str, Json], StoredRow | None],
    *,
    seconds: float = 0.0,
) -> StoredRow:
    """Store a body in place of an old row, under a new etag; the write takes `seconds`."""
    kind, body, old = change
    etag = document.stamp(kind, body, old.etag if old else None, cloud.new_id())
    at = cloud.timestamp()
    new = make_row(address.key, kind=kind.type, graph=kind.graph, at=at, body=orjson.dumps(body), etag=etag)
    ready = cloud.clock().timestamp() + seconds if seconds else 0.0  # until then reads say Updating
    new = replace(new, created=old.created if old else at, ready=ready)
    cloud.store.put(new)
    graph_change.record_written(cloud, old, new)
    return new


def _written(
    cloud: Cloud,
    request: ArmRequest,
    address: Address,
    change: tuple[ResourceTemplate, dict[str, Json], StoredRow | None],
) -> StoredRow:
    new = store_resource(cloud, address, change, seconds=cloud.operation_seconds if change[0].slow else 0.0)
    log(cloud, request, address, new.etag)
    return new


def _bare_etag(etag: str | None) -> str | None:
    """Return an etag without quotes and weakness: clients send both forms of one that a body shows."""
    return etag and etag.removeprefix("W/").strip('"')


def _add_singletons(cloud: Cloud, kind: ResourceTemplate, parent: StoredRow) -> None:
    """Store the children that exist as soon as their parent does."""
    body = parent.document()
    known = {"location": body.get("location", ""), "tags": "{}", "parent": body["name"], "parentId": body["id"]}
    slots: defaultdict[str, str] = defaultdict(str, known)
    for child in kind.children:
        if child.singleton:
            place = body["id"] + child.place % slots
            # Draws of zero choose the first value of every pick: what a provider makes is as usual.
            made = child.render(place, slots, bytes(kind.draws))[0]
            cloud.store.put(
                make_row(place.lower(), kind=child.type, graph=child.graph, at=parent.created, body=made.text.encode())
            )


def _headers(found: StoredRow) -> dict[str, str]:
    return {"ETag": found.etag} if found.etag else {}
