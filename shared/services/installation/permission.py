"""Try the calls that a scan makes, before it makes them, and find the command that allows what is not allowed."""

import shlex
from concurrent.futures import ThreadPoolExecutor

from shared.domain.error import CortexError, Forbidden, InvalidInput, NotFound, Throttled
from shared.domain.inventory import PermissionCheck
from shared.ports.inventory import Inventory, RelatedTypes

CHECKED_SUBSCRIPTIONS = 20
"""Subscriptions that are tried; the others are taken to be like them."""
PARALLEL_CHECKS = 4
PRINCIPAL = '"$(azd env get-value IDENTITY_PRINCIPAL_ID)"'
GRANT_COMMAND = (
    "az deployment mg create --management-group-id ID --location LOCATION --template-file infra/estate/main.bicep "
    f"--parameters principalId={PRINCIPAL}"
)
"""Reader on all subscriptions under a management group. Source: docs/deploy.md."""
SIGN_IN_REMEDY = "sign in with `az login`, or give the deployed app its identity: AZURE_CLIENT_ID, as infra/ does"
LISTING_CALL = "GET /subscriptions"
_LIST_PERMISSION = "Microsoft.Resources/subscriptions/read"


def check(*, tenant: str, inventory: Inventory, wanted: RelatedTypes) -> tuple[PermissionCheck, ...]:
    """Return every call for every visible subscription, those that are not allowed first: the order to fix them."""
    try:
        found = inventory.subscriptions(tenant=tenant)
    except CortexError as error:
        return (_listing(error=error),)
    if not found:
        return (_listing(message="no subscription is visible: the identity has no role on any"),)
    with ThreadPoolExecutor(PARALLEL_CHECKS) as pool:
        tries = pool.map(
            lambda each: _try(each.id, tenant=tenant, inventory=inventory, wanted=wanted), found[:CHECKED_SUBSCRIPTIONS]
        )
        tried = [each for checks in tries for each in checks]
    visible = "1 subscription is visible" if len(found) == 1 else f"{len(found)} subscriptions are visible"
    message = visible + (f", {CHECKED_SUBSCRIPTIONS} were tried" if len(found) > CHECKED_SUBSCRIPTIONS else "")
    # The listing comes first even where it is allowed: nothing else can be tried without it.
    whole = PermissionCheck(scope="/", call=LISTING_CALL, allowed=True, permission=_LIST_PERMISSION, message=message)
    return (whole, *sorted(tried, key=lambda each: each.allowed))


def check_one(
    subscription: str, *, tenant: str, inventory: Inventory, wanted: RelatedTypes
) -> tuple[PermissionCheck, ...]:
    """Return every call that a scan of one subscription would make, those that are not allowed first."""
    tried = inventory.check(tenant=tenant, subscription=subscription, wanted=wanted)
    return tuple(sorted((_with_remedy(each, subscription) for each in tried), key=lambda each: each.allowed))


def _try(subscription: str, *, tenant: str, inventory: Inventory, wanted: RelatedTypes) -> tuple[PermissionCheck, ...]:
    """Return the calls of one subscription; one that cannot be tried does not keep the others from being tried."""
    try:
        return check_one(subscription, tenant=tenant, inventory=inventory, wanted=wanted)
    except CortexError as error:
        scope = f"/subscriptions/{subscription}"
        return (PermissionCheck(scope=scope, call=scope, allowed=False, permission="", message=error.message),)


def _listing(*, message: str = "", error: CortexError | None = None) -> PermissionCheck:
    """Return the check of the list of subscriptions, which could not be read."""
    return PermissionCheck(
        scope="/",
        call=LISTING_CALL,
        allowed=False,
        permission=_LIST_PERMISSION,
        role="Reader",
        message=error.message if error else message,
        remedy=_remedy(error),
    )


def _remedy(error: CortexError | None) -> str:
    if isinstance(error, Forbidden) and error.permission is None:
        return SIGN_IN_REMEDY
    if error is None or isinstance(error, Forbidden):
        return GRANT_COMMAND
    if isinstance(error, Throttled):
        return f"try again in {error.retry_after:.0f} seconds"
    if isinstance(error, NotFound):
        return "set CORTEX_CLOUD_ENDPOINT to https://management.azure.com, and CORTEX_TENANT to your tenant"
    wrong = "set CORTEX_CLOUD_ENDPOINT to the address of Azure Resource Manager"
    if isinstance(error, InvalidInput):
        return wrong
    return f"{wrong}, let the app reach it, and give the app its identity (AZURE_CLIENT_ID)"


def _with_remedy(tried: PermissionCheck, subscription: str) -> PermissionCheck:
    if tried.allowed or tried.role is None:
        return tried
    scope = shlex.quote(f"/subscriptions/{subscription}")
    grant = (
        f"az role assignment create --assignee-object-id {PRINCIPAL} --assignee-principal-type ServicePrincipal "
        f"--role {shlex.quote(tried.role)} --scope {scope}"
    )
    return tried.model_copy(update={"remedy": grant})
