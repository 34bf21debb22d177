"""The fix of one finding: what its policy wants resources to be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from shared.domain.body import merged
from shared.domain.error import InvalidInput
from shared.domain.resource import Json, Resource, resource_group_of, subscription_of, type_of
from shared.engine import Context, EffectConflict, Effects, EvaluationError, apply, effects, expand_template
from shared.services.policy import Book

_NAMED = 5
"""Unknown parts of a fix that are named; there may be many."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a resource is to be: all of it or, where `over`, what is laid over what there is.

    Without `api_version`: as for the resource that the finding is about.
    """

    resource_id: str
    body: Mapping[str, Json]
    over: bool = False
    api_version: str | None = None


def wanted(policy: str, resource: Resource, context: Context, book: Book) -> Iterator[Wanted]:
    """The resources that a policy wants to be different, so that this resource complies.

    Raises:
        InvalidInput: there is no fix, or it cannot be said exactly what it is; nothing is guessed.
    """
    entry = book.entries.get(policy)
    compiled = next((each for each in book.compiled.policies if each.name == policy), None)
    if entry is None or compiled is None:
        raise InvalidInput(f"policy {policy} is not in the catalog any more")
    try:
        if compiled.effect in ("modify", "append"):
            yield Wanted(resource.id, apply(resource.body, effects(compiled, resource, context)))
        elif compiled.effect == "deployIfNotExists":
            yield from _deployed(effects(compiled, resource, context), resource, context)
        elif entry.remediation is not None:
            yield Wanted(resource.id, merged(resource.body, entry.remediation.patch))
        else:
            raise InvalidInput(f"policy {policy} has no fix")
    except (EffectConflict, EvaluationError) as error:
        raise InvalidInput(f"the fix of {policy} cannot be told: {error}") from error


def _deployed(effect: Effects, resource: Resource, context: Context) -> Iterator[Wanted]:
    """What the template of a deployIfNotExists deploys, as resources of its own."""
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
        if subscription_of(identity) != subscription_of(resource.id):
            raise InvalidInput(f"the template writes {identity}, which is not in the resource's subscription")
        named = {"id": identity, "name": identity.rpartition("/")[2], "type": type_of(identity)}
        yield Wanted(identity, {**each["body"], **named}, over=True, api_version=each["apiVersion"])


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
            f"parts of the fix cannot be told before it is deployed: {', '.join(parts[:_NAMED])}{more}; "
            "start a remediation task for the policy in Azure, which deploys its template"
        )


def _scope(effect: Effects, resource: Resource, context: Context) -> Context:
    """Where the template is deployed: the resource's group, the one the details name, or the subscription."""
    known = context.subscription or {}
    base = f"/subscriptions/{subscription_of(resource.id)}"
    subscription = {"subscriptionId": subscription_of(resource.id), "id": base, **known}
    if effect.scope.lower() == "subscription":
        return replace(context, subscription=subscription, resource_group=None)
    own = resource.id.split("/")[4] if resource_group_of(resource.id) else None
    name = effect.related.get("resourceGroupName") or own
    if name is None:
        raise InvalidInput("the policy deploys to a resource group, and the resource is in none")
    around = context.resource_group if name == own else None
    group = around or {"name": name, "id": f"{base}/resourceGroups/{name}"}
    return replace(context, subscription=subscription, resource_group=group)
