"""Plans: the exact operations that fix findings, and the hash that an approval names."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from shared.domain.body import digest
from shared.domain.difference import Difference
from shared.domain.model import Model

SHOWN = 20


class Outcome(StrEnum):
    """How one item of a remediation stands."""

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


class Operation(Model):
    """One write. `if_match` is the etag the resource had; `before` the fingerprint of what it was, None of nothing.

    `after` is the fingerprint of what the plan expects, `target` that whole body, `backup` the blob with
    {"body", "etag", "apiVersion"} as read when planning.
    """

    number: int
    method: Literal["PUT", "PATCH"]
    resource_id: str
    api_version: str
    body: Mapping[str, Any]
    target: Mapping[str, Any]
    if_match: str | None
    before: str | None
    after: str
    backup: str
    differences: tuple[Difference, ...] = Field(default=(), description="the first 20")


class OperationSummary(Model):
    """What a remediation says of an operation; the plan has its body."""

    method: Literal["PUT", "PATCH"]
    resource_id: str
    api_version: str
    differences: tuple[Difference, ...] = Field(default=(), description="the first 20")


class Refusal(Model):
    """A finding that the plan does not fix, and why."""

    finding: str
    reason: str


class PlanItem(Model):
    """The operations on one resource, for the findings that they fix."""

    resource_id: str
    findings: tuple[str, ...] = ()
    policies: Mapping[str, str] = Field(default_factory=dict, description="policy name -> digest of its definition")
    operations: tuple[Operation, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: str = Field(default="", description="why there is nothing to do")


class Plan(Model):
    """All that a remediation would do."""

    remediation: str
    items: tuple[PlanItem, ...]

    @property
    def hash(self) -> str:
        """The digest of everything in the plan: operations, the states they start from, the policies they serve."""
        return digest(self.model_dump(mode="json"))


class Item(Model):
    """One item of a remediation: a resource, what is to be written, and how far that is.

    `applied` has the fingerprint of the resource after each operation done, or None where others may have changed it
    as well; `trying` is the index of the operation last begun; `attempts` counts the tries of the present step.
    """

    number: int
    resource_id: str
    findings: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    outcome: Outcome = Outcome.PENDING
    reason: str = ""
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    operations: tuple[OperationSummary, ...] = ()
    applied: tuple[str | None, ...] = ()
    trying: int | None = None
    attempts: int = 0
    settled: Outcome | None = None
    verified_at: AwareDatetime | None = None

    @property
    def changed(self) -> bool:
        """Whether the cloud may have been changed for this item."""
        return self.trying is not None

    @property
    def undoable(self) -> bool:
        """Whether a rollback has something to look at."""
        return self.changed and self.outcome in (Outcome.DONE, Outcome.FAILED, Outcome.UNKNOWN)
