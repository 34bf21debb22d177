"""Related resources: what auditIfNotExists and deployIfNotExists look up for a resource, and whether it will do.

Source: "Azure Policy definitions auditIfNotExists effect" and "… deployIfNotExists effect", properties of the details.
"""

from collections.abc import Callable

from shared.domain.arm_id import parent_of, resource_group_of
from shared.domain.resource import Json, Resource, Unread
from shared.engine.compile.field import full_name
from shared.engine.compile.policy import Policy
from shared.engine.context import Frame
from shared.engine.language.tree import Operand
from shared.engine.unknown import Unknown, unknown_of
from shared.engine.value import expect_text

ScopeTest = Callable[[Resource], bool]


def any_related(policy: Policy, frame: Frame) -> bool | None:
    """Return whether a related resource exists and meets the existenceCondition."""
    related = related_resources(policy, frame)
    if isinstance(related, Unknown):
        return None
    answer: bool | None = None if unlisted(policy, frame, related) else False
    for each in related:
        found = meets_existence(policy, each, frame)
        if found:
            return True
        if found is None:
            answer = None
    return answer


def meets_existence(policy: Policy, related: Resource, frame: Frame) -> bool | None:
    """Return whether one related resource meets the existenceCondition; true without one."""
    clause = policy.existence(related.api_version, frame)
    if clause is None:
        return True
    inner = Frame(related, frame.context, frame)
    inner.steps = frame.steps
    try:
        return clause.test(inner.body, inner)
    finally:
        frame.steps = inner.steps  # all related resources take from one count of steps


def related_resources(policy: Policy, frame: Frame) -> "tuple[Resource, ...] | Unknown":
    """Return the related resources that the details select; `Unknown` where they were not collected."""
    details, low = policy.details, policy.details.type.lower()
    name = lookup_text(policy, frame, details.name)
    group = lookup_text(policy, frame, details.resource_group)
    found = frame.resource.related.get(low)
    if isinstance(name, Unknown):
        return name
    if found is None:
        # The resource itself may be the one to look up; it need not be collected again.
        if low == frame.type and (name is None or _is_named(frame.resource, name)):
            return (frame.resource,)
        return Unknown(f"related {details.type}", "notCollected", f"{details.type}/read", frame.resource.id or None)
    if isinstance(found, Unread):
        return unknown_of(f"related {details.type}", found)
    if isinstance(group, Unknown):
        return group
    within = _within(policy, frame, group)
    return tuple(each for each in found if (name is None or _is_named(each, name)) and within(each))


def unlisted(policy: Policy, frame: Frame, found: tuple[Resource, ...]) -> Unknown | None:
    """Return what may exist besides the related resources that were found; None where they were listed, or named."""
    kind, named = policy.details.type, lookup_text(policy, frame, policy.details.name)
    if kind.lower() not in frame.resource.partial or (found and named is not None):
        return None
    part = f"related {kind}" if not isinstance(named, str) else f"related {kind} {named}"
    return Unknown(part, "notCollected", f"{kind}/read", frame.resource.id or None)


def _within(policy: Policy, frame: Frame, group: str | None) -> ScopeTest:
    """Return a test of whether a related resource is where it has to be.

    A type underneath the resource's own, and an extension, belongs to the resource; neither resourceGroupName nor
    existenceScope applies to it. Anything else is in the group, or anywhere in the subscription.
    """
    own = frame.resource.id.lower()
    child = policy.details.type.lower().startswith(f"{frame.type}/")
    anywhere = policy.details.scope.lower() == "subscription"
    wanted = None if anywhere else (group or resource_group_of(own) or "").lower() or None

    def within(related: Resource) -> bool:
        low = related.id.lower()
        # Without ids nothing speaks against it.
        if not own or not low:
            return True
        if child or _extends(low):
            return low == own or low.startswith(f"{own}/")
        return wanted is None or resource_group_of(low) in {None, wanted}

    return within


def _extends(low: str) -> bool:
    """Return whether an id is that of an extension of a resource, such as a diagnostic setting."""
    parent = parent_of(low)
    return parent is not None and "/providers/" in parent and low.startswith(f"{parent}/providers/")


def lookup_text(policy: Policy, frame: Frame, operand: Operand | None) -> "str | Unknown | None":
    """Return an operand of the details as text; None where it is not given."""
    if operand is None:
        return None
    value: Json = policy.lookup(operand, frame.type, frame.api_version).read(frame.body, frame)
    return value if isinstance(value, Unknown) else expect_text(value)


def _is_named(resource: Resource, name: str) -> bool:
    """Compare the name, with those of parents as far as both have them; `?` as the last part matches any name."""
    wanted = name.lower().split("/")
    known = str(full_name(dict(resource.body)) or "").lower().split("/")
    pairs = zip(reversed(wanted), reversed(known), strict=False)
    return all(one == two or (one == "?" and at == 0) for at, (one, two) in enumerate(pairs))
