"""Cases on compliance: the state of a pair, of many, and under an assignment."""

from collections import Counter
from datetime import datetime
from typing import Any

from benchmarks.conformance.case import compiled, context, resource
from benchmarks.conformance.collection import Tables
from shared.domain.verdict import State
from shared.engine import judge
from shared.engine.assignment import Assignment, Exemption, percentage, roll_up
from shared.engine.judge import state_for

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
    """The state that an effect, the rule's answer and the existence condition come to."""
    found = state_for(case["effect"].lower(), lambda: case["existence_condition_met"], answer=case["if_true"])
    found = State.COMPLIANT if found is State.NOT_APPLICABLE else found  # the table of the page has only two states
    wanted = case["expected"]["state"]
    return None if found is STATES[wanted] else f"expected {wanted}, found {found}"


def run_rollup(case: Json, _: Tables) -> str | None:
    """The state of several."""
    found = roll_up(STATES[each] for each in case["states"])
    wanted = case["expected"]["state"]
    return None if found is STATES[wanted] else f"expected {wanted}, found {found}"


def run_percentage(case: Json, _: Tables) -> str | None:
    """The share of resources that do not fail, in percent."""
    given = case.get("states") or case.get("counts") or {}
    counted = Counter(given) if isinstance(given, list) else given
    found = percentage({STATES[name]: number for name, number in counted.items()})
    wanted = case["expected"].get("percentage", case["expected"].get("value"))
    return None if found is not None and round(found) == round(wanted) else f"expected {wanted}, found {found}"


def assigned_state(case: Json, rule: Json, reference: str, tables: Tables) -> State:
    """The state of a resource under one policy of an assignment."""
    assignment = Assignment.from_json(case["assignment"])
    one = resource(case)
    if not assignment.covers(one) or (assignment.effect(one, reference) or "").lower() == "disabled":
        return State.NOT_APPLICABLE
    now = datetime.fromisoformat(case.get("now") or "2024-06-01T00:00:00Z")
    exemptions = [Exemption.from_json(each) for each in case.get("exemptions") or ()]
    if any(each.holds(one, assignment.id, reference, now) for each in exemptions):
        return State.EXEMPT
    return judge(compiled({**case, "policy_rule": rule}, tables), one, context(case)).state


def run_assignment(case: Json, tables: Tables) -> str | None:
    """A resource under an assignment of one policy."""
    found = assigned_state(case, case["policy_rule"], "", tables)
    wanted = case["expected"]["state"]
    return None if found is STATES[wanted] else f"expected {wanted}, found {found}"


def run_initiative(case: Json, tables: Tables) -> str | None:
    """A resource under an assignment of several policies, by reference."""
    found = {
        each["policyDefinitionReferenceId"]: assigned_state(
            case, each["policy_rule"], each["policyDefinitionReferenceId"], tables
        )
        for each in case["initiative"]["policyDefinitions"]
    }
    wanted = {name: STATES[state] for name, state in case["expected"]["states"].items()}
    return None if found == wanted else f"expected {wanted}, found {found}"
