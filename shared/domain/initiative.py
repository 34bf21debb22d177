"""What an initiative or assignment holds, as people look at it: its members, where they lead, its parameters."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from shared.domain.model import Model


class MemberSummary(Model):
    """One member: `problem` says why it cannot be used, None where it can; `effect` is that of the present values.

    `version` is asked for, `held` is the one at hand; `parameters` are the values as written.
    """

    reference: str
    definition: str
    display_name: str = ""
    problem: str | None = None
    version: str = ""
    held: str = ""
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
    """What an initiative holds. `assignment` is the name of the assignment whose values are shown, if there is one."""

    name: str
    display_name: str = ""
    assignment: str | None = None
    parameters: tuple[ParameterSummary, ...] = ()
    members: tuple[MemberSummary, ...] = ()
