"""Addresses: which resource or collection an ARM path points at."""

from dataclasses import dataclass

from local.cloud.arm.error import ArmError, bad_request
from shared.domain import arm_id
from shared.domain.arm_id import ABOVE_SUBSCRIPTIONS, group_name_of, resource_group_of

SUBSCRIPTION = "Microsoft.Resources/subscriptions"
RESOURCE_GROUP = "Microsoft.Resources/resourceGroups"
MANAGEMENT_GROUP = "Microsoft.Management/managementGroups"
_PROVIDERS = "/providers/"


@dataclass(frozen=True, slots=True)
class Address:
    """A resource, or with an empty name a collection. `scope` is what it lies in: its parent, group, … or ""."""

    id: str
    type: str
    name: str
    scope: str

    @property
    def key(self) -> str:
        """Return the id for comparing: lower case."""
        return self.id.lower()

    @property
    def subscription(self) -> str:
        """Return the subscription, or ""."""
        return subscription_of(self.key)

    @property
    def group(self) -> str:
        """Return the resource group as it was spelled, or ""."""
        return group_name_of(self.id) or ""


def subscription_of(key: str) -> str:
    """Find the subscription id in a lower-case ARM id; "" above subscriptions."""
    found = arm_id.subscription_of(key)
    return "" if found == ABOVE_SUBSCRIPTIONS else found


def group_of(key: str) -> str:
    """Find the resource group's name in a lower-case ARM id; "" where it lies in none."""
    return resource_group_of(key) or ""


def parse(path: str) -> Address:
    """Return the address of a resource or a collection; ArmError 400 when the path is neither."""
    whole = path.rstrip("/")
    position = whole.lower().rfind(_PROVIDERS)  # the last one: extension resources have several
    if position < 0:
        return _container(path, whole.split("/"))
    head, segments = whole[:position], whole[position + len(_PROVIDERS) :].split("/")
    if len(segments) < 2 or not all(segments):  # noqa: PLR2004 - a namespace and a type
        raise bad_request("InvalidRequestPath", f"The request path '{path}' is not valid.")
    kind = "/".join([segments[0], *segments[1::2]])
    collection = len(segments) % 2 == 0
    cut = 1 if collection else 2
    own = segments[:-cut]
    scope = f"{head}/providers/{'/'.join(own)}" if len(own) > 1 else head
    return Address(whole, kind, "" if collection else segments[-1], scope)


def _container(path: str, segments: list[str]) -> Address:
    lower = [segment.lower() for segment in segments]
    match lower:
        case ["", "subscriptions", _]:
            return Address(path.rstrip("/"), SUBSCRIPTION, segments[2], "")
        case ["", "subscriptions", _, "resourcegroups", _]:
            return Address(path.rstrip("/"), RESOURCE_GROUP, segments[4], "/".join(segments[:3]))
    raise ArmError(404, "NotFound", f"No HTTP resource was found that matches the request path '{path}'.")
