"""Rebuilds: rebuild all documents from the events, or compare them with the events."""

from typing import Annotated

from fastapi import Body, Request, Response

from functions.api.http import response
from functions.api.http.access import Authorized
from functions.api.http.idempotency import Idempotent
from functions.api.http.route import make_router
from shared.domain.rebuild import Rebuild, RebuildRequest
from shared.services import rebuild

router = make_router("Rebuilds")

EXAMPLES = {
    "rebuild": {"summary": "Rebuild all documents and put the new ones in use", "value": {}},
    "check": {"summary": "Compare the events with the documents in use", "value": {"check": True}},
}


@router.post("/rebuilds", status_code=202, response_model=Rebuild)
async def rebuild_start(
    idempotent: Idempotent, asked: Annotated[RebuildRequest, Body(openapi_examples=EXAMPLES)] = RebuildRequest()
) -> Response:
    """Rebuild all documents from the events while reads and scans go on, then put the new ones in use.

    With `check`, only compare them with those in use. 409 while another rebuild is running.
    """
    caller = idempotent.caller
    return await idempotent.start(
        lambda new: rebuild.request(
            new, asked, store=caller.store, generations=caller.ports.generations, queue=caller.ports.queue
        ),
        "/api/v1/rebuilds/latest",
    )


@router.get("/rebuilds/latest", response_model=Rebuild, responses={404: {}})
def rebuild_get(request: Request, caller: Authorized) -> Response:
    """Return the latest rebuild: its progress, what differed, and which events could not be projected."""
    return response.stored(request, rebuild.latest(store=caller.store))
