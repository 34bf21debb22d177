"""Rebuilds: all documents of a tenant made again from its streams, and how far that is."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field, StrictBool

from shared.domain.model import INTERNAL, Model


class RebuildPhase(StrEnum):
    """The phase of a rebuild. `settling` waits until every process follows the switch, and catches up once more."""

    PROJECTING = "projecting"
    CATCHING_UP = "catchingUp"
    COMPARING = "comparing"
    SETTLING = "settling"
    REMOVING = "removing"
    COMPLETED = "completed"


class RebuildRequest(Model):
    """A request for a rebuild."""

    check: StrictBool = Field(default=False, description="only compare with the documents in use")


class StoppedStream(Model):
    """A stream that holds an event which this version of the code does not know; it is tried again."""

    stream: str
    sequence: int
    type: str
    version: int


class Rebuild(Model):
    """A rebuild of a tenant's documents: the latest there is. `position` is the last stream, or document, done."""

    id: str
    check: bool
    phase: RebuildPhase
    previous_generation: int = Field(description="the generation of documents in use when it began")
    generation: int = Field(description="the generation that it makes")
    position: Annotated[str, INTERNAL] = ""
    streams: int = Field(default=0, description="streams that were projected")
    events: int = Field(default=0, description="events that were projected")
    gap_count: int = Field(default=0, description="known events that could not be projected")
    gaps: tuple[str, ...] = Field(default=(), description="at most the first 100 gaps: stream and sequence")
    stopped: tuple[StoppedStream, ...] = Field(
        default=(), description="the first 100 streams that cannot be projected yet"
    )
    compared: int = Field(default=0, description="documents that were compared")
    different: Mapping[str, int] = Field(default_factory=dict, description="documents that differ, by kind")
    first_different: tuple[str, ...] = Field(
        default=(), description="at most the first 100 documents that differ: kind and id"
    )
    requested_by: str
    requested_at: AwareDatetime
    ended_at: AwareDatetime | None = None

    @property
    def is_switching(self) -> bool:
        """Return whether the documents in use may lag behind their events, until every process follows the switch."""
        return not self.check and self.phase in (RebuildPhase.CATCHING_UP, RebuildPhase.SETTLING)
