"""The policy engine: Azure Policy's language, judged anywhere, without I/O or a clock, on the standard library alone.

    catalog = AliasCatalog.from_rows(rows)                 # or from_providers(listing): names of properties
    policy = compile_definition(definition, aliases=catalog, parameters={"effect": "Deny"})
    judge(policy, Resource(body)).state                    # compliant, nonCompliant, unknown, notApplicable, error
    explain(policy, Resource(body)).sentence()             # "Not compliant: properties.x is false (equals false); …"
    apply(body, effects(policy, Resource(body)))           # the body after append or modify

    policies = compile_set([policy, …])                    # indexed by what each can match
    for resource, verdicts in policies.judge_many(resources, Context(now=now)): …

What was not read makes conditions unknown, and a verdict unknown only where it could change it: mark it with
`Resource.unread` and `Resource.related`. Definitions that the language does not allow raise `InvalidDefinition` with
the JSON path; evaluations that fail give verdicts with state `error` and never leave a batch.
"""

from shared.engine.alias import AliasCatalog
from shared.engine.amend import apply
from shared.engine.context import Context
from shared.engine.error import EffectConflict, EvaluationError, InvalidDefinition, NotSupported
from shared.engine.explain import Explanation, explain
from shared.engine.fix import Fix
from shared.engine.judge import judge
from shared.engine.parser import load_definition
from shared.engine.policy import Policy, compile_definition
from shared.engine.policyset import PolicySet, compile_set
from shared.engine.resolve import Effects, Operation, effects
from shared.engine.template import evaluate_expression, expand_template

__all__ = [
    "AliasCatalog",
    "Context",
    "EffectConflict",
    "Effects",
    "EvaluationError",
    "Explanation",
    "Fix",
    "InvalidDefinition",
    "NotSupported",
    "Operation",
    "Policy",
    "PolicySet",
    "apply",
    "compile_definition",
    "compile_set",
    "effects",
    "evaluate_expression",
    "expand_template",
    "explain",
    "judge",
    "load_definition",
]
