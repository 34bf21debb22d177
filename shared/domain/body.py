"""ARM bodies: what of one can be written, what of one says something, and how one leads to another."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import orjson

from shared.domain.resource import Body, Json

WRITABLE = (
    "location",
    "tags",
    "kind",
    "sku",
    "plan",
    "identity",
    "zones",
    "extendedLocation",
    "managedBy",
    "properties",
)
"""The top-level members that a PUT takes; id, name and type are in its address, the rest is the service's own.
Source: Azure Resource Manager, "Resource provider contract: PUT resource" (a GET's body can be sent back)."""

VOLATILE = frozenset({"etag", "systemdata", "createdtime", "changedtime"})
"""What changes beside a resource without anybody having changed it, in lower case; `provisioningState` is another."""

MERGING = frozenset({
    "microsoft.apimanagement/service",
    "microsoft.appconfiguration/configurationstores",
    "microsoft.automation/automationaccounts",
    "microsoft.batch/batchaccounts",
    "microsoft.cache/redis",
    "microsoft.cognitiveservices/accounts",
    "microsoft.compute/disks",
    "microsoft.compute/snapshots",
    "microsoft.compute/virtualmachines",
    "microsoft.compute/virtualmachinescalesets",
    "microsoft.containerregistry/registries",
    "microsoft.dbformysql/flexibleservers",
    "microsoft.dbforpostgresql/flexibleservers",
    "microsoft.documentdb/databaseaccounts",
    "microsoft.eventgrid/domains",
    "microsoft.eventgrid/topics",
    "microsoft.keyvault/vaults",
    "microsoft.machinelearningservices/workspaces",
    "microsoft.operationalinsights/workspaces",
    "microsoft.recoveryservices/vaults",
    "microsoft.search/searchservices",
    "microsoft.servicebus/namespaces",
    "microsoft.signalrservice/signalr",
    "microsoft.sql/servers",
    "microsoft.sql/servers/databases",
    "microsoft.storage/storageaccounts",
    "microsoft.web/sites",
})  # fmt: skip
"""The types whose PATCH merges properties (the update operations of the Azure REST reference); PATCH elsewhere
takes tags only, or is not there."""


def canonical(value: Json) -> bytes:
    """The one spelling of a JSON value: sorted keys, no white space (in the manner of RFC 8785)."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(value: Json) -> str:
    """The SHA-256 of a JSON value's canonical spelling, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


def writable(body: Body) -> dict[str, Json]:
    """The part of a body, as read, that can be sent in a PUT."""
    kept = {name: body[name] for name in WRITABLE if body.get(name) is not None}
    if "identity" in kept:
        kept["identity"] = _writable_identity(kept["identity"])
    return {name: _plain(value) if name == "properties" else value for name, value in kept.items()}


def comparable(body: Body) -> dict[str, Json]:
    """A body without what changes by itself."""
    return {
        name: _plain(value) if name == "properties" else value
        for name, value in body.items()
        if name.lower() not in VOLATILE
    }


def fingerprint(body: Body | None) -> str | None:
    """A digest of what a body says; None of none."""
    return None if body is None else digest(comparable(body))


def merged(target: Json, patch: Json) -> Json:
    """The value after a merge patch (RFC 7396): null removes, objects are merged, all else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def patch_between(before: Body, after: Body) -> dict[str, Json]:
    """The merge patch (RFC 7396) that leads from one body to another."""
    patch: dict[str, Json] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            inner = patch_between(old, value)
            if inner:
                patch[name] = inner
        elif name not in before or digest(old) != digest(value):
            patch[name] = value
    return patch


def request_body(
    resource_type: str, before: Body | None, after: Body
) -> tuple[Literal["PUT", "PATCH"], dict[str, Json]]:
    """The method and the smallest body that is sure to lead from one body to the other.

    PATCH where the type is known to merge what changes, with all tags, because some services merge tags and some
    replace them; PUT of the whole body where something is removed or PATCH is not known to do it.
    """
    if before is None:
        return "PUT", writable(after)
    patch = patch_between(writable(before), writable(after))
    merges = {"tags"} | ({"properties", "identity"} if resource_type.lower() in MERGING else set())
    if not patch or not patch.keys() <= merges or _removes(patch):
        return "PUT", writable(after)
    return "PATCH", {**patch, "tags": dict(after["tags"])} if "tags" in patch else patch


def holds(now: Json, before: Json, after: Json) -> bool:
    """Whether all that leads from `before` to `after` is so in `now`, whatever else is; letters' case aside."""
    if _equal(before, after):
        return True
    if isinstance(after, Mapping):
        if not isinstance(now, Mapping):
            return False
        old = before if isinstance(before, Mapping) else {}
        return all(holds(now.get(name), old.get(name), after.get(name)) for name in old.keys() | after.keys())
    if isinstance(after, list):
        return isinstance(now, list) and len(now) == len(after) and all(_elements_hold(now, before, after))
    return _equal(now, after)


def is_outcome(now: Body, target: Body) -> bool:
    """Whether a body is what a write of `target` leads to: all of it, exactly its tags, and what the service adds."""
    return now.get("tags") == target.get("tags") and holds(comparable(now), None, comparable(target))


def _elements_hold(now: list[Json], before: Json, after: list[Json]) -> Iterator[bool]:
    old = before if isinstance(before, list) else []
    for index, value in enumerate(after):
        yield holds(now[index], old[index] if index < len(old) else None, value)


def _equal(left: Json, right: Json) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    if isinstance(left, Mapping | list) or isinstance(right, Mapping | list):
        return digest(left) == digest(right)
    return type(left) is type(right) and bool(left == right)


def _removes(patch: Json) -> bool:
    return any(value is None or _removes(value) for value in patch.values()) if isinstance(patch, Mapping) else False


def _writable_identity(identity: Json) -> Json:
    """An identity without the ids that Entra gave it; user-assigned ones are named by their keys."""
    kept: dict[str, Any] = {"type": identity.get("type")}
    if identity.get("userAssignedIdentities"):
        kept["userAssignedIdentities"] = {name: {} for name in identity["userAssignedIdentities"]}
    return kept


def _plain(properties: Json) -> Json:
    """Properties without what the service keeps about them: its state, and the etags of resources within."""
    if isinstance(properties, list):
        return [_plain(each) for each in properties]
    if not isinstance(properties, Mapping):
        return properties
    inner = "properties" in properties and "etag" in properties
    return {
        name: _plain(value)
        for name, value in properties.items()
        if name != "provisioningState" and not (inner and name == "etag")
    }
