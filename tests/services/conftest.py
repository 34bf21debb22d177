"""A small cloud and a small catalog for the services: real promises kept in memory, with faults on demand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from shared.domain.error import CortexError, Forbidden
from shared.domain.inventory import Gap, ManagementGroup, PermissionCheck, Subscription
from shared.domain.policy import Framework, PolicyEntry
from shared.domain.resource import Resource, subscription_of
from shared.ports.clock import Now
from shared.ports.inventory import InventoryPage, Wanted
from shared.services import policy
from shared.services.policy import Book

STORAGE = "Microsoft.Storage/storageAccounts"
SUBSCRIPTION = "11111111-0000-0000-0000-000000000001"


def account(name: str, *, https: bool = True, subscription: str = SUBSCRIPTION, **tags: str) -> dict[str, Any]:
    group = f"/subscriptions/{subscription}/resourceGroups/rg"
    return {
        "id": f"{group}/providers/{STORAGE}/{name}",
        "name": name,
        "type": STORAGE,
        "location": "westeurope",
        "tags": {"owner": "team-a", **tags},
        "properties": {"supportsHttpsTrafficOnly": https},
    }


@dataclass
class MemoryInventory:
    """Keeps the `Inventory` port over bodies in a dictionary. `faults` are raised by the next calls of `page`."""

    now: Now
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    page_size: int = 2
    faults: list[CortexError] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    pages: int = 0
    reads: int = 0
    missing: int = 0

    def put(self, *bodies: dict[str, Any]) -> None:
        self.bodies.update({body["id"].lower(): body for body in bodies})

    def remove(self, body: Mapping[str, Any]) -> None:
        del self.bodies[body["id"].lower()]

    def management_groups(self, *, tenant: str) -> Sequence[ManagementGroup]:
        return (ManagementGroup(id="root", name=tenant),)

    def subscriptions(self, *, tenant: str) -> Sequence[Subscription]:
        assert tenant
        found = sorted({subscription_of(identity) for identity in self.bodies})
        return [Subscription(id=each, display_name="Production") for each in found]

    def resource_groups(self, *, tenant: str, subscription: str) -> Sequence[Mapping[str, Any]]:
        return ({"id": f"/subscriptions/{subscription}/resourceGroups/rg", "name": "rg", "tenant": tenant},)

    def page(self, *, tenant: str, subscription: str, wanted: Wanted, cursor: str | None = None) -> InventoryPage:
        assert tenant
        assert wanted is not None
        self.pages += 1
        if self.faults:
            raise self.faults.pop(0)
        mine = sorted(each for each in self.bodies.keys() - self.hidden if subscription_of(each) == subscription)
        start = int(cursor or 0)
        names = mine[start : start + self.page_size]
        end = start + len(names)
        resources = [self._resource(name) for name in names]
        gaps = tuple(self.gaps) if start == 0 else ()
        return InventoryPage(resources, len(mine) + self.missing, str(end) if end < len(mine) else None, gaps)

    def read(self, *, tenant: str, resource_id: str, wanted: Wanted) -> Resource | None:
        assert tenant
        assert wanted is not None
        self.reads += 1
        if resource_id.lower() in self.hidden:
            raise Forbidden("not yours", permission="Microsoft.Storage/storageAccounts/read", scope=resource_id)
        return self._resource(resource_id.lower()) if resource_id.lower() in self.bodies else None

    def check(self, *, tenant: str, subscription: str, wanted: Wanted) -> Sequence[PermissionCheck]:
        assert wanted is not None
        scope = f"/subscriptions/{subscription}"
        return (PermissionCheck(scope=scope, call=f"read {tenant}", allowed=True, permission="*/read"),)

    def _resource(self, name: str) -> Resource:
        from shared.domain.resource import Unread  # noqa: PLC0415 - next to its only use

        at = self.now().isoformat().replace("+00:00", "Z")
        found = Resource(self.bodies[name], api_version="2023-05-01", collected_at=at)
        if name not in self.unread:
            return found
        why = Unread("forbidden", "Microsoft.Storage/storageAccounts/read")
        body = {key: value for key, value in found.body.items() if key != "properties"}
        return replace(found, body=body, unread={"properties": why})


def entry(name: str, rule: Mapping[str, Any], **more: Any) -> PolicyEntry:
    return PolicyEntry.from_definition(
        {
            "name": name,
            "properties": {
                "displayName": name.replace("-", " "),
                "description": "A policy of the tests.",
                "mode": "All",
                "metadata": {
                    "category": "Test",
                    "severity": "high",
                    "rationale": "because",
                    "version": "1.0.0",
                    "controls": {"nist-800-53-r5": ["SC-8"]},
                    **more,
                },
                "policyRule": {"if": rule, "then": {"effect": "audit"}},
            },
        }
    )


class SmallCatalog:
    """Keeps the `Catalog` port with two policies."""

    def policies(self) -> Sequence[PolicyEntry]:
        of_type = {"field": "type", "equals": STORAGE}
        https = {"field": f"{STORAGE}/supportsHttpsTrafficOnly", "notEquals": True}
        owner = {"field": "tags['owner']", "exists": False}
        return (entry("https-only", {"allOf": [of_type, https]}), entry("owned", {"allOf": [of_type, owner]}))

    def frameworks(self) -> Sequence[Framework]:
        return ()

    def aliases(self) -> Sequence[Mapping[str, Any]]:
        name = f"{STORAGE}/supportsHttpsTrafficOnly"
        return (
            {
                "name": name,
                "path": "properties.supportsHttpsTrafficOnly",
                "types": [STORAGE.lower()],
                "modifiable": True,
            },
        )

    def resource_types(self) -> Sequence[Mapping[str, Any]]:
        return ({"type": STORAGE.lower(), "apiVersion": "2023-05-01"},)


@pytest.fixture
def inventory(clock: Now) -> MemoryInventory:
    return MemoryInventory(now=clock)


@pytest.fixture(scope="session")
def book() -> Book:
    return policy.book(SmallCatalog())
