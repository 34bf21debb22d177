"""What the template of a deployIfNotExists changes, where that is shown to make the resource compliant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shared.domain.arm_id import type_of
from shared.domain.error import InvalidInput
from shared.domain.resource import Body, Json, Resource
from shared.domain.verdict import State
from shared.engine.compile.policy import Policy
from shared.engine.context import Frame
from shared.engine.effects.deployment import IDENTITY_MEMBERS, DeployedResource, deployed_over, effect_deployment
from shared.engine.effects.detail import effect_details
from shared.engine.error import EvaluationError
from shared.engine.explain.body_change import changes_between
from shared.engine.explain.fix import Fix, Fixes
from shared.engine.explain.fix_proof import SETTLED_STATES
from shared.engine.explain.fix_text import created, exact_text
from shared.engine.explain.place import member_name, named_place
from shared.engine.judge.verdict import state_of


@dataclass(frozen=True)
class Remedy:
    """What would make a resource compliant; `related` is the related resource that it changes, where there is one."""

    fixes: Fixes = ()
    related: Resource | None = None


def state_after(policy: Policy, resource: Resource, frame: Frame) -> State:
    """Return the state of a changed resource; an evaluation that fails is an error."""
    try:
        return state_of(policy, Frame(resource, frame.context))[0]
    except (EvaluationError, RecursionError):
        return State.ERROR


def deployed_remedy(policy: Policy, frame: Frame) -> Remedy | None:
    """Return what the template of the policy changes; None where that cannot be told, or does not make it comply."""
    resource = frame.resource
    if policy.effect != "deployIfNotExists" or not resource.id:
        return None
    try:
        deployed = effect_deployment(effect_details(policy, resource, frame.context), resource, frame.context)
    except (EvaluationError, InvalidInput):
        return None
    after, fixes, changed = resource, list[Fix](), list[Resource]()
    for each in deployed:
        known = _known(after, each.id)
        body = deployed_over(known.body, each.body) if known else dict(each.body)
        fixes += _changes(known, body, is_own=known is after)
        changed += [known] if known and known is not after else []
        after = _with(after, each, body)
    if not fixes or state_after(policy, after, frame) not in SETTLED_STATES:
        return None
    kind = policy.details.type.lower()
    return Remedy(tuple(fixes), next((each for each in changed if each.type.lower() == kind), None))


def _known(resource: Resource, identity: str) -> Resource | None:
    """Return the resource of an id: the one that is explained, or one that belongs to it."""
    if resource.id.lower() == identity.lower():
        return resource
    held = _held(resource.related, type_of(identity).lower())
    return next((each for each in held if each.id.lower() == identity.lower()), None)


def _held(related: Mapping[str, object], kind: str) -> Sequence[Resource]:
    found = related.get(kind)
    return found if isinstance(found, tuple) else ()


def _changes(known: Resource | None, body: Body, *, is_own: bool) -> Fixes:
    """Return the changes that a deployment makes to one resource, in words."""
    if known is None:
        kept = {name: each for name, each in body.items() if name not in IDENTITY_MEMBERS}
        return (created(body, [exact_text(each, each.path).text for each in changes_between({}, kept)]),)
    name = "" if is_own else f" of {known.type} {member_name(dict(known.body))}".rstrip()
    found = changes_between(dict(known.body), body)
    texts = (exact_text(each, f"{named_place(known.body, each.path)}{name}") for each in found)
    return tuple(replace(each, resource="" if is_own else known.id) for each in texts)


def _with(resource: Resource, deployed: DeployedResource, body: dict[str, Json]) -> Resource:
    """Return the resource after a deployment: itself, or with what belongs to it."""
    if deployed.id.lower() == resource.id.lower():
        return replace(resource, body=body)
    kind = type_of(deployed.id).lower()
    others = (each for each in _held(resource.related, kind) if each.id.lower() != deployed.id.lower())
    made = Resource(body, api_version=deployed.api_version)
    return replace(resource, related={**resource.related, kind: (*others, made)})
