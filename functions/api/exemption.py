"""Exemptions: what somebody answers for, until a day that must be named."""

from typing import Annotated

from fastapi import Body, Query, Request, Response

from functions.api import answer
from functions.api.access import Known
from functions.api.answer import Listing, Page
from functions.api.idempotency import Starting
from functions.api.route import router as make_router
from shared.domain.exemption import Exemption, ExemptionRequest, Status
from shared.ports import documents
from shared.services import exemption

router = make_router("Exemptions")
KIND = exemption.KIND.name

EXAMPLES = {
    "one resource": {
        "value": {
            "scope": (
                "/subscriptions/5d1c9c4e-0000-4000-8000-000000000001/resourceGroups/data"
                "/providers/Microsoft.Storage/storageAccounts/telemetry"
            ),
            "policies": ["storage-secure-transfer"],
            "category": "Waiver",
            "reason": "Devices in the field speak plain HTTP until they are replaced in autumn.",
            "owner": "platform@example.com",
            "expiresAt": "2027-03-31T00:00:00Z",
        }
    }
}


class ExemptionListing(Listing):
    """Chooses exemptions."""

    status: tuple[Status, ...] = ()


@router.post("/exemptions", status_code=202, response_model=Exemption)
async def exemption_create(
    work: Starting, asked: Annotated[ExemptionRequest, Body(openapi_examples=EXAMPLES)]
) -> Response:
    """Exempt a scope from policies until a day within a year; what it covers is judged again at once."""
    caller = work.caller
    return await work.start(
        lambda new: exemption.create(
            new, asked, store=caller.store, queue=caller.ports.queue, policies=caller.book.entries
        ),
        "/api/v1/exemptions/{id}",
    )


@router.get("/exemptions", response_model=Page[Exemption])
def exemption_list(request: Request, caller: Known, asked: Annotated[ExemptionListing, Query()]) -> Response:
    """The exemptions, latest first; those that have ended too."""
    query = documents.Query(equals=answer.conditions(asked), descending=True)
    return answer.listing(request, caller, KIND, query, asked)


@router.get("/exemptions/{id}", response_model=Exemption)
def exemption_get(request: Request, caller: Known, id: str) -> Response:
    """One exemption."""
    return answer.document(request, answer.find(caller, KIND, id))


@router.post("/exemptions/{id}/revoke", status_code=202, response_model=Exemption)
async def exemption_revoke(work: Starting, id: str) -> Response:
    """End an exemption before its day; what it covered is judged again. 409 when it has ended."""
    caller = work.caller
    return await work.start(
        lambda _: exemption.revoke(id, store=caller.store, queue=caller.ports.queue), f"/api/v1/exemptions/{id}"
    )
