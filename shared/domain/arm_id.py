"""Takes ARM ids apart: the one place that knows their form.

/subscriptions/{id}/resourceGroups/{name}/providers/{namespace}/{type}/{name}[/{type}/{name}]…, with an extension
resource's own /providers/… behind what it extends. Ids compare without case. Standard library only, because the engine
depends on it. Source: Azure Resource Manager, "Resource ID format".
"""

SUBSCRIPTION_TYPE = "Microsoft.Resources/subscriptions"
RESOURCE_GROUP_TYPE = "Microsoft.Resources/subscriptions/resourceGroups"
ABOVE_SUBSCRIPTIONS = "tenant"
"""Used as the subscription of an id that lies in none."""
_PROVIDERS = "/providers/"
_CONTAINERS = {2: SUBSCRIPTION_TYPE, 4: RESOURCE_GROUP_TYPE}
"""The types of ids without a provider, by the number of their slashes."""
_SUBSCRIPTION_SEGMENT, _GROUP_SEGMENT = 2, 4
"""Positions of the names in the segments of an id."""


def subscription_of(resource_id: str) -> str:
    """Find the subscription id in an ARM id, lower case; "tenant" for ids above subscriptions."""
    parts = resource_id.lower().split("/", _SUBSCRIPTION_SEGMENT + 1)
    inside = len(parts) > _SUBSCRIPTION_SEGMENT and parts[1] == "subscriptions"
    return parts[_SUBSCRIPTION_SEGMENT] if inside else ABOVE_SUBSCRIPTIONS


def group_name_of(resource_id: str) -> str | None:
    """Find the resource group's name in an ARM id, as it is spelled there, if there is one."""
    parts = resource_id.split("/", _GROUP_SEGMENT + 1)
    return parts[_GROUP_SEGMENT] if len(parts) > _GROUP_SEGMENT and parts[3].lower() == "resourcegroups" else None


def resource_group_of(resource_id: str) -> str | None:
    """Find the resource group's name in an ARM id, lower case, if there is one."""
    name = group_name_of(resource_id)
    return None if name is None else name.lower()


def group_id_of(resource_id: str) -> str | None:
    """Cut an ARM id to its resource group's, if there is one."""
    return "/".join(resource_id.split("/")[: _GROUP_SEGMENT + 1]) if group_name_of(resource_id) is not None else None


def parent_of(resource_id: str) -> str | None:
    """Find the id of the resource that a child or extension resource belongs to; None for one without a parent."""
    # From the end: an extension resource's own provider stands behind that of what it extends.
    head, separator, tail = resource_id.rpartition(_PROVIDERS)
    segments = tail.split("/")
    if not separator:
        return None
    if len(segments) > 3:  # noqa: PLR2004 - namespace/type/name and more
        return f"{head}{_PROVIDERS}{'/'.join(segments[:-2])}"
    return head if _PROVIDERS in head else None


def holder_of(resource_id: str) -> str | None:
    """Find the id of what a resource belongs to: its parent, else the subscription or group that it lies right in."""
    return parent_of(resource_id) or resource_id.rpartition(_PROVIDERS)[0] or None


def type_of(resource_id: str) -> str:
    """Return the resource type of an ARM id, as spelled in the id; "" when it names none."""
    _, separator, tail = resource_id.rpartition(_PROVIDERS)
    if not separator:
        inside = subscription_of(resource_id) != ABOVE_SUBSCRIPTIONS
        return _CONTAINERS.get(resource_id.count("/"), "") if inside else ""
    namespace, *names = tail.split("/")
    # Types and names take turns behind the namespace.
    return "/".join([namespace, *names[::2]])


def full_name_of(resource_id: str) -> str:
    """Join the resource's name to those of its parents ("server/database"); "" where the id has no provider."""
    _, inside, tail = resource_id.rpartition(_PROVIDERS)
    return "/".join(tail.split("/")[2::2]) if inside else ""  # namespace/type/name
