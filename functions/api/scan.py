"""Scans: start, list, follow and cancel them."""

from typing import Annotated

from fastapi import Body, Query, Request, Response

from functions.api import answer, stream
from functions.api.access import Known
from functions.api.answer import Listing, Page
from functions.api.idempotency import Starting
from functions.api.route import router as make_router
from shared.domain.scan import ACTIVE, Scan, ScanRequest, Status, Trigger
from shared.ports import documents
from shared.services import scan

router = make_router("Scans")
KIND = scan.KIND.name

EXAMPLES = {
    "everything": {"summary": "Collect and judge all there is", "value": {}},
    "one subscription": {"value": {"subscriptions": ["5d1c9c4e-0000-4000-8000-000000000001"]}},
    "stored": {"summary": "Judge what is stored, without reading the cloud", "value": {"collect": False}},
}


class ScanListing(Listing):
    """Chooses scans."""

    status: tuple[Status, ...] = ()


@router.post("/scans", status_code=202, response_model=Scan)
async def scan_start(
    work: Starting, asked: Annotated[ScanRequest, Body(openapi_examples=EXAMPLES)] = ScanRequest()
) -> Response:
    """Start a scan. One runs at a time: 409 while another has not ended."""
    caller = work.caller
    return await work.start(
        lambda new: scan.request(new, asked, Trigger.HTTP, store=caller.store, queue=caller.ports.queue),
        "/api/v1/scans/{id}",
    )


@router.get("/scans", response_model=Page[Scan])
def scan_list(request: Request, caller: Known, asked: Annotated[ScanListing, Query()]) -> Response:
    """The scans, latest first."""
    query = documents.Query(equals=answer.conditions(asked), order="requestedAt", descending=True)
    return answer.listing(request, caller, KIND, query, asked, show=answer.without("gaps", "shortfalls"))


@router.get("/scans/{id}", response_model=Scan)
def scan_get(request: Request, caller: Known, id: str) -> Response:
    """One scan, with its progress by subscription and what could not be read."""
    return answer.document(request, answer.find(caller, KIND, id))


@router.post("/scans/{id}/cancel", status_code=202, response_model=Scan)
async def scan_cancel(work: Starting, id: str) -> Response:
    """Ask a scan to stop; it does so before its next page. 409 when it has ended."""
    return await work.start(lambda _: scan.cancel(id, store=work.caller.store), f"/api/v1/scans/{id}")


@router.get("/scans/{id}/events", response_class=Response, responses=stream.RESPONSES)
async def scan_events(request: Request, caller: Known, id: str) -> Response:
    """What happens to a scan, as server-sent events, until it has ended; resume with Last-Event-ID."""
    return await stream.follow(request, stream.Subject(caller, KIND, id, ACTIVE))
