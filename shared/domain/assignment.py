"""An assignment in a list: what it brings into force, where, and with which values."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from shared.domain.model import AnyCase, Model


class AssignmentSummary(Model):
    """An assignment. `definition` is the id of the definition or initiative that it brings to its scope."""

    id: AnyCase
    name: str
    display_name: str = ""
    description: str = ""
    scope: str
    not_scopes: tuple[str, ...] = ()
    definition: str
    parameters: Mapping[str, Any] = Field(default_factory=dict)
    enforcement_mode: str = "Default"
    policies: int = Field(default=0, description="the number of policies that it brings into force")
    problem: str | None = Field(default=None, description="why it cannot be used; null where it can")
