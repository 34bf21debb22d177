"""Policies as the catalog holds them: an Azure Policy definition with what people need to know about it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import Field

from shared.domain.error import InvalidInput
from shared.domain.model import Model


class Severity(StrEnum):
    """How much harm a violation can do, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Risk(StrEnum):
    """How likely a fix is to interrupt those who use the resource."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Responsibility(StrEnum):
    """Who shows that a control is met: a policy can, a person has to attest it, or the cloud's provider does."""

    AUTOMATED = "automated"
    MANUAL = "manual"
    PROVIDER = "provider"


class Remediation(Model):
    """A fix for a policy whose effect has none of its own: the parts of a resource's body that make it compliant."""

    kind: Literal["patch"]
    api_version: str
    risk: Risk
    note: str = Field(min_length=1, description="what an operator should know before approving it")
    properties: Mapping[str, Any] | None = None
    identity: Mapping[str, Any] | None = None

    @property
    def patch(self) -> dict[str, Any]:
        """The fix as a merge patch on the whole body (RFC 7396)."""
        parts = {"identity": self.identity, "properties": self.properties}
        return {name: dict(part) for name, part in parts.items() if part}


Controls = Mapping[str, tuple[str, ...]]
"""Framework id -> ids of its controls."""


class PolicyEntry(Model):
    """One policy. `definition` is the Azure Policy JSON itself: {"name", "properties"}."""

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)
    display_name: str = Field(min_length=1, max_length=128)
    description: str = Field(min_length=1, max_length=512)
    category: str = Field(min_length=1)
    severity: Severity
    rationale: str = Field(min_length=1)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    controls: Controls
    remediation: Remediation | None = None
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


class Control(Model):
    """One control of a framework; `title` is a paraphrase, the publisher's text is at the framework's `url`."""

    id: str = Field(min_length=1)
    title: str = Field(min_length=1)
    family: str = Field(min_length=1)
    responsibility: Responsibility


class Framework(Model):
    """A standard or law and its controls. `note` says what of it the list holds."""

    id: str
    title: str
    version: str
    url: str = Field(pattern=r"^https://")
    note: str = ""
    controls: tuple[Control, ...]
