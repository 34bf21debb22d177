"""Resource types: how each is spelled, which api-version reads it, and where it is listed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.adapters.azure import resource_body
from shared.domain.arm_id import RESOURCE_GROUP_TYPE, SUBSCRIPTION_TYPE
from shared.domain.resource import JsonObject
from shared.ports.inventory import RelatedTypes

SUBSCRIPTION, GROUP = SUBSCRIPTION_TYPE, RESOURCE_GROUP_TYPE
GROUP_VERSION = "2021-04-01"
SUBSCRIPTION_VERSION = "2022-12-01"
_EXTENSION = "/providers/"


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One row. `list` is the path under the parent that lists the type, when it is a child or an extension."""

    type: str
    api_version: str | None = None
    in_graph: bool = True
    list: str | None = None
    permission: str | None = None
    role: str | None = None

    @property
    def action(self) -> str:
        """Return the ARM action that reads the type."""
        return self.permission or f"{self.type}/read"


_CONTAINER_TYPES = frozenset({SUBSCRIPTION.lower(), GROUP.lower()})
_CONTAINERS = (ResourceType(SUBSCRIPTION, SUBSCRIPTION_VERSION), ResourceType(GROUP, GROUP_VERSION))


class ResourceTypes:
    """The table, by type without regard to case; types that are not in it follow ARM's naming rules."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows = {each.type.lower(): each for each in (*map(_read, rows), *_CONTAINERS)}

    def __getitem__(self, kind: str) -> ResourceType:
        # Resource Graph lists types of the first level, such as Microsoft.Web/sites; exceptions have a row.
        return self._rows.get(kind.lower()) or ResourceType(kind, in_graph=kind.count("/") == 1)

    def body(self, kind: str, found: Mapping[str, Any]) -> JsonObject:
        """Return what Resource Manager answered as the body that is kept of a resource of a type."""
        # Resource Manager says Microsoft.Resources/resourceGroups, Azure Policy .../subscriptions/resourceGroups.
        container = kind.lower() in _CONTAINER_TYPES
        # Some providers list several types under one path.
        spelled = self[kind].type if container or not found.get("type") else self[str(found["type"])].type
        if self[spelled].in_graph and not container:
            # Of a type that the table does not have, only Resource Graph's spelling is had both ways.
            return resource_body.listed(found, spelled if spelled.lower() in self._rows else spelled.lower())
        # Resource Manager leaves the name of a subscription out.
        name = str(found["id"]).rpartition("/")[2]
        return {"name": name, **resource_body.unlisted(found, spelled)}

    def list_path(self, parent: str, kind: str) -> str:
        """Return where resources of a type are listed under a resource of the parent's type."""
        row = self[kind]
        if row.list:
            return row.list
        prefix = f"{parent.lower()}/"
        if kind.lower().startswith(prefix):
            return "/" + row.type[len(prefix) :]
        return f"{_EXTENSION}{row.type}"

    def steps(self, kind: str) -> tuple[str, ...]:
        """Return the types that must be listed one after the other to reach a type that Resource Graph does not list.

        The first is under a resource that Resource Graph lists, or under the subscription.
        """
        parent = self.parent(kind)
        if parent == SUBSCRIPTION.lower() or self[parent].in_graph:
            return (kind,)
        return (*self.steps(parent), kind)

    def parent(self, kind: str) -> str:
        """Return the type under which a type is listed: the subscription for what has no parent."""
        segments = kind.lower().split("/")
        path = self[kind].list or ""
        depth = 1 if path.startswith(_EXTENSION) else max(1, (path.count("/") + 1) // 2)
        kept = segments[:-depth]
        return "/".join(kept) if len(kept) > 1 else SUBSCRIPTION.lower()

    def is_listed_child(self, kind: str, parent: str) -> bool:
        """Return whether Resource Graph lists a type that belongs to resources of the parent's type."""
        return self[kind].in_graph and kind.lower().rpartition("/")[0] == parent.lower()

    def is_untold(self, kind: str, wanted: RelatedTypes, parents: Mapping[str, Sequence[str]]) -> bool:
        """Return whether something about resources of a type can change of which Resource Graph does not tell.

        Of children that it lists it tells. `parents` is `listed_under` of the same types.
        """
        low = kind.lower()
        return low in parents or not all(self.is_listed_child(each, low) for each in wanted.get(low, ()))

    def listed_under(self, wanted: Iterable[str]) -> Mapping[str, Sequence[str]]:
        """Map each parent type to what to list under its resources, to find all wanted types outside Resource Graph."""
        under: dict[str, list[str]] = {}
        for kind in sorted(wanted):
            if self[kind].in_graph:
                continue
            for step in self.steps(kind):
                listed = under.setdefault(self.parent(step), [])
                if step not in listed:
                    listed.append(step)
        return under


def _read(row: Mapping[str, Any]) -> ResourceType:
    return ResourceType(
        type=str(row["type"]),
        api_version=row.get("apiVersion"),
        in_graph=bool(row.get("resourceGraph", True)),
        list=row.get("list"),
        permission=row.get("permission"),
        role=row.get("role"),
    )
