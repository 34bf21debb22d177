"""Resources: list and filter what was collected, read one, see how it changed."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import AwareDatetime, Field, StringConstraints

from functions.api import answer
from functions.api.access import Known
from functions.api.answer import Listing, Page
from functions.api.route import router as make_router
from shared.domain.difference import Difference
from shared.domain.model import Model
from shared.ports import documents
from shared.services.collection import CHANGE, RESOURCE

router = make_router("Resources")

Lower = Annotated[str, StringConstraints(to_lower=True)]
"""Text that is stored in lower case, asked for in any."""


class ResourceListing(Listing):
    """Chooses resources; all conditions hold."""

    type: Lower | None = Field(default=None, max_length=256, description="Microsoft.Storage/storageAccounts, any case")
    subscription: Lower | None = None
    resource_group: Lower | None = None
    owner: str | None = None
    location: str | None = None
    gone: bool = Field(default=False, description="those that were there once, instead of those that are")


class ListedResource(Model):
    """A resource as lists have it. `id` is its key here, `resourceId` its ARM id."""

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
    """How a resource changed between two readings."""

    resource: str
    at: AwareDatetime
    kind: str
    differences: tuple[Difference, ...]
    sequence: int


@router.get("/resources", response_model=Page[ListedResource])
def resource_list(request: Request, caller: Known, asked: Annotated[ResourceListing, Query()]) -> Response:
    """The resources, without their bodies."""
    query = documents.Query(equals=answer.conditions(asked))
    return answer.listing(request, caller, RESOURCE, query, asked, show=answer.without("record"))


@router.get("/resources/{id}", response_model=StoredResource)
def resource_get(request: Request, caller: Known, id: str) -> Response:
    """One resource by its key, with its body as it was last read."""
    return answer.document(request, answer.find(caller, RESOURCE, id))


@router.get("/resources/{id}/history", response_model=Page[ResourceChange])
def resource_history(request: Request, caller: Known, id: str, asked: Annotated[Listing, Query()]) -> Response:
    """How a resource changed, path by path, latest first."""
    answer.find(caller, RESOURCE, id)
    query = documents.Query(equals={"resource": id}, order="at", descending=True)
    return answer.listing(request, caller, CHANGE, query, asked)
