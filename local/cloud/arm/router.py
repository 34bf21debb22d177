"""Routes: which handler serves which path."""

import re
from collections.abc import Callable, Mapping

from local.cloud.arm import child_resource, hierarchy, listing, operation, provider, resource, tag
from local.cloud.arm import resource_type as kinds
from local.cloud.arm.address import parse
from local.cloud.arm.error import not_allowed
from local.cloud.arm.http import ArmRequest, ArmResponse
from local.cloud.cloud import Cloud

_Handler = Callable[..., ArmResponse]


def _route(pattern: str) -> re.Pattern[str]:
    """Compile the pattern of a path in which {} stands for one segment."""
    return re.compile(pattern.replace("{}", "([^/]+)") + "/?", re.IGNORECASE)


# Lists and what is not a resource; a path that none of these matches is the address of a resource.
_GETS: tuple[tuple[re.Pattern[str], _Handler], ...] = (
    (_route("/subscriptions"), listing.subscriptions),
    (_route("/tenants"), listing.tenants),
    (_route("/subscriptions/{}/locations"), listing.locations),
    (_route("/subscriptions/{}/resourcegroups"), listing.resource_groups),
    (_route("/subscriptions/{}/resources"), listing.resources),
    (_route("/subscriptions/{}/resourcegroups/{}/resources"), listing.resources),
    (_route("/providers"), lambda _, request: provider.providers(request)),
    (_route("/subscriptions/{}/providers"), lambda _, request, scope: provider.providers(request, scope)),
    (_route("/providers/{}"), lambda _, request, name: provider.provider(request, "", name)),
    (_route("/subscriptions/{}/providers/{}"), lambda _, request, *names: provider.provider(request, *names)),
    (_route("/providers/microsoft.management/managementgroups"), hierarchy.groups),
    (_route("/providers/microsoft.management/managementgroups/{}"), hierarchy.group),
    (_route("/providers/microsoft.management/managementgroups/{}/descendants"), hierarchy.descendants),
    (_route(".*/providers/microsoft.resources/operations/{}"), operation.operation_status),
    (_route(".*/providers/microsoft.resources/operationresults/{}"), operation.operation_result),
)
_VERBS: Mapping[str, _Handler] = {
    "GET": resource.get,
    "HEAD": resource.head,
    "PUT": resource.put,
    "PATCH": resource.patch,
    "DELETE": resource.delete,
}


def route(cloud: Cloud, request: ArmRequest) -> ArmResponse:
    """Return the response of the handler that serves the path."""
    if not request.api_version:
        raise kinds.missing_version()
    if request.method == "GET":
        for pattern, handler in _GETS:
            if found := pattern.fullmatch(request.path):
                return handler(cloud, request, *found.groups())
    address = parse(request.path)
    if address.type.lower() == tag.TAGS_TYPE.lower():
        return tag.handle_tags(cloud, request, address)
    within = child_resource.is_child(address)
    verbs = child_resource.VERBS if within else _VERBS
    if address.name and request.method in verbs:
        return verbs[request.method](cloud, request, address)
    if not address.name and request.method == "GET":
        return (child_resource.collection if within else listing.collection)(cloud, request, address)
    # A type that does not exist is a 404, and not a method that it lacks.
    kinds.find_type(address.type)
    raise not_allowed(request.method, address.type)
