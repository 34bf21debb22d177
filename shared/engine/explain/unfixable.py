"""Say why no change is offered for a resource that does not comply."""

from collections.abc import Sequence

from shared.engine.compile.policy import Policy
from shared.engine.explain.fix import is_read_only
from shared.engine.explain.reason import NO_RELATED, Reason
from shared.engine.explain.rule_source import IMMUTABLE_FIELDS
from shared.engine.explain.sentence import and_text, list_text

REPORTED_TYPES = frozenset({
    "microsoft.policyinsights/policystates",
    "microsoft.security/assessments",
    "microsoft.security/assessments/subassessments",
    "microsoft.security/complianceresults",
})  # fmt: skip
"""Types with which Azure reports what it has found, in lower case: nobody writes them to comply."""


def is_reported(policy: Policy) -> bool:
    """Return whether what a policy looks for is a finding of Azure."""
    return policy.details.type.lower() in REPORTED_TYPES


def why_unfixable(policy: Policy, reasons: Sequence[Reason]) -> str:
    """Return what stands in the way of a change, as far as it is known."""
    if policy.missing:
        one = len(policy.missing) == 1
        return f"the parameter{'' if one else 's'} {list_text(policy.missing)} {'has' if one else 'have'} no value here"
    if is_reported(policy):
        return f"{policy.details.type} is where Azure reports what it found; follow what it recommends there"
    if not reasons:
        return "the conditions that decided cannot be told apart"
    if all(each.field.lower() in IMMUTABLE_FIELDS for each in reasons):
        names = and_text(list(dict.fromkeys(each.field for each in reasons)))
        return f"the {names} of a resource cannot be changed after its creation"
    if all(is_read_only(each.path) for each in reasons):
        return f"Azure itself sets {and_text([each.where for each in reasons])}"
    if all(each.field.startswith("[") for each in reasons):
        return "the expressions do not depend on a property that can be set"
    if reasons[0].code == NO_RELATED:
        return f"no example of a {policy.details.type} that meets the existence condition was found"
    return "none of the changes that were tried makes it comply"
