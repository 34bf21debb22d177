"""Control: single reads and writes of resources by id, guarded by etags."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Method = Literal["PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A resource as the cloud returned it. `etag` is None for types that have none."""

    body: Mapping[str, Any]
    etag: str | None


class Control(Protocol):
    """The only way the product changes a cloud.

    Errors: Throttled, Unavailable (also when the answer was lost: the write may have happened), Forbidden with the
    missing permission, Stale when `if_match` no longer holds, InvalidInput when the cloud refuses the body (400),
    Conflict (409), NotFound when no cloud is connected for the tenant.
    """

    def read(self, *, tenant: str, resource_id: str, api_version: str) -> Snapshot | None:
        """The resource now; None when it does not exist."""
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
        """Write and wait for a long-running operation to end; the resource as answered, None for DELETE.

        `if_match` "*" means that it must exist; a PUT with `if_match=None` may create.
        """
        ...
