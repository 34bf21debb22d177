"""The containers of a tenant: management groups and subscriptions, and which hangs under which."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.adapters.azure import refusal
from shared.adapters.azure.arm import Arm
from shared.domain.error import Forbidden, NotFound
from shared.domain.inventory import ManagementGroup, Subscription

_GROUP = "microsoft.management/managementgroups"


def management_groups(arm: Arm) -> Sequence[ManagementGroup]:
    """All management groups that can be seen, parents before children; empty when none can."""
    found = [each for each in _entities(arm) if str(each.type).lower() == _GROUP]
    return [_group(each) for each in sorted(found, key=lambda each: (len(_chain(each)), str(each.name).lower()))]


def subscriptions(arm: Arm) -> Sequence[Subscription]:
    """All subscriptions that can be seen, by id, each with the chain of its management groups from the root."""
    with refusal.translated("/subscriptions"):
        found = list(arm.subscriptions.subscriptions.list())
    chains = _chains(arm)
    known = (_subscription(each, chains) for each in found)
    return sorted(known, key=lambda subscription: subscription.id)


def _chains(arm: Arm) -> Mapping[str, tuple[str, ...]]:
    return {str(each.name).lower(): _chain(each) for each in _entities(arm) if "/subscriptions" in str(each.type)}


def _entities(arm: Arm) -> Sequence[Any]:
    try:
        with refusal.translated("/providers/Microsoft.Management"):
            return list(arm.groups.entities.list())
    except (Forbidden, NotFound):
        return ()


def _chain(entity: Any) -> tuple[str, ...]:  # noqa: ANN401 - the SDK's model
    properties = entity.properties
    return tuple(properties.parent_name_chain or ()) if properties else ()


def _group(entity: Any) -> ManagementGroup:  # noqa: ANN401 - the SDK's model
    properties = entity.properties
    parent = properties.parent.id if properties and properties.parent else None
    name = properties.display_name if properties else None
    return ManagementGroup(id=entity.id, name=entity.name, display_name=name or "", parent=parent or None)


def _subscription(found: Any, chains: Mapping[str, tuple[str, ...]]) -> Subscription:  # noqa: ANN401 - the SDK's model
    identity = str(found.subscription_id).lower()
    return Subscription(
        id=identity,
        display_name=found.display_name or "",
        state=str(getattr(found.state, "value", found.state) or "Enabled"),
        management_groups=chains.get(identity, ()),
    )
