"""Resource providers: their types, api-versions and aliases."""

import functools
from collections.abc import Iterator, Mapping, Sequence

from local.cloud.arm import resource_type as kinds
from local.cloud.arm.error import ArmError
from local.cloud.arm.http import ArmRequest, ArmResponse, json_response
from local.resource_template import ResourceTemplate
from local.workload import REGIONS
from shared.domain.resource import Json

_ALIASED = ("sku", "kind", "identity", "zones", "properties")
_TYPES = {bool: "Boolean", int: "Integer", float: "Number", str: "String", list: "Array", dict: "Object"}


def providers(request: ArmRequest, subscription: str = "") -> ArmResponse:
    """Return all resource providers."""
    kinds.check_version(kinds.find_type("Microsoft.Resources/providers"), request.api_version)
    names = sorted({kind.type.partition("/")[0].lower() for kind in kinds.resource_types().values()})
    return json_response({"value": [_provider(request, subscription, name) for name in names]})


def provider(request: ArmRequest, subscription: str, namespace: str) -> ArmResponse:
    """Return one resource provider; $expand=resourceTypes/aliases adds the aliases of its types."""
    kinds.check_version(kinds.find_type("Microsoft.Resources/providers"), request.api_version)
    return json_response(_provider(request, subscription, namespace))


def _provider(request: ArmRequest, subscription: str, namespace: str) -> dict[str, Json]:
    own = [kind for key, kind in kinds.resource_types().items() if key.partition("/")[0] == namespace.lower()]
    if not own:
        raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
    name = own[0].type.partition("/")[0]
    expand = "aliases" in request.query.get("$expand", "").lower()
    scope = f"/subscriptions/{subscription}" if subscription else ""
    return {
        "id": f"{scope}/providers/{name}",
        "namespace": name,
        "resourceTypes": [{**_type(kind), **({"aliases": aliases(kind.type)} if expand else {})} for kind in own],
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
    }


def _type(kind: ResourceTemplate) -> dict[str, Json]:
    supported = "None"
    # Judged by the bodies; a location without tags only repeats the parent's.
    if kind.body.get("tags") is not None:
        supported = "SupportsTags, SupportsLocation" if kind.body.get("location") else "SupportsTags"
    return {
        "resourceType": kind.type.partition("/")[2],
        "locations": list(REGIONS.values()) if "location" in kind.body else [],
        "apiVersions": list(kind.api_versions),
        "defaultApiVersion": kind.api_versions[0],
        "capabilities": supported,
    }


@functools.cache
def aliases(resource_type: str) -> Sequence[Mapping[str, Json]]:
    """Return the aliases of a type: a name for every path that its bodies have.

    Nearly all names in Azure follow from the path: the type, then the path without "properties". A path that one
    type reaches in several ways is listed once.
    """
    kind = kinds.find_type(resource_type)
    found: dict[str, Mapping[str, Json]] = {}
    for member in _ALIASED:
        if member in kind.body:
            for path, value in _paths(member, kind.body[member]):
                alias = _alias(kind, path, value)
                found.setdefault(alias["name"].lower(), alias)
    return list(found.values())


def _alias(kind: ResourceTemplate, path: str, value: Json) -> Mapping[str, Json]:
    short = path.removeprefix("properties.").replace("[*].properties.", "[*].")
    attributes = "Modifiable" if short in kind.modifiable else "None"
    return {
        "name": f"{kind.type}/{short}",
        "paths": [],
        "defaultPath": path,
        "defaultMetadata": {"type": _TYPES.get(type(value), "NotSpecified"), "attributes": attributes},
    }


def _paths(path: str, value: Json) -> Iterator[tuple[str, Json]]:
    """Yield every path at and below a value of a template, with an example of what is there."""
    picked = isinstance(value, Mapping) and "$pick" in value
    # Every choice of a pick is possible, so the paths of all of them count.
    for each in (each for each in value["$pick"] if each != "$absent") if picked else (value,):
        if path != "properties":
            yield path, each
        if isinstance(each, Mapping):
            for name, inner in each.items():
                yield from _paths(f"{path}.{name}", inner)
        elif isinstance(each, list):
            for inner in each or [""]:  # an empty array still has the path of its members
                yield from _paths(f"{path}[*]", inner)
