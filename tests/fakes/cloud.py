"""A small cloud for the tests of remediations: etags, PUT, PATCH and DELETE in memory, with faults on demand."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.domain.arm_id import type_of
from shared.domain.error import CortexError, Stale
from shared.domain.inventory import ManagementGroup, PermissionCheck, Subscription
from shared.domain.lock import ManagementLock
from shared.domain.merge_patch import merged
from shared.domain.resource import Resource, Snapshot
from shared.ports.control import Method
from shared.ports.inventory import InventoryPage, RelatedTypes

STORAGE = "Microsoft.Storage/storageAccounts"
VAULT = "Microsoft.KeyVault/vaults"
GROUP = "Microsoft.Network/networkSecurityGroups"
SETTING = "Microsoft.Insights/diagnosticSettings"
SUBSCRIPTION = "11111111-0000-0000-0000-000000000001"
ROOT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers"
VERSIONS = {STORAGE: "2023-05-01", VAULT: "2023-07-01", GROUP: "2023-09-01", SETTING: "2021-05-01-preview"}


def resource(kind: str, name: str, properties: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    body = {"id": f"{ROOT}/{kind}/{name}", "name": name, "type": kind, "location": "westeurope"}
    return {**body, "tags": {"env": "test"}, "properties": {**properties, "provisioningState": "Succeeded"}, **more}


def account(name: str = "alpha", **properties: Any) -> dict[str, Any]:
    wrong = {"supportsHttpsTrafficOnly": False, "minimumTlsVersion": "TLS1_0", "networkAcls": {"bypass": "None"}}
    return resource(STORAGE, name, {**wrong, **properties}, sku={"name": "Standard_LRS"})


@dataclass
class MemoryCloud:
    """Keeps the `Control` port, and of `Inventory` what judging one resource needs.

    `before` and `after` are called around each write with (method, resource id) and may raise, as a network would;
    `lost` are the ids whose next write is answered but not done. `etags` off: types without etags.
    """

    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    etags: bool = True
    writes: list[tuple[str, str]] = field(default_factory=list)
    before: Callable[[str, str], None] = lambda _method, _id: None
    after: Callable[[str, str], None] = lambda _method, _id: None
    lost: set[str] = field(default_factory=set)
    faults: list[CortexError] = field(default_factory=list)
    locked: list[ManagementLock] = field(default_factory=list)
    lock_reads: int = 0
    _versions: dict[str, int] = field(default_factory=dict)

    def put(self, *bodies: Mapping[str, Any]) -> None:
        for body in bodies:
            self._store(str(body["id"]), copy.deepcopy(dict(body)))

    def body(self, resource_id: str) -> dict[str, Any]:
        return self.bodies[resource_id.lower()]

    def read(self, *, tenant: str, resource_id: str, api_version: str = "", wanted: RelatedTypes | None = None) -> Any:
        """Either port's read: `wanted` is the inventory's."""
        assert tenant
        found = self.bodies.get(resource_id.lower())
        if self.faults:
            raise self.faults.pop(0)
        if wanted is not None:
            return None if found is None else self._resource(found, wanted)
        assert api_version
        return None if found is None else Snapshot(copy.deepcopy(found), self._etag(resource_id))

    def locks(self, *, tenant: str, subscription: str) -> Sequence[ManagementLock]:
        assert tenant
        self.lock_reads += 1
        return [
            each for each in self.locked if each.covers(f"/subscriptions/{subscription}") or subscription in each.scope
        ]

    def write(
        self,
        *,
        tenant: str,
        method: Method,
        resource_id: str,
        api_version: str,
        body: Mapping[str, Any] | None = None,
        if_match: str | None = None,
    ) -> Snapshot | None:
        assert tenant
        assert api_version
        self.before(method, resource_id)
        self._check(resource_id, if_match)
        if resource_id.lower() in self.lost:
            self.lost.discard(resource_id.lower())
            return Snapshot(self._written(method, resource_id, body or {}), self._etag(resource_id))
        self.writes.append((method, resource_id))
        if method == "DELETE":
            self.bodies.pop(resource_id.lower(), None)
        else:
            self._store(resource_id, self._written(method, resource_id, body or {}))
        self.after(method, resource_id)
        now = self.bodies.get(resource_id.lower())
        return Snapshot(copy.deepcopy(now), self._etag(resource_id)) if now else None

    def _check(self, resource_id: str, if_match: str | None) -> None:
        known = resource_id.lower() in self.bodies
        if if_match is not None and (not known or if_match not in {"*", self._etag(resource_id)}):
            raise Stale(f"{resource_id} has changed")

    def _written(self, method: str, resource_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        old = self.bodies.get(resource_id.lower(), {})
        kept = {"id": resource_id, "name": resource_id.rpartition("/")[2], "type": type_of(resource_id)}
        kept |= {key: old[key] for key in kept if key in old}
        new = merged(old, body) if method == "PATCH" else {**kept, **copy.deepcopy(dict(body))}
        if old.get("identity") and body.get("identity", {}).get("type") == old["identity"].get("type"):
            new["identity"] = copy.deepcopy(old["identity"])
        new["properties"] = {**new.get("properties", {}), "provisioningState": "Succeeded"}
        return dict(new)

    def _store(self, resource_id: str, body: dict[str, Any]) -> None:
        self.bodies[resource_id.lower()] = body
        self._versions[resource_id.lower()] = self._versions.get(resource_id.lower(), 0) + 1

    def _etag(self, resource_id: str) -> str | None:
        return f'"{self._versions.get(resource_id.lower(), 0)}"' if self.etags else None

    def _resource(self, body: dict[str, Any], wanted: RelatedTypes) -> Resource:
        base = str(body["id"]).lower() + "/"
        related = {
            kind: tuple(
                Resource(copy.deepcopy(each))
                for key, each in sorted(self.bodies.items())
                if key.startswith(base) and str(each["type"]).lower() == kind
            )
            for kind in wanted.get(str(body["type"]).lower(), ())
        }
        return Resource(copy.deepcopy(body), api_version=VERSIONS.get(str(body["type"])), related=related)

    def management_groups(self, *, tenant: str) -> Sequence[ManagementGroup]:
        raise NotImplementedError(tenant)

    def subscriptions(self, *, tenant: str) -> Sequence[Subscription]:
        assert tenant
        return (Subscription(id=SUBSCRIPTION),)

    def resource_groups(self, *, tenant: str, subscription: str) -> Sequence[Mapping[str, Any]]:
        raise NotImplementedError(tenant, subscription)

    def page(self, *, tenant: str, subscription: str, wanted: RelatedTypes, cursor: str | None = None) -> InventoryPage:
        raise NotImplementedError(tenant, subscription, wanted, cursor)

    def check(self, *, tenant: str, subscription: str, wanted: RelatedTypes) -> Sequence[PermissionCheck]:
        assert tenant
        assert wanted is not None
        scope = f"/subscriptions/{subscription}"
        return (PermissionCheck(scope=scope, call=f"GET {scope}", allowed=True, permission="x/read"),)
