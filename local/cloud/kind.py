"""Kinds: the resource types the sandbox cloud knows, with their api-versions and habits."""

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from local.cloud.error import ArmError, bad_request
from local.template import Template, templates

_PLATFORM = Path(__file__).parent / "platform.json"


@functools.cache
def kinds() -> Mapping[str, Template]:
    """All types by lower-case name: those of the estate, and the platform's own."""
    known = {kind.type.lower(): kind for kind in (*_platform(), *_estate())}
    known["microsoft.resources/subscriptions/resourcegroups"] = known["microsoft.resources/resourcegroups"]
    return known


def find(resource_type: str) -> Template:
    """The kind of a type; ArmError 404 as Resource Manager answers for one that is not registered."""
    found = kinds().get(resource_type.lower())
    if found:
        return found
    namespace, _, rest = resource_type.partition("/")
    if any(each.startswith(namespace.lower() + "/") for each in kinds()):
        message = f"The resource type '{rest}' could not be found in the namespace '{namespace}' for api version ''."
        raise ArmError(404, "InvalidResourceType", message)
    raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")


def check_version(kind: Template, api_version: str) -> None:
    """ArmError 400 unless the type has the api-version."""
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
    """400: there is no api-version in the query."""
    message = "The api-version query parameter (?api-version=) is required for all requests."
    return bad_request("MissingApiVersionParameter", message)


def _estate() -> Iterator[Template]:
    for template in templates().values():
        for kind in template.family():
            yield kind
            yield from _parts(kind)


def _parts(kind: Template) -> Iterator[Template]:
    """The kinds of what is kept within the body of a kind."""
    for segment in kind.inline:
        yield Template(
            type=f"{kind.type}/{segment}", key="", name="", api_versions=kind.api_versions, patch="none", etag="body"
        )


def _platform() -> Iterator[Template]:
    for line in json.loads(_PLATFORM.read_text(encoding="utf-8")):
        yield Template(
            type=line["type"],
            key="",
            name="",
            api_versions=tuple(line["apiVersions"]),
            patch=line.get("patch", "none"),
            graph=line.get("graph"),
            slow=line.get("slow", False),
        )
