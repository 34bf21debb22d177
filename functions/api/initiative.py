"""Initiatives of the catalog, and the assignments that bring policies into force."""

from typing import Annotated

from fastapi import Query, Request, Response

from functions.api.http import response
from functions.api.http.access import Authorized
from functions.api.http.route import make_router
from shared.domain.assignment import AssignmentSummary
from shared.domain.initiative import InitiativeSummary
from shared.domain.page import Page, PageRequest
from shared.services.policy import assignment, initiative

router = make_router("Policies")


@router.get("/assignments", response_model=Page[AssignmentSummary])
def assignment_list(request: Request, caller: Authorized, asked: Annotated[PageRequest, Query()]) -> Response:
    """Return the assignments in force, by id: the default one of the security baseline, and the deployment's own."""
    return response.page(request, assignment.list_(asked, policies=caller.policies))


@router.get("/initiatives", response_model=Page[InitiativeSummary])
def initiative_list(request: Request, caller: Authorized, asked: Annotated[PageRequest, Query()]) -> Response:
    """Return the initiatives of the catalog by name, without their members."""
    return response.page(request, initiative.list_(asked, policies=caller.policies))


@router.get("/initiatives/{name}", response_model=InitiativeSummary)
def initiative_get(request: Request, caller: Authorized, name: str) -> Response:
    """Return one initiative: its members with their definitions and parameter values."""
    return response.ok(request, initiative.get(name, policies=caller.policies))
