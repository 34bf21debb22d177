"""Inventory: what exists in the cloud, read page by page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from shared.domain.inventory import Gap, ManagementGroup, PermissionCheck, Subscription
from shared.domain.resource import Resource

CHANGE_DELAY = timedelta(minutes=5)
"""Until a change is told. Source: Azure Resource Graph, "Get resource changes": in less than five minutes."""
CHANGE_PERIOD = timedelta(days=14)
"""For how long a change is told. Source: as above."""
RelatedTypes = Mapping[str, frozenset[str]]
"""Lower-case resource type -> lower-case types of related resources that must be read with it."""


@dataclass(frozen=True, slots=True)
class InventoryPage:
    """One page of resources with their related resources. `total` is how many the cloud says there are in all.

    `calls` is how many calls of the cloud it took.

    `cursor` resumes after this page, also in another process and days later; None on the last page.
    """

    resources: Sequence[Resource]
    total: int | None
    cursor: str | None
    gaps: Sequence[Gap] = ()
    calls: int = 0


@dataclass(frozen=True, slots=True)
class InventoryIds:
    """One page of ids. `total` is how many there are in all, None where that is not told; `cursor` is as in a page.

    `untold` has those of which `changed` does not tell everything: other resources belong to them, or the index does
    not hold all of their bodies.
    """

    ids: Sequence[str]
    cursor: str | None
    total: int | None = None
    untold: frozenset[str] = frozenset()
    gaps: Sequence[Gap] = ()


class Inventory(Protocol):
    """Reads only. Short waits (up to ten seconds) are waited for inside; longer ones are raised as Throttled.

    Errors: Throttled with the wait the cloud asks for, Unavailable, Forbidden, NotFound when no cloud is connected
    for the tenant. What cannot be read within a page is a gap in the page or `unread` in a resource, not an error.
    """

    def management_groups(self, *, tenant: str) -> Sequence[ManagementGroup]:
        """Return all management groups that can be seen, parents before children; empty when none can."""
        ...

    def subscriptions(self, *, tenant: str) -> Sequence[Subscription]:
        """Return all subscriptions that can be seen, by id."""
        ...

    def resource_groups(self, *, tenant: str, subscription: str) -> Sequence[Mapping[str, Any]]:
        """Return the ARM bodies of the resource groups of a subscription."""
        ...

    def page(self, *, tenant: str, subscription: str, wanted: RelatedTypes, cursor: str | None = None) -> InventoryPage:
        """Return the next page of resources by id; the first has the subscription and its resource groups."""
        ...

    def containers(
        self, *, tenant: str, subscription: str, wanted: RelatedTypes, cursor: str | None = None
    ) -> InventoryPage:
        """Return the subscription and its resource groups alone, which are the first that `page` returns."""
        ...

    def ids(self, *, tenant: str, subscription: str, wanted: RelatedTypes, cursor: str | None = None) -> InventoryIds:
        """Return the next page of the ids of all resources that `page` lists by themselves, containers left out."""
        ...

    def changed(self, *, tenant: str, subscription: str, since: datetime, cursor: str | None = None) -> InventoryIds:
        """Return the next page of the ids that were created, updated or deleted since a time, repeated ones too.

        A change is told up to `CHANGE_DELAY` after it was made, and for `CHANGE_PERIOD`.
        """
        ...

    def rows(self, *, tenant: str, subscription: str, ids: Sequence[str], wanted: RelatedTypes) -> InventoryPage:
        """Return those of the resources with these ids that exist, as `page` would.

        `cursor` is the id after which to go on when the cloud asks to wait in the middle of it; None at the end.
        """
        ...

    def lists(self, *, tenant: str, resource_type: str) -> bool:
        """Return whether `ids` has resources of a type; others are found under those that they belong to."""
        ...

    def read(self, *, tenant: str, resource_id: str, wanted: RelatedTypes) -> Resource | None:
        """Return one resource, read with authority (not from an index that lags); None when it does not exist."""
        ...

    def providers(self, *, tenant: str) -> Iterator[Mapping[str, Any]]:
        """Yield the ARM bodies of all resource providers with their types and, expanded, the aliases of each."""
        ...

    def check(self, *, tenant: str, subscription: str, wanted: RelatedTypes) -> Sequence[PermissionCheck]:
        """Try each kind of call a scan of the subscription would make."""
        ...
