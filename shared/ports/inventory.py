"""Inventory: what exists in the cloud, read page by page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shared.domain.inventory import Gap, ManagementGroup, PermissionCheck, Subscription
from shared.domain.resource import Resource

Wanted = Mapping[str, frozenset[str]]
"""Lower-case resource type -> lower-case types of related resources that must be read with it."""


@dataclass(frozen=True, slots=True)
class InventoryPage:
    """One page of resources with their related resources. `total` is how many the cloud says there are in all.

    `cursor` resumes after this page, also in another process and days later; None on the last page.
    """

    resources: Sequence[Resource]
    total: int | None
    cursor: str | None
    gaps: Sequence[Gap] = ()


class Inventory(Protocol):
    """Reads only. Short waits (up to ten seconds) are waited for inside; longer ones are raised as Throttled.

    Errors: Throttled with the wait the cloud asks for, Unavailable, Forbidden, NotFound when no cloud is connected
    for the tenant. What cannot be read within a page is a gap in the page or `unread` in a resource, not an error.
    """

    def management_groups(self, *, tenant: str) -> Sequence[ManagementGroup]:
        """All management groups that can be seen, parents before children; empty when none can."""
        ...

    def subscriptions(self, *, tenant: str) -> Sequence[Subscription]:
        """All subscriptions that can be seen, by id."""
        ...

    def resource_groups(self, *, tenant: str, subscription: str) -> Sequence[Mapping[str, Any]]:
        """ARM bodies of the resource groups of a subscription."""
        ...

    def page(self, *, tenant: str, subscription: str, wanted: Wanted, cursor: str | None = None) -> InventoryPage:
        """The next page of a subscription's resources by id; the first has the subscription and its resource groups."""
        ...

    def read(self, *, tenant: str, resource_id: str, wanted: Wanted) -> Resource | None:
        """One resource, read with authority (not from an index that lags); None when it does not exist."""
        ...

    def providers(self, *, tenant: str) -> Iterator[Mapping[str, Any]]:
        """ARM bodies of all resource providers with their types and, expanded, the aliases of each; streamed."""
        ...

    def check(self, *, tenant: str, subscription: str, wanted: Wanted) -> Sequence[PermissionCheck]:
        """Try each kind of call a scan of the subscription would make."""
        ...
