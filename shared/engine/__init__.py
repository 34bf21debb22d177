"""The policy engine: Azure Policy's language, judged anywhere, without I/O or a clock, on the standard library alone.

    catalog = AliasCatalog.from_rows(rows)                 # or from_providers(listing): names of properties
    policy = compile_definition(definition, aliases=catalog, parameters={"effect": "Deny"})
    judge(policy, Resource(body)).state                    # compliant, nonCompliant, unknown, notApplicable, error
    explain(policy, Resource(body)).summary()             # "Not compliant: properties.x is false (not true); …"
    apply_effects(body, effect_details(policy, Resource(body)))           # the body after append or modify

    policies = compile_set([policy, …])                    # indexed by what each can match
    for resource, judged in policies.judge_many(resources, Context(now=now)): …    # [(effective policy, verdict), …]

The folders, each of which imports only those below it:

    explain      why a verdict is what it is, and the smallest fix
    judge        verdicts: a policy, an effective policy, or a set of them on a resource
    effects      what append, modify and the other effects would do to one resource
    compile      definitions and initiatives to functions
    templates    deployment templates to the resources they deploy
    language     JSON to typed trees: definitions, assignments, expressions, parameters
    functions    the functions of template expressions
    (modules)    context: one evaluation; alias: the alias catalog; value, unknown: what JSON values are; error

What was not read makes conditions unknown, and a verdict unknown only where it could change it: mark it with
`Resource.unread` and `Resource.related`. Definitions that the language does not allow raise `InvalidDefinition` with
the JSON path; evaluations that fail give verdicts with state `error` and never leave a batch.
"""

# `judge` and `explain` name a function that is exported here and a package. Python sets a package as an attribute of
# its parent once, when it is first imported; the function, imported right after, takes its place. The modules of the
# package are still found by their full path.
from shared.engine.alias import AliasCatalog
from shared.engine.compile.policy import Policy, compile_definition
from shared.engine.context import Context
from shared.engine.effects.application import apply_effects
from shared.engine.effects.deployment import deployed_over, effect_deployment
from shared.engine.effects.detail import EffectDetails, EffectOperation, effect_details
from shared.engine.error import EffectConflict, EvaluationError, InvalidDefinition, NotSupported
from shared.engine.explain.explanation import Explanation, explain, explain_effective
from shared.engine.explain.fix import Fix
from shared.engine.judge.effective import EffectivePolicy
from shared.engine.judge.policy_set import PolicySet, compile_set
from shared.engine.judge.verdict import judge
from shared.engine.language.parser import load_definition
from shared.engine.templates import evaluate_expression, expand_template

__all__ = [
    "AliasCatalog",
    "Context",
    "EffectConflict",
    "EffectDetails",
    "EffectOperation",
    "EffectivePolicy",
    "EvaluationError",
    "Explanation",
    "Fix",
    "InvalidDefinition",
    "NotSupported",
    "Policy",
    "PolicySet",
    "apply_effects",
    "compile_definition",
    "compile_set",
    "deployed_over",
    "effect_deployment",
    "effect_details",
    "evaluate_expression",
    "expand_template",
    "explain",
    "explain_effective",
    "judge",
    "load_definition",
]
