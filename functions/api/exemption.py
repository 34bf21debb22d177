"""Exemptions: non-compliant resources that an owner accepts until a date."""

from typing import Annotated

from fastapi import Body, Query, Request, Response
from pydantic import Field

from functions.api.http import response
from functions.api.http.access import Authorized
from functions.api.http.idempotency import Idempotent
from functions.api.http.route import make_router
from shared.domain.approval import DecisionReason
from shared.domain.exemption import Exemption, ExemptionListing, ExemptionRequest
from shared.domain.model import Model
from shared.domain.page import Page
from shared.services import exemption

router = make_router("Exemptions")

EXAMPLES = {
    "one resource": {
        "value": {
            "scope": (
                "/subscriptions/5d1c9c4e-0000-4000-8000-000000000001/resourceGroups/data"
                "/providers/Microsoft.Storage/storageAccounts/telemetry"
            ),
            "assignment": "security-baseline",
            "references": ["storage-secure-transfer"],
            "category": "Waiver",
            "reason": "Devices in the field speak plain HTTP until they are replaced in autumn.",
            "owner": "platform@example.com",
            "expiresAt": "2027-03-31T00:00:00Z",
        }
    }
}


REJECTION_EXAMPLES = {"too wide": {"value": {"reason": "One account is enough: ask for that, not for the group."}}}


class ExemptionRejection(Model):
    """The reason for rejecting an exemption."""

    reason: DecisionReason = Field(max_length=1000, description="why, in a sentence, for whoever asked for it")


@router.post("/exemptions", status_code=202, response_model=Exemption)
async def exemption_create(
    idempotent: Idempotent, asked: Annotated[ExemptionRequest, Body(openapi_examples=EXAMPLES)]
) -> Response:
    """Ask to exempt a scope from policies of an assignment, for a year at most; somebody else has to approve it."""
    caller = idempotent.caller
    return await idempotent.start(
        lambda new: exemption.create(
            new, asked, store=caller.store, queue=caller.ports.queue, policies=caller.policies
        ),
        "/api/v1/exemptions/{id}",
    )


@router.get("/exemptions", response_model=Page[Exemption])
def exemption_list(request: Request, caller: Authorized, asked: Annotated[ExemptionListing, Query()]) -> Response:
    """Return the exemptions, latest first, including ended ones."""
    return response.page(request, exemption.list_(asked, store=caller.store))


@router.get("/exemptions/{id}", response_model=Exemption)
def exemption_get(request: Request, caller: Authorized, id: str) -> Response:
    """Return one exemption."""
    return response.stored(request, exemption.get(id, store=caller.store))


@router.post("/exemptions/{id}/approve", status_code=202, response_model=Exemption)
async def exemption_approve(idempotent: Idempotent, id: str) -> Response:
    """Approve an exemption; whoever asked for it cannot. 409 unless it is pending."""
    caller = idempotent.caller
    return await idempotent.start(
        lambda _: exemption.approve(id, store=caller.store, queue=caller.ports.queue), _location(id)
    )


@router.post("/exemptions/{id}/reject", status_code=202, response_model=Exemption)
async def exemption_reject(
    idempotent: Idempotent, id: str, asked: Annotated[ExemptionRejection, Body(openapi_examples=REJECTION_EXAMPLES)]
) -> Response:
    """Reject an exemption. 409 unless it is pending."""
    caller = idempotent.caller
    return await idempotent.start(
        lambda _: exemption.reject(id, asked.reason, store=caller.store, queue=caller.ports.queue), _location(id)
    )


@router.post("/exemptions/{id}/withdraw", status_code=202, response_model=Exemption)
async def exemption_withdraw(idempotent: Idempotent, id: str) -> Response:
    """Withdraw an own request for an exemption. 409 unless it is pending."""
    caller = idempotent.caller
    return await idempotent.start(
        lambda _: exemption.withdraw(id, store=caller.store, queue=caller.ports.queue), _location(id)
    )


@router.post("/exemptions/{id}/revoke", status_code=202, response_model=Exemption)
async def exemption_revoke(idempotent: Idempotent, id: str) -> Response:
    """End an exemption early; what it covered is evaluated again. 409 unless it is active."""
    caller = idempotent.caller
    return await idempotent.start(
        lambda _: exemption.revoke(id, store=caller.store, queue=caller.ports.queue), _location(id)
    )


def _location(exemption_id: str) -> str:
    return f"/api/v1/exemptions/{exemption_id}"
