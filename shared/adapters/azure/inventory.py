"""Inventory over Azure: Resource Graph for the bulk, Azure Resource Manager for what it lacks."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import batched
from typing import Any

from shared.adapters.azure import graph, hierarchy, permission, resource_body, resource_type
from shared.adapters.azure.arm import PROVIDER_VERSION, Arm, ArmConnection, checked
from shared.adapters.azure.continuation_token import PAGE_RESOURCES, ContinuationToken
from shared.adapters.azure.related import RelatedReader, ResourceFamily
from shared.adapters.azure.resource_type import ResourceTypes
from shared.domain.arm_id import type_of
from shared.domain.error import Forbidden, Malformed, NotFound, Throttled
from shared.domain.inventory import Gap, ManagementGroup, PermissionCheck, Subscription, UnreadReason
from shared.domain.resource import JsonObject, Resource
from shared.domain.timestamp import format_time
from shared.ports.clock import Now
from shared.ports.inventory import InventoryIds, InventoryPage, RelatedTypes


class ArmInventory:
    """Keeps the `Inventory` port. Safe for several threads; `close` ends its connections.

    `resource_types` are rows as `Catalog.resource_types` gives them. A call that does not answer within `timeout`
    seconds is given up.
    """

    def __init__(
        self,
        connection: ArmConnection,
        *,
        resource_types: Iterable[Mapping[str, Any]],
        now: Now = lambda: datetime.now(UTC),
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
        """Return all management groups that can be seen, parents before children."""
        return tuple(hierarchy.read(self._cloud(tenant)).groups.values())

    def subscriptions(self, *, tenant: str) -> Sequence[Subscription]:
        """Return all subscriptions that can be seen, by id."""
        return hierarchy.subscriptions(self._cloud(tenant))

    def resource_groups(self, *, tenant: str, subscription: str) -> Sequence[JsonObject]:
        """Return the ARM bodies of the resource groups of a subscription, by id."""
        path = f"/subscriptions/{subscription}/resourceGroups"
        found = list(self._cloud(tenant).items(path, resource_type.GROUP_VERSION))
        return sorted(found, key=lambda body: str(body["id"]).lower())

    def page(self, *, tenant: str, subscription: str, wanted: RelatedTypes, cursor: str | None = None) -> InventoryPage:
        """Read the next page; it is cut short when the cloud asks for a long wait in the middle of it."""
        arm = self._cloud(tenant)
        at = ContinuationToken.from_cursor(subscription, cursor)
        relatives = self._relatives(arm, wanted, at.hung)
        if at.roots:
            return self._root_page(at, relatives)
        return self._graph_page(at, arm, relatives)

    def containers(
        self, *, tenant: str, subscription: str, wanted: RelatedTypes, cursor: str | None = None
    ) -> InventoryPage:
        """Read the subscription and its groups; the page is cut short when the cloud asks for a long wait."""
        at = ContinuationToken.from_cursor(subscription, cursor)
        found = self._root_page(at, self._relatives(self._cloud(tenant), wanted, at.hung))
        goes_on = ContinuationToken.from_cursor(subscription, found.cursor).roots
        return found if goes_on else replace(found, cursor=None)

    def ids(self, *, tenant: str, subscription: str, wanted: RelatedTypes, cursor: str | None = None) -> InventoryIds:
        """Read the next page of ids from Resource Graph."""
        arm = self._cloud(tenant)
        found, following, gaps = self._listed(arm, graph.IDS_QUERY, subscription, cursor)
        parents = self._types.listed_under(wanted)
        untold = (row for row in found.rows if self._types.is_untold(str(row["type"]), wanted, parents))
        return InventoryIds(
            [str(row["id"]) for row in found.rows],
            following,
            found.total,
            frozenset(str(row["id"]) for row in untold),
            gaps,
        )

    def changed(self, *, tenant: str, subscription: str, since: datetime, cursor: str | None = None) -> InventoryIds:
        """Read the next page of changes from Resource Graph."""
        query = graph.changes_query(since)
        found, following, gaps = self._listed(self._cloud(tenant), query, subscription, cursor)
        targets = [target for row in found.rows if isinstance(target := row.get("target"), str)]
        return InventoryIds(targets, following, gaps=gaps)

    def rows(self, *, tenant: str, subscription: str, ids: Sequence[str], wanted: RelatedTypes) -> InventoryPage:
        """Read resources by id from Resource Graph, some at a time, and their relatives from ARM."""
        arm = self._cloud(tenant)
        relatives = self._relatives(arm, wanted)
        families: list[ResourceFamily] = []
        try:
            for some in batched(ids, graph.QUERY_IDS, strict=False):
                for found in graph.pages(arm, subscription, graph.named_query(some), size=graph.QUERY_IDS):
                    families += relatives.families([self._row(row) for row in found.rows])
                    if relatives.stop:
                        raise relatives.stop
        except Throttled:
            if not families:
                raise
            return InventoryPage(_resources(families), None, families[-1].resource.id, relatives.misses.gaps())
        return InventoryPage(_resources(families), None, None, relatives.misses.gaps())

    def lists(self, *, tenant: str, resource_type: str) -> bool:
        """Return whether Resource Graph lists a type in its table of resources, or Resource Manager as a container."""
        self._cloud(tenant)
        return self._types[resource_type].in_graph

    def read(self, *, tenant: str, resource_id: str, wanted: RelatedTypes) -> Resource | None:
        """Read one resource with its relatives from ARM; None when it does not exist."""
        arm = self._cloud(tenant)
        kind = type_of(checked(resource_id))
        relatives = self._relatives(arm, wanted)
        body, version = relatives.found(kind, resource_id)
        if body is None:
            return None
        return relatives.family(Resource(self._types.body(kind, body), version, self._at())).resource

    def providers(self, *, tenant: str) -> Iterator[JsonObject]:
        """Yield the resource providers as the first subscription sees them; as the tenant does where there is none."""
        arm = self._cloud(tenant)
        first = next(iter(hierarchy.subscriptions(arm)), None)
        scope = f"/subscriptions/{first.id}" if first else ""
        return arm.listed(f"{scope}/providers", PROVIDER_VERSION, {"$expand": "resourceTypes/aliases"})

    def check(self, *, tenant: str, subscription: str, wanted: RelatedTypes) -> Sequence[PermissionCheck]:
        """Try each kind of call a scan of the subscription would make, on one resource of each type."""
        arm = self._cloud(tenant)
        return permission.check(arm, self._types, subscription, wanted, self._relatives(arm, wanted))

    def _root_page(self, at: ContinuationToken, relatives: RelatedReader) -> InventoryPage:
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
        found = self._types.body(resource_type.SUBSCRIPTION, body)
        root = Resource(found, resource_type.SUBSCRIPTION_VERSION, self._at())
        try:
            groups = self.resource_groups(tenant=self._tenant, subscription=subscription)
        except Forbidden as error:
            gap = Gap(
                scope=path,
                part=resource_type.GROUP,
                reason=UnreadReason.FORBIDDEN,
                permission=error.permission or f"{resource_type.GROUP}/read",
                role="Reader",
                at=self._now(),
                message=error.message,
            )
            return [root], [gap]
        bodies = (self._types.body(resource_type.GROUP, each) for each in groups)
        return [root, *(Resource(each, resource_type.GROUP_VERSION, self._at()) for each in bodies)], []

    def _graph_page(self, at: ContinuationToken, arm: Arm, relatives: RelatedReader) -> InventoryPage:
        at, found = graph.page_at(arm, at)
        waiting = _after([self._row(row) for row in found.rows], at.after)
        families = relatives.families(waiting)
        resources = _resources(families)
        ended = len(families) == len(waiting)
        last = families[-1].resource.id if families else at.last
        following = replace(
            at,
            # A page cut short is asked for again: the token stays, and `after` says where in it to go on.
            token=found.token if ended else at.token,
            after=None if ended else last,
            last=last,
            size=found.size,
            rows=at.rows + len(families) + (len(found.bad) if ended else 0),
            extras=at.extras + len(resources) - len(families),
            hung=sorted(relatives.hung),
        )
        # Resources come and go while pages are read, so some more rows are normal; twice as many are a loop.
        if following.rows > 2 * found.total + PAGE_RESOURCES:
            raise Malformed(f"Resource Graph returned more rows of /subscriptions/{at.subscription} than it counts")
        done = ended and found.token is None
        gaps = relatives.misses.gaps()
        if ended and found.bad:
            many = len(found.bad) > 1
            bad = f"{len(found.bad)} {'rows are not resources' if many else 'row is not a resource'}: {found.bad[0]}"
            gaps.append(self._page_gap(at, UnreadReason.FAILED, bad))
        if (ended and not found.whole) or (done and following.rows < found.total):
            partial = f"Resource Graph returned {following.rows} of {found.total} resources; the rest was not collected"
            gaps.append(self._page_gap(at, UnreadReason.PARTIAL, partial))
        cursor = None if done else following.to_cursor()
        return InventoryPage(resources, found.total + following.extras, cursor, gaps, relatives.calls + 1)

    def _listed(
        self, arm: Arm, query: str, subscription: str, cursor: str | None
    ) -> tuple[graph.GraphPage, str | None, list[Gap]]:
        """Read a page of a query for ids; return its rows that were not delivered, where it goes on, and what lacks."""
        at = ContinuationToken.from_cursor(subscription, cursor)
        at, found = graph.page_at(arm, replace(at, size=graph.PAGE_ROWS) if cursor is None else at, query)
        fresh = [row for row in found.rows if at.after is None or str(row["id"]).lower() > at.after.lower()]
        gaps = []
        if not found.whole or found.bad:
            message = f"Resource Graph cut a list of ids short, or returned rows that are none: {list(found.bad)[:1]}"
            gaps.append(self._page_gap(at, UnreadReason.PARTIAL, message))
        if found.token is None:
            return replace(found, rows=fresh), None, gaps
        last = str(found.rows[-1]["id"]) if found.rows else at.last
        following = replace(at, roots=False, token=found.token, after=None, last=last, size=found.size)
        return replace(found, rows=fresh), following.to_cursor(), gaps

    def _row(self, row: Mapping[str, Any]) -> Resource:
        body = resource_body.listed(row, self._types[str(row.get("type"))].type)
        return resource_body.resource(body, None, self._at())

    def _page_gap(self, at: ContinuationToken, reason: UnreadReason, message: str) -> Gap:
        scope = f"/subscriptions/{at.subscription}"
        return Gap(scope=scope, part="resources", reason=reason, at=self._now(), message=message)

    def _relatives(self, arm: Arm, wanted: RelatedTypes, hung: Iterable[str] = ()) -> RelatedReader:
        return RelatedReader(arm, self._types, wanted, now=self._now, clock=self._clock, hung=hung)

    def _cloud(self, tenant: str) -> Arm:
        if tenant != self._tenant:
            raise NotFound(f"no cloud is connected for tenant {tenant}")
        return self._arm

    def _at(self) -> str:
        return format_time(self._now())

    def close(self) -> None:
        """Close the connections."""
        self._arm.close()


def _after(resources: Sequence[Resource], last: str | None) -> Sequence[Resource]:
    """Return what follows the resource that was delivered last; by id when that one is gone."""
    if last is None:
        return resources
    for index, resource in enumerate(resources):
        if resource.id == last:
            return resources[index + 1 :]
    return [resource for resource in resources if resource.id.lower() > last.lower()]


def _resources(families: Sequence[ResourceFamily]) -> list[Resource]:
    """Return each resource once, owners before what they own."""
    found: dict[str, Resource] = {}
    for family in families:
        for resource in (family.resource, *family.extras):
            found.setdefault(resource.id.lower(), resource)
    return list(found.values())
