"""Resources: list and filter what was collected, read one, see its history."""

from typing import Annotated

from fastapi import Query, Request, Response

from functions.api.http import response
from functions.api.http.access import Authorized
from functions.api.http.route import make_router
from shared.domain.page import Page, PageRequest
from shared.domain.stored_resource import ListedResource, ResourceChange, ResourceListing, StoredResource
from shared.services.estate import resource

router = make_router("Resources")


@router.get("/resources", response_model=Page[ListedResource])
def resource_list(request: Request, caller: Authorized, asked: Annotated[ResourceListing, Query()]) -> Response:
    """Return the resources, without their bodies."""
    return response.page(request, resource.list_(asked, store=caller.store))


@router.get("/resources/{id}", response_model=StoredResource)
def resource_get(request: Request, caller: Authorized, id: str) -> Response:
    """Return one resource by its key, with its body as it was last read."""
    return response.stored(request, resource.get(id, store=caller.store))


@router.get("/resources/{id}/history", response_model=Page[ResourceChange])
def resource_history(request: Request, caller: Authorized, id: str, asked: Annotated[PageRequest, Query()]) -> Response:
    """Return the changes of a resource, path by path, latest first."""
    return response.page(request, resource.history(id, asked, store=caller.store))
