"""What the IfNotExists effects looked for: the related resource that is nearest to it, and what it lacks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.domain.resource import Resource
from shared.engine.compile.policy import Policy
from shared.engine.context import Frame
from shared.engine.explain.place import member_name
from shared.engine.explain.reason import NO_RELATED, Reason, reasons_of
from shared.engine.explain.rule_source import RuleSource
from shared.engine.explain.sentence import value_text
from shared.engine.explain.step import ExplanationStep, TreeBuilder
from shared.engine.judge.related import lookup_text, meets_existence, related_resources
from shared.engine.unknown import Unknown

_DETAILS = "$.policyRule.then.details"


@dataclass(frozen=True, slots=True)
class RelatedExplanation:
    """The reasons that related resources give, and the existenceCondition on the nearest of them."""

    reasons: list[Reason]
    step: ExplanationStep | None = None


def explain_related(policy: Policy, frame: Frame, nearest: Resource | None) -> RelatedExplanation:
    """Return what was found of related resources; `nearest` is the one that needs the least, if that is known."""
    related = related_resources(policy, frame)
    if isinstance(related, Unknown):
        return RelatedExplanation([])
    if not related:
        return RelatedExplanation([_none_found(policy, frame)])
    chosen = nearest or _first(policy, frame, related)
    clause = policy.existence(chosen.api_version, frame)
    if clause is None:
        return RelatedExplanation([])
    inner = Frame(chosen, frame.context, frame)
    step = TreeBuilder(inner, RuleSource(policy)).step(clause, decided=True)
    named = f"{policy.details.type} {member_name(dict(chosen.body))}".rstrip()
    subject = "" if chosen is frame.resource else f"{named}: "
    others = len(related) - 1 if step.result is False else 0
    rest = f", and {others:,} more {'does' if others == 1 else 'do'} not comply either" if others else ""
    found = reasons_of(step, inner.body)
    return RelatedExplanation([replace(each, text=f"{subject}{each.text}{rest}") for each in found], step)


def _first(policy: Policy, frame: Frame, related: Sequence[Resource]) -> Resource:
    """Return the first that meets the existenceCondition, else the first."""
    return next((each for each in related if meets_existence(policy, each, frame)), related[0])


def _none_found(policy: Policy, frame: Frame) -> Reason:
    kind, name = policy.details.type, lookup_text(policy, frame, policy.details.name)
    named = f" named {value_text(name)}" if isinstance(name, str) else ""
    return Reason(
        code=NO_RELATED,
        text=f"there is no {kind}{named}",
        where=kind,
        path="",
        field=kind,
        operator="exists",
        expected=True,
        observed=0,
        clause=f"{_DETAILS}.type",
    )
