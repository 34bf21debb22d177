"""Routes: which handler answers which path."""

import re
from collections.abc import Callable

from local.cloud import hierarchy, listing, operation, provider, resource
from local.cloud import kind as kinds
from local.cloud.address import parse
from local.cloud.cloud import Cloud
from local.cloud.error import ArmError, not_allowed
from local.cloud.message import Answer, Request

_Handler = Callable[..., Answer]


def _route(pattern: str) -> re.Pattern[str]:
    """A pattern in which {} stands for one segment of a path."""
    return re.compile(pattern.replace("{}", "([^/]+)") + "/?", re.IGNORECASE)


_GETS: tuple[tuple[re.Pattern[str], _Handler], ...] = (
    (_route("/subscriptions"), listing.subscriptions),
    (_route("/subscriptions/{}/resourcegroups"), listing.resource_groups),
    (_route("/subscriptions/{}/resources"), listing.resources),
    (_route("/subscriptions/{}/resourcegroups/{}/resources"), listing.resources),
    (_route("/providers"), provider.providers),
    (_route("/subscriptions/{}/providers"), provider.providers),
    (_route("(?:)/providers/{}"), lambda cloud, request, _, name: provider.provider(cloud, request, "", name)),
    (_route("/subscriptions/{}/providers/{}"), provider.provider),
    (_route("/providers/microsoft.management/managementgroups"), hierarchy.groups),
    (_route("/providers/microsoft.management/managementgroups/{}"), hierarchy.group),
    (_route("/providers/microsoft.management/managementgroups/{}/descendants"), hierarchy.descendants),
    (_route(".*/providers/microsoft.resources/operations/{}"), operation.status),
    (_route(".*/providers/microsoft.resources/operationresults/{}"), operation.result),
)
_VERBS: dict[str, _Handler] = {
    "GET": resource.get,
    "HEAD": resource.head,
    "PUT": resource.put,
    "PATCH": resource.patch,
    "DELETE": resource.delete,
}


def route(cloud: Cloud, request: Request) -> Answer:
    """The answer of the handler that the path leads to."""
    if not request.api_version:
        raise kinds.missing_version()
    if request.method == "GET":
        for pattern, handler in _GETS:
            if found := pattern.fullmatch(request.path):
                return handler(cloud, request, *found.groups())
    return _resource(cloud, request)


def _resource(cloud: Cloud, request: Request) -> Answer:
    address = parse(request.path)
    if request.method not in _VERBS:
        kinds.find(address.type)
        raise not_allowed(request.method, address.type)
    if address.name:
        return _VERBS[request.method](cloud, request, address)
    if request.method == "GET":
        return listing.collection(cloud, request, address)
    raise ArmError(
        405, "HttpMethodNotAllowed", f"The collection '{request.path}' does not support http method '{request.method}'."
    )
