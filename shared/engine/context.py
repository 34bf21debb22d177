"""What an evaluation knows besides the resource: its surroundings, the request, the assignment, the time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.arm_id import group_id_of, group_name_of, subscription_of
from shared.domain.resource import Body, Json, Resource
from shared.engine.error import EvaluationError
from shared.engine.unknown import Partial, Unknown, mark_unread
from shared.engine.value import weight

LATEST_API_VERSION = "9999-12-31"
RESOURCE_GROUP_TYPE = "Microsoft.Resources/subscriptions/resourceGroups"
COUNT_LEVELS = 16
EVALUATION_STEPS = 250_000
CACHE_ENTRIES = 8_192
"""Readers and checks that are kept: all policies are about the same few thousand properties and values."""
CACHED_CHARACTERS = 256
"""The longest text that they are kept for."""


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of an evaluation; everything is optional.

    `resource_group` {id, name, location, tags, …} and `subscription` {id, subscriptionId, displayName, tags, …}: what
    is not given is derived from the resource's id, other properties of them are then unknown.
    `request_context` {apiVersion, identity}: only while a request is enforced; a scan has the latest api-version and
    no identity. `policy` {assignmentId, definitionId, setDefinitionId, definitionReferenceId}. `now` is the time that
    utcNow() gives; the engine has no clock. `tenant` is the tenant's id, `cloud` what environment() tells of the cloud.
    """

    resource_group: Mapping[str, Json] | None = None
    subscription: Mapping[str, Json] | None = None
    request_context: Mapping[str, Json] | None = None
    policy: Mapping[str, Json] = field(default_factory=dict)
    now: datetime | None = None
    tenant: str | None = None
    cloud: Mapping[str, Json] | None = None


EMPTY_CONTEXT = Context()
_OTHER_NAMES = {"microsoft.resources/resourcegroups": RESOURCE_GROUP_TYPE.lower()}


def policy_type(written: str) -> str:
    """Return a resource type as policies know it, lower case: Resource Manager returns a shorter one for groups."""
    low = written.lower()
    return _OTHER_NAMES.get(low, low)


def written_version(body: Body) -> str | None:
    """Return the api-version that a body names, as one from a template does; None for any other."""
    found = body.get("apiVersion")
    return found if found.__class__ is str else None


class Frame:
    """One evaluation: the resource's body, marked where it was not read, and the members that counts stand at.

    `steps` are the members that may still be looked at; whoever loops spends them, so that work stays bounded.
    `origin` is the evaluation of the `if` while an existenceCondition is evaluated on a related resource.
    `place` is what policy() returns; it changes while one frame serves the policies of many assignments.
    """

    __slots__ = ("api_version", "body", "context", "origin", "partial", "place", "resource", "slots", "steps", "type")

    def __init__(self, resource: Resource, context: Context, origin: "Frame | None" = None) -> None:
        body = resource.body
        self.api_version = resource.api_version or written_version(body)
        self.type = policy_type(resource.type)
        # Resource Manager's shorter type of a resource group would match no policy.
        if len(self.type) != len(resource.type):
            body = {**body, "type": RESOURCE_GROUP_TYPE}
        self.partial: bool = bool(resource.unread) or (origin is not None and origin.partial)
        self.body: Json = (
            mark_unread(body, resource.unread) if resource.unread else body if body.__class__ is dict else dict(body)
        )
        self.resource = resource
        self.context = context
        self.origin = origin
        self.place: Mapping[str, Json] = context.policy if origin is None else origin.place
        self.slots: list[Json] = [None] * COUNT_LEVELS
        self.steps = EVALUATION_STEPS

    def spend(self, steps: int) -> None:
        """Count steps of work.

        Raises:
            EvaluationError: more than `EVALUATION_STEPS` in one evaluation.
        """
        self.steps -= steps
        if self.steps < 0:
            raise EvaluationError(f"the evaluation takes more than {EVALUATION_STEPS} steps")

    def look(self, value: Json, cost: int = 0) -> None:
        """Count the steps of looking at all of a value, and `cost` more.

        Raises:
            EvaluationError: as `spend`.
        """
        self.spend(cost + weight(value, self.steps))

    def resource_group(self) -> Json:
        """Return the resource group as policies see it."""
        if self.context.resource_group is not None:
            return self.context.resource_group
        name = group_name_of(self.resource.id)
        known = {} if name is None else {"name": name, "id": group_id_of(self.resource.id)}
        return Partial(
            known, Unknown("resourceGroup()", "notCollected", "Microsoft.Resources/subscriptions/resourceGroups/read")
        )

    def subscription(self) -> Json:
        """Return the subscription as policies see it."""
        if self.context.subscription is not None:
            return self.context.subscription
        name = subscription_of(self.resource.id) if self.resource.id else ""
        known = {"subscriptionId": name, "id": f"/subscriptions/{name}"} if name and name != "tenant" else {}
        return Partial(known, Unknown("subscription()", "notCollected", "Microsoft.Resources/subscriptions/read"))

    def policy(self) -> Json:
        """Return the assignment as policies see it."""
        return dict(self.place) or Partial({}, Unknown("policy()", "notCollected"))

    def request_context(self) -> Json:
        """Return the request; outside of one the latest api-version, as a compliance scan has it."""
        return (
            self.context.request_context
            if self.context.request_context is not None
            else {"apiVersion": LATEST_API_VERSION}
        )
