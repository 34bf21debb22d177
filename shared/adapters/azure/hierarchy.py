"""The containers of a tenant: management groups and subscriptions, and which hangs under which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from shared.adapters.azure import refusal
from shared.adapters.azure.arm import Arm, Json, raw
from shared.domain.error import Forbidden, NotFound
from shared.domain.inventory import ManagementGroup, Subscription

_TYPE = "microsoft.management/managementgroups"


@dataclass
class Hierarchy:
    """Management groups, parents before children, and for each subscription the names of its groups from the top."""

    groups: dict[str, ManagementGroup] = field(default_factory=dict)
    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, node: Mapping[str, Any], parent: str | None, above: tuple[str, ...] = ()) -> None:
        """A group with all below it, in the shape of a child: {id, name, displayName, children}."""
        name, key = str(node["name"]), str(node["name"]).lower()
        # A group that was met before its parent moves behind it.
        self.groups.pop(key, None)
        self.groups[key] = ManagementGroup(
            id=str(node["id"]), name=name, display_name=node.get("displayName") or "", parent=parent
        )
        for child in node.get("children") or ():
            if str(child.get("type")).lower() == _TYPE:
                self.add(child, str(node["id"]), (*above, name))
            else:
                self.chains[str(child["name"]).lower()] = (*above, name)


def read(arm: Arm) -> Hierarchy:
    """What can be seen of the hierarchy; one call for each group that hangs under no other that can be seen."""
    found = Hierarchy()
    for name in _names(arm):
        if name.lower() not in found.groups:
            tree = _tree(arm, name)
            properties = tree.get("properties") or {}
            parent = ((properties.get("details") or {}).get("parent") or {}).get("id")
            found.add({**tree, **properties}, parent)
    return found


def subscriptions(arm: Arm) -> Sequence[Subscription]:
    """All subscriptions that can be seen, by id."""
    with refusal.translated("/subscriptions"):
        found = list(arm.subscriptions.subscriptions.list())
    chains = read(arm).chains
    return sorted((_subscription(each, chains) for each in found), key=lambda subscription: subscription.id)


def _names(arm: Arm) -> Sequence[str]:
    """The groups that can be seen, the tenant's root group first: its tree holds all others."""
    try:
        with refusal.translated("/providers/Microsoft.Management/managementGroups"):
            listed = list(arm.groups.management_groups.list())
    except (Forbidden, NotFound):
        return ()
    return [str(each.name) for each in sorted(listed, key=lambda each: (each.name != each.tenant_id, each.name))]


def _tree(arm: Arm, name: str) -> Json:
    with refusal.translated(f"/providers/Microsoft.Management/managementGroups/{name}"):
        client: Any = arm.groups.management_groups
        return cast("Json", client.get(name, expand="children", recurse=True, cls=raw))


def _subscription(found: Any, chains: Mapping[str, tuple[str, ...]]) -> Subscription:  # noqa: ANN401 - the SDK's model
    identity = str(found.subscription_id).lower()
    return Subscription(
        id=identity,
        display_name=found.display_name or "",
        state=str(getattr(found.state, "value", found.state) or "Enabled"),
        management_groups=chains.get(identity, ()),
    )
