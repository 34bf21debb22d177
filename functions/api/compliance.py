"""Compliance: the stored summary, one view of it, the trend."""

from typing import Annotated, Literal

from fastapi import Query, Request, Response

from functions.api import answer
from functions.api.access import Known
from functions.api.answer import Page
from functions.api.route import router as make_router
from shared.domain.compliance import Summary, TrendPoint
from shared.domain.error import NotFound
from shared.services import compliance

router = make_router("Compliance")

VIEWS = {"scope": "scopes", "policy": "policies", "framework": "frameworks", "owner": "owners"}


@router.get("/compliance/summary", response_model=Summary)
def compliance_summary(
    request: Request,
    caller: Known,
    by: Annotated[Literal["scope", "policy", "framework", "owner"] | None, Query()] = None,
) -> Response:
    """How the tenant stands: pairs by state and the score; `by` leaves one view in, without it all are there."""
    stored = caller.ports.documents.get(tenant=caller.tenant, kind=compliance.KIND, id=compliance.TENANT)
    if stored is None:
        raise NotFound("no scan has ended yet; start one with POST /api/v1/scans")
    left_out = set(VIEWS.values()) - {VIEWS[by]} if by else set()
    body = {name: value for name, value in stored.body.items() if name not in left_out}
    return answer.ok(request, body, etag=f"{stored.etag}-{by or 'all'}")


@router.get("/compliance/trend", response_model=Page[TrendPoint])
def compliance_trend(request: Request, caller: Known, limit: Annotated[int, Query(ge=1, le=365)] = 90) -> Response:
    """The totals when scans ended, oldest first, the latest `limit` of them."""
    points = compliance.trend(store=caller.store, limit=limit)
    return answer.page(request, [each.model_dump(mode="json") for each in points], None)
