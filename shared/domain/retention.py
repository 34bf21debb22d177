"""Retention: for how long what was derived from events is kept, and the record of what was removed."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from shared.domain.event import Event, Recorded
from shared.domain.model import Model


class Retention(Model):
    """Days that things are kept, by kind; 0 keeps them for ever. Events are never removed."""

    changes: int = Field(default=400, ge=0, description="changes of resources, after they were seen")
    resources: int = Field(default=400, ge=0, description="resources that are gone, after they went")
    findings: int = Field(default=400, ge=0, description="findings that are closed, after they last changed")
    scans: int = Field(
        default=400, ge=0, description="scans with their progress, after their end; the trend is made of them"
    )
    imports: int = Field(default=400, ge=0, description="imports, after their end")
    exemptions: int = Field(default=400, ge=0, description="exemptions, after their end")
    remediations: int = Field(default=400, ge=0, description="remediations that cannot be rolled back, after their end")
    before_images: int = Field(
        default=90, ge=0, description="resources as they were before a remediation that cannot be rolled back"
    )
    poison: int = Field(
        default=90, ge=0, description="messages that failed on every delivery, after they were recorded"
    )
    histories: int = Field(
        default=30, ge=0, description="histories of workflows in the task hub, after the workflow began"
    )
    orphaned_blobs: int = Field(
        default=7, ge=1, description="blobs that no event names, left by writers that were killed or overtaken"
    )


class RemovalRun(Model):
    """The removals of a tenant: the run that began last, what it removed, and where the next one goes on."""

    id: str
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    planned: Mapping[str, int] = Field(default_factory=dict, description="what it set out to remove, by kind")
    removed: Mapping[str, int] = Field(default_factory=dict, description="what it removed, by kind")
    totals: Mapping[str, int] = Field(default_factory=dict, description="what all runs removed, by kind")
    position: str = Field(default="", description="the folder of blobs that was searched last; empty after all of them")
    sequence: int = 0


class RemovalStarted(Event):
    """A run begins to remove so many of each kind."""

    type: Literal["removalStarted"] = "removalStarted"
    version: Literal[1] = 1
    planned: Mapping[str, int]


class RemovalEnded(Event):
    """A run has removed so many of each kind; the next goes on looking for blobs after `position`."""

    type: Literal["removalEnded"] = "removalEnded"
    version: Literal[1] = 1
    removed: Mapping[str, int]
    position: str


type RetentionEvent = Annotated[RemovalStarted | RemovalEnded, Field(discriminator="type")]


def apply(run: RemovalRun | None, recorded: Recorded[RetentionEvent]) -> RemovalRun:
    """Return the removals after an event."""
    event, at = recorded.event, recorded.at
    if isinstance(event, RemovalStarted):
        begun: dict[str, Any] = {"started_at": at, "ended_at": None, "planned": event.planned, "removed": {}}
        before = run or RemovalRun(id=recorded.thing, started_at=at)
        return before.model_copy(update={**begun, "sequence": recorded.sequence})
    assert run is not None  # a run ends after it began
    totals = {kind: run.totals.get(kind, 0) + event.removed.get(kind, 0) for kind in {*run.totals, *event.removed}}
    ended = {"ended_at": at, "removed": event.removed, "totals": totals, "position": event.position}
    return run.model_copy(update={**ended, "sequence": recorded.sequence})
