"""A cloud resource as it was read: its ARM body, how it was read, and what could not be read.

Standard library only, because the engine stands on it. A plain body without marks counts as read completely:
a property that is absent from it is absent in the cloud. `unread` and `Unread` mark what was not read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

Json = Any
Body = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a part of a resource is not known: `reason` is one of forbidden, unsupported, timeout, notCollected.

    `permission` names the ARM action that would have allowed the read, `scope` where, `at` when (RFC 3339).
    """

    reason: str
    permission: str | None = None
    scope: str | None = None
    at: str | None = None

    def to_record(self) -> dict[str, Json]:
        """The stored form: only what is set."""
        pairs = {"reason": self.reason, "permission": self.permission, "scope": self.scope, "at": self.at}
        return {key: value for key, value in pairs.items() if value is not None}

    @classmethod
    def from_record(cls, record: Mapping[str, Json]) -> Self:
        """Read the stored form."""
        return cls(record["reason"], record.get("permission"), record.get("scope"), record.get("at"))


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource. `unread` maps a body path ("properties", "properties.siteConfig") to why it was not read.

    `related` maps a lower-case resource type to the resources of that type that belong to this one (children,
    diagnostic settings, …) or to `Unread`; a type that is not in the map was not collected.
    """

    body: Body
    api_version: str | None = None
    collected_at: str | None = None
    unread: Mapping[str, Unread] = field(default_factory=dict)
    related: Mapping[str, "tuple[Resource, ...] | Unread"] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The ARM id as the cloud spells it, or an empty string."""
        return str(self.body.get("id") or "")

    @property
    def type(self) -> str:
        """The resource type as the cloud spells it, or an empty string."""
        return str(self.body.get("type") or "")

    def to_record(self) -> dict[str, Json]:
        """The stored form: camelCase, only what is set."""
        record: dict[str, Json] = {"body": self.body}
        if self.api_version:
            record["apiVersion"] = self.api_version
        if self.collected_at:
            record["collectedAt"] = self.collected_at
        if self.unread:
            record["unread"] = {path: why.to_record() for path, why in self.unread.items()}
        if self.related:
            record["related"] = {
                kind: found.to_record() if isinstance(found, Unread) else [each.to_record() for each in found]
                for kind, found in self.related.items()
            }
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Json]) -> Self:
        """Read the stored form."""
        unread = {path: Unread.from_record(why) for path, why in (record.get("unread") or {}).items()}
        related = {
            kind: Unread.from_record(found)
            if isinstance(found, Mapping)
            else tuple(cls.from_record(each) for each in found)
            for kind, found in (record.get("related") or {}).items()
        }
        return cls(record["body"], record.get("apiVersion"), record.get("collectedAt"), unread, related)


def subscription_of(resource_id: str) -> str:
    """The subscription id in an ARM id, lower case; "tenant" for ids above subscriptions."""
    parts = resource_id.lower().split("/")
    return parts[2] if len(parts) > 2 and parts[1] == "subscriptions" else "tenant"  # noqa: PLR2004 - /subscriptions/{id}


def resource_group_of(resource_id: str) -> str | None:
    """The resource group's name in an ARM id, lower case, if there is one."""
    parts = resource_id.lower().split("/")
    return parts[4] if len(parts) > 4 and parts[3] == "resourcegroups" else None  # noqa: PLR2004 - position in the id


def parent_of(resource_id: str) -> str | None:
    """The id of the resource that a child or extension resource belongs to; None for one that stands alone."""
    head, separator, tail = resource_id.rpartition("/providers/")
    segments = tail.split("/")
    if not separator:
        return None
    if len(segments) > 3:  # noqa: PLR2004 - namespace/type/name and more
        return f"{head}/providers/{'/'.join(segments[:-2])}"
    return head if "/providers/" in head else None


def plain_location(location: str) -> str:
    """A location without spaces and case: East US is eastus, and Azure answers either."""
    return location.replace(" ", "").lower()


def type_of(resource_id: str) -> str:
    """The resource type that an ARM id names, as spelled in the id; "" when it names none."""
    _, separator, tail = resource_id.rpartition("/providers/")
    if not separator:
        return _CONTAINERS.get(resource_id.count("/"), "") if subscription_of(resource_id) != "tenant" else ""
    namespace, *names = tail.split("/")
    return "/".join([namespace, *names[::2]])


_CONTAINERS = {2: "Microsoft.Resources/subscriptions", 4: "Microsoft.Resources/subscriptions/resourceGroups"}
"""The types of ids without a provider, by the number of their slashes."""
