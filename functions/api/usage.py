"""Usage: what the document store has charged, by operation."""

from collections.abc import Mapping

from fastapi import Request, Response

from functions.api import answer
from functions.api.access import Known
from functions.api.route import router as make_router
from shared.domain.model import Model

router = make_router("Usage")


class Spent(Model):
    """Calls of one operation, and the request units they were charged."""

    calls: float
    units: float


class Usage(Model):
    """What the process that answered has spent since it began; empty where nothing is charged."""

    documents: Mapping[str, Spent]


@router.get("/usage", response_model=Usage)
def usage(request: Request, caller: Known) -> Response:
    """Request units of the document store by operation: Cosmos DB charges them, a file on this machine does not."""
    return answer.ok(request, {"documents": caller.ports.documents.request_units()})
