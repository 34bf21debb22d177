"""Resources as they are stored and listed, and how they changed between two readings."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from shared.domain.difference import Difference
from shared.domain.model import AnyCase, Model
from shared.domain.page import PageRequest


class ResourceListing(PageRequest):
    """Chooses resources; all conditions hold."""

    type: AnyCase | None = Field(
        default=None, max_length=256, description="Microsoft.Storage/storageAccounts, any case"
    )
    subscription: AnyCase | None = None
    resource_group: AnyCase | None = None
    owner: str | None = None
    environment: str | None = None
    location: str | None = None
    gone: bool = Field(default=False, description="deleted resources instead of existing ones")
    order: Literal["id", "changedAt"] = Field(
        default="id", description="`changedAt` lists the most recent change first"
    )


class ListedResource(Model):
    """A resource of a list. `id` is its key here, `resourceId` its ARM id."""

    id: str
    resource_id: str
    name: str
    type: str
    type_name: str
    location: str | None
    subscription: str
    resource_group: str | None
    parent: str | None
    owner: str | None
    environment: str | None
    first_seen: AwareDatetime
    changed_at: AwareDatetime
    collected_at: AwareDatetime
    gone: bool
    hash: str
    sequence: int


class StoredResource(ListedResource):
    """A resource with what was read of it: `body`, `apiVersion`, `unread`, `related`."""

    record: Mapping[str, Any]


class ResourceChange(Model):
    """The changes of a resource between two readings."""

    resource: str
    at: AwareDatetime
    kind: str
    differences: tuple[Difference, ...]
    sequence: int
