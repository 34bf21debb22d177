"""A cloud resource as it was read: its ARM body, how it was read, and what could not be read.

Standard library only, because the engine depends on it. A plain body without marks counts as read completely:
a property that is absent from it is absent in the cloud. `unread` and `Unread` mark what was not read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

Json = Any
"""Any JSON value."""
JsonObject = dict[str, Json]
"""A JSON object that may be changed."""
Body = Mapping[str, Json]
DAMAGED = "damaged"
"""The reason of a part that was read, and whose stored form is lost."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A part of a resource that was not read. `reason` is forbidden, unsupported, timeout, notCollected or damaged.

    `permission` names the ARM action that would have allowed the read, `scope` where, `at` when (RFC 3339), `known`
    the ids of what a list that could not be read had before, `detail` what more there is to say of the reason.
    """

    reason: str
    permission: str | None = None
    scope: str | None = None
    at: str | None = None
    known: tuple[str, ...] = ()
    detail: str | None = None

    def to_record(self) -> dict[str, Json]:
        """Return the stored form: only what is set."""
        pairs = {"reason": self.reason, "permission": self.permission, "scope": self.scope, "at": self.at}
        pairs["detail"] = self.detail
        known = {"known": list(self.known)} if self.known else {}
        return {key: value for key, value in pairs.items() if value is not None} | known

    @classmethod
    def from_record(cls, record: Mapping[str, Json]) -> Self:
        """Read the stored form."""
        known = tuple(record.get("known", ()))
        permission, scope, at, detail = (record.get(each) for each in ("permission", "scope", "at", "detail"))
        return cls(record["reason"], permission, scope, at, known, detail)


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource. `unread` maps a body path ("properties", "properties.siteConfig") to why it was not read.

    `related` maps a lower-case resource type to the resources of that type that belong to this one (children,
    diagnostic settings, …) or to `Unread`; a type that is not in the map was not collected. `partial` names the types
    of which the map has some that nobody listed: others may exist. It is known from context, and never stored.
    """

    body: Body
    api_version: str | None = None
    collected_at: str | None = None
    unread: Mapping[str, Unread] = field(default_factory=dict)
    related: Mapping[str, "tuple[Resource, ...] | Unread"] = field(default_factory=dict)
    partial: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """Return the ARM id as the cloud spells it, or an empty string."""
        return str(self.body.get("id") or "")

    @property
    def type(self) -> str:
        """Return the resource type as the cloud spells it, or an empty string."""
        return str(self.body.get("type") or "")

    def to_record(self) -> dict[str, Json]:
        """Return the stored form: camelCase, only what is set."""
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

    @property
    def is_damaged(self) -> bool:
        """Return whether what was stored of it is lost, so that it has to be read again."""
        return any(why.reason == DAMAGED for why in self.unread.values())


def plain_location(location: str) -> str:
    """Return a location without spaces and case: East US is eastus, and Azure answers either."""
    return location.replace(" ", "").lower()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A resource as the cloud returned it for a write. `etag` is None for types that have none."""

    body: Body
    etag: str | None
