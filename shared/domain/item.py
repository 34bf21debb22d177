"""Items of remediations: one resource each, what is to be written to it, and how far that is.

item_event.py has the events that make one, item_step.py what follows from what is observed of its resource.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from shared.domain.model import INTERNAL
from shared.domain.page import PageRequest
from shared.domain.plan import OperationSummary, Refusal
from shared.domain.progress import Waiting


class ItemOutcome(StrEnum):
    """The outcome of one item of a remediation."""

    PENDING = "pending"
    APPLYING = "applying"
    APPLIED = "applied"
    ROLLING_BACK = "rollingBack"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"
    REFUSED = "refused"
    ROLLED_BACK = "rolledBack"


BEGUN = (ItemOutcome.APPLYING, ItemOutcome.APPLIED, ItemOutcome.ROLLING_BACK)
"""The outcomes of items of which a step was begun, and that have not ended."""
UNDOABLE = (ItemOutcome.DONE, ItemOutcome.FAILED, ItemOutcome.UNKNOWN)
"""The outcomes after which a rollback has something to look at, where the cloud may have been changed."""
SHORT = (ItemOutcome.REFUSED, ItemOutcome.FAILED, ItemOutcome.UNKNOWN)
"""The outcomes of items that were not done as asked."""
BEGUN_DUE, FRESH_DUE = 0, 1


class RemediationItem(Waiting):
    """One item of a remediation, as projected from its stream.

    `applied` has the fingerprint of the resource after each operation done, or None where others may have changed it
    as well; `current_operation` is the index of the operation last begun; `attempts` counts the tries of the present
    step.
    """

    id: str
    remediation: str
    number: int
    hash: str = Field(description="the digest of this item's part of the plan")
    resource_id: str
    resource: Annotated[str, INTERNAL] = Field(default="", description="the key of the resource")
    resources: Annotated[tuple[str, ...], INTERNAL] = Field(
        default=(), description="the keys of the resource and of all that its operations write"
    )
    matched: int = Field(description="findings of the request that are on the resource")
    findings: tuple[str, ...] = Field(default=(), description="the findings that are fixed")
    policies: tuple[str, ...] = ()
    outcome: ItemOutcome = ItemOutcome.PENDING
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    operations: tuple[OperationSummary, ...] = ()
    applied: tuple[str | None, ...] = ()
    current_operation: int | None = None
    attempts: int = 0
    delayed_at: AwareDatetime | None = Field(default=None, description="when its current step was first delayed")
    outcome_before_rollback: ItemOutcome | None = Field(
        default=None, description="its outcome before it was rolled back"
    )
    verified_at: AwareDatetime | None = None
    changed: bool = Field(default=False, description="whether the resource may have been changed")
    partial: bool = Field(default=False, description="whether some of its findings are not fixed")
    rollback: int = Field(default=0, description="the number of the rollback that it was last part of")
    due: Annotated[int, INTERNAL] = Field(
        default=FRESH_DUE, description="orders what is left: begun, fresh, then by when it goes on"
    )
    sequence: int = 0

    @property
    def begun(self) -> bool:
        """Return whether a step of it was begun, and it has not ended."""
        return self.outcome in BEGUN

    @property
    def undoable(self) -> bool:
        """Return whether a rollback has something to look at."""
        return self.changed and self.outcome in UNDOABLE


def item_id(remediation: str, number: int) -> str:
    """Return the id of an item: it sorts by number within its remediation."""
    return f"{remediation}-{number:06d}"


def due(item: RemediationItem) -> int:
    """Return what orders an item with work left: milliseconds since 1970 for one that waits."""
    if item.waiting_until is not None:
        # Any time is larger than the two constants, so that items that wait come after all others.
        return int(item.waiting_until.timestamp() * 1000)
    return BEGUN_DUE if item.begun else FRESH_DUE


class RemediationItemListing(PageRequest):
    """Chooses items of a remediation."""

    outcome: tuple[ItemOutcome, ...] = ()


def with_pending_skipped(counts: Mapping[str, int]) -> dict[str, int]:
    """Count as skipped what is pending when no item is begun any more."""
    after = dict(counts)
    if pending := after.pop(ItemOutcome.PENDING, 0):
        after[ItemOutcome.SKIPPED] = after.get(ItemOutcome.SKIPPED, 0) + pending
    return after
