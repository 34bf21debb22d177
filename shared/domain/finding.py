"""Findings: the (policy, resource) pairs that need attention, and their life."""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime

from shared.domain.model import Model
from shared.domain.verdict import State, Verdict


class Life(StrEnum):
    """Where a finding stands in its life."""

    OPENED = "opened"
    STILL_OPEN = "stillOpen"
    REOPENED = "reopened"
    EXEMPT = "exempt"
    RESOLVED = "resolved"


OPEN = (Life.OPENED, Life.STILL_OPEN, Life.REOPENED)

NEXT_LIFE: Mapping[tuple[Life | None, State], Life | None] = {
    (None, State.COMPLIANT): None,
    (None, State.EXEMPT): Life.EXEMPT,
    **{(None, state): Life.OPENED for state in (State.NON_COMPLIANT, State.UNKNOWN, State.ERROR)},
    **{(life, State.COMPLIANT): Life.RESOLVED for life in Life},
    **{(life, State.EXEMPT): Life.EXEMPT for life in Life},
    **{(life, state): Life.STILL_OPEN for life in OPEN for state in (State.NON_COMPLIANT, State.UNKNOWN, State.ERROR)},
    **{
        (life, state): Life.REOPENED
        for life in (Life.RESOLVED, Life.EXEMPT)
        for state in (State.NON_COMPLIANT, State.UNKNOWN, State.ERROR)
    },
}
"""(life so far, new verdict) -> life after; None where no finding is needed."""


def resource_key(resource_id: str) -> str:
    """The key of a resource in our store: a digest of its lower-case ARM id."""
    return hashlib.sha256(resource_id.lower().encode()).hexdigest()[:16]


def finding_id(resource: str, policy: str) -> str:
    """The stable id of a pair, from the resource's key and the policy's name."""
    return f"{resource}.{policy}"


class Clause(Model):
    """A clause of the policy that took part in the verdict; see `shared.domain.verdict.Evidence`."""

    clause: str
    field: str
    path: str | None = None
    operator: str
    expected: Any = None
    observed: Any = None
    result: bool | None = None
    decided: bool = True


class Missing(Model):
    """What would settle an unknown verdict; see `shared.domain.verdict.Need`."""

    part: str
    reason: str
    permission: str | None = None
    scope: str | None = None


class Finding(Model):
    """A pair that needs, or needed, attention."""

    id: str
    policy: str
    title: str
    severity: str
    category: str
    effect: str
    resource: str
    resource_id: str
    resource_type: str
    subscription: str
    resource_group: str | None = None
    owner: str | None = None
    environment: str | None = None
    state: State
    life: Life
    open: bool
    reason: str = ""
    evidence: tuple[Clause, ...] = ()
    needs: tuple[Missing, ...] = ()
    remediable: bool = False
    exemption: str | None = None
    opened_at: AwareDatetime
    changed_at: AwareDatetime
    resolved_at: AwareDatetime | None = None
    reopened: int = 0
    collected_at: AwareDatetime | None = None
    api_version: str | None = None
    sequence: int = 0


def clauses(verdict: Verdict) -> tuple[Clause, ...]:
    """The verdict's evidence in the vocabulary of documents."""
    return tuple(
        Clause(
            clause=each.clause,
            field=each.field,
            path=each.path,
            operator=each.operator,
            expected=each.expected,
            observed=each.observed,
            result=each.result,
            decided=each.decided,
        )
        for each in verdict.evidence
    )


def missing(verdict: Verdict) -> tuple[Missing, ...]:
    """The verdict's needs in the vocabulary of documents."""
    return tuple(
        Missing(part=each.part, reason=each.reason, permission=each.permission, scope=each.scope)
        for each in verdict.needs
    )
