"""Permissions: whether the calls that a scan will make are allowed, and which role would fix those that are not."""

from typing import Annotated

from fastapi import Query, Request, Response

from functions.api import answer
from functions.api.access import Known
from functions.api.answer import Page
from functions.api.route import router as make_router
from shared.domain.inventory import PermissionCheck

router = make_router("Permissions")


@router.get("/permissions", response_model=Page[PermissionCheck])
def permission_check(
    request: Request, caller: Known, subscription: Annotated[str, Query(pattern="^[A-Za-z0-9-]{1,64}$")]
) -> Response:
    """Try each kind of call that a scan of the subscription would make."""
    checks = caller.ports.inventory.check(
        tenant=caller.tenant, subscription=subscription.lower(), wanted=caller.book.wanted
    )
    return answer.page(request, [each.model_dump(mode="json") for each in checks], None)
