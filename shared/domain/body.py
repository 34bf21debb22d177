"""ARM bodies: which parts can be written, which count when two are compared, and how one is turned into another."""

import re
from collections.abc import Mapping
from itertools import chain, repeat
from typing import Any, Literal

from shared.domain.canonical import digest
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
"""Members that change without anybody having changed the resource, in lower case; so does `provisioningState`."""

MERGING: Mapping[str, str] = {
    "microsoft.apimanagement/service": "ApiManagementService_Update",
    "microsoft.app/containerapps": "ContainerApps_Update",
    "microsoft.appconfiguration/configurationstores": "ConfigurationStores_Update",
    "microsoft.automation/automationaccounts": "AutomationAccount_Update",
    "microsoft.batch/batchaccounts": "BatchAccount_Update",
    "microsoft.cache/redis": "Redis_Update",
    "microsoft.cache/redisenterprise": "RedisEnterprise_Update",
    "microsoft.cdn/profiles/endpoints": "Endpoints_Update",
    "microsoft.cognitiveservices/accounts": "Accounts_Update",
    "microsoft.compute/disks": "Disks_Update",
    "microsoft.compute/snapshots": "Snapshots_Update",
    "microsoft.compute/virtualmachines": "VirtualMachines_Update",
    "microsoft.compute/virtualmachinescalesets": "VirtualMachineScaleSets_Update",
    "microsoft.containerregistry/registries": "Registries_Update",
    "microsoft.dbformysql/flexibleservers": "Servers_Update",
    "microsoft.dbformysql/servers": "Servers_Update",
    "microsoft.dbforpostgresql/flexibleservers": "Servers_Update",
    "microsoft.dbforpostgresql/servers": "Servers_Update",
    "microsoft.documentdb/databaseaccounts": "DatabaseAccounts_Update",
    "microsoft.eventgrid/domains": "Domains_Update",
    "microsoft.eventgrid/namespaces": "Namespaces_Update",
    "microsoft.eventgrid/partnernamespaces": "PartnerNamespaces_Update",
    "microsoft.eventgrid/topics": "Topics_Update",
    "microsoft.keyvault/vaults": "Vaults_Update",
    "microsoft.kusto/clusters": "Clusters_Update",
    "microsoft.machinelearningservices/workspaces": "Workspaces_Update",
    "microsoft.operationalinsights/workspaces": "Workspaces_Update",
    "microsoft.recoveryservices/vaults": "Vaults_Update",
    "microsoft.search/searchservices": "Services_Update",
    "microsoft.servicebus/namespaces": "Namespaces_Update",
    "microsoft.signalrservice/signalr": "SignalR_Update",
    "microsoft.signalrservice/webpubsub": "WebPubSub_Update",
    "microsoft.sql/managedinstances": "ManagedInstances_Update",
    "microsoft.sql/servers": "Servers_Update",
    "microsoft.sql/servers/databases": "Databases_Update",
    "microsoft.storage/storageaccounts": "StorageAccounts_Update",
    "microsoft.web/sites": "WebApps_Update",
    "microsoft.web/sites/slots": "WebApps_UpdateSlot",
}
"""The types whose PATCH merges properties, each with its operation in the Azure REST reference.

PATCH of other types takes tags only (IoT hubs, AKS, application gateways), a few properties (Data Factory, Synapse),
gives a meaning to what is left out (caching of Front Door routes), or does not exist.
"""

_CONTAINER_APP = "microsoft.app/containerapps"
_JSON_MERGE_PATCH = frozenset({_CONTAINER_APP})
"""The types whose PATCH the reference calls a JSON merge patch (RFC 7396): null removes."""

_MASKED = re.compile(r"\*{3,}|(?:.*[=;])?\w+=\*{3,}(?:;.*)?", re.DOTALL)
"""What services show in place of a secret: `****`, alone or as a value in a connection string."""


def writable(body: Body) -> dict[str, Json]:
    """Return the part of a body, as read, that can be sent in a PUT."""
    kept = {name: body[name] for name in WRITABLE if body.get(name) is not None}
    if "identity" in kept:
        kept["identity"] = _writable_identity(kept["identity"])
    return {name: _plain(value) if name == "properties" else value for name, value in kept.items()}


def comparable(body: Body) -> dict[str, Json]:
    """Return a body without what changes by itself."""
    return {
        name: _plain(value) if name == "properties" else value
        for name, value in body.items()
        if name.lower() not in VOLATILE
    }


def fingerprint(body: Body | None) -> str | None:
    """Return a digest of the comparable part of a body; None for None."""
    return None if body is None else digest(comparable(body))


def patch_between(before: Body, after: Body) -> dict[str, Json]:
    """Return the merge patch (RFC 7396) that leads from one body to another."""
    # Null removes, so that a member which is null afterwards cannot be told from one that is gone; ARM does not either.
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
    """Return the method and the smallest body that is sure to lead from one body to the other.

    PATCH where the type is known to merge what changes, with all tags, because some services merge tags and some
    replace them; PUT of the whole body where PATCH is not known to do it, or not known to remove what has to go.
    """
    if before is None:
        return "PUT", writable(after)
    patch = patch_between(writable(before), writable(after))
    # Tags can be patched on every type, and are sent whole; which types merge properties ARM does not say.
    kind = resource_type.lower()
    merges = {"tags"} | ({"properties", "identity"} if kind in MERGING else set())
    kept = {name: part for name, part in patch.items() if name != "properties" or kind not in _JSON_MERGE_PATCH}
    if not patch or not patch.keys() <= merges or _removes(kept):
        return "PUT", writable(after)
    return "PATCH", {**patch, "tags": dict(after["tags"])} if "tags" in patch else patch


def hidden_secret(resource_type: str, body: Body) -> str | None:
    """Return the path of the first secret in a body to be written that the service does not show; else None.

    It was left out or masked when the body was read, so that it cannot be written back.
    """
    properties = body.get("properties")
    if resource_type.lower() == _CONTAINER_APP and isinstance(properties, Mapping):
        for at, secret in enumerate((properties.get("configuration") or {}).get("secrets") or ()):
            if not (secret.get("value") or (secret.get("keyVaultUrl") and secret.get("identity"))):
                return f"properties.configuration.secrets[{at}].value"
    return masked_member(properties, "properties")


def masked_member(value: Json, path: str = "") -> str | None:
    """Return the path of the first member that is shown masked; else None."""
    if isinstance(value, str):
        return path if _MASKED.fullmatch(value) else None
    if isinstance(value, Mapping):
        members = ((f"{path}.{name}" if path else name, part) for name, part in value.items())
    else:
        members = ((f"{path}[{at}]", part) for at, part in enumerate(value if isinstance(value, list) else ()))
    return next((found for place, part in members if (found := masked_member(part, place))), None)


def holds(now: Json, before: Json, after: Json) -> bool:
    """Return whether `now` is as `after` wherever that differs from `before`, without regard to case."""
    if _equal(before, after):
        return True
    if isinstance(after, Mapping):
        if not isinstance(now, Mapping):
            return False
        old = before if isinstance(before, Mapping) else {}
        return all(holds(now.get(name), old.get(name), after.get(name)) for name in old.keys() | after.keys())
    if isinstance(after, list):
        if not isinstance(now, list) or len(now) != len(after):
            return False
        # Index by index; an element that the plan appends has nothing before it to be compared with.
        former = chain(before if isinstance(before, list) else (), repeat(None))
        return all(map(holds, now, former, after))
    return _equal(now, after)


def contradicts(before: Json, one: Json, other: Json) -> bool:
    """Return whether two values that were made of `before` both change the same part of it, to different values."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        old = before if isinstance(before, Mapping) else {}
        names = old.keys() | one.keys() | other.keys()
        return any(contradicts(old.get(name), one.get(name), other.get(name)) for name in names)
    lists = isinstance(before, list) and isinstance(one, list) and isinstance(other, list)
    # Elements have no names: where a list grows or shrinks it cannot be said which of them was changed.
    if lists and len(before) == len(one) == len(other):
        return any(map(contradicts, before, one, other))
    return not (_equal(before, one) or _equal(before, other) or _equal(one, other))


def is_outcome(now: Body, target: Body) -> bool:
    """Return whether a body is what a write of `target` leads to: all of it, exactly its tags, and additions."""
    return now.get("tags") == target.get("tags") and holds(comparable(now), None, comparable(target))


def _equal(left: Json, right: Json) -> bool:
    if left is right:
        return True
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    # Text, truth and null equal nothing of another kind; truth and null are only equal where they are the same object.
    if isinstance(left, str | bool | None) or isinstance(right, str | bool | None):
        return False
    if type(left) is int and type(right) is int:
        return left == right
    # Canonical digests, which cost most: the order of members does not count, and 1 and 1.0 are one number.
    return digest(left) == digest(right)


def _removes(patch: Json) -> bool:
    return any(value is None or _removes(value) for value in patch.values()) if isinstance(patch, Mapping) else False


def _writable_identity(identity: Json) -> Json:
    """Return an identity without the ids that Entra gave it; user-assigned ones are named by their keys."""
    kept: dict[str, Any] = {"type": identity.get("type")}
    if identity.get("userAssignedIdentities"):
        kept["userAssignedIdentities"] = {name: {} for name in identity["userAssignedIdentities"]}
    return kept


def _plain(properties: Json) -> Json:
    """Return properties without what the service adds: the provisioning state, and the etags of nested resources."""
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
