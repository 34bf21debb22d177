"""Documents: what a body looks like after a PUT or a PATCH, as the resource providers keep it."""

from collections.abc import Mapping

from local.cloud.address import Address
from local.cloud.error import ArmError, bad_request
from local.cloud.message import Request
from local.stack import guid
from local.template import Template
from shared.domain.body import WRITABLE, merged
from shared.domain.resource import Json

_PATCHED = ("sku", "identity", "kind", "zones", "properties")
_STATE = "provisioningState"


def content(request: Request) -> dict[str, Json]:
    """The body of a write; ArmError 400 when it is not one."""
    given = request.document()
    tags = given.get("tags") or {}
    if not isinstance(given.get("properties") or {}, dict) or not isinstance(tags, dict):
        raise bad_request("InvalidRequestContent", "The members 'properties' and 'tags' must be JSON objects.")
    if not all(isinstance(value, str) for value in tags.values()):
        raise bad_request("InvalidTagValue", "The values of tags must be strings.")
    return given


def replaced(
    kind: Template, address: Address, given: Mapping[str, Json], before: Mapping[str, Json] | None
) -> dict[str, Json]:
    """The body after a PUT: what was given, and what the service keeps by itself as it was."""
    old = before or {"id": address.id, "name": address.name, "type": kind.type}
    _check_location(old, given, kind, new=before is None)
    kept = {name: value for name, value in old.items() if name not in WRITABLE}
    members = {name: given[name] for name in WRITABLE if given.get(name) is not None}
    members["properties"] = _kept_by_service(kind, members.get("properties", {}), old.get("properties") or {})
    if "identity" in members:
        members["identity"] = _identity(address.key, members["identity"], old.get("identity") or {})
    return _complete(kind, {**kept, **members})


def patched(kind: Template, given: Mapping[str, Json], before: Mapping[str, Json]) -> dict[str, Json]:
    """The body after a PATCH: tags are replaced; the rest is merged where the type merges, passed over elsewhere."""
    document = dict(before)
    if "tags" in given:
        document["tags"] = given["tags"] or {}
    if kind.patch == "merge":
        changed = {name: merged(before.get(name), given[name]) for name in _PATCHED if given.get(name) is not None}
        document |= changed
        if "identity" in changed:
            document["identity"] = _identity(before["id"].lower(), changed["identity"], before.get("identity") or {})
        if "properties" in changed:
            document["properties"] = _kept_by_service(kind, changed["properties"], before.get("properties") or {})
    return _complete(kind, document)


def stamped(kind: Template, document: dict[str, Json], old: str | None, name: str) -> str | None:
    """A new etag for types that have one, in the style of the old; put wherever the body shows it."""
    if kind.etag == "none":
        return None
    style = 'W/"{}"' if kind.type.startswith("Microsoft.Network/") and '"' in (old or '"') else '"{}"'
    etag = (style if old is None or '"' in old else "{}").format(name)
    if kind.etag == "body" and "eTag" not in document:
        document.setdefault("etag", etag)
    _stamp(document, etag)
    return etag


def _check_location(old: Mapping[str, Json], given: Mapping[str, Json], kind: Template, *, new: bool) -> None:
    before, after = _plain(old.get("location")), _plain(given.get("location"))
    if new and "location" in kind.body and kind.graph == "resources" and not after:
        raise bad_request("LocationRequired", "The location property is required for this definition.")
    if before and after and before != after:
        message = (
            f"The resource '{old['name']}' already exists in location '{before}'. A resource with the same name "
            f"cannot be created in location '{after}'. Please select a new resource name."
        )
        raise ArmError(409, "InvalidResourceLocation", message)


def _plain(location: Json) -> str:
    return str(location or "").replace(" ", "").lower()


def _kept_by_service(kind: Template, given: Mapping[str, Json], old: Mapping[str, Json]) -> dict[str, Json]:
    """Properties with those that only the service sets as they were."""
    own = kind.read_only | {_STATE}
    kept = {name: value for name, value in old.items() if name in own}
    state = {_STATE: "Succeeded"} if _STATE in kind.read_only else {}
    return {**state, **{name: value for name, value in given.items() if name not in own}, **kept}


def _identity(key: str, given: Mapping[str, Json], old: Mapping[str, Json]) -> dict[str, Json]:
    """An identity with the ids that Entra gives it."""
    if "SystemAssigned" not in str(given.get("type")):
        return dict(given)
    principal = old.get("principalId") or guid(key, "principal")
    return {**given, "principalId": principal, "tenantId": old.get("tenantId") or guid("tenant")}


def _complete(kind: Template, document: dict[str, Json]) -> dict[str, Json]:
    """With what the network provider adds to resources within a resource: id, type and state."""
    if kind.type.startswith("Microsoft.Network/"):
        for name, value in document["properties"].items():
            if isinstance(value, list):
                document["properties"][name] = [_part(kind, document["id"], name, each) for each in value]
    return document


def _part(kind: Template, parent: str, collection: str, part: Json) -> Json:
    if not isinstance(part, dict) or "name" not in part or not isinstance(part.get("properties"), dict):
        return part
    made = {"id": f"{parent}/{collection}/{part['name']}", "etag": "", "type": f"{kind.type}/{collection}"}
    return {**made, **part, "properties": {_STATE: "Succeeded", **part["properties"]}}


def _stamp(value: Json, etag: str) -> None:
    if isinstance(value, dict):
        for name in value.keys() & {"etag", "eTag"}:
            value[name] = etag
        for inner in value.values():
            _stamp(inner, etag)
    elif isinstance(value, list):
        for inner in value:
            _stamp(inner, etag)
