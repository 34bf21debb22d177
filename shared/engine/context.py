"""What an evaluation knows beside the resource: its surroundings, the request, the assignment, the time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.resource import Json, Resource, resource_group_of, subscription_of
from shared.engine.error import EvaluationError
from shared.engine.unknown import Partial, Unknown, mark
from shared.engine.value import weight

LATEST = "9999-12-31"
RESOURCE_GROUP = "Microsoft.Resources/subscriptions/resourceGroups"
DEEPEST_COUNT = 16
MOST_STEPS = 250_000
MOST_KEPT = 8_192
"""Readers and checks kept for use again: all policies are about the same few thousand properties and values."""
LONGEST_KEPT = 256
"""Characters of a text that they may be kept for."""


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of an evaluation; everything is optional.

    `resource_group` {id, name, location, tags, …} and `subscription` {id, subscriptionId, displayName, tags, …}: what
    is not given is derived from the resource's id, other properties of them are then unknown.
    `request_context` {apiVersion, identity}: only while a request is enforced; a scan has the latest api-version and
    no identity. `policy` {assignmentId, definitionId, setDefinitionId, definitionReferenceId}. `now` is the time that
    utcNow() gives; the engine has no clock. `tenant` is the tenant's id.
    """

    resource_group: Mapping[str, Json] | None = None
    subscription: Mapping[str, Json] | None = None
    request_context: Mapping[str, Json] | None = None
    policy: Mapping[str, Json] = field(default_factory=dict)
    now: datetime | None = None
    tenant: str | None = None


EMPTY = Context()
_OTHER_NAMES = {"microsoft.resources/resourcegroups": RESOURCE_GROUP.lower()}


def policy_type(written: str) -> str:
    """A resource type as policies know it, lower case: Resource Manager answers with a shorter one for groups."""
    low = written.lower()
    return _OTHER_NAMES.get(low, low)


class Frame:
    """One evaluation: the resource's body, marked where it was not read, and the members that counts stand at.

    `steps` are the members that may still be looked at; whoever loops spends them, so that work stays bounded.
    `origin` is the evaluation of the `if` while an existenceCondition is evaluated on a related resource.
    """

    __slots__ = ("body", "context", "origin", "partial", "resource", "slots", "steps", "type")

    def __init__(self, resource: Resource, context: Context, origin: "Frame | None" = None) -> None:
        body = resource.body
        self.type = policy_type(resource.type)
        if len(self.type) != len(resource.type):
            body = {**body, "type": RESOURCE_GROUP}
        self.partial: bool = bool(resource.unread) or (origin is not None and origin.partial)
        self.body: Json = (
            mark(body, resource.unread) if resource.unread else body if body.__class__ is dict else dict(body)
        )
        self.resource = resource
        self.context = context
        self.origin = origin
        self.slots: list[Json] = [None] * DEEPEST_COUNT
        self.steps = MOST_STEPS

    def spend(self, steps: int) -> None:
        """Count steps of work.

        Raises:
            EvaluationError: more than `MOST_STEPS` in one evaluation.
        """
        self.steps -= steps
        if self.steps < 0:
            raise EvaluationError(f"the evaluation takes more than {MOST_STEPS} steps")

    def look(self, value: Json, cost: int = 0) -> None:
        """Count the steps of looking at all of a value, and `cost` beside them.

        Raises:
            EvaluationError: as `spend`.
        """
        self.spend(cost + weight(value, self.steps))

    def resource_group(self) -> Json:
        """The resource group as policies see it."""
        if self.context.resource_group is not None:
            return self.context.resource_group
        name = resource_group_of(self.resource.id)
        parts = self.resource.id.split("/")
        known = {} if name is None else {"name": parts[4], "id": "/".join(parts[:5])}
        return Partial(
            known, Unknown("resourceGroup()", "notCollected", "Microsoft.Resources/subscriptions/resourceGroups/read")
        )

    def subscription(self) -> Json:
        """The subscription as policies see it."""
        if self.context.subscription is not None:
            return self.context.subscription
        name = subscription_of(self.resource.id) if self.resource.id else ""
        known = {"subscriptionId": name, "id": f"/subscriptions/{name}"} if name and name != "tenant" else {}
        return Partial(known, Unknown("subscription()", "notCollected", "Microsoft.Resources/subscriptions/read"))

    def policy(self) -> Json:
        """The assignment as policies see it."""
        return dict(self.context.policy) or Partial({}, Unknown("policy()", "notCollected"))

    def request_context(self) -> Json:
        """The request; outside of one the latest api-version, as a compliance scan has it."""
        return self.context.request_context if self.context.request_context is not None else {"apiVersion": LATEST}
