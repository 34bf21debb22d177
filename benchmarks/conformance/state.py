"""Cases on compliance: the state of a pair, of many, and under an assignment."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from benchmarks.conformance.case import compiled, context, resource
from benchmarks.conformance.collection import Tables
from shared.domain.exemption import Exemption, ExemptionRequest, ExemptionStatus
from shared.domain.resource import Resource
from shared.domain.state_counts import state_counts
from shared.domain.verdict import State
from shared.engine import judge
from shared.engine.judge.verdict import state_for
from shared.engine.language.assignment import Assignment, is_selected, roll_up

Json = Any
STATES = {
    "NonCompliant": State.NON_COMPLIANT,
    "Compliant": State.COMPLIANT,
    "Exempt": State.EXEMPT,
    "Unknown": State.UNKNOWN,
    "Conflict": State.ERROR,
    "NotEvaluated": State.NOT_APPLICABLE,
    "NotStarted": State.NOT_APPLICABLE,
}


def run_state(case: Json, _: Tables) -> str | None:
    """Run a case of the state that follows from effect, rule and existence condition."""
    found = state_for(case["effect"].lower(), lambda: case["existence_condition_met"], answer=case["if_true"])
    found = State.COMPLIANT if found is State.NOT_APPLICABLE else found  # the table of the page has only two states
    wanted = case["expected"]["state"]
    return None if found is STATES[wanted] else f"expected {wanted}, found {found}"


def run_rollup(case: Json, _: Tables) -> str | None:
    """Run a case of the state of several."""
    found = roll_up(STATES[each] for each in case["states"])
    wanted = case["expected"]["state"]
    return None if found is STATES[wanted] else f"expected {wanted}, found {found}"


def run_percentage(case: Json, _: Tables) -> str | None:
    """Run a case of the share of compliant resources, in percent."""
    given = case.get("states") or case.get("counts") or {}
    counted = Counter(given) if isinstance(given, list) else given
    found = state_counts({STATES[name]: number for name, number in counted.items()})["azure_percentage"]
    wanted = case["expected"].get("percentage", case["expected"].get("value"))
    return None if found is not None and round(found) == round(wanted) else f"expected {wanted}, found {found}"


def assigned_state(case: Json, rule: Json, reference: str, tables: Tables) -> State:
    """Return the state of a resource under one policy of an assignment."""
    assignment = Assignment.from_json(case["assignment"])
    one = resource(case)
    if assignment.covers(one) is False or (assignment.effect(one, reference) or "").lower() == "disabled":
        return State.NOT_APPLICABLE
    if assignment.undecided(one, reference):
        return State.UNKNOWN
    now = datetime.fromisoformat(case.get("now") or "2024-06-01T00:00:00Z")
    if any(_exempts(each, one, assignment.id, reference, now) for each in case.get("exemptions") or ()):
        return State.EXEMPT
    return judge(compiled({**case, "policy_rule": rule}, tables), one, context(case)).state


def _exempts(source: Json, one: Resource, assignment: str, reference: str, now: datetime) -> bool:
    """Return whether an exemption in Azure's JSON, which may never expire, covers a resource and a policy."""
    inner = {**source, **(source.get("properties") or {})}
    scope, _, _ = str(source.get("id") or "").lower().partition("/providers/microsoft.authorization/")
    end = datetime.fromisoformat(inner["expiresOn"]) if inner.get("expiresOn") else datetime.max.replace(tzinfo=UTC)
    request = ExemptionRequest.model_construct(
        scope=inner.get("scope") or scope,
        assignment=inner.get("policyAssignmentId") or "",
        references=tuple(inner.get("policyDefinitionReferenceIds") or ()),
        expires_at=end if end.tzinfo else end.replace(tzinfo=UTC),
    )
    exemption = Exemption.model_construct(id="", status=ExemptionStatus.ACTIVE, request=request)
    chosen = inner.get("resourceSelectors") or ()
    return exemption.covers(one.id, assignment, reference, now) and is_selected(one, chosen)


def run_assignment(case: Json, tables: Tables) -> str | None:
    """Run a case of a resource under an assignment of one policy."""
    found = assigned_state(case, case["policy_rule"], "", tables)
    wanted = case["expected"]["state"]
    return None if found is STATES[wanted] else f"expected {wanted}, found {found}"


def run_initiative(case: Json, tables: Tables) -> str | None:
    """Run a case of a resource under an assignment of several policies, by reference."""
    found = {
        each["policyDefinitionReferenceId"]: assigned_state(
            case, each["policy_rule"], each["policyDefinitionReferenceId"], tables
        )
        for each in case["initiative"]["policyDefinitions"]
    }
    wanted = {name: STATES[state] for name, state in case["expected"]["states"].items()}
    return None if found == wanted else f"expected {wanted}, found {found}"
