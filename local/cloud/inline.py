"""Parts: resources that are kept within another one's body, such as the rules of a network security group."""

from collections.abc import Callable, Mapping

import orjson

from local.cloud import document, operation, resource
from local.cloud import kind as kinds
from local.cloud.address import Address, parse
from local.cloud.cloud import Cloud
from local.cloud.error import resource_not_found
from local.cloud.message import Answer, Request, answer, page
from local.cloud.store import Row
from shared.domain.resource import Json


def holds(address: Address) -> bool:
    """Whether an address is of a part, or of a collection of parts."""
    parent, _, segment = address.type.lower().rpartition("/")
    whole = kinds.kinds().get(parent)
    return whole is not None and segment in map(str.lower, whole.inline)


def collection(cloud: Cloud, request: Request, address: Address) -> Answer:
    """All parts."""
    resource.checked_kind(request, address)
    _, parts = _parts(cloud, request, address)
    return page(orjson.dumps(part) for part in parts)


def get(cloud: Cloud, request: Request, address: Address) -> Answer:
    """One part."""
    whole, parts = _parts(cloud, request, address)
    found = next((part for part in parts if _named(part, address)), None)
    if found is None:
        raise resource_not_found(address.type, address.name, address.group)
    return answer(found, headers={"ETag": whole.etag} if whole.etag else {})


def put(cloud: Cloud, request: Request, address: Address) -> Answer:
    """Add a part, or put it in place of the one of that name."""
    given = document.content(request)
    with cloud.store.writing():
        _, parts = _parts(cloud, request, address)
        old = next((part for part in parts if _named(part, address)), None)
        made = {"name": address.name, "properties": given.get("properties") or {}}
        rest = [made if part is old else part for part in parts]
        new = _keep(cloud, request, address, rest if old else [*parts, made])
        status = 200 if old else 201
        return operation.answer(cloud, request, new, Answer(status, get(cloud, request, address).body))


def delete(cloud: Cloud, request: Request, address: Address) -> Answer:
    """Take a part out; 204 when it was not there."""
    with cloud.store.writing():
        _, parts = _parts(cloud, request, address)
        rest = [part for part in parts if not _named(part, address)]
        if len(rest) == len(parts):
            return Answer(204)
        _keep(cloud, request, address, rest)
        return Answer(200)


VERBS: Mapping[str, Callable[[Cloud, Request, Address], Answer]] = {"GET": get, "PUT": put, "DELETE": delete}
"""The handlers of one part, by method."""


def _parts(cloud: Cloud, request: Request, address: Address) -> tuple[Row, list[dict[str, Json]]]:
    resource.checked_kind(request, address)
    whole = resource.existing(cloud, request, parse(address.scope))
    return whole, whole.document()["properties"].get(_property(address)) or []


def _property(address: Address) -> str:
    parent, _, segment = address.type.lower().rpartition("/")
    inline = kinds.find(parent).inline
    return next(name for each, name in inline.items() if each.lower() == segment)


def _named(part: Mapping[str, Json], address: Address) -> bool:
    return str(part.get("name")).lower() == address.name.lower()


def _keep(cloud: Cloud, request: Request, address: Address, parts: list[dict[str, Json]]) -> Row:
    """Store the whole with new parts, and note the write of the part."""
    whole = parse(address.scope)
    kind = resource.checked_kind(request, whole)
    old = resource.writable(cloud, request, whole) or resource.existing(cloud, request, whole)
    before = old.document()
    body = {**before, "properties": {**before["properties"], _property(address): parts}}
    new = resource.keep(cloud, whole, (kind, document.patched(kind, {}, body), old))
    resource.log(cloud, request, address, new.etag)
    return new
