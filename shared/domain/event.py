"""Domain events: what happened to one thing, in order."""

from collections.abc import Mapping
from typing import Any

from pydantic import AwareDatetime, Field

from shared.domain.model import Model


class Fact(Model):
    """A decision before it is recorded."""

    type: str
    data: Mapping[str, Any] = Field(default_factory=dict)


class Event(Model):
    """A recorded fact. `stream` names the thing ("scan:01…", "estate:<subscription>"), `sequence` counts from 1."""

    stream: str
    sequence: int
    type: str
    at: AwareDatetime
    actor: str
    correlation: str
    data: Mapping[str, Any] = Field(default_factory=dict)


class Actor(Model):
    """Who decides, and in which piece of work: a person, or "system"."""

    name: str
    correlation: str


SYSTEM = "system"
