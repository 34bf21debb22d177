"""Routes: which handler answers which path."""

import re
from collections.abc import Callable, Mapping

from local.cloud import hierarchy, inline, listing, operation, provider, resource, tag
from local.cloud import kind as kinds
from local.cloud.address import Address, parse
from local.cloud.cloud import Cloud
from local.cloud.error import not_allowed
from local.cloud.message import Answer, Request

_Handler = Callable[..., Answer]


def _route(pattern: str) -> re.Pattern[str]:
    """A pattern in which {} stands for one segment of a path."""
    return re.compile(pattern.replace("{}", "([^/]+)") + "/?", re.IGNORECASE)


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
    (_route(".*/providers/microsoft.resources/operations/{}"), operation.status),
    (_route(".*/providers/microsoft.resources/operationresults/{}"), operation.result),
)
_VERBS: Mapping[str, _Handler] = {
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
    address = parse(request.path)
    if address.type.lower() == tag.TYPE.lower():
        return tag.handle(cloud, request, address)
    return _resource(cloud, request, address)


def _resource(cloud: Cloud, request: Request, address: Address) -> Answer:
    within = inline.holds(address)
    verbs = inline.VERBS if within else _VERBS
    if address.name and request.method in verbs:
        return verbs[request.method](cloud, request, address)
    if not address.name and request.method == "GET":
        return (inline.collection if within else listing.collection)(cloud, request, address)
    kinds.find(address.type)
    raise not_allowed(request.method, address.type)
