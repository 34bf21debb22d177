"""The permission self-test: each kind of call a scan makes, tried on one resource of each type."""

from collections.abc import Callable, Sequence

from shared.adapters.azure import graph, resource_type
from shared.adapters.azure.arm import Arm
from shared.adapters.azure.related import RelatedReader
from shared.adapters.azure.resource_type import GROUP, SUBSCRIPTION, ResourceTypes
from shared.domain.error import CortexError, Throttled
from shared.domain.inventory import PermissionCheck
from shared.domain.resource import Resource, Unread
from shared.ports.inventory import RelatedTypes


def check(
    arm: Arm, types: ResourceTypes, subscription: str, wanted: RelatedTypes, relatives: RelatedReader
) -> Sequence[PermissionCheck]:
    """Try each kind of call; a type of which the subscription has no resource is not tried."""
    scope = f"/subscriptions/{subscription}"
    groups = f"{scope}/resourceGroups"
    calls: tuple[tuple[str, str, Callable[[], object]], ...] = (
        (f"GET {scope}", f"{SUBSCRIPTION}/read", lambda: arm.get(scope, resource_type.SUBSCRIPTION_VERSION)),
        (f"GET {groups}", f"{GROUP}/read", lambda: next(arm.items(groups, resource_type.GROUP_VERSION), None)),
        ("Resource Graph query", "Microsoft.ResourceGraph/resources/read", lambda: _sample(arm, subscription)),
    )
    found = [_tried(scope, *call) for call in calls]
    listed = types.listed_under(wanted)
    for parent in sorted({*wanted, *listed}):
        kinds = sorted({*wanted.get(parent, ()), *listed.get(parent, ())})
        sample = _parent(arm, subscription, parent) if kinds else None
        found += [_listed(sample, kind, types, relatives) for kind in kinds] if sample else []
    return found


def _tried(scope: str, call: str, permission: str, action: Callable[[], object]) -> PermissionCheck:
    try:
        action()
    # It says nothing about permissions.
    except Throttled:
        raise
    except CortexError as error:
        needed = getattr(error, "permission", None) or permission
        return PermissionCheck(
            scope=scope, call=call, allowed=False, permission=needed, role="Reader", message=error.message
        )
    return PermissionCheck(scope=scope, call=call, allowed=True, permission=permission)


def _listed(parent: Resource, kind: str, types: ResourceTypes, relatives: RelatedReader) -> PermissionCheck:
    row = types[kind]
    found = relatives.listing(parent, kind)
    call = f"GET {parent.id}{types.list_path(parent.type, kind)}"
    if not isinstance(found, Unread):
        return PermissionCheck(scope=parent.id, call=call, allowed=True, permission=row.action)
    return PermissionCheck(
        scope=parent.id,
        call=call,
        allowed=False,
        permission=found.permission or row.action,
        role=(row.role or "Reader") if found.permission else None,
        message=f"{row.type} cannot be read ({found.reason})",
    )


def _parent(arm: Arm, subscription: str, kind: str) -> Resource | None:
    if kind == SUBSCRIPTION.lower():
        return Resource({"id": f"/subscriptions/{subscription}", "type": SUBSCRIPTION})
    if kind == GROUP.lower():
        groups = arm.items(f"/subscriptions/{subscription}/resourceGroups", resource_type.GROUP_VERSION)
        return next((Resource({**body, "type": GROUP}) for body in groups), None)
    return _sample(arm, subscription, f"resources | where type =~ '{kind}' | project id, type | order by id asc")


def _sample(arm: Arm, subscription: str, query: str = graph.QUERY) -> Resource | None:
    rows = graph.page(arm, subscription, size=1, query=query).rows
    return Resource(dict(rows[0])) if rows else None
