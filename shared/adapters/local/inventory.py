"""No cloud to read: what there is came from imports."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from shared.domain.error import NotFound
from shared.domain.inventory import ManagementGroup, PermissionCheck, Subscription
from shared.domain.resource import Resource
from shared.ports.inventory import InventoryIds, InventoryPage, RelatedTypes


class NoInventory:
    """Keeps the `Inventory` port where no cloud is connected: every call answers NotFound."""

    def management_groups(self, *, tenant: str) -> Sequence[ManagementGroup]:
        """See `Inventory.management_groups`."""
        _refuse(tenant)

    def subscriptions(self, *, tenant: str) -> Sequence[Subscription]:
        """See `Inventory.subscriptions`."""
        _refuse(tenant)

    def resource_groups(self, *, tenant: str, subscription: str) -> Sequence[Mapping[str, Any]]:  # noqa: ARG002
        """See `Inventory.resource_groups`."""
        _refuse(tenant)

    def page(
        self,
        *,
        tenant: str,
        subscription: str,  # noqa: ARG002 - the port's
        wanted: RelatedTypes,  # noqa: ARG002 - the port's
        cursor: str | None = None,  # noqa: ARG002 - the port's
    ) -> InventoryPage:
        """See `Inventory.page`."""
        _refuse(tenant)

    def containers(
        self,
        *,
        tenant: str,
        subscription: str,  # noqa: ARG002 - the port's
        wanted: RelatedTypes,  # noqa: ARG002 - the port's
        cursor: str | None = None,  # noqa: ARG002 - the port's
    ) -> InventoryPage:
        """See `Inventory.containers`."""
        _refuse(tenant)

    def ids(
        self,
        *,
        tenant: str,
        subscription: str,  # noqa: ARG002 - the port's
        wanted: RelatedTypes,  # noqa: ARG002 - the port's
        cursor: str | None = None,  # noqa: ARG002 - the port's
    ) -> InventoryIds:
        """See `Inventory.ids`."""
        _refuse(tenant)

    def changed(
        self,
        *,
        tenant: str,
        subscription: str,  # noqa: ARG002 - the port's
        since: datetime,  # noqa: ARG002 - the port's
        cursor: str | None = None,  # noqa: ARG002 - the port's
    ) -> InventoryIds:
        """See `Inventory.changed`."""
        _refuse(tenant)

    def rows(self, *, tenant: str, subscription: str, ids: Sequence[str], wanted: RelatedTypes) -> InventoryPage:  # noqa: ARG002
        """See `Inventory.rows`."""
        _refuse(tenant)

    def lists(self, *, tenant: str, resource_type: str) -> bool:  # noqa: ARG002 - the port's
        """See `Inventory.lists`."""
        _refuse(tenant)

    def read(self, *, tenant: str, resource_id: str, wanted: RelatedTypes) -> Resource | None:  # noqa: ARG002 - the port's
        """See `Inventory.read`."""
        _refuse(tenant)

    def providers(self, *, tenant: str) -> Iterator[Mapping[str, Any]]:
        """See `Inventory.providers`."""
        _refuse(tenant)

    def check(self, *, tenant: str, subscription: str, wanted: RelatedTypes) -> Sequence[PermissionCheck]:  # noqa: ARG002
        """See `Inventory.check`."""
        _refuse(tenant)


def _refuse(tenant: str) -> NoReturn:
    raise NotFound(f"no cloud is connected for tenant {tenant}: set CORTEX_CLOUD_ENDPOINT, or import an inventory")
