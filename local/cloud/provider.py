"""Resource providers: their types, api-versions and aliases."""

import functools
from collections.abc import Iterator, Mapping, Sequence

from local.cloud import kind as kinds
from local.cloud.error import ArmError
from local.cloud.message import Answer, Request, answer
from local.stack import REGIONS
from local.template import Template
from shared.domain.resource import Json

_ALIASED = ("sku", "kind", "identity", "zones", "properties")
_TYPES = {bool: "Boolean", int: "Integer", float: "Number", str: "String", list: "Array", dict: "Object"}


def providers(request: Request, subscription: str = "") -> Answer:
    """All resource providers."""
    kinds.check_version(kinds.find("Microsoft.Resources/providers"), request.api_version)
    names = sorted({kind.type.partition("/")[0].lower() for kind in kinds.kinds().values()})
    return answer({"value": [_provider(request, subscription, name) for name in names]})


def provider(request: Request, subscription: str, namespace: str) -> Answer:
    """One resource provider; $expand=resourceTypes/aliases adds the aliases of its types."""
    kinds.check_version(kinds.find("Microsoft.Resources/providers"), request.api_version)
    return answer(_provider(request, subscription, namespace))


def _provider(request: Request, subscription: str, namespace: str) -> dict[str, Json]:
    own = [kind for key, kind in kinds.kinds().items() if key.partition("/")[0] == namespace.lower()]
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


def _type(kind: Template) -> dict[str, Json]:
    return {
        "resourceType": kind.type.partition("/")[2],
        "locations": list(REGIONS.values()) if "location" in kind.body else [],
        "apiVersions": list(kind.api_versions),
        "defaultApiVersion": kind.api_versions[0],
        "capabilities": _capabilities(kind),
    }


def _capabilities(kind: Template) -> str:
    """What a type supports, by what its bodies hold; a location without tags only repeats the owner's."""
    if kind.body.get("tags") is None:
        return "None"
    return "SupportsTags, SupportsLocation" if kind.body.get("location") else "SupportsTags"


@functools.cache
def aliases(resource_type: str) -> Sequence[Mapping[str, Json]]:
    """The aliases of a type: a name for every path that its bodies have.

    Nearly all names in Azure follow from the path: the type, then the path without "properties". Paths that one type
    reaches in several ways are told once.
    """
    kind = kinds.find(resource_type)
    found: dict[str, Mapping[str, Json]] = {}
    for member in _ALIASED:
        if member in kind.body:
            for path, value in _paths(member, kind.body[member]):
                alias = _alias(kind, path, value)
                found.setdefault(alias["name"].lower(), alias)
    return list(found.values())


def _alias(kind: Template, path: str, value: Json) -> Mapping[str, Json]:
    short = path.removeprefix("properties.").replace("[*].properties.", "[*].")
    attributes = "Modifiable" if short in kind.modifiable else "None"
    return {
        "name": f"{kind.type}/{short}",
        "paths": [],
        "defaultPath": path,
        "defaultMetadata": {"type": _TYPES.get(type(value), "NotSpecified"), "attributes": attributes},
    }


def _paths(path: str, value: Json) -> Iterator[tuple[str, Json]]:
    """Every path at and below a value of a template, with an example of what is there."""
    for each in _choices(value):
        if path != "properties":
            yield path, each
        if isinstance(each, Mapping):
            for name, inner in each.items():
                yield from _paths(f"{path}.{name}", inner)
        elif isinstance(each, list):
            for inner in each or [""]:
                yield from _paths(f"{path}[*]", inner)


def _choices(value: Json) -> Sequence[Json]:
    """What a value can be: the choices of a pick, or the value itself."""
    picked = isinstance(value, Mapping) and "$pick" in value
    return [each for each in value["$pick"] if each != "$absent"] if picked else [value]
