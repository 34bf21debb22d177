"""Tags: those of any resource, group or subscription, as a resource of their own.

Source: Azure Resource Manager REST API, "Tags - Update At Scope".
"""

from collections.abc import Callable, Mapping

from local.cloud.arm import document, resource
from local.cloud.arm import resource_type as kinds
from local.cloud.arm.address import Address, parse
from local.cloud.arm.error import bad_request, not_allowed
from local.cloud.arm.http import ArmRequest, ArmResponse, json_response
from local.cloud.cloud import Cloud
from local.cloud.store import StoredRow
from shared.domain.resource import Json

TAGS_TYPE = "Microsoft.Resources/tags"
Tags = Mapping[str, Json]

# A tag that differs in case only is the same tag: the new spelling replaces the old one.
_OPERATIONS: Mapping[str, Callable[[Tags, Tags], dict[str, Json]]] = {
    "merge": lambda old, new: {**{name: value for name, value in old.items() if _is_missing(name, new)}, **new},
    "replace": lambda _, new: dict(new),
    "delete": lambda old, new: {name: value for name, value in old.items() if _is_missing(name, new)},
}


def handle_tags(cloud: Cloud, request: ArmRequest, address: Address) -> ArmResponse:
    """Read, replace, merge or delete the tags of the resource that the address belongs to."""
    kinds.check_version(kinds.find_type(TAGS_TYPE), request.api_version)
    scope = parse(address.scope)
    found = cloud.store.get(scope.key)
    if found is None:
        raise resource.missing_error(cloud, scope)
    old = found.document().get("tags") or {}
    if request.method == "GET":
        return _tags_body(address, old)
    if request.method not in {"PUT", "PATCH", "DELETE"}:
        raise not_allowed(request.method, TAGS_TYPE)
    new: dict[str, Json] = {}
    if request.method != "DELETE":
        given = request.document()
        tags = (given.get("properties") or {}).get("tags") or {}
        name = "replace" if request.method == "PUT" else str(given.get("operation", "")).lower()
        if name not in _OPERATIONS or not isinstance(tags, dict):
            message = "'operation' must be Merge, Replace or Delete, 'tags' an object."
            raise bad_request("InvalidRequestContent", message)
        new = _OPERATIONS[name](old, tags)
        document.check_tags(new, scope.type)
    _store_tags(cloud, request, (address, scope), new)
    return _tags_body(address, new) if new or request.method != "DELETE" else ArmResponse(200)


def _store_tags(cloud: Cloud, request: ArmRequest, places: tuple[Address, Address], tags: Tags) -> StoredRow:
    address, scope = places
    with cloud.store.writing():
        old = resource.require_writable(cloud, request, scope)
        if old is None:
            raise resource.missing_error(cloud, scope)
        new = resource.store_resource(
            cloud, scope, (kinds.find_type(scope.type), {**old.document(), "tags": dict(tags)}, old)
        )
        resource.log(cloud, request, address, new.etag)
        return new


def _tags_body(address: Address, tags: Tags) -> ArmResponse:
    return json_response({"id": address.id, "name": "default", "type": TAGS_TYPE, "properties": {"tags": tags}})


def _is_missing(name: str, tags: Tags) -> bool:
    """Return whether a tag has no namesake among others, without regard to case."""
    return name.lower() not in {each.lower() for each in tags}
