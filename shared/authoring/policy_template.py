"""The definitions, initiatives and assignments that an ARM template deploys, as far as it tells before it does.

Sources: "Understand the structure and syntax of ARM templates"; "Deployment functions for ARM templates, environment".
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from shared.authoring.filed_policy import FiledPolicy, Steps, filed, path_of
from shared.domain.resource import Json
from shared.domain.spelling import lowered, spelled
from shared.engine import EvaluationError, InvalidDefinition, NotSupported
from shared.engine.context import Context
from shared.engine.templates import expand_template
from shared.engine.templates.budget import not_given

_POLICY_TYPES = (
    "microsoft.authorization/policydefinitions",
    "microsoft.authorization/policysetdefinitions",
    "microsoft.authorization/policyassignments",
)
_DEPLOYMENT = "microsoft.resources/deployments"
_TEMPLATE_KEYS = frozenset({"resources", "contentversion"})
_SECTIONS = frozenset({"$schema", "contentversion", "parameters", "variables", "functions", "languageversion"})
_DECIDING = ("policyrule", "policydefinitions", "policydefinitionid")
_PUBLIC_CLOUD = Context(
    cloud={
        "name": "AzureCloud",
        "resourceManager": "https://management.azure.com/",
        "suffixes": {
            "acrLoginServer": ".azurecr.io",
            "keyvaultDns": ".vault.azure.net",
            "sqlServerHostname": ".database.windows.net",
            "storage": "core.windows.net",
        },
    }
)
"""Templates that deploy other policies to other clouds are read as they deploy to the public one."""


def is_template(low: Mapping[str, Json]) -> bool:
    """Return whether a value with lower-case keys is a template."""
    return low.keys() >= _TEMPLATE_KEYS and isinstance(low["resources"], list | Mapping)


def policy_resources(resources: Json) -> Iterator[tuple[str | int, Mapping[str, Json]]]:
    """Yield the resources of a template that are policies or deploy some, each with its symbolic name or position."""
    for step, each in resources.items() if isinstance(resources, Mapping) else enumerate(resources):
        low = lowered(each) if isinstance(each, Mapping) else {}
        kind = str(low.get("type")).lower()
        if kind in _POLICY_TYPES or (kind == _DEPLOYMENT and any(True for _ in policy_resources(_nested(low)))):
            yield step, each


def _nested(deployment: Mapping[str, Json]) -> Json:
    """Return the resources of the template in a deployment."""
    node: Json = deployment
    for key in ("properties", "template", "resources"):
        found = lowered(node).get(key) if isinstance(node, Mapping) else None
        node = found if isinstance(found, Mapping | list) else {}
    return node


def _policies_of_deployment(resource: Json) -> Json:
    """Return a resource, of a nested deployment only what deploys policies: the rest may be linked, or fail."""
    if not isinstance(resource, Mapping) or str(lowered(resource).get("type")).lower() != _DEPLOYMENT:
        return resource
    return _with_policies_only(resource, ("properties", "template", "resources"))


def _with_policies_only(node: Mapping[str, Json], path: tuple[str, ...]) -> dict[str, Json]:
    key = spelled(node, path[0]) or ""
    inner = node.get(key)
    if path[1:]:
        return {**node, key: _with_policies_only(inner, path[1:])} if isinstance(inner, Mapping) else dict(node)
    kept = {step: _policies_of_deployment(each) for step, each in policy_resources(inner)}
    return {**node, key: kept if isinstance(inner, Mapping) else list(kept.values())}


def deployed(template: Mapping[str, Json]) -> Iterator[FiledPolicy]:
    """Yield the policies that a template deploys; one that cannot be evaluated has that as its problem."""
    sections = {key: each for key, each in template.items() if key.lower() in _SECTIONS}
    within = spelled(template, "resources") or ""
    for step, declared in policy_resources(template[within]):
        # One at a time: what cannot be evaluated elsewhere in the template is no concern of a policy.
        only = _policies_of_deployment(declared)
        alone = {step: only} if isinstance(step, str) else [only]
        steps = (within, step)
        try:
            expanded = expand_template({**sections, "resources": alone}, context=_PUBLIC_CLOUD, scope="")
        except (EvaluationError, NotSupported, InvalidDefinition) as error:
            # It stands alone there: the path in the message begins with its own.
            reason = str(error).replace(path_of((within, 0)), path_of(steps))
            yield _unevaluable({**sections, "resources": alone}, steps, reason)
            continue
        for found in expanded:
            if found["type"].lower() in _POLICY_TYPES:
                # A rule that the template reads as text has its expressions escaped all the same.
                yield replace(filed(found["body"], steps), escaped=False, unknown=_unknown(found))


def _unevaluable(template: Mapping[str, Json], steps: Steps, reason: str) -> FiledPolicy:
    """Return the policy of a template that fails: with the defaults of its parameters alone, or whatever they are."""
    declared = lowered(template).get("parameters")
    given = {name: not_given(f"parameters('{name}')") for name in declared} if isinstance(declared, Mapping) else {}
    try:
        expand_template(template, given, context=_PUBLIC_CLOUD, scope="")
    except (EvaluationError, NotSupported, InvalidDefinition):
        return FiledPolicy({}, steps, problem=f"the template cannot be evaluated: {reason}")
    return FiledPolicy({}, steps, unknown=f"with the defaults of its parameters, {reason}")


def _unknown(found: Mapping[str, Any]) -> str:
    """Return why the rule, members or assigned definition of a deployed policy are not known; "" where they are."""
    return next(
        (
            f"{path}: {reason}"
            for path, reason in found.get("unknown", {}).items()
            if path == "copy.count" or any(part in path.lower() for part in _DECIDING)
        ),
        "",
    )
