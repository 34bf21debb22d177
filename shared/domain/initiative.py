"""Summaries of initiatives and assignments: members with their definitions, and parameters."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from shared.domain.model import Model


class MemberSummary(Model):
    """One member: `problem` says why it cannot be used, or is null; `effect` is that of the present values.

    `version` is the one that is referred to, `effective_version` the one in use; `parameters` are the values as
    written.
    """

    reference: str
    definition: str
    display_name: str = ""
    problem: str | None = None
    version: str = ""
    effective_version: str = ""
    effect: str = ""
    groups: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = Field(default_factory=dict)


class ParameterSummary(Model):
    """One parameter of an initiative: `value` is what is given, else the default; `members` are those that get it."""

    name: str
    type: str
    required: bool
    value: Any = None
    allowed: tuple[Any, ...] | None = None
    members: tuple[str, ...] = ()


class InitiativeSummary(Model):
    """An initiative with its members and parameters. `assignment` is the one whose values are shown, if any."""

    name: str
    display_name: str = ""
    assignment: str | None = None
    parameters: tuple[ParameterSummary, ...] = ()
    members: tuple[MemberSummary, ...] = ()
