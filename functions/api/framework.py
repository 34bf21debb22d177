"""Frameworks: how the controls of standards and laws stand."""

from typing import Annotated

from fastapi import Query, Request, Response

from functions.api.http import response
from functions.api.http.access import Authorized
from functions.api.http.route import make_router
from shared.domain.framework import ControlListing, ControlSummary, FrameworkSummary
from shared.domain.page import Page, PageRequest
from shared.services import framework

router = make_router("Frameworks")


@router.get("/frameworks", response_model=Page[FrameworkSummary], responses={404: {}})
def framework_list(request: Request, caller: Authorized, asked: Annotated[PageRequest, Query()]) -> Response:
    """Return the frameworks by id: how many of their controls are met, and how many nothing here can show.

    The score is over evaluations, as in the compliance summary; the weighted score lets severe policies weigh more.
    404 before the first scan has ended.
    """
    found = framework.list_(asked, store=caller.store, catalog=caller.ports.catalog, policies=lambda: caller.policies)
    return response.page(request, found)


@router.get("/frameworks/{id}", response_model=FrameworkSummary)
def framework_get(
    request: Request, caller: Authorized, id: str, baseline: Annotated[str | None, Query(max_length=64)] = None
) -> Response:
    """Return one framework, or one of its baselines: its controls by state and by how they are shown."""
    found = framework.get(
        id, baseline, store=caller.store, catalog=caller.ports.catalog, policies=lambda: caller.policies
    )
    return response.ok(request, found)


@router.get("/frameworks/{id}/controls", response_model=Page[ControlSummary])
def framework_controls(
    request: Request, caller: Authorized, id: str, asked: Annotated[ControlListing, Query()]
) -> Response:
    """Return the controls of a framework in its order: how each is shown, how it stands, why, and by which policies."""
    found = framework.controls(
        id, asked, store=caller.store, catalog=caller.ports.catalog, policies=lambda: caller.policies
    )
    return response.page(request, found)
