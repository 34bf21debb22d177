"""Permissions: whether the calls of a scan are allowed, and which role would allow the others."""

from typing import Annotated

from fastapi import Query, Request, Response

from functions.api.http import response
from functions.api.http.access import Authorized
from functions.api.http.route import make_router
from shared.domain.import_job import SUBSCRIPTION_PATTERN
from shared.domain.inventory import PermissionCheck
from shared.domain.page import Page
from shared.services.installation import permission

router = make_router("Permissions")


@router.get("/permissions", response_model=Page[PermissionCheck])
def permission_check(
    request: Request,
    caller: Authorized,
    subscription: Annotated[str | None, Query(pattern=SUBSCRIPTION_PATTERN)] = None,
) -> Response:
    """Try each kind of call that a scan makes, for one subscription or for all that are visible.

    Refused calls come first, with the command that would allow them.
    """
    ports, tenant, wanted = caller.ports, caller.tenant, caller.policies.wanted
    if subscription is None:
        checks = permission.check(tenant=tenant, inventory=ports.inventory, wanted=wanted)
    else:
        checks = permission.check_one(subscription.lower(), tenant=tenant, inventory=ports.inventory, wanted=wanted)
    return response.page(request, Page[PermissionCheck](items=tuple(checks)))
