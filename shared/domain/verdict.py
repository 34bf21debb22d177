"""Verdicts: what the engine says of one policy and one resource, and why. Standard library only."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.resource import Json


class State(StrEnum):
    """The verdict. `unknown` means that a part not read could change it; `error` that the evaluation failed."""

    COMPLIANT = "compliant"
    NON_COMPLIANT = "nonCompliant"
    UNKNOWN = "unknown"
    EXEMPT = "exempt"
    ERROR = "error"
    NOT_APPLICABLE = "notApplicable"


FINDING_STATES = frozenset({State.NON_COMPLIANT, State.UNKNOWN, State.EXEMPT, State.ERROR})


@dataclass(frozen=True, slots=True)
class Evidence:
    """One clause that took part in the verdict.

    `clause` is the JSON path of the condition in the definition (`$.policyRule.if.allOf[1]`), `field` the alias, field
    or expression as written, `path` the property path it was resolved to, `operator` and `expected` the right side,
    `observed` what the resource holds, `result` true, false or None for unknown; `decided` marks deciding clauses.
    """

    clause: str
    field: str
    path: str | None
    operator: str
    expected: Json
    observed: Json
    result: bool | None
    decided: bool = True


@dataclass(frozen=True, slots=True)
class MissingPart:
    """A part that was not read and would settle an unknown: why, and the permission or call that would read it."""

    part: str
    reason: str
    permission: str | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one (policy, resource) pair. Evidence and missing parts are filled for pairs that need attention.

    Its identity is (resource, assignment, reference), compared without case. `policy` is the id or name of the
    definition, `assignment` the id of the assignment and `reference` the definition reference id in its initiative; ""
    where there is none.
    """

    policy: str
    resource: str
    state: State
    effect: str
    reason: str = ""
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[MissingPart, ...] = ()
    collected_at: str | None = None
    api_version: str | None = None
    assignment: str = ""
    reference: str = ""


def policy_key(assignment: str, reference: str) -> str:
    """Return the key of a policy in force: 16 hex digits from the assignment id and the definition reference id.

    Ids compare without case.
    """
    # A digest, not the ids themselves: it ends the ids of findings, which stores bound.
    return hashlib.sha256(f"{assignment}\n{reference}".lower().encode()).hexdigest()[:16]
