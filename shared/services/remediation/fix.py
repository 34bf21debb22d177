"""The fix of one finding: what its policy wants resources to be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.domain.error import InvalidInput
from shared.domain.merge_patch import merged
from shared.domain.resource import Json, Resource
from shared.engine import (
    Context,
    EffectConflict,
    EvaluationError,
    apply_effects,
    effect_deployment,
    effect_details,
)
from shared.services.policy.effective_policy import EffectivePolicies


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
            for each in effect_deployment(effect_details(compiled, resource, context), resource, context):
                yield DesiredResource(each.id, each.body, over=True, api_version=each.api_version)
        elif entry.remediation is not None:
            yield DesiredResource(resource.id, merged(resource.body, entry.remediation.patch))
        else:
            raise InvalidInput(f"policy {name} has no fix")
    except (EffectConflict, EvaluationError) as error:
        raise InvalidInput(f"the fix of {name} cannot be computed: {error}") from error
