"""Policies as the catalog holds them: an Azure Policy definition with what people need to know about it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import Field

from shared.domain.error import InvalidInput
from shared.domain.model import Model
from shared.domain.page import PageRequest


class Severity(StrEnum):
    """The harm that a violation can do, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Risk(StrEnum):
    """The risk that a fix interrupts those who use the resource."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class PolicyRemediation(Model):
    """A fix for a policy whose effect has none of its own: the parts of a resource's body that make it compliant."""

    kind: Literal["patch"]
    api_version: str
    properties: Mapping[str, Any] | None = None
    identity: Mapping[str, Any] | None = None

    @property
    def patch(self) -> dict[str, Any]:
        """Return the fix as a merge patch on the whole body (RFC 7396)."""
        parts = {"identity": self.identity, "properties": self.properties}
        return {name: dict(part) for name, part in parts.items() if part}


class PolicyChange(Model):
    """What whoever approves the fix of a policy must know, whether the fix is of its effect or in the catalog."""

    risk: Risk
    impact: str = Field(min_length=1, description="what may break, and what to do before")
    rollback: str = Field(min_length=1, description="whether it can be undone, and what a rollback does not restore")
    cost: str = Field(min_length=1, description="what it adds to the bill")

    @property
    def note(self) -> str:
        """Return all of it as sentences."""
        return f"{self.risk.capitalize()} risk. {self.impact} {self.rollback} {self.cost}"


Controls = Mapping[str, tuple[str, ...]]
"""Framework id -> ids of its controls."""


class PolicyEntry(Model):
    """One policy. `definition` is the Azure Policy JSON itself: {"name", "properties"}.

    `display_name` says what is wished ("Key vaults cannot be purged"), `finding_title` what is wrong where it is not
    met ("Key vault can be purged").
    """

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)
    display_name: str = Field(min_length=1, max_length=128)
    finding_title: str = Field(min_length=1, max_length=128)
    description: str = Field(min_length=1, max_length=512)
    category: str = Field(min_length=1)
    severity: Severity
    rationale: str = Field(min_length=1)
    version: str = Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")
    controls: Controls
    change: PolicyChange | None = None
    remediation: PolicyRemediation | None = None
    definition: Mapping[str, Any]

    @classmethod
    def from_definition(cls, definition: Mapping[str, Any]) -> Self:
        """Read a definition whose `metadata` holds what the catalog adds.

        Raises:
            InvalidInput: a part is missing or not what it should be; a `ValidationError` of pydantic is one as well.
        """
        try:
            properties = definition["properties"]
            named = {key: properties[key] for key in ("displayName", "description")}
            metadata = dict(properties["metadata"])
            name = definition["name"]
        except KeyError as missing:
            raise InvalidInput(f"{missing} is missing from the definition", path=f"$..{missing.args[0]}") from None
        except (TypeError, ValueError):
            raise InvalidInput("properties and properties.metadata must be objects", path="$.properties") from None
        return cls.model_validate({**metadata, **named, "name": name, "definition": definition})


class ListedPolicy(Model):
    """A policy of a list, without its definition."""

    name: str
    display_name: str = Field(description="what is wished")
    finding_title: str = Field(description="what is wrong with a resource that does not comply")
    description: str
    category: str
    severity: Severity
    rationale: str
    version: str
    controls: Controls
    change: PolicyChange | None = Field(description="what to know before its fix is approved; null where it has none")
    remediation: PolicyRemediation | None


class PolicyListing(PageRequest):
    """Chooses policies; all conditions hold."""

    category: str | None = None
    severity: tuple[Severity, ...] = ()
    framework: str | None = Field(default=None, description="the id of a framework that the policy serves")

    def has(self, entry: PolicyEntry) -> bool:
        """Return whether a policy matches."""
        return (
            self.category in (None, entry.category)
            and (not self.severity or entry.severity in self.severity)
            and (self.framework is None or self.framework in entry.controls)
        )
