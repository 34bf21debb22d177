"""Child resources that are kept in their parent's body, such as the rules of a network security group."""

from collections.abc import Callable, Mapping

import orjson

from local.cloud.arm import document, operation, resource
from local.cloud.arm import resource_type as kinds
from local.cloud.arm.address import Address, parse
from local.cloud.arm.error import resource_not_found
from local.cloud.arm.http import ArmRequest, ArmResponse, json_response, page_response
from local.cloud.cloud import Cloud
from local.cloud.store import StoredRow
from shared.domain.resource import Json


def is_child(address: Address) -> bool:
    """Return whether an address names a child in its parent's body, or a collection of such children."""
    parent, _, segment = address.type.lower().rpartition("/")
    whole = kinds.resource_types().get(parent)
    return whole is not None and segment in map(str.lower, whole.inline)


def collection(cloud: Cloud, request: ArmRequest, address: Address) -> ArmResponse:
    """Return all children in a collection."""
    resource.require_type(request, address)
    _, parts = _parts(cloud, request, address)
    return page_response(orjson.dumps(part) for part in parts)


def get(cloud: Cloud, request: ArmRequest, address: Address) -> ArmResponse:
    """Return one child."""
    whole, parts = _parts(cloud, request, address)
    found = next((part for part in parts if _named(part, address)), None)
    if found is None:
        raise resource_not_found(address.type, address.name, address.group)
    return json_response(found, headers={"ETag": whole.etag} if whole.etag else {})


def put(cloud: Cloud, request: ArmRequest, address: Address) -> ArmResponse:
    """Add a child, or replace the one of that name."""
    given = document.put_content(request, address.type)
    with cloud.store.writing():
        _, parts = _parts(cloud, request, address)
        old = next((part for part in parts if _named(part, address)), None)
        made = {"name": address.name, "properties": given.get("properties") or {}}
        # A child that is replaced keeps its place.
        rest = [made if part is old else part for part in parts]
        new = _store_child(cloud, request, address, rest if old else [*parts, made])
        status = 200 if old else 201
        return operation.accepted(cloud, request, new, ArmResponse(status, get(cloud, request, address).body))


def delete(cloud: Cloud, request: ArmRequest, address: Address) -> ArmResponse:
    """Remove a child; 204 when there is none."""
    with cloud.store.writing():
        _, parts = _parts(cloud, request, address)
        rest = [part for part in parts if not _named(part, address)]
        if len(rest) == len(parts):
            return ArmResponse(204)
        _store_child(cloud, request, address, rest)
        return ArmResponse(200)


VERBS: Mapping[str, Callable[[Cloud, ArmRequest, Address], ArmResponse]] = {"GET": get, "PUT": put, "DELETE": delete}
"""The handlers of one child, by method."""


def _parts(cloud: Cloud, request: ArmRequest, address: Address) -> tuple[StoredRow, list[dict[str, Json]]]:
    resource.require_type(request, address)
    whole = resource.require_existing(cloud, request, parse(address.scope))
    return whole, whole.document()["properties"].get(_property(address)) or []


def _property(address: Address) -> str:
    parent, _, segment = address.type.lower().rpartition("/")
    inline = kinds.find_type(parent).inline
    return next(name for each, name in inline.items() if each.lower() == segment)


def _named(part: Mapping[str, Json], address: Address) -> bool:
    return str(part.get("name")).lower() == address.name.lower()


def _store_child(cloud: Cloud, request: ArmRequest, address: Address, parts: list[dict[str, Json]]) -> StoredRow:
    """Store the parent with other children, and log the write as one of the child."""
    whole = parse(address.scope)
    kind = resource.require_type(request, whole)
    old = resource.require_writable(cloud, request, whole) or resource.require_existing(cloud, request, whole)
    before = old.document()
    # The parent is stored through an empty patch, which adds what the provider adds: ids and states of the children.
    body = {**before, "properties": {**before["properties"], _property(address): parts}}
    new = resource.store_resource(cloud, whole, (kind, document.apply_patch(kind, {}, body), old))
    resource.log(cloud, request, address, new.etag)
    return new
