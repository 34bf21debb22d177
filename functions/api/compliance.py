"""Compliance: the summary, one view of it, the trend."""

from typing import Annotated, Literal

from fastapi import Query, Request, Response

from functions.api.http import response
from functions.api.http.access import Authorized
from functions.api.http.route import make_router
from shared.domain.compliance import ComplianceSummary, TrendPoint
from shared.domain.page import Page
from shared.services import compliance

router = make_router("Compliance")

VIEWS = {"scope": "scopes", "policy": "policies", "owner": "owners"}


@router.get("/compliance/summary", response_model=ComplianceSummary, responses={404: {}})
def compliance_summary(
    request: Request,
    caller: Authorized,
    by: Annotated[Literal["scope", "policy", "owner"] | None, Query()] = None,
) -> Response:
    """Return the compliance of the tenant: evaluations by state, and the score. `by` chooses one view; default: all.

    `azurePercentage` is by Azure Policy's formula, but over evaluations, where the portal counts resources.

    `gaps` lists what could not be read; `asOf` is the age of the oldest data, overall and by scope.
    """
    found = compliance.summary(store=caller.store, policies=lambda: caller.policies)
    return response.stored(request, found, without=set(VIEWS.values()) - {VIEWS[by]} if by else ())


@router.get("/compliance/trend", response_model=Page[TrendPoint])
def compliance_trend(request: Request, caller: Authorized, limit: Annotated[int, Query(ge=1, le=365)] = 90) -> Response:
    """Return the totals at the end of the latest `limit` scans, oldest first."""
    points = compliance.trend(store=caller.store, limit=limit)
    return response.page(request, Page[TrendPoint](items=tuple(points)))
