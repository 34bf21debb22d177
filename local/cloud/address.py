"""Addresses: what an ARM path points at."""

from dataclasses import dataclass

from local.cloud.error import ArmError, bad_request

SUBSCRIPTION = "Microsoft.Resources/subscriptions"
RESOURCE_GROUP = "Microsoft.Resources/resourceGroups"
MANAGEMENT_GROUP = "Microsoft.Management/managementGroups"


@dataclass(frozen=True, slots=True)
class Address:
    """A resource, or with an empty name a collection. `scope` is what it lies in: its parent, group, … or ""."""

    id: str
    type: str
    name: str
    scope: str

    @property
    def key(self) -> str:
        """The id for comparing: lower case."""
        return self.id.lower()

    @property
    def subscription(self) -> str:
        """The subscription, or ""."""
        return subscription_of(self.key)

    @property
    def group(self) -> str:
        """The resource group as it was spelled, or ""."""
        segments = self.id.split("/")
        return segments[4] if len(segments) > 4 and segments[3].lower() == "resourcegroups" else ""  # noqa: PLR2004 - position in the id


def subscription_of(key: str) -> str:
    """The subscription id in a lower-case ARM id, or ""."""
    return key.split("/", 3)[2] if key.startswith("/subscriptions/") else ""


def group_of(key: str) -> str:
    """The resource group's name in a lower-case ARM id, or ""."""
    _, _, rest = key.partition("/resourcegroups/")
    return rest.partition("/")[0]


def parse(path: str) -> Address:
    """The address of a resource or a collection; ArmError 400 when the path is neither."""
    head, separator, tail = _split(path.rstrip("/"))
    segments = tail.split("/")
    if not separator:
        return _container(path, segments)
    if len(segments) < 2 or not all(segments):  # noqa: PLR2004 - a namespace and a type
        raise bad_request("InvalidRequestPath", f"The request path '{path}' is not valid.")
    kind = "/".join([segments[0], *segments[1::2]])
    collection = len(segments) % 2 == 0
    cut = 1 if collection else 2
    own = segments[:-cut]
    scope = f"{head}/providers/{'/'.join(own)}" if len(own) > 1 else head
    return Address(path.rstrip("/"), kind, "" if collection else segments[-1], scope)


def _split(path: str) -> tuple[str, str, str]:
    position = path.lower().rfind("/providers/")
    return (path[:position], "providers", path[position + 11 :]) if position >= 0 else ("", "", path)


def _container(path: str, segments: list[str]) -> Address:
    lower = [segment.lower() for segment in segments]
    match lower:
        case ["", "subscriptions", _]:
            return Address(path.rstrip("/"), SUBSCRIPTION, segments[2], "")
        case ["", "subscriptions", _, "resourcegroups", _]:
            return Address(path.rstrip("/"), RESOURCE_GROUP, segments[4], "/".join(segments[:3]))
    raise ArmError(404, "NotFound", f"No HTTP resource was found that matches the request path '{path}'.")
