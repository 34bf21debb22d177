"""The resource types that the sandbox cloud knows, with their api-versions and how they behave."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path

from local.cloud.arm.error import ArmError, bad_request
from local.resource_template import ResourceTemplate, templates

_PLATFORM = Path(__file__).parent / "platform.json"


@functools.cache
def resource_types() -> Mapping[str, ResourceTemplate]:
    """Return all types by lower-case name: those of the estate, and those of the platform itself."""
    found = [
        ResourceTemplate(
            type=line["type"],
            key="",
            name="",
            api_versions=tuple(line["apiVersions"]),
            patch=line.get("patch", "none"),
            graph=line.get("graph"),
            slow=line.get("slow", False),
        )
        for line in json.loads(_PLATFORM.read_text(encoding="utf-8"))
    ]
    for kind in (kind for template in templates().values() for kind in template.family()):
        found.append(kind)
        # Children within a body are types of their own to whoever asks for them.
        for segment in kind.inline:
            child, versions = f"{kind.type}/{segment}", kind.api_versions
            found.append(
                ResourceTemplate(type=child, key="", name="", api_versions=versions, patch="none", etag="body")
            )
    # The estate's own types come last: where the platform has the same, theirs count.
    known = {kind.type.lower(): kind for kind in found}
    known["microsoft.resources/subscriptions/resourcegroups"] = known["microsoft.resources/resourcegroups"]
    return known


def find_type(resource_type: str) -> ResourceTemplate:
    """Return the template of a type; ArmError 404 when it is not registered."""
    found = resource_types().get(resource_type.lower())
    if found:
        return found
    namespace, _, rest = resource_type.partition("/")
    if any(each.startswith(namespace.lower() + "/") for each in resource_types()):
        message = f"The resource type '{rest}' could not be found in the namespace '{namespace}' for api version ''."
        raise ArmError(404, "InvalidResourceType", message)
    raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")


def check_version(kind: ResourceTemplate, api_version: str) -> None:
    """Check that the type has the api-version; ArmError 400 when it has not."""
    if not api_version:
        raise missing_version()
    if api_version.lower() in {version.lower() for version in kind.api_versions}:
        return
    supported = ", ".join(kind.api_versions)
    namespace, _, rest = kind.type.partition("/")
    if namespace in {"Microsoft.Resources", "Microsoft.Management"}:
        message = f"The api-version '{api_version}' is invalid. The supported versions are '{supported}'."
        raise bad_request("InvalidApiVersionParameter", message)
    message = (
        f"No registered resource provider found for location 'global' and API version '{api_version}' for type "
        f"'{rest}'. The supported api-versions are '{supported}'. The supported locations are ''."
    )
    raise bad_request("NoRegisteredProviderFound", message)


def missing_version() -> ArmError:
    """Return a 400: there is no api-version in the query."""
    message = "The api-version query parameter (?api-version=) is required for all requests."
    return bad_request("MissingApiVersionParameter", message)
