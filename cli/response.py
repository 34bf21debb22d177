"""The parts of the API's answers that the command line reads, under the API's names for its models.

An answer may hold more, but must not lack these.
"""

from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from pydantic import Field, TypeAdapter, ValidationError

WholeNumber = Annotated[int, Field(ge=0, lt=2**53)]
NESTING_LEVELS = 200
"""Maximum depth of objects and lists: what is deeper could be read, but not printed again."""


class Liveness(TypedDict):
    """The process answers."""

    status: Literal["ok"]


class ReadinessCheck(TypedDict):
    """A store or queue that the service depends on."""

    ready: bool
    reason: NotRequired[str]


class Readiness(TypedDict):
    """Whether the service can use its stores and queues."""

    checks: Annotated[dict[str, ReadinessCheck], Field(min_length=1)]


class DiagnosisCheck(TypedDict):
    """One check of the installation."""

    name: str
    health: str
    detail: str
    remedy: str | None


class Diagnosis(TypedDict):
    """All checks of the installation, in the order to fix them."""

    healthy: bool
    version: str
    checks: Annotated[list[DiagnosisCheck], Field(min_length=1)]


class Page[T](TypedDict):
    """A part of a listing; `total` where it was asked for."""

    items: list[T]
    nextCursor: str | None
    total: NotRequired[WholeNumber | None]


class JobStatus(TypedDict):
    """A job that may wait for something."""

    id: NotRequired[str]
    status: NotRequired[str]
    progressedAt: NotRequired[str]
    changedAt: NotRequired[str]
    waitingUntil: str | None
    endedAt: NotRequired[str | None]
    reason: str
    request: NotRequired[dict[str, Any]]
    alarmCount: NotRequired[WholeNumber]


class FrameworkSummary(TypedDict):
    """How the controls of a framework stand."""

    id: str
    states: dict[str, WholeNumber]
    notAssessable: WholeNumber
    controlCount: WholeNumber
    score: float | None
    weightedScore: float | None


class ScopeSummary(TypedDict):
    """The compliance of one subscription."""

    displayName: str
    resources: WholeNumber
    asOf: str | None
    gapCount: WholeNumber


class Gap(TypedDict):
    """Something that could not be read."""

    scope: str
    part: str
    reason: str
    role: NotRequired[str | None]
    message: NotRequired[str]


class ComplianceSummary(TypedDict):
    """The compliance of the estate."""

    score: float | None
    resources: WholeNumber
    asOf: str | None
    gapCount: WholeNumber
    gaps: list[Gap]
    scopes: dict[str, ScopeSummary]
    openBySeverity: dict[str, WholeNumber]
    unknownBySeverity: dict[str, WholeNumber]


class FindingClause(TypedDict):
    """A condition that took part in a verdict."""

    clause: str
    field: str
    path: str | None
    operator: str
    expected: Any
    observed: Any
    decided: bool


class FindingMissingPart(TypedDict):
    """Something that could not be read, so that the result is unknown."""

    part: str
    reason: str
    permission: str | None


class ListedFinding(TypedDict):
    """A finding, as a listing has it."""

    id: str
    policy: str
    assignment: str
    reference: str
    title: str
    severity: str
    state: str
    resourceId: str
    owner: str | None


class Finding(ListedFinding):
    """A finding with its evidence."""

    evidence: list[FindingClause]
    missing: list[FindingMissingPart]


class Reason(TypedDict):
    """A condition that decided."""

    code: str
    text: str
    clause: str


class Fix(TypedDict):
    """A change that would comply."""

    action: str
    path: str
    value: NotRequired[Any]
    text: str


class AssignmentSummary(TypedDict):
    """An assignment in force, as a listing has it."""

    id: str
    name: str


class FindingExplanation(TypedDict):
    """The explanation of a finding."""

    state: str
    summary: str
    title: str
    reasons: list[Reason]
    rationale: str
    controls: dict[str, list[str]]
    fixes: list[Fix]
    unfixable: str
    missing: list[FindingMissingPart]
    message: NotRequired[str | None]
    rule: NotRequired[dict[str, Any] | None]
    existence: NotRequired[dict[str, Any] | None]


class Difference(TypedDict):
    """A value that a write changes."""

    path: str
    before: NotRequired[Any]
    after: NotRequired[Any]


class PlannedOperation(TypedDict):
    """One write of a plan."""

    method: str
    resourceId: str
    apiVersion: str
    body: Any
    differences: list[Difference]


class Refusal(TypedDict):
    """A finding that is not fixed."""

    finding: str
    reason: str


class PlanItemView(TypedDict):
    """What a plan does to one resource."""

    resourceId: str
    skipped: str | None
    operations: list[PlannedOperation]
    refusals: list[Refusal]
    notes: list[str]


class PlanView(TypedDict):
    """A page of a plan, with the hash of the whole plan."""

    hash: str
    items: list[PlanItemView]
    nextCursor: str | None


class RemediationPreview(TypedDict):
    """The number of findings that a request would be about."""

    findings: WholeNumber
    bySeverity: dict[str, WholeNumber]


class RemediationItem(TypedDict):
    """The fix of one resource."""

    outcome: str
    resourceId: str
    reason: NotRequired[str]


class Remediation(TypedDict):
    """A requested remediation."""

    id: str
    status: str
    endedAt: str | None
    planHash: str | None
    itemCount: WholeNumber
    counts: dict[str, WholeNumber]


class Exemption(TypedDict):
    """An exemption, as far as commands look at it."""

    id: str
    status: str
    request: dict[str, Any]


class ScanDifference(TypedDict):
    """A resource that a verification found different."""

    kind: str
    resource: str
    cause: str


class Scan(TypedDict):
    """A scan, under way or ended."""

    id: str
    status: str
    reason: str
    waitingUntil: str | None
    startedAt: str | None
    endedAt: str | None
    asOf: str | None
    subscriptions: WholeNumber
    unfinished: WholeNumber
    collected: WholeNumber
    expected: WholeNumber
    resources: WholeNumber
    evaluationCount: WholeNumber
    states: dict[str, WholeNumber]
    gaps: list[Gap]
    differences: list[ScanDifference]
    differenceCount: WholeNumber


class RecordError(TypedDict):
    """A record that was left out."""

    position: WholeNumber
    line: WholeNumber | None
    path: str
    reason: str


class ImportJob(TypedDict):
    """An import, under way or ended."""

    id: str
    status: str
    reason: str
    waitingUntil: str | None
    endedAt: str | None
    records: WholeNumber
    imported: WholeNumber
    errors: list[RecordError]
    subscriptions: list[str]


class Upload(TypedDict):
    """How to send a file."""

    id: str
    url: str
    method: str
    headers: dict[str, str]


class SignInLink(TypedDict):
    """A link that signs in a browser, without scheme and host."""

    path: str


class StoppedStream(TypedDict):
    """An event that the app does not know yet."""

    stream: str
    type: str
    version: WholeNumber


class Rebuild(TypedDict):
    """A rebuild, under way or ended."""

    check: bool
    phase: str
    endedAt: str | None
    streams: WholeNumber
    events: WholeNumber
    compared: WholeNumber
    stopped: list[StoppedStream]
    different: dict[str, WholeNumber]
    firstDifferent: list[str]
    gapCount: WholeNumber
    gaps: list[str]


def mismatch(answer: object, shape: type[object]) -> str | None:
    """Return where an answer first differs from a shape, and how; None when it does not."""
    if _is_deep(answer):
        return f"it is more than {NESTING_LEVELS} levels deep"
    try:
        _adapter(shape).validate_python(answer, strict=True)  # type: ignore[arg-type]  # a type can be hashed
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(each) for each in first["loc"])
        return f"{place}: {first['msg']}" if place else first["msg"]
    return None


@cache
def _adapter(shape: type[object]) -> TypeAdapter[object]:
    return TypeAdapter(shape)


def _is_deep(answer: object) -> bool:
    level = [answer]
    for _ in range(NESTING_LEVELS):
        level = [part for each in level for part in _parts(each) if isinstance(part, dict | list)]
        if not level:
            return False
    return True


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
