"""The events of a remediation; remediation_transition.py has the moves that they allow, and what follows from each."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from shared.domain.event import Event
from shared.domain.model import INTERNAL
from shared.domain.progress import CancelRequested, WorkflowRestarted
from shared.domain.remediation import (
    FindingFilter,
)


class RemediationRequested(Event):
    """Somebody asks for findings to be fixed: those of a filter, or those whose ids are in the blob `selection`."""

    type: Literal["remediationRequested"] = "remediationRequested"
    version: Literal[1] = 1
    finding_count: int
    filter: FindingFilter | None = None
    selection: Annotated[str | None, INTERNAL] = None
    note: str = ""


class PlanningStarted(Event):
    """The plan is being made."""

    type: Literal["planningStarted"] = "planningStarted"
    version: Literal[1] = 1


class PlanningDelayed(Event):
    """The cloud makes planning wait."""

    type: Literal["planningDelayed"] = "planningDelayed"
    version: Literal[1] = 1
    until: AwareDatetime
    reason: str


class ResourceDeferred(Event):
    """A resource, by its key, cannot be read at present; it is tried again, and the others go on."""

    type: Literal["resourceDeferred"] = "resourceDeferred"
    version: Literal[1] = 1
    resource: Annotated[str, INTERNAL]
    resource_id: str
    until: AwareDatetime
    reason: str


class ItemsPlanned(Event):
    """The next items are planned, up to the resource `position`; `hashes` are those of the items, in their order.

    `retried` are the keys of resources that had been deferred, and now have an item.
    """

    type: Literal["itemsPlanned"] = "itemsPlanned"
    version: Literal[1] = 1
    first: int
    hashes: tuple[str, ...]
    counts: Mapping[str, int]
    finding_count: int
    refused_count: int
    position: Annotated[str, INTERNAL]
    retried: Annotated[tuple[str, ...], INTERNAL] = ()


class RemediationPlanned(Event):
    """The plan is made, and can be approved until `expires_at`."""

    type: Literal["remediationPlanned"] = "remediationPlanned"
    version: Literal[1] = 1
    hash: str
    item_count: int
    finding_count: int
    expires_at: AwareDatetime


class RemediationApproved(Event):
    """Somebody approves the plan with this hash."""

    type: Literal["remediationApproved"] = "remediationApproved"
    version: Literal[1] = 1
    hash: str


class ApplyingStarted(Event):
    """The first write is about to be made."""

    type: Literal["applyingStarted"] = "applyingStarted"
    version: Literal[1] = 1


class ItemsExecuted(Event):
    """Some items went on; how many there are of each outcome, and until when all that are left wait."""

    type: Literal["itemsExecuted"] = "itemsExecuted"
    version: Literal[1] = 1
    counts: Mapping[str, int]
    waiting_until: AwareDatetime | None = None
    reason: str = ""


class RollbackRequested(Event):
    """Somebody asks for what was changed to be put back."""

    type: Literal["rollbackRequested"] = "rollbackRequested"
    version: Literal[1] = 1


class RollbackApproved(Event):
    """Somebody approves the rollback that was asked for, and it begins."""

    type: Literal["rollbackApproved"] = "rollbackApproved"
    version: Literal[1] = 1


class RollbackRejected(Event):
    """Somebody turns down the rollback that was asked for."""

    type: Literal["rollbackRejected"] = "rollbackRejected"
    version: Literal[1] = 1
    reason: str


class RemediationEnded(Event):
    """A remediation has ended, with so many items of each outcome: what all such events say."""

    counts: Mapping[str, int] = Field(default_factory=dict)
    rollbackable_count: int = 0
    reason: str = ""


class RemediationRejected(RemediationEnded):
    """The plan was turned down."""

    type: Literal["remediationRejected"] = "remediationRejected"
    version: Literal[1] = 1


class RemediationExpired(RemediationEnded):
    """Nobody approved the plan in time."""

    type: Literal["remediationExpired"] = "remediationExpired"
    version: Literal[1] = 1


class RemediationCancelled(RemediationEnded):
    """It was stopped before its end."""

    type: Literal["remediationCancelled"] = "remediationCancelled"
    version: Literal[1] = 1


class RemediationSucceeded(RemediationEnded):
    """All was fixed."""

    type: Literal["remediationSucceeded"] = "remediationSucceeded"
    version: Literal[1] = 1


class RemediationPartlySucceeded(RemediationEnded):
    """Some of it was fixed."""

    type: Literal["remediationPartlySucceeded"] = "remediationPartlySucceeded"
    version: Literal[1] = 1


class RemediationFailed(RemediationEnded):
    """Nothing was fixed."""

    type: Literal["remediationFailed"] = "remediationFailed"
    version: Literal[1] = 1


class RemediationRolledBack(RemediationEnded):
    """All that was changed is as it was before."""

    type: Literal["remediationRolledBack"] = "remediationRolledBack"
    version: Literal[1] = 1


class RemediationPartlyRolledBack(RemediationEnded):
    """Some of what was changed is as it was before."""

    type: Literal["remediationPartlyRolledBack"] = "remediationPartlyRolledBack"
    version: Literal[1] = 1


type RemediationEnd = (
    RemediationCancelled
    | RemediationSucceeded
    | RemediationPartlySucceeded
    | RemediationFailed
    | RemediationRolledBack
    | RemediationPartlyRolledBack
)
"""How one ends of whose items none is left to do."""

type RemediationEvent = Annotated[
    RemediationRequested
    | PlanningStarted
    | PlanningDelayed
    | ResourceDeferred
    | ItemsPlanned
    | RemediationPlanned
    | RemediationApproved
    | ApplyingStarted
    | ItemsExecuted
    | CancelRequested
    | RollbackRequested
    | RollbackApproved
    | RollbackRejected
    | WorkflowRestarted
    | RemediationRejected
    | RemediationExpired
    | RemediationCancelled
    | RemediationSucceeded
    | RemediationPartlySucceeded
    | RemediationFailed
    | RemediationRolledBack
    | RemediationPartlyRolledBack,
    Field(discriminator="type"),
]
