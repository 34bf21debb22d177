"""Plans: the exact operations that fix findings, an item for each resource, and the hash that an approval names."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field

from shared.domain.canonical import digest
from shared.domain.difference import Difference
from shared.domain.model import Model

SHOWN_ITEMS = 20
SHOWN_BYTES = 10_000
"""Bytes of differences that are shown of an operation."""


class PlannedOperation(Model):
    """One write of a plan. `if_match` is the etag of the resource, `before` its fingerprint; null if it did not exist.

    `after` is the fingerprint of what the plan expects, `target` that whole body, `backup` the blob with
    {"body", "etag", "apiVersion"} as read when planning.
    """

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
    """An operation of an item, without its body, which the plan has."""

    method: Literal["PUT", "PATCH"]
    resource_id: str
    api_version: str
    differences: tuple[Difference, ...] = Field(default=(), description="the first 20")

    @classmethod
    def of(cls, operation: PlannedOperation) -> Self:
        """Summarize a planned operation."""
        return cls(**{name: getattr(operation, name) for name in cls.model_fields})


class Refusal(Model):
    """A finding that the plan does not fix, and why."""

    finding: str
    reason: str


class PlannedPolicy(Model):
    """A policy in force that a plan serves, with the digest of everything that decides its verdicts."""

    key: str
    name: str
    digest: str


class PlanItem(Model):
    """Holds the operations on one resource, for the findings that they fix."""

    resource_id: str
    findings: tuple[str, ...] = ()
    policies: tuple[PlannedPolicy, ...] = Field(default=(), description="the policies in force that they serve")
    operations: tuple[PlannedOperation, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: str = Field(default="", description="why there is nothing to do")


def item_hash(planned: PlanItem) -> str:
    """Return the digest of an item: its operations, the states they start from, the policies they serve."""
    return digest(planned.model_dump(mode="json"))


class RemediationPlan(Model):
    """Names all that a remediation would do: the hashes of its items, in their order."""

    remediation: str
    items: tuple[str, ...]

    @property
    def hash(self) -> str:
        """Return the digest that an approval names; a change of any item changes it."""
        return digest(self.model_dump(mode="json"))
