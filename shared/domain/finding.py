"""Findings: the (policy, resource) pairs that need attention, and their status over time."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from shared.domain.model import INTERNAL, AnyCase, Model, Timestamp
from shared.domain.page import PageRequest
from shared.domain.policy import Severity
from shared.domain.truncation import TEXT_CHARACTERS, truncate
from shared.domain.verdict import State, Verdict


class FindingStatus(StrEnum):
    """The status of a finding."""

    OPENED = "opened"
    REOPENED = "reopened"
    EXEMPT = "exempt"
    RESOLVED = "resolved"


OPEN_STATUSES = (FindingStatus.OPENED, FindingStatus.REOPENED)

NEXT_STATUS: Mapping[tuple[FindingStatus | None, State], FindingStatus | None] = {
    (None, State.COMPLIANT): None,
    (None, State.EXEMPT): FindingStatus.EXEMPT,
    **{(None, state): FindingStatus.OPENED for state in (State.NON_COMPLIANT, State.UNKNOWN, State.ERROR)},
    **{(status, State.COMPLIANT): FindingStatus.RESOLVED for status in FindingStatus},
    **{(status, State.EXEMPT): FindingStatus.EXEMPT for status in FindingStatus},
    **{
        (status, state): status
        for status in OPEN_STATUSES
        for state in (State.NON_COMPLIANT, State.UNKNOWN, State.ERROR)
    },
    **{
        (status, state): FindingStatus.REOPENED
        for status in (FindingStatus.RESOLVED, FindingStatus.EXEMPT)
        for state in (State.NON_COMPLIANT, State.UNKNOWN, State.ERROR)
    },
}
"""(status so far, state of the new verdict) -> next status; None where no finding is needed.

What fails as before keeps its status: a judgement in which nothing has changed changes nothing.
"""


EVIDENCE_CLAUSES = 50
MISSING_PARTS = 50


def resource_key(resource_id: str) -> str:
    """Return the key of a resource in our store: a digest of its lower-case ARM id."""
    return hashlib.sha256(resource_id.lower().encode()).hexdigest()[:16]


def finding_id(resource: str, policy: str) -> str:
    """Return the stable id of a verdict, from the key of the resource and that of the policy in force."""
    return f"{resource}.{policy}"


class FindingClause(Model):
    """A clause of the policy that took part in the verdict; see `shared.domain.verdict.Evidence`.

    Long values are cut; the explanation of a finding has them whole.
    """

    clause: str
    field: str
    path: str | None = None
    operator: str
    expected: Any = None
    observed: Any = None
    result: bool | None = None
    decided: bool = True


class FindingMissingPart(Model):
    """A part that was not read, so that the verdict is unknown; see `shared.domain.verdict.MissingPart`."""

    part: str
    reason: str
    permission: str | None = None
    scope: str | None = None


def rank(severity: str, opened_at: datetime) -> int:
    """Rank a finding by its severity, then by when it was opened; one of no known severity comes last."""
    known = list(Severity)
    # One number orders by both: no time in seconds reaches 10**11 before the year 5138.
    above = len(known) - known.index(Severity(severity)) if severity in known else 0
    return above * 10**11 + int(opened_at.timestamp())


def searched_text(finding: Mapping[str, Any]) -> str:
    """Return what a search looks at, in lower case: title, policy, ARM id, owner and environment."""
    parts = (finding.get(name) for name in ("title", "policy", "resource_id", "owner", "environment"))
    return "\n".join(str(part) for part in parts if part).lower()


class Finding(Model):
    """A (policy, resource) pair that needs, or needed, attention."""

    id: str
    policy: str = Field(description="the name of the definition")
    assignment: AnyCase = Field(default="", description="the id of the assignment that brings it, lower case")
    reference: AnyCase = Field(default="", description="its definition reference id in the initiative, lower case")
    initiative: AnyCase = Field(default="", description="the id of the initiative, lower case")
    enforced: bool = Field(default=True, description="whether the assignment enforces the effect")
    message: str = Field(default="", description="the non-compliance message of the assignment")
    title: str = Field(description="what is wrong")
    severity: str
    category: str
    effect: str
    resource: str
    resource_id: str
    resource_type: AnyCase = Field(description="lower case")
    subscription: str
    resource_group: str | None = None
    owner: str | None = None
    environment: str | None = None
    state: State
    status: FindingStatus
    open: bool
    reason: str = ""
    evidence: tuple[FindingClause, ...] = ()
    missing: tuple[FindingMissingPart, ...] = ()
    remediable: bool = False
    exemption: str | None = None
    opened_at: AwareDatetime
    changed_at: AwareDatetime
    resolved_at: AwareDatetime | None = None
    reopened: int = 0
    collected_at: AwareDatetime | None = None
    api_version: str | None = None
    rank: int = Field(
        default_factory=lambda known: rank(known["severity"], known["opened_at"]),
        description="the order by severity, then by the time it was opened",
    )
    text: Annotated[str, INTERNAL] = Field(default_factory=searched_text)
    sequence: int = 0

    @property
    def policy_key(self) -> str:
        """Return the key of the policy in force."""
        return self.id.rpartition(".")[2]


def clauses(verdict: Verdict) -> tuple[FindingClause, ...]:
    """Return the verdict's evidence in the vocabulary of documents: at most 50 clauses, those that decided first."""
    evidence = verdict.evidence
    if len(evidence) > EVIDENCE_CLAUSES:
        # Sorting is stable: among those that decided, and among the others, the order is that of the policy.
        evidence = tuple(sorted(evidence, key=lambda each: not each.decided)[:EVIDENCE_CLAUSES])
    return tuple(
        FindingClause(
            clause=each.clause[:TEXT_CHARACTERS],
            field=each.field[:TEXT_CHARACTERS],
            path=each.path[:TEXT_CHARACTERS] if each.path else each.path,
            operator=each.operator,
            expected=truncate(each.expected),
            observed=truncate(each.observed),
            result=each.result,
            decided=each.decided,
        )
        for each in evidence
    )


def missing_parts(verdict: Verdict) -> tuple[FindingMissingPart, ...]:
    """Return the verdict's missing parts in the vocabulary of documents: the first 50."""
    return tuple(
        FindingMissingPart(part=each.part, reason=each.reason, permission=each.permission, scope=each.scope)
        for each in verdict.missing[:MISSING_PARTS]
    )


class FindingListing(PageRequest):
    """Chooses findings; all conditions hold, and one given several times means any of its values.

    With `strict` an empty list is only given where it says something: 400 for a value that nothing has, with the
    nearest spelling, and where no resource that was evaluated meets the conditions.
    """

    open: bool | None = Field(default=None, description="true: only open findings; false: only those that are not")
    severity: tuple[Severity, ...] = ()
    state: tuple[State, ...] = ()
    status: tuple[FindingStatus, ...] = ()
    policy: tuple[AnyCase, ...] = Field(default=(), description="names of definitions")
    assignment: tuple[AnyCase, ...] = Field(default=(), description="ids or names of assignments")
    reference: tuple[AnyCase, ...] = Field(default=(), description="definition reference ids")
    initiative: tuple[AnyCase, ...] = Field(default=(), description="ids of initiatives")
    category: tuple[str, ...] = ()
    framework: tuple[AnyCase, ...] = Field(default=(), description="ids of frameworks that the policy serves")
    control: tuple[AnyCase, ...] = Field(default=(), description="ids of controls that the policy serves")
    subscription: tuple[AnyCase, ...] = ()
    resource_group: tuple[AnyCase, ...] = Field(default=(), description="names of resource groups")
    resource_type: tuple[AnyCase, ...] = Field(default=(), description="Microsoft.Storage/storageAccounts, any case")
    owner: tuple[str, ...] = Field(default=(), description="values of the tag `owner`")
    environment: tuple[str, ...] = Field(default=(), description="values of the tag `environment`")
    resource: str | None = Field(default=None, description="the key of a resource")
    remediable: bool | None = Field(default=None, description="true: only those with a fix; false: only the others")
    text: AnyCase | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="a part of the title, the policy, the ARM id, the owner or the environment, in any case",
    )
    since: Timestamp | None = Field(default=None, description="opened at this second or later")
    strict: bool = Field(default=False, description="refuse what nothing can meet, instead of an empty list")
    order: Literal["severity", "openedAt", "changedAt", "id"] = Field(
        default="severity",
        description="the worst first, and of those the latest opened; `openedAt` and `changedAt` have the latest "
        "first; `id` is for a listing that misses nothing while things change",
    )
