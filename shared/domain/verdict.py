"""What the engine says of one policy and one resource, and why. Standard library only."""

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


ATTENTION = frozenset({State.NON_COMPLIANT, State.UNKNOWN, State.EXEMPT, State.ERROR})


@dataclass(frozen=True, slots=True)
class Evidence:
    """One clause that took part in the verdict.

    `clause` is the JSON path of the condition in the definition (`$.policyRule.if.allOf[1]`), `field` the alias or
    field as written, `path` the property path it was resolved to, `operator` and `expected` the right side,
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
class Need:
    """What would settle an unknown: the part that was not read, why, and the permission or call that would read it."""

    part: str
    reason: str
    permission: str | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one (policy, resource) pair. Evidence and needs are filled for pairs that need attention."""

    policy: str
    resource: str
    state: State
    effect: str
    reason: str = ""
    evidence: tuple[Evidence, ...] = ()
    needs: tuple[Need, ...] = ()
    collected_at: str | None = None
    api_version: str | None = None
