"""Tags: the tags of any resource, group or subscription as a resource of their own.

Source: Azure Resource Manager REST API, "Tags - Update At Scope".
"""

from collections.abc import Callable, Mapping

from local.cloud import kind as kinds
from local.cloud import resource
from local.cloud.address import Address, parse
from local.cloud.cloud import Cloud
from local.cloud.error import bad_request, not_allowed
from local.cloud.message import Answer, Request, answer
from local.cloud.store import Row
from shared.domain.resource import Json

TYPE = "Microsoft.Resources/tags"
Tags = Mapping[str, Json]

_OPERATIONS: Mapping[str, Callable[[Tags, Tags], dict[str, Json]]] = {
    "merge": lambda old, new: {**{name: value for name, value in old.items() if _fresh(name, new)}, **new},
    "replace": lambda _, new: dict(new),
    "delete": lambda old, new: {name: value for name, value in old.items() if _fresh(name, new)},
}


def handle(cloud: Cloud, request: Request, address: Address) -> Answer:
    """Read, replace, change or remove the tags of what the address stands on."""
    kinds.check_version(kinds.find(TYPE), request.api_version)
    scope = parse(address.scope)
    found = cloud.store.get(scope.key)
    if found is None:
        raise resource.missing(cloud, scope)
    old = found.document().get("tags") or {}
    if request.method == "GET":
        return _shown(address, old)
    if request.method not in {"PUT", "PATCH", "DELETE"}:
        raise not_allowed(request.method, TYPE)
    new = {} if request.method == "DELETE" else _changed(request, old)
    _keep(cloud, request, (address, scope), new)
    return _shown(address, new) if new or request.method != "DELETE" else Answer(200)


def _changed(request: Request, old: Tags) -> dict[str, Json]:
    given = request.document()
    tags = (given.get("properties") or {}).get("tags") or {}
    name = "replace" if request.method == "PUT" else str(given.get("operation", "")).lower()
    if name not in _OPERATIONS or not isinstance(tags, dict):
        raise bad_request("InvalidRequestContent", "'operation' must be Merge, Replace or Delete, 'tags' an object.")
    return _OPERATIONS[name](old, tags)


def _keep(cloud: Cloud, request: Request, places: tuple[Address, Address], tags: Tags) -> Row:
    address, scope = places
    with cloud.store.writing():
        old = resource.writable(cloud, request, scope)
        if old is None:
            raise resource.missing(cloud, scope)
        new = resource.keep(cloud, scope, (kinds.find(scope.type), {**old.document(), "tags": dict(tags)}, old))
        resource.log(cloud, request, address, new.etag)
        return new


def _shown(address: Address, tags: Tags) -> Answer:
    return answer({"id": address.id, "name": "default", "type": TYPE, "properties": {"tags": tags}})


def _fresh(name: str, tags: Tags) -> bool:
    """Whether a tag is not among others; names compare without case."""
    return name.lower() not in {each.lower() for each in tags}
