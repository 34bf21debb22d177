"""An inventory of storage accounts in memory, with faults on demand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shared.domain.arm_id import subscription_of
from shared.domain.error import CortexError, Forbidden
from shared.domain.inventory import Gap, ManagementGroup, PermissionCheck, Subscription
from shared.domain.resource import Resource
from shared.ports.clock import Now
from shared.ports.inventory import InventoryIds, InventoryPage, RelatedTypes

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
    """Keeps the `Inventory` port over bodies in a dictionary. `faults` are raised by the next calls, None by none of
    them.

    `unlisted` subscriptions are left out of the list, which fails with `listing`; `lost` ones cannot be read. What is
    put or removed is told as changed, but for what is put by `put_silently`; `untold` types change without being told.
    """

    now: Now
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    page_size: int = 2
    faults: list[CortexError | None] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    pages: int = 0
    reads: int = 0
    missing: int = 0
    listing: CortexError | None = None
    unlisted: set[str] = field(default_factory=set)
    lost: dict[str, CortexError] = field(default_factory=dict)
    changes: list[tuple[datetime, str]] = field(default_factory=list)
    untold: set[str] = field(default_factory=set)
    named: list[str] = field(default_factory=list)
    """The ids that were asked for by name."""

    def put(self, *bodies: dict[str, Any]) -> None:
        self.put_silently(*bodies)
        self.changes += [(self.now(), body["id"]) for body in bodies]

    def put_silently(self, *bodies: dict[str, Any]) -> None:
        self.bodies.update({body["id"].lower(): body for body in bodies})

    def remove(self, body: Mapping[str, Any]) -> None:
        del self.bodies[body["id"].lower()]
        self.changes.append((self.now(), body["id"]))

    def management_groups(self, *, tenant: str) -> Sequence[ManagementGroup]:
        return (ManagementGroup(id="root", name=tenant),)

    def subscriptions(self, *, tenant: str) -> Sequence[Subscription]:
        assert tenant
        if self.listing:
            raise self.listing
        found = sorted({subscription_of(identity) for identity in self.bodies} - self.unlisted)
        return [Subscription(id=each, display_name="Production") for each in found]

    def resource_groups(self, *, tenant: str, subscription: str) -> Sequence[Mapping[str, Any]]:
        return ({"id": f"/subscriptions/{subscription}/resourceGroups/rg", "name": "rg", "tenant": tenant},)

    def page(self, *, tenant: str, subscription: str, wanted: RelatedTypes, cursor: str | None = None) -> InventoryPage:
        assert wanted is not None
        self._meet(tenant, subscription)
        mine = self._mine(subscription)
        names, following = self._cut(mine, cursor)
        resources = [self._resource(name) for name in names]
        gaps = tuple(self.gaps) if cursor is None else ()
        return InventoryPage(resources, len(mine) + self.missing, following, gaps)

    def containers(
        self, *, tenant: str, subscription: str, wanted: RelatedTypes, cursor: str | None = None
    ) -> InventoryPage:
        assert wanted is not None
        assert cursor is None
        self._meet(tenant, subscription)
        return InventoryPage((), None, None, tuple(self.gaps))

    def ids(self, *, tenant: str, subscription: str, wanted: RelatedTypes, cursor: str | None = None) -> InventoryIds:
        assert wanted is not None
        self._meet(tenant, subscription)
        mine = self._mine(subscription)
        names, following = self._cut(mine, cursor)
        ids = [str(self.bodies[name]["id"]) for name in names]
        untold = frozenset(each for each in ids if self.bodies[each.lower()]["type"] in self.untold)
        return InventoryIds(ids, following, len(mine) + self.missing, untold)

    def changed(self, *, tenant: str, subscription: str, since: datetime, cursor: str | None = None) -> InventoryIds:
        self._meet(tenant, subscription)
        told = [name for at, name in self.changes if at >= since and subscription_of(name) == subscription]
        return InventoryIds(*self._cut(told, cursor))

    def rows(self, *, tenant: str, subscription: str, ids: Sequence[str], wanted: RelatedTypes) -> InventoryPage:
        assert wanted is not None
        self._meet(tenant, subscription)
        self.named += ids
        found = sorted({each.lower() for each in ids} & (self.bodies.keys() - self.hidden))
        names = found[: self.page_size]
        return InventoryPage([self._resource(name) for name in names], None, names[-1] if found[len(names) :] else None)

    def lists(self, *, tenant: str, resource_type: str) -> bool:
        assert tenant
        return bool(resource_type)

    def _meet(self, tenant: str, subscription: str) -> None:
        assert tenant
        self.pages += 1
        if self.faults and (fault := self.faults.pop(0)):
            raise fault
        if subscription in self.lost:
            raise self.lost[subscription]

    def _mine(self, subscription: str) -> list[str]:
        return sorted(each for each in self.bodies.keys() - self.hidden if subscription_of(each) == subscription)

    def _cut(self, names: Sequence[str], cursor: str | None) -> tuple[Sequence[str], str | None]:
        start = int(cursor or 0)
        end = start + self.page_size
        return names[start:end], str(end) if end < len(names) else None

    def read(self, *, tenant: str, resource_id: str, wanted: RelatedTypes) -> Resource | None:
        assert tenant
        assert wanted is not None
        self.reads += 1
        if resource_id.lower() in self.hidden:
            raise Forbidden("not yours", permission="Microsoft.Storage/storageAccounts/read", scope=resource_id)
        return self._resource(resource_id.lower()) if resource_id.lower() in self.bodies else None

    def check(self, *, tenant: str, subscription: str, wanted: RelatedTypes) -> Sequence[PermissionCheck]:
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
