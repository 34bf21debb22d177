"""Inventory over Azure: Resource Graph for the bulk, Azure Resource Manager for what it lacks."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from shared.adapters.azure import graph, hierarchy, permission, refusal, resource_type
from shared.adapters.azure.arm import Arm, Connection, Json, checked
from shared.adapters.azure.position import Position
from shared.adapters.azure.related import Family, Relatives
from shared.adapters.azure.resource_type import ResourceTypes
from shared.domain.error import Forbidden, NotFound
from shared.domain.inventory import Gap, ManagementGroup, PermissionCheck, Reason, Subscription
from shared.domain.resource import Resource, Unread, type_of
from shared.ports.clock import Now
from shared.ports.inventory import InventoryPage, Wanted

PROVIDER_VERSION = "2021-04-01"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ArmInventory:
    """Keeps the promise of `Inventory`. Safe for several threads; `close` ends its connections.

    `resource_types` are rows as `Catalog.resource_types` gives them. A call that does not answer within `timeout`
    seconds is given up.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        resource_types: Iterable[Mapping[str, Any]],
        now: Now = _utc_now,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        timeout: float = 20.0,
    ) -> None:
        self._tenant = connection.tenant
        self._arm = Arm(connection, sleep=sleep, timeout=timeout)
        self._types = ResourceTypes(resource_types)
        self._now = now
        self._clock = clock

    def management_groups(self, *, tenant: str) -> Sequence[ManagementGroup]:
        """All management groups that can be seen, parents before children."""
        return tuple(hierarchy.read(self._cloud(tenant)).groups.values())

    def subscriptions(self, *, tenant: str) -> Sequence[Subscription]:
        """All subscriptions that can be seen, by id."""
        return hierarchy.subscriptions(self._cloud(tenant))

    def resource_groups(self, *, tenant: str, subscription: str) -> Sequence[Json]:
        """ARM bodies of the resource groups of a subscription, by id."""
        path = f"/subscriptions/{subscription}/resourceGroups"
        found = list(self._cloud(tenant).items(path, resource_type.GROUP_VERSION))
        return sorted(found, key=lambda body: str(body["id"]).lower())

    def page(self, *, tenant: str, subscription: str, wanted: Wanted, cursor: str | None = None) -> InventoryPage:
        """The next page; it is shorter than it could be when the cloud asks for a long wait in the middle of it."""
        arm = self._cloud(tenant)
        at = Position.from_cursor(subscription, cursor)
        relatives = self._relatives(arm, wanted, at.hung)
        if at.roots:
            return self._root_page(at, relatives)
        return self._graph_page(at, arm, relatives)

    def read(self, *, tenant: str, resource_id: str, wanted: Wanted) -> Resource | None:
        """One resource with its relatives, from ARM; None when it does not exist."""
        arm = self._cloud(tenant)
        kind = type_of(checked(resource_id))
        relatives = self._relatives(arm, wanted)
        body, version = relatives.found(kind, resource_id)
        if body is None:
            return None
        resource = Resource({**body, "type": self._types.spelled(kind, body)}, version, self._at())
        return relatives.family(resource).resource

    def providers(self, *, tenant: str) -> Iterator[Json]:
        """The resource providers as the first subscription sees them; as the tenant does where there is none."""
        arm = self._cloud(tenant)
        first = next(iter(hierarchy.subscriptions(arm)), None)
        scope = f"/subscriptions/{first.id}" if first else ""
        return arm.listed(f"{scope}/providers", PROVIDER_VERSION, {"$expand": "resourceTypes/aliases"})

    def check(self, *, tenant: str, subscription: str, wanted: Wanted) -> Sequence[PermissionCheck]:
        """Try each kind of call a scan of the subscription would make, on one resource of each type."""
        arm = self._cloud(tenant)
        return permission.check(arm, self._types, subscription, wanted, self._relatives(arm, wanted))

    def _root_page(self, at: Position, relatives: Relatives) -> InventoryPage:
        roots, gaps = self._roots(at.subscription)
        waiting = _after(roots, at.after)
        families = relatives.families(waiting)
        ended = len(families) == len(waiting)
        resources = _resources(families)
        following = replace(
            at,
            roots=not ended,
            after=None if ended else families[-1].resource.id,
            extras=at.extras + len(resources),
            hung=sorted(relatives.hung),
        )
        return InventoryPage(resources, None, following.to_cursor(), (*gaps, *relatives.misses.gaps()))

    def _roots(self, subscription: str) -> tuple[list[Resource], list[Gap]]:
        path = f"/subscriptions/{subscription}"
        body = self._arm.get(path, resource_type.SUBSCRIPTION_VERSION)
        named = {**body, "name": body.get("name") or subscription, "type": resource_type.SUBSCRIPTION}
        root = Resource(named, resource_type.SUBSCRIPTION_VERSION, self._at())
        try:
            groups = self.resource_groups(tenant=self._tenant, subscription=subscription)
        except Forbidden as error:
            return [root], [self._gap(path, resource_type.GROUP, Reason.FORBIDDEN, error)]
        return [root, *(self._group(each) for each in groups)], []

    def _group(self, body: Json) -> Resource:
        return Resource({**body, "type": resource_type.GROUP}, resource_type.GROUP_VERSION, self._at())

    def _graph_page(self, at: Position, arm: Arm, relatives: Relatives) -> InventoryPage:
        at, found = self._rows(arm, at)
        waiting = _after([self._row(row) for row in found.rows], at.after)
        families = relatives.families(waiting)
        resources = _resources(families)
        ended = len(families) == len(waiting)
        last = families[-1].resource.id if families else at.last
        following = replace(
            at,
            token=found.token if ended else at.token,
            after=None if ended else last,
            last=last,
            size=found.size,
            rows=at.rows + len(families),
            extras=at.extras + len(resources) - len(families),
            hung=sorted(relatives.hung),
        )
        done = ended and found.token is None
        gaps = relatives.misses.gaps()
        if (ended and not found.whole) or (done and following.rows < found.total):
            gaps.append(self._partial(following, found))
        cursor = None if done else following.to_cursor()
        return InventoryPage(resources, found.total + following.extras, cursor, gaps)

    def _rows(self, arm: Arm, at: Position) -> tuple[Position, graph.GraphPage]:
        """The rows at the position; the position moves when its token is no longer taken."""
        try:
            return at, graph.page(arm, at.subscription, size=at.size, token=at.token)
        except refusal.Refused as error:
            if at.token is None or refusal.PAYLOAD_TOO_LARGE in error.codes:
                raise
        return self._found_again(arm, at)

    def _found_again(self, arm: Arm, at: Position) -> tuple[Position, graph.GraphPage]:
        """From the start, passing over what was delivered before."""
        last, token = at.last or "", None
        while True:
            found = graph.page(arm, at.subscription, size=at.size, token=token)
            if found.token is None or any(str(row["id"]).lower() > last.lower() for row in found.rows):
                return replace(at, token=token, after=last), found
            token = found.token

    def _row(self, row: Mapping[str, Any]) -> Resource:
        at = self._at()
        body = graph.body(row, self._types[str(row.get("type"))].type)
        return Resource(body, None, at, {} if "properties" in body else {"properties": Unread("notCollected", at=at)})

    def _partial(self, at: Position, found: graph.GraphPage) -> Gap:
        path = f"/subscriptions/{at.subscription}"
        message = f"Resource Graph answered {at.rows} of {found.total} resources; the rest was not collected"
        return Gap(scope=path, part="resources", reason=Reason.PARTIAL, at=self._now(), message=message)

    def _gap(self, scope: str, part: str, reason: Reason, error: Forbidden) -> Gap:
        action = error.permission or f"{part}/read"
        return Gap(
            scope=scope,
            part=part,
            reason=reason,
            permission=action,
            role="Reader",
            at=self._now(),
            message=error.message,
        )

    def _relatives(self, arm: Arm, wanted: Wanted, hung: Iterable[str] = ()) -> Relatives:
        return Relatives(arm, self._types, wanted, now=self._now, clock=self._clock, hung=hung)

    def _cloud(self, tenant: str) -> Arm:
        if tenant != self._tenant:
            raise NotFound(f"no cloud is connected for tenant {tenant}")
        return self._arm

    def _at(self) -> str:
        return self._now().isoformat().replace("+00:00", "Z")

    def close(self) -> None:
        """Close the connections."""
        self._arm.close()


def _after(resources: Sequence[Resource], last: str | None) -> Sequence[Resource]:
    """What follows the resource delivered last; by order when that one is gone."""
    if last is None:
        return resources
    for index, resource in enumerate(resources):
        if resource.id == last:
            return resources[index + 1 :]
    return [resource for resource in resources if resource.id.lower() > last.lower()]


def _resources(families: Sequence[Family]) -> list[Resource]:
    """Each resource once, owners before what they own."""
    found: dict[str, Resource] = {}
    for family in families:
        for resource in (family.resource, *family.extras):
            found.setdefault(resource.id.lower(), resource)
    return list(found.values())
