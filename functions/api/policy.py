"""Policies: the definitions of the catalog, and the controls that they serve."""

from typing import Annotated

from fastapi import Query, Request, Response

from functions.api.http import response
from functions.api.http.access import Authorized
from functions.api.http.route import make_router
from shared.domain.alias import AliasListing
from shared.domain.page import Page
from shared.domain.policy import ListedPolicy, PolicyEntry, PolicyListing
from shared.services.policy import alias_listing, catalog

router = make_router("Policies")


@router.get("/aliases", response_model=AliasListing)
def alias_get(request: Request, caller: Authorized) -> Response:
    """Return the state of the alias listing: its size, its age, and what a refresh waits for.

    Without a `hash` the tenant's own listing was not read yet, and only the packaged one is used.
    """
    found = alias_listing.find(caller.store) or AliasListing()
    return response.ok(request, found)


@router.get("/policies", response_model=Page[ListedPolicy])
async def policy_list(request: Request, caller: Authorized, asked: Annotated[PolicyListing, Query()]) -> Response:
    """Return the policies by name, without their definitions."""
    return response.page(request, catalog.list_(asked, catalog=caller.ports.catalog))


@router.get("/policies/{name}", response_model=PolicyEntry)
async def policy_get(request: Request, caller: Authorized, name: str) -> Response:
    """Return one policy with its definition, its controls and its remediation."""
    return response.ok(request, catalog.get(name, catalog=caller.ports.catalog))
