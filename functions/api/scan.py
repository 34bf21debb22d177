"""Scans: start, list, follow and cancel them."""

from typing import Annotated

from fastapi import Body, Query, Request, Response

from functions.api.http import response, stream
from functions.api.http.access import Authorized
from functions.api.http.idempotency import Idempotent
from functions.api.http.route import make_router
from shared.domain.page import Page, PageRequest
from shared.domain.scan import ACTIVE_STATUSES, Scan, ScanListing, ScanRequest, ScanTrigger, SubscriptionProgress
from shared.services.scan import scan

router = make_router("Scans")

EXAMPLES = {
    "changes": {"summary": "Collect what has changed, and evaluate", "value": {}},
    "one subscription": {"value": {"subscriptions": ["5d1c9c4e-0000-4000-8000-000000000001"]}},
    "everything again": {"summary": "Read everything again, whatever has changed", "value": {"mode": "full"}},
    "stored": {"summary": "Evaluate what is stored, without reading the cloud", "value": {"collect": False}},
}


@router.post("/scans", status_code=202, response_model=Scan)
async def scan_start(
    idempotent: Idempotent, asked: Annotated[ScanRequest, Body(openapi_examples=EXAMPLES)] = ScanRequest()
) -> Response:
    """Start a scan. Only one runs at a time: 409, naming the other, until that has ended."""
    caller = idempotent.caller
    return await idempotent.start(
        lambda new: scan.request(new, asked, ScanTrigger.HTTP, store=caller.store, queue=caller.ports.queue),
        "/api/v1/scans/{id}",
    )


@router.get("/scans", response_model=Page[Scan])
def scan_list(request: Request, caller: Authorized, asked: Annotated[ScanListing, Query()]) -> Response:
    """Return the scans, latest first."""
    return response.page(request, scan.list_(asked, store=caller.store), without=scan.MODEL.left_out)


@router.get("/scans/{id}", response_model=Scan)
def scan_get(request: Request, caller: Authorized, id: str) -> Response:
    """Return one scan, with how far it is and what could not be read."""
    return response.stored(request, scan.get(id, store=caller.store))


@router.get("/scans/{id}/subscriptions", response_model=Page[SubscriptionProgress])
def scan_subscriptions(
    request: Request, caller: Authorized, id: str, asked: Annotated[PageRequest, Query()]
) -> Response:
    """List how far a scan is in each of its subscriptions."""
    return response.page(request, scan.subscriptions(id, asked, store=caller.store))


@router.post("/scans/{id}/cancel", status_code=202, response_model=Scan)
async def scan_cancel(idempotent: Idempotent, id: str) -> Response:
    """Cancel a scan; it stops at once, even while it waits for the cloud. 409 when it has already ended."""
    caller = idempotent.caller
    return await idempotent.start(
        lambda _: scan.cancel(id, store=caller.store, queue=caller.ports.queue), f"/api/v1/scans/{id}"
    )


@router.get("/scans/{id}/events", response_class=Response, responses=stream.STREAM_RESPONSES)
async def scan_events(request: Request, caller: Authorized, id: str) -> Response:
    """Stream the events of a scan as server-sent events until it has ended; resume with Last-Event-ID."""
    return await stream.stream_events(request, stream.EventFeed(caller, scan.MODEL, scan.STREAM, id, ACTIVE_STATUSES))
