"""Resources that an exported template deploys, as far as the template and its origin say what they are.

Sources: "Understand the structure and syntax of ARM templates", "Deploy resources to subscription", "Deploy resources
to management group", "Extension resources".
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.domain import json_text
from shared.domain.arm_id import type_of
from shared.domain.error import InvalidInput
from shared.domain.import_job import ImportOrigin
from shared.domain.json_text import Unreadable
from shared.domain.resource import Json, JsonObject, Resource, Unread
from shared.domain.spelling import lowered
from shared.engine.context import Context
from shared.engine.templates import expand_template

PARAMETERS_PATH = "$.parameters"
"""Path of errors that all resources of a template have alike."""
_SECTIONS = frozenset({"parameters", "variables", "functions"})
_EXISTENCE = frozenset({"name", "type", "condition", "copy.count"})
"""Parts of a resource in a template without which it is not known that there is one."""
_PARAMETER = re.compile(r"not known here: parameters\('([^']+)'\)")
_WRITTEN_AS_JSON = frozenset({"int", "bool", "array", "object", "secureobject"})
_SUBSCRIPTION_SCHEMA = "subscriptiondeploymenttemplate.json"
_MANAGEMENT_GROUP_SCHEMA = "managementgroupdeploymenttemplate.json"
_TENANT_SCHEMA = "tenantdeploymenttemplate.json"
_NOT_LOCATED = "a template does not say where its resources are: name the "


def deployed_resources(
    template: Mapping[str, Any], declared: Json, origin: ImportOrigin, *, draft: bool
) -> Iterator[Resource]:
    """Yield the resources that one resource of a template deploys: itself with its children, or nested deployments.

    Values that only a deployment knows, or a function that is not known here, count as unread, with the reason. With
    `draft` resources need no id, and so no name.

    Raises:
        InvalidInput: it is not known whether there is such a resource, or where.
    """
    sections = {name: each for name, each in template.items() if name.lower() in _SECTIONS and each}
    schema = str(template.get("$schema", "")).rstrip("#").rpartition("/")[2].lower()
    context, scope = _surroundings(schema, origin)
    expanded = expand_template(
        {**sections, "resources": [declared]},
        _parameter_values(sections, origin.parameters),
        context,
        {"location": origin.location} if origin.location else None,
        scope,
    )
    for found in expanded:
        unknown = found.get("unknown", {})
        for part in (_EXISTENCE - {"name"} if draft else _EXISTENCE) & unknown.keys():
            raise InvalidInput(f"{part} is {unknown[part]}{_missing_parameter(unknown[part])}")
        if "id" not in found and not draft:
            given = _missing_parameter(unknown.get("scope", ""))
            raise InvalidInput(
                f"scope is {unknown['scope']}{given}" if given else _NOT_LOCATED + _missing_origin(schema)
            )
        body, unread = _known_body(found["body"], {part: why for part, why in unknown.items() if part != "scope"})
        if "id" in found:
            body = {"id": found["id"], **body}
        if "/providers/" in body["type"] and "id" in body:
            # Before extension resources had a scope, their types began with the type of what they extend.
            body |= {"type": type_of(body["id"]), "name": body["id"].rpartition("/")[2]}
        yield Resource(body, found["apiVersion"], unread=unread)


def _surroundings(schema: str, origin: ImportOrigin) -> tuple[Context, str | None]:
    """Return what is known of where a template of this schema is deployed, and the scope where that is neither."""
    if schema == _TENANT_SCHEMA:
        return Context(), ""
    if schema == _MANAGEMENT_GROUP_SCHEMA:
        group = origin.management_group
        return Context(), f"/providers/Microsoft.Management/managementGroups/{group}" if group else None
    scope = f"/subscriptions/{origin.subscription}"
    subscription = {"id": scope, "subscriptionId": origin.subscription} if origin.subscription else None
    if schema == _SUBSCRIPTION_SCHEMA:
        return Context(subscription=subscription), None
    # Without a name the group is still there: what its template deploys is not in the subscription itself.
    name = origin.resource_group
    known = {"id": f"{scope}/resourceGroups/{name}" if name else None, "name": name, "location": origin.location}
    around = {member: each for member, each in known.items() if each}
    return Context(subscription=subscription, resource_group=around), None


def _parameter_values(sections: Mapping[str, Any], given: Mapping[str, Json]) -> dict[str, Json]:
    """Return the given values as the declarations want them: numbers, lists and objects may come as text.

    Raises:
        InvalidInput: the template declares no parameter of a given name.
    """
    declared = lowered(next((each for name, each in sections.items() if name.lower() == "parameters"), {}))
    for name in given:
        if name.lower() not in declared:
            message = f"parameters: the template declares none that is called '{name[:60]}'"
            raise InvalidInput(message, path=PARAMETERS_PATH)
    return {name: _typed(each, declared[name.lower()]) for name, each in given.items()}


def _typed(given: Json, declaration: Json) -> Json:
    kind = str(lowered(declaration).get("type")).lower() if isinstance(declaration, Mapping) else ""
    if not isinstance(given, str) or kind not in _WRITTEN_AS_JSON:
        return given
    try:
        return json_text.read(given)
    except Unreadable:
        return given  # the check of the declaration says what is expected


def _missing_parameter(unknown: str) -> str:
    """Return how to give the parameter that is all that is not known; "" for anything else."""
    found = _PARAMETER.search(unknown)
    return f": give it with `--parameter {found[1]}=VALUE`" if found else ""


def _missing_origin(schema: str) -> str:
    if schema == _MANAGEMENT_GROUP_SCHEMA:
        return "management group it is deployed to"
    return "subscription" if schema == _SUBSCRIPTION_SCHEMA else "subscription and resource group"


def _known_body(body: JsonObject, unknown: Mapping[str, str]) -> tuple[JsonObject, dict[str, Unread]]:
    """Return the body without what is unknown of it, and those parts; a path ends at a list or an odd name."""
    for part in unknown:
        path, _, rest = part.partition("[")
        if not path:
            raise InvalidInput(f"the name of the member {part} cannot be kept")
        if path == part or rest.startswith("'"):
            body = _without(body, path.split("."), rest[1:] or None)
    # Of a list of which several parts are unknown the first says why.
    first: dict[str, str] = {}
    for part, why in unknown.items():
        first.setdefault(part.partition("[")[0], why)
    return body, {part: Unread("notCollected", detail=why) for part, why in first.items()}


def _without(node: Json, steps: list[str], odd: str | None) -> JsonObject:
    """Return an object without the member at these steps, or, at the end of them, without the one with an odd name."""
    if not steps:
        return {name: each for name, each in node.items() if not str(odd).startswith(f"{name}']")}
    first, *rest = steps
    if not rest and odd is None:
        return {name: each for name, each in node.items() if name != first}
    return {**node, first: _without(node[first], rest, odd)}
