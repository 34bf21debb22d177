"""Documents: what a body looks like after a PUT or a PATCH, as the resource providers keep it."""

from collections.abc import Mapping

from local.cloud.arm.address import Address
from local.cloud.arm.error import ArmError, bad_request
from local.cloud.arm.http import ArmRequest
from local.cloud.arm.secret import check_secrets, without_secrets
from local.resource_template import ResourceTemplate
from local.workload import guid
from shared.domain import tag
from shared.domain.body import WRITABLE
from shared.domain.merge_patch import merged
from shared.domain.resource import Json

_PATCHED_PROPERTIES = ("sku", "identity", "kind", "zones", "properties")
_PROVISIONING_STATE = "provisioningState"


def put_content(request: ArmRequest, resource_type: str) -> dict[str, Json]:
    """Return the body of a write; ArmError 400 when it has the wrong shape, or tags or secrets that are not allowed."""
    given = request.document()
    tags = given.get("tags") or {}
    if not isinstance(given.get("properties") or {}, dict) or not isinstance(tags, dict):
        raise bad_request("InvalidRequestContent", "The members 'properties' and 'tags' must be JSON objects.")
    if not all(isinstance(value, str) for value in tags.values()):
        raise bad_request("InvalidTagValue", "The values of tags must be strings.")
    check_tags(tags, resource_type)
    check_secrets(resource_type, given)
    return given


def check_tags(tags: Mapping[str, str], resource_type: str) -> None:
    """Check the tags of a resource of a type; ArmError 400 when they are not allowed."""
    if found := tag.violation(tags, resource_type):
        raise bad_request(found.code, found.message)


def replace(
    kind: ResourceTemplate, address: Address, given: Mapping[str, Json], before: Mapping[str, Json] | None
) -> dict[str, Json]:
    """Return the body after a PUT: what the caller gave, and unchanged what the service sets by itself."""
    # A type that the body gives is ignored, as are all members outside WRITABLE: the address decides.
    old = before or {"id": address.id, "name": address.name, "type": kind.type}
    _check_location(old, given, kind, new=before is None)
    kept = {name: value for name, value in old.items() if name not in WRITABLE}
    members = {name: given[name] for name in WRITABLE if given.get(name) is not None}
    members["properties"] = _kept_by_service(kind, members.get("properties", {}), old.get("properties") or {})
    if "identity" in members:
        members["identity"] = _identity(address.key, members["identity"], old.get("identity") or {})
    return _complete(kind, {**kept, **members})


def apply_patch(kind: ResourceTemplate, given: Mapping[str, Json], before: Mapping[str, Json]) -> dict[str, Json]:
    """Return the body after a PATCH: tags are replaced, the rest merged; types that do not merge ignore it."""
    document = dict(before)
    if "tags" in given:
        document["tags"] = given["tags"] or {}
    if kind.patch == "merge":
        changed = {
            name: merged(before.get(name), given[name]) for name in _PATCHED_PROPERTIES if given.get(name) is not None
        }
        document |= changed
        if "identity" in changed:
            document["identity"] = _identity(before["id"].lower(), changed["identity"], before.get("identity") or {})
        if "properties" in changed:
            document["properties"] = _kept_by_service(kind, changed["properties"], before.get("properties") or {})
    return _complete(kind, document)


def stamp(kind: ResourceTemplate, document: dict[str, Json], old: str | None, name: str) -> str | None:
    """Make an etag in the style of the old one and write it wherever the body shows it; None for types without."""
    if kind.etag == "none":
        return None
    # Network types have weak etags, some types bare ones; clients compare them as text.
    style = 'W/"{}"' if kind.type.startswith("Microsoft.Network/") and '"' in (old or '"') else '"{}"'
    etag = (style if old is None or '"' in old else "{}").format(name)
    if kind.etag == "body" and "eTag" not in document:
        document.setdefault("etag", etag)
    _stamp(document, etag)
    return etag


def _check_location(old: Mapping[str, Json], given: Mapping[str, Json], kind: ResourceTemplate, *, new: bool) -> None:
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
    # "West Europe" and "westeurope" are the same region.
    return str(location or "").replace(" ", "").lower()


def _kept_by_service(kind: ResourceTemplate, given: Mapping[str, Json], old: Mapping[str, Json]) -> dict[str, Json]:
    """Return the given properties, with those that only the service sets as they were."""
    own = kind.read_only | {_PROVISIONING_STATE}
    kept = {name: value for name, value in old.items() if name in own}
    state = {_PROVISIONING_STATE: "Succeeded"} if _PROVISIONING_STATE in kind.read_only else {}
    return {**state, **{name: value for name, value in given.items() if name not in own}, **kept}


def _identity(key: str, given: Mapping[str, Json], old: Mapping[str, Json]) -> dict[str, Json]:
    """Return an identity with the ids that Entra gives it."""
    if "SystemAssigned" not in str(given.get("type")):
        return dict(given)
    # The service principal lives as long as the identity, so its id survives every later PUT.
    principal = old.get("principalId") or guid(key, "principal")
    return {**given, "principalId": principal, "tenantId": old.get("tenantId") or guid("tenant")}


def _complete(kind: ResourceTemplate, document: dict[str, Json]) -> dict[str, Json]:
    """Leave out secrets, and add what the network provider adds to resources within a resource: id, type and state."""
    if "properties" in document:
        document["properties"] = without_secrets(kind.type, document["properties"])
    if kind.type.startswith("Microsoft.Network/"):
        for name, value in document["properties"].items():
            if isinstance(value, list):
                document["properties"][name] = [_part(kind, document["id"], name, each) for each in value]
    return document


def _part(kind: ResourceTemplate, parent: str, collection: str, part: Json) -> Json:
    if not isinstance(part, dict) or "name" not in part or not isinstance(part.get("properties"), dict):
        return part
    made = {"id": f"{parent}/{collection}/{part['name']}", "etag": "", "type": f"{kind.type}/{collection}"}
    return {**made, **part, "properties": {_PROVISIONING_STATE: "Succeeded", **part["properties"]}}


def _stamp(value: Json, etag: str) -> None:
    if isinstance(value, dict):
        for name in value.keys() & {"etag", "eTag"}:
            value[name] = etag
        for inner in value.values():
            _stamp(inner, etag)
    elif isinstance(value, list):
        for inner in value:
            _stamp(inner, etag)
