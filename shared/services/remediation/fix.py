"""The fix of one finding: what its policy wants resources to be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from shared.domain.arm_id import group_name_of, subscription_of, type_of
from shared.domain.error import InvalidInput
from shared.domain.merge_patch import merged
from shared.domain.resource import Json, Resource
from shared.engine import (
    Context,
    EffectConflict,
    EffectDetails,
    EvaluationError,
    apply_effects,
    effect_details,
    expand_template,
)
from shared.services.policy.effective_policy import EffectivePolicies

_NAMED = 5
"""Unknown parts of a fix that are named; there may be many."""


@dataclass(frozen=True, slots=True)
class DesiredResource:
    """What a resource is to be: all of it or, where `over`, what is laid over what there is.

    Without `api_version`: as for the resource that the finding is about.
    """

    resource_id: str
    body: Mapping[str, Json]
    over: bool = False
    api_version: str | None = None


def wanted(key: str, resource: Resource, context: Context, policies: EffectivePolicies) -> Iterator[DesiredResource]:
    """Yield the resources that must change, and how, so that a resource complies with the policy of this key.

    Raises:
        InvalidInput: there is no fix, or it cannot be said exactly what it is; nothing is guessed.
    """
    effective = policies.get(key)
    compiled = effective.on(resource) if effective else None
    if effective is None or compiled is None:
        raise InvalidInput("the policy is not in force on the resource any more")
    name, entry, context = effective.name, policies.entry(effective), effective.around(context)
    try:
        if compiled.effect in ("modify", "append"):
            yield DesiredResource(
                resource.id, apply_effects(resource.body, effect_details(compiled, resource, context))
            )
        elif compiled.effect == "deployIfNotExists":
            yield from _deployed(effect_details(compiled, resource, context), resource, context)
        elif entry.remediation is not None:
            yield DesiredResource(resource.id, merged(resource.body, entry.remediation.patch))
        else:
            raise InvalidInput(f"policy {name} has no fix")
    except (EffectConflict, EvaluationError) as error:
        raise InvalidInput(f"the fix of {name} cannot be computed: {error}") from error


def _deployed(effect: EffectDetails, resource: Resource, context: Context) -> Iterator[DesiredResource]:
    """Yield what the template of a deployIfNotExists deploys, as resources of its own."""
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
    for each in found:
        identity = each["id"]
        # An approver reads a plan of one resource's subscription: nothing else may be written under that approval.
        if subscription_of(identity) != subscription_of(resource.id):
            raise InvalidInput(f"the template writes {identity}, which is not in the resource's subscription")
        named = {"id": identity, "name": identity.rpartition("/")[2], "type": type_of(identity)}
        yield DesiredResource(identity, {**each["body"], **named}, over=True, api_version=each["apiVersion"])


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
