"""Remediations: what is to be fixed, how it is planned and approved, and how it ended.

remediation_event.py has the events that make one; item.py has its items, each a record of its own.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import AwareDatetime, Field

from shared.domain.item import ItemOutcome, RemediationItem
from shared.domain.model import INTERNAL, AnyCase, Model
from shared.domain.page import PageRequest
from shared.domain.policy import Severity
from shared.domain.progress import WorkflowRecord

FINDING_IDS = 10_000
"""Findings that one request may name by their ids."""
FINDINGS = 50_000
"""Findings that one remediation may be about, when a filter chooses them."""


class RemediationStatus(StrEnum):
    """The status of a remediation."""

    REQUESTED = "requested"
    PLANNING = "planning"
    AWAITING_APPROVAL = "awaitingApproval"
    APPROVED = "approved"
    APPLYING = "applying"
    CANCELLING = "cancelling"
    ROLLING_BACK = "rollingBack"
    SUCCEEDED = "succeeded"
    PARTLY_SUCCEEDED = "partlySucceeded"
    FAILED = "failed"
    ROLLED_BACK = "rolledBack"
    PARTLY_ROLLED_BACK = "partlyRolledBack"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


ACTIVE = (
    RemediationStatus.REQUESTED,
    RemediationStatus.PLANNING,
    RemediationStatus.AWAITING_APPROVAL,
    RemediationStatus.APPROVED,
    RemediationStatus.APPLYING,
    RemediationStatus.CANCELLING,
    RemediationStatus.ROLLING_BACK,
)
"""The statuses in which a workflow has something to do."""

UNAPPLIED = (
    RemediationStatus.REQUESTED,
    RemediationStatus.PLANNING,
    RemediationStatus.AWAITING_APPROVAL,
    RemediationStatus.APPROVED,
)
WORKING = (RemediationStatus.APPLYING, RemediationStatus.CANCELLING, RemediationStatus.ROLLING_BACK)
UNDOABLE = (
    RemediationStatus.SUCCEEDED,
    RemediationStatus.PARTLY_SUCCEEDED,
    RemediationStatus.FAILED,
    RemediationStatus.CANCELLED,
    RemediationStatus.PARTLY_ROLLED_BACK,
)


class FindingFilter(Model):
    """Chooses open findings that have a fix; all conditions hold, and one is needed."""

    policy: AnyCase | None = None
    assignment: AnyCase | None = None
    reference: AnyCase | None = None
    severity: Severity | None = None
    subscription: AnyCase | None = None
    resource_group: AnyCase | None = None
    resource_type: AnyCase | None = None
    owner: str | None = None
    environment: str | None = None


class FindingSelection(Model):
    """Chooses what to fix: findings by id, or all that a filter chooses."""

    findings: tuple[str, ...] = Field(default=(), max_length=FINDING_IDS, description="finding ids")
    filter: FindingFilter | None = Field(
        default=None, description=f"instead of ids: at least one condition, at most {FINDINGS:,} findings"
    )


class RemediationRequest(FindingSelection):
    """A request to fix findings, with the reason."""

    note: str = Field(default="", max_length=1000, description="the reason, for the approver")


class RemediationPreview(Model):
    """The number of findings that a request would be about now."""

    findings: int
    by_severity: Mapping[str, int] = Field(default_factory=dict)
    by_policy: Mapping[str, int] = Field(default_factory=dict)


class Approval(Model):
    """The approval of a plan: by whom, and when."""

    by: str
    at: AwareDatetime
    hash: str


class RollbackRequest(Model):
    """A request to roll a remediation back; it waits until `approved_at`."""

    by: str
    at: AwareDatetime
    approved_by: str | None = None
    approved_at: AwareDatetime | None = None


class DeferredResource(Model):
    """A resource that could not be read while planning, and is tried again; `resource` is its key."""

    resource: str
    resource_id: str
    attempts: int
    until: AwareDatetime
    reason: str


class Remediation(WorkflowRecord):
    """A remediation as projected from its stream: counts and the plan's hash, never items."""

    id: str
    status: RemediationStatus
    requester: str
    filter: FindingFilter | None = Field(default=None, description="the filter that chose the findings, without ids")
    selection: Annotated[str | None, INTERNAL] = Field(
        default=None, description="the blob that has the ids of the findings asked for"
    )
    note: str = ""
    finding_count: int = Field(description="findings of the request; counted again by the plan")
    item_count: int = Field(default=0, description="resources planned so far, each an item")
    counts: Mapping[str, int] = Field(default_factory=dict, description="items by outcome")
    refused_count: int = Field(default=0, description="findings that the plan does not fix")
    position: Annotated[str, INTERNAL] = Field(default="", description="the resource that was planned last")
    deferred: Annotated[tuple[DeferredResource, ...], INTERNAL] = Field(
        default=(), description="resources that are tried again before the plan is made"
    )
    plan_hash: str | None = None
    approval: Approval | None = None
    requested_at: AwareDatetime
    progressed_at: AwareDatetime | None = Field(default=None, description="when items were last planned or applied")
    planned_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    started_at: AwareDatetime | None = None
    rollback_request: RollbackRequest | None = Field(
        default=None, description="who asked for the latest rollback and who approved it; null when that was rejected"
    )
    ended_at: AwareDatetime | None = None
    rollbacks: int = Field(default=0, description="the number of approved rollbacks")
    rollbackable_count: int = Field(default=0, description="items that can be rolled back")
    sequence: int = 0
    correlation: str = ""

    @property
    def undoable(self) -> bool:
        """Return whether it can be rolled back."""
        return self.status in UNDOABLE and self.rollbackable_count > 0

    @property
    def is_past_applying(self) -> bool:
        """Return whether no item is begun any more: those that are pending have been skipped."""
        return self.ended_at is not None or self.rollbacks > 0

    @property
    def awaits_rollback_approval(self) -> bool:
        """Return whether somebody has asked for a rollback that nobody has decided on."""
        return self.rollback_request is not None and self.rollback_request.approved_at is None


def is_held(item: RemediationItem, remediation: Remediation) -> bool:
    """Return whether a remediation still means to write the resources of an item, or to put them back."""
    if remediation.status not in ACTIVE:
        return False
    if item.outcome == ItemOutcome.PENDING:
        return not remediation.is_past_applying
    to_roll_back = item.undoable and item.rollback < remediation.rollbacks
    return item.begun or (remediation.status == RemediationStatus.ROLLING_BACK and to_roll_back)


class RemediationStep(NamedTuple):
    """Names what a remediation needs next; `until` is when waiting ends."""

    do: str
    until: datetime | None = None


APPROVAL = "somebody other than the requester has to approve the plan"


def next_step(remediation: Remediation, first: RemediationItem | None, at: datetime) -> RemediationStep:
    """Return the next step at a time: plan, execute, finish, end, or wait where nothing can be done yet.

    `first` is the item with work left that goes on the soonest. One that waits for the cloud holds up no other.
    """
    if remediation.status in (RemediationStatus.REQUESTED, RemediationStatus.PLANNING):
        until = remediation.waiting_until
        return RemediationStep("wait", until) if until and until > at else RemediationStep("plan")
    if remediation.status == RemediationStatus.AWAITING_APPROVAL:
        return RemediationStep("wait", remediation.expires_at)
    if remediation.status not in ACTIVE:
        return RemediationStep("end")
    if first is None:
        return RemediationStep("finish")
    # The first is the soonest: where it waits, all do.
    waits = first.waiting_until is not None and first.waiting_until > at
    if waits and remediation.status != RemediationStatus.CANCELLING:
        return RemediationStep("wait", first.waiting_until)
    return RemediationStep("execute")


class RemediationListing(PageRequest):
    """Chooses remediations."""

    status: tuple[RemediationStatus, ...] = ()
