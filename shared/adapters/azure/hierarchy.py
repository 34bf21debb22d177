"""The containers of a tenant: management groups and subscriptions, and which is under which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.adapters.azure import response_validation
from shared.adapters.azure.arm import Arm, checked
from shared.adapters.azure.resource_type import SUBSCRIPTION_VERSION
from shared.domain.error import Forbidden, InvalidInput, Malformed, NotFound, Unavailable
from shared.domain.inventory import ManagementGroup, Subscription
from shared.domain.resource import JsonObject

_TYPE = "microsoft.management/managementgroups"
_GROUPS = "/providers/Microsoft.Management/managementGroups"
_VERSION = "2020-05-01"
_TREE_LEVELS = 20
"""Levels of a tree that are followed; Azure allows six and the root."""
_NAME_CHARACTERS = 256
"""Characters of a display name that are kept; Azure allows 64."""


@dataclass
class Hierarchy:
    """Management groups, parents before children, and for each subscription the names of its groups from the top."""

    groups: dict[str, ManagementGroup] = field(default_factory=dict)
    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, node: Mapping[str, Any], parent: str | None, above: tuple[str, ...] = ()) -> None:
        """Add a group with all below it, in the form of a child: {id, name, displayName, children}."""
        name, identity = response_validation.text(node, "name", _GROUPS), response_validation.text(node, "id", _GROUPS)
        key = name.lower()
        # A group that was met before its parent moves behind it.
        self.groups.pop(key, None)
        self.groups[key] = ManagementGroup(
            id=identity, name=name, display_name=str(node.get("displayName") or ""), parent=parent
        )
        children = node.get("children") or []
        is_tree = isinstance(children, list) and all(isinstance(each, dict) for each in children)
        # Bounded, because a broken or hostile service may nest without end.
        if not is_tree or len(above) > _TREE_LEVELS:
            raise Malformed(f"the cloud answered {_GROUPS} with children that are not a tree")
        for child in children:
            if str(child.get("type")).lower() == _TYPE:
                self.add(child, identity, (*above, name))
            else:
                self.chains[response_validation.text(child, "name", _GROUPS).lower()] = (*above, name)


def read(arm: Arm) -> Hierarchy:
    """Read what can be seen of the hierarchy; one call for each group that is not under another visible one."""
    found = Hierarchy()
    for name in _names(arm):
        if name.lower() in found.groups:
            continue
        path = checked(f"{_GROUPS}/{name}")
        expanded = {"$expand": "children", "$recurse": "true"}
        tree = response_validation.resource(arm.ask(path, _VERSION, expanded), path)
        properties = tree.get("properties") or {}
        details = properties.get("details")
        parent = details.get("parent") if isinstance(details, Mapping) else None
        identity = parent.get("id") if isinstance(parent, Mapping) else None
        found.add({**tree, **properties}, identity if isinstance(identity, str) else None)
    return found


def subscriptions(arm: Arm) -> Sequence[Subscription]:
    """Return all visible subscriptions, by id; Malformed when something other than Resource Manager answers."""
    path = "/subscriptions"
    try:
        found = list(arm.listed(path, SUBSCRIPTION_VERSION, {}))
    except NotFound as error:  # ARM has this list for everybody: what says otherwise is something else
        raise Malformed(f"{error.message}: this is not Azure Resource Manager; check the endpoint") from error
    try:
        chains = read(arm).chains
    except (InvalidInput, Unavailable):
        chains = {}  # subscriptions are listed even where the groups above them cannot be read
    return sorted((_subscription(each, chains, path) for each in found), key=lambda subscription: subscription.id)


def _names(arm: Arm) -> Sequence[str]:
    """Return the groups that can be seen, the tenant's root group first: its tree holds all others."""
    try:
        listed = list(arm.listed(_GROUPS, _VERSION, {}))
    except (Forbidden, NotFound):
        return ()
    tenants: dict[str, str | None] = {}
    for group in listed:
        properties = group.get("properties")
        tenant = properties.get("tenantId") if isinstance(properties, Mapping) else None
        tenants[response_validation.text(group, "name", _GROUPS)] = tenant
    # The root group has the tenant's id for its name.
    return sorted(tenants, key=lambda name: (name != tenants[name], name))


def _subscription(found: JsonObject, chains: Mapping[str, tuple[str, ...]], call: str) -> Subscription:
    identity = response_validation.text(found, "subscriptionId", call).lower()
    return Subscription(
        id=identity,
        # Any text that the cloud sends, made short enough and free of lone surrogates, so that it can be stored.
        display_name=str(found.get("displayName") or "")[:_NAME_CHARACTERS].encode(errors="replace").decode(),
        state=str(found.get("state") or "Enabled"),
        management_groups=chains.get(identity, ()),
    )
