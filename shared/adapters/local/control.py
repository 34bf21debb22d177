"""No cloud to change."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from shared.domain.error import NotFound
from shared.domain.lock import ManagementLock
from shared.domain.resource import Snapshot
from shared.ports.control import Method


class NoControl:
    """Keeps the `Control` port where no cloud is connected: every call answers NotFound."""

    def read(self, *, tenant: str, resource_id: str, api_version: str) -> Snapshot | None:  # noqa: ARG002 - the port's
        """See `Control.read`."""
        _refuse(tenant)

    def locks(self, *, tenant: str, subscription: str) -> Sequence[ManagementLock]:  # noqa: ARG002 - the port's
        """See `Control.locks`."""
        _refuse(tenant)

    def write(
        self,
        *,
        tenant: str,
        method: Method,  # noqa: ARG002 - the port's
        resource_id: str,  # noqa: ARG002 - the port's
        api_version: str,  # noqa: ARG002 - the port's
        body: Mapping[str, Any] | None = None,  # noqa: ARG002 - the port's
        if_match: str | None = None,  # noqa: ARG002 - the port's
    ) -> Snapshot | None:
        """See `Control.write`."""
        _refuse(tenant)


def _refuse(tenant: str) -> NoReturn:
    raise NotFound(f"no cloud is connected for tenant {tenant}: set CORTEX_CLOUD_ENDPOINT to change one")
