"""What deployIfNotExists would deploy for one resource, where that can be told exactly without the cloud."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared.domain.arm_id import group_name_of, subscription_of, type_of
from shared.domain.error import InvalidInput
from shared.domain.merge_patch import merged
from shared.domain.resource import Body, Json, Resource
from shared.engine.context import Context
from shared.engine.effects.detail import EffectDetails
from shared.engine.templates import expand_template

_NAMED = 5
"""Unknown parts that are named; there may be many."""
IDENTITY_MEMBERS = frozenset({"id", "name", "type"})
"""Members of a body that say which resource it is."""


@dataclass(frozen=True, slots=True)
class DeployedResource:
    """A resource that a template deploys: the parts of its body that the template speaks of."""

    id: str
    body: Body
    api_version: str


def deployed_over(present: Body, deployed: Body) -> dict[str, Json]:
    """Return the body after a deployment: nothing is lost of what is there that the template does not speak of."""
    found: dict[str, Json] = merged(
        present, {name: each for name, each in deployed.items() if name not in IDENTITY_MEMBERS}
    )
    return found


def effect_deployment(effect: EffectDetails, resource: Resource, context: Context) -> list[DeployedResource]:
    """Return the resources that the template of a deployIfNotExists deploys for a resource.

    Raises:
        InvalidInput: it cannot be said exactly what is deployed; nothing is guessed.
        EvaluationError: an expression of the template fails.
    """
    properties = (effect.deployment or {}).get("properties") or {}
    template = properties.get("template")
    if not isinstance(template, Mapping):
        raise InvalidInput("the policy has no template to deploy")
    if str(properties.get("mode", "incremental")).lower() != "incremental":
        raise InvalidInput("only incremental deployments are done: a complete one deletes what it does not name")
    location = (effect.deployment or {}).get("location")
    found = expand_template(
        template,
        properties.get("parameters"),
        _scope(effect, resource, context),
        {} if location is None else {"location": location},
    )
    _refuse_unknown(found)
    return [_deployed(each, resource) for each in found]


def _deployed(found: Mapping[str, Json], resource: Resource) -> DeployedResource:
    identity = found["id"]
    # An approver reads a plan of one resource's subscription: nothing else may be written under that approval.
    if subscription_of(identity) != subscription_of(resource.id):
        raise InvalidInput(f"the template writes {identity}, which is not in the resource's subscription")
    named = {"id": identity, "name": identity.rpartition("/")[2], "type": type_of(identity)}
    return DeployedResource(identity, {**found["body"], **named}, found["apiVersion"])


def _refuse_unknown(found: list[dict[str, Json]]) -> None:
    """Refuse to write what only a running deployment can compute, and say what that is."""
    parts = [
        f"{part} of {each['type']} {each['name']} ({why})"
        for each in found
        for part, why in each.get("unknown", {}).items()
    ]
    if parts:
        more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
        raise InvalidInput(
            f"parts of the fix are known only once it is deployed: {', '.join(parts[:_NAMED])}{more}; "
            "start a remediation task for the policy in Azure, which deploys its template"
        )


def _scope(effect: EffectDetails, resource: Resource, context: Context) -> Context:
    """Return where the template is deployed: the resource's group, the one the details name, or the subscription."""
    known = context.subscription or {}
    base = f"/subscriptions/{subscription_of(resource.id)}"
    subscription = {"subscriptionId": subscription_of(resource.id), "id": base, **known}
    if effect.scope.lower() == "subscription":
        return replace(context, subscription=subscription, resource_group=None)
    own = group_name_of(resource.id)
    name = effect.related.get("resourceGroupName") or own
    if name is None:
        raise InvalidInput("the policy deploys to a resource group, and the resource is in none")
    around = context.resource_group if name == own else None
    group = around or {"name": name, "id": f"{base}/resourceGroups/{name}"}
    return replace(context, subscription=subscription, resource_group=group)
