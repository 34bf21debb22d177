"""Usage: request units of the document store, by operation."""

from fastapi import Request, Response

from functions.api.http import response
from functions.api.http.access import Authorized
from functions.api.http.route import make_router
from shared.domain.usage import Usage
from shared.services.installation import usage as usages

router = make_router("Usage")


@router.get("/usage", response_model=Usage)
def usage(request: Request, caller: Authorized) -> Response:
    """Return the request units of the document store by operation; Cosmos DB charges them, a local file does not."""
    return response.ok(request, usages.summary(documents=caller.ports.documents))
