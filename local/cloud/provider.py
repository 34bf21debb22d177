"""Resource providers: their types, api-versions and aliases."""

from collections.abc import Iterator, Mapping

from local.cloud.cloud import Cloud
from local.cloud.error import ArmError
from local.cloud.kind import kinds
from local.cloud.message import Answer, Request, answer
from local.template import Template
from shared.domain.resource import Json

_LOCATIONS = ("West Europe", "North Europe", "Germany West Central", "Sweden Central", "East US")


def providers(cloud: Cloud, request: Request, subscription: str = "") -> Answer:
    """All resource providers."""
    names = sorted({kind.type.partition("/")[0] for kind in kinds().values()})
    return answer({"value": [_provider(name, subscription, request) for name in names]})


def provider(cloud: Cloud, request: Request, subscription: str, namespace: str) -> Answer:
    """One resource provider; $expand=resourceTypes/aliases adds the aliases of its types."""
    return answer(_provider(namespace, subscription, request))


def _provider(namespace: str, subscription: str, request: Request) -> dict[str, Json]:
    own = [kind for key, kind in kinds().items() if key.partition("/")[0] == namespace.lower()]
    if not own:
        raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
    name = own[0].type.partition("/")[0]
    aliases = "aliases" in request.query.get("$expand", "").lower()
    return {
        "id": f"/subscriptions/{subscription}/providers/{name}" if subscription else f"/providers/{name}",
        "namespace": name,
        "resourceTypes": [_type(kind, aliases=aliases) for kind in own],
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
    }


def _type(kind: Template, *, aliases: bool) -> dict[str, Json]:
    tracked = "location" in kind.body
    shown: dict[str, Json] = {
        "resourceType": kind.type.partition("/")[2],
        "locations": list(_LOCATIONS) if tracked else [],
        "apiVersions": list(kind.api_versions),
        "defaultApiVersion": kind.api_versions[0],
        "capabilities": "SupportsTags, SupportsLocation" if tracked else "None",
    }
    if aliases:
        shown["aliases"] = list(_aliases(kind))
    return shown


def _aliases(kind: Template) -> Iterator[Mapping[str, Json]]:
    return iter(())
