"""Resources: GET, HEAD, PUT, PATCH and DELETE of one resource by id, at any depth."""

from collections.abc import Mapping
from dataclasses import replace

import orjson

from local.cloud import kind as kinds
from local.cloud import operation
from local.cloud.address import RESOURCE_GROUP, SUBSCRIPTION, Address
from local.cloud.cloud import Cloud
from local.cloud.error import (
    ArmError,
    bad_request,
    group_not_found,
    not_allowed,
    resource_not_found,
    subscription_not_found,
)
from local.cloud.message import Answer, Request
from local.cloud.store import Row, row
from local.stack import guid
from local.template import Template
from shared.domain.body import WRITABLE, merged
from shared.domain.resource import Json

_PATCHED = ("sku", "identity", "kind", "zones", "properties")
_ABSENT = 404


def get(cloud: Cloud, request: Request, address: Address) -> Answer:
    """The resource as it is."""
    found = _existing(cloud, request, address)
    return Answer(200, shown(cloud, found), _headers(found))


def head(cloud: Cloud, request: Request, address: Address) -> Answer:
    """204 when it exists, 404 when not."""
    try:
        _existing(cloud, request, address)
    except ArmError as error:
        if error.status != _ABSENT:
            raise
        return Answer(_ABSENT)
    return Answer(204)


def put(cloud: Cloud, request: Request, address: Address) -> Answer:
    """Create or replace. What the service keeps itself (ids, endpoints, states) stays as it was."""
    kind = _kind(request, address)
    content = _content(request)
    with cloud.store.writing():
        old = _writable(cloud, request, address)
        if old is None:
            _require_parents(cloud, address)
        document = _replaced(kind, address, content, old)
        new = _stored(cloud, request, kind, document, old, address)
        if old is None:
            _add_singletons(cloud, kind, new)
    return operation.answer(cloud, request, new, shown(cloud, new), 200 if old else 201, _headers(new))


def patch(cloud: Cloud, request: Request, address: Address) -> Answer:
    """Merge what the type lets PATCH change; anything else in the body is passed over, as the services do."""
    kind = _kind(request, address)
    content = _content(request)
    if kind.patch == "none":
        raise not_allowed("PATCH", kind.type)
    with cloud.store.writing():
        old = _writable(cloud, request, address) or _existing(cloud, request, address)
        document = _patched(kind, content, old.document())
        new = _stored(cloud, request, kind, document, old, address)
    return operation.answer(cloud, request, new, shown(cloud, new), 200, _headers(new))


def delete(cloud: Cloud, request: Request, address: Address) -> Answer:
    """Delete the resource and all that lies in it; 204 when there was nothing."""
    kind = _kind(request, address)
    if kind.singleton or kind.type == SUBSCRIPTION:
        raise not_allowed("DELETE", kind.type)
    with cloud.store.writing():
        old = _writable(cloud, request, address)
        if old is None:
            return Answer(204)
        cloud.store.delete(old.key)
        log(cloud, request, "DELETE", address, old.etag)
    return operation.deleted(cloud, request, old, slow=kind.slow or kind.type == RESOURCE_GROUP)


def shown(cloud: Cloud, found: Row) -> bytes:
    """The body as a reader sees it: still updating while an operation runs."""
    if not cloud.busy(found):
        return found.body
    document = found.document()
    document["properties"]["provisioningState"] = "Updating"
    return orjson.dumps(document)


def log(cloud: Cloud, request: Request, method: str, address: Address, etag: str | None) -> None:
    """Note a write that was done."""
    cloud.store.log(
        at=cloud.timestamp(),
        method=method,
        resource_id=address.id,
        kind=address.type,
        etag=etag,
        source="client",
        correlation=request.headers.get("x-ms-correlation-request-id", ""),
    )


def missing(cloud: Cloud, address: Address) -> ArmError:
    """The 404 that tells which part of an address is not there."""
    if address.subscription and not cloud.store.get(f"/subscriptions/{address.subscription}"):
        return subscription_not_found(address.subscription)
    if address.type == RESOURCE_GROUP:
        return group_not_found(address.name)
    if address.group and not cloud.store.get(
        f"/subscriptions/{address.subscription}/resourcegroups/{address.group.lower()}"
    ):
        return group_not_found(address.group)
    return resource_not_found(address.type, address.name, address.group)


def _kind(request: Request, address: Address) -> Template:
    kind = kinds.find(address.type)
    kinds.check_version(kind, request.api_version)
    return kind


def _existing(cloud: Cloud, request: Request, address: Address) -> Row:
    _kind(request, address)
    found = cloud.store.get(address.key)
    if found is None:
        raise missing(cloud, address)
    return found


def _content(request: Request) -> dict[str, Json]:
    content = request.document()
    if not isinstance(content.get("properties", {}), dict) or not isinstance(content.get("tags") or {}, dict):
        raise bad_request("InvalidRequestContent", "The members 'properties' and 'tags' must be JSON objects.")
    return content


def _writable(cloud: Cloud, request: Request, address: Address) -> Row | None:
    """The resource before a write, once the write's conditions hold."""
    old = cloud.store.get(address.key)
    _check_conditions(request, old)
    if old and cloud.busy(old):
        message = f"Another operation on this or dependent resource is in progress: '{address.id}'."
        raise ArmError(409, "AnotherOperationInProgress", message)
    return old


def _check_conditions(request: Request, old: Row | None) -> None:
    """If-Match and If-None-Match. Source: RFC 9110, 13.1."""
    match, none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
    failed = match is not None and (old is None or (match != "*" and _strong(match) != _strong(old.etag)))
    if failed or (none_match == "*" and old is not None):
        message = "The condition specified using HTTP conditional header(s) is not met."
        raise ArmError(412, "PreconditionFailed", message)


def _strong(etag: str | None) -> str | None:
    return etag and etag.removeprefix("W/").strip('"')


def _require_parents(cloud: Cloud, address: Address) -> None:
    if address.type == SUBSCRIPTION:
        raise not_allowed("PUT", address.type)
    if address.scope and not cloud.store.get(address.scope.lower()):
        raise missing(cloud, address)


def _replaced(kind: Template, address: Address, content: Mapping[str, Json], old: Row | None) -> dict[str, Json]:
    """The body after a PUT."""
    before = old.document() if old else {"id": address.id, "name": address.name, "type": kind.type}
    _check_location(before, content)
    kept = {name: value for name, value in before.items() if name not in WRITABLE}
    given = {name: content[name] for name in WRITABLE if content.get(name) is not None}
    properties = dict(given.get("properties", {}))
    earlier = before.get("properties") or {}
    for name in kind.read_only:
        properties.pop(name, None)
        if name in earlier:
            properties[name] = earlier[name]
        elif name == "provisioningState":
            properties[name] = "Succeeded"
    if "identity" in given:
        given["identity"] = _identity(address, given["identity"], before.get("identity"))
    return {**kept, **given, "properties": properties}


def _check_location(before: Mapping[str, Json], content: Mapping[str, Json]) -> None:
    old, new = _plain(before.get("location")), _plain(content.get("location"))
    if old and new and old != new:
        message = f"The resource '{before['name']}' already exists in location '{old}'. It cannot be created in location '{new}'."
        raise ArmError(409, "InvalidResourceLocation", message)


def _plain(location: Json) -> str:
    return str(location or "").replace(" ", "").lower()


def _identity(address: Address, identity: Mapping[str, Json], old: Json) -> dict[str, Json]:
    """An identity with the ids that Entra gives it."""
    if "SystemAssigned" not in str(identity.get("type")):
        return dict(identity)
    principal = (old or {}).get("principalId") or guid(address.key, "principal")
    return {**identity, "principalId": principal, "tenantId": (old or {}).get("tenantId") or guid("tenant")}


def _patched(kind: Template, content: Mapping[str, Json], before: Mapping[str, Json]) -> dict[str, Json]:
    document = dict(before)
    if "tags" in content:
        document["tags"] = content["tags"] or {}
    if kind.patch == "merge":
        for name in _PATCHED:
            if content.get(name) is not None:
                document[name] = merged(before.get(name), content[name])
        for name in kind.read_only & before.get("properties", {}).keys():
            document["properties"][name] = before["properties"][name]
    return document


def keep(
    cloud: Cloud, kind: Template, address: Address, document: dict[str, Json], old: Row | None, *, seconds: float = 0.0
) -> Row:
    """Store a body under a new etag; the write takes `seconds`."""
    etag = _new_etag(cloud, kind, old, document)
    at = cloud.timestamp()
    new = row(address.key, kind=kind.type, graph=kind.graph, at=at, body=orjson.dumps(document), etag=etag)
    ready = cloud.clock().timestamp() + seconds if seconds else 0.0
    new = replace(new, created=old.created if old else at, ready=ready)
    cloud.store.put(new)
    return new


def _stored(
    cloud: Cloud, request: Request, kind: Template, document: dict[str, Json], old: Row | None, address: Address
) -> Row:
    new = keep(cloud, kind, address, document, old, seconds=cloud.operation_seconds if kind.slow else 0.0)
    log(cloud, request, request.method, address, new.etag)
    return new


def _new_etag(cloud: Cloud, kind: Template, old: Row | None, document: dict[str, Json]) -> str | None:
    """A new etag, for types that have one, also stamped on what lies within the body."""
    if kind.etag == "none":
        return None
    style = '"{}"' if old is None or not (old.etag or "").startswith("W/") else 'W/"{}"'
    etag = style.format(cloud.new_id())
    if kind.etag == "body":
        document.setdefault("etag", etag)
    _stamp(document, etag)
    return etag


def _stamp(value: Json, etag: str) -> None:
    if isinstance(value, dict):
        for name in ("etag", "eTag"):
            if name in value:
                value[name] = etag
        for inner in value.values():
            _stamp(inner, etag)
    elif isinstance(value, list):
        for inner in value:
            _stamp(inner, etag)


def _add_singletons(cloud: Cloud, kind: Template, parent: Row) -> None:
    """The children that come with a resource."""
    document = parent.document()
    for child in kind.children:
        if child.singleton:
            slots = _Blank(
                location=str(document.get("location", "")), tags="{}", parent=document["name"], parentId=document["id"]
            )
            for record in child.render(kind.child_id(child, document["id"], child.name % slots), slots, bytes(256)):
                if record.template.singleton:
                    key = record.id.lower()
                    cloud.store.put(
                        row(
                            key,
                            kind=record.template.type,
                            graph=record.template.graph,
                            at=parent.created,
                            body=record.text.encode(),
                        )
                    )


class _Blank(dict[str, str]):
    """Slots of which only some are known."""

    def __missing__(self, slot: str) -> str:
        return ""


def _headers(found: Row) -> dict[str, str]:
    return {"ETag": found.etag} if found.etag else {}
