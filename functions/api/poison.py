"""Poison messages: queue messages that could not be processed, and why."""

from typing import Annotated

from fastapi import Query, Request, Response

from functions.api.http import response
from functions.api.http.access import Authorized
from functions.api.http.route import make_router
from shared.domain.page import Page, PageRequest
from shared.domain.poison import PoisonMessage
from shared.services import poison

router = make_router("Health")


@router.get("/poison", response_model=Page[PoisonMessage])
def poison_list(request: Request, caller: Authorized, asked: Annotated[PageRequest, Query()]) -> Response:
    """Return the messages that failed on every delivery, newest first: queue, time, reason, and their first bytes."""
    return response.page(request, poison.list_(asked, store=caller.store))
