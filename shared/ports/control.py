"""Control: single reads and writes of resources by id, guarded by etags."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from shared.domain.lock import ManagementLock
from shared.domain.resource import Snapshot

Method = Literal["PUT", "PATCH", "DELETE"]


class Control(Protocol):
    """The only way the product changes a cloud.

    Errors: Throttled, Unavailable (also when the response was lost: the write may have happened), Forbidden with the
    missing permission, Stale when `if_match` no longer holds, InvalidInput when the cloud rejects the body (400),
    Conflict (409), Locked where a lock forbids it, NotFound when no cloud is connected for the tenant.
    """

    def read(self, *, tenant: str, resource_id: str, api_version: str) -> Snapshot | None:
        """Return the resource now; None when it does not exist."""
        ...

    def locks(self, *, tenant: str, subscription: str) -> Sequence[ManagementLock]:
        """List the locks of a subscription: its own, and those of all groups and resources in it."""
        ...

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
        """Write and wait for a long-running operation to end; return the resource as answered, None for DELETE.

        `if_match` "*" means that it must exist; a PUT with `if_match=None` may create.
        """
        ...
