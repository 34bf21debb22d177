"""Explanations: what is wrong, where, why it matters, the controls, the smallest change, and the tree behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.domain.resource import DAMAGED, Json, Resource
from shared.domain.verdict import MissingPart, State, Verdict
from shared.engine.compile.effect import IF_NOT_EXISTS
from shared.engine.compile.policy import Policy
from shared.engine.context import EMPTY_CONTEXT, Context, Frame
from shared.engine.error import EvaluationError
from shared.engine.explain.deployed_remedy import Remedy
from shared.engine.explain.fix import Fixes
from shared.engine.explain.reason import Reason, grouped, reasons_of, telling
from shared.engine.explain.related_step import explain_related
from shared.engine.explain.remedy import find_remedy
from shared.engine.explain.rule_source import RuleSource
from shared.engine.explain.sentence import and_text
from shared.engine.explain.step import ExplanationStep, TreeBuilder
from shared.engine.explain.unfixable import why_unfixable
from shared.engine.judge.effective import EffectivePolicy
from shared.engine.judge.verdict import judge

SHOWN_REASONS = 4
SHOWN_FIXES = 4


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict with what people need to know of it, and the tree behind it.

    `title` says what is wrong, what is not known, else what is wished; `rationale` why it matters; `controls` has the
    ids of controls by framework. `fixes` are what a remediation of the policy would write, else the smallest change,
    shown to make the resource compliant; where there is none, `unfixable` says why. `existence` explains the
    existenceCondition on the nearest related resource.
    """

    verdict: Verdict
    rule: ExplanationStep | None
    existence: ExplanationStep | None = None
    title: str = ""
    rationale: str = ""
    controls: Mapping[str, Json] | None = None
    reasons: tuple[Reason, ...] = ()
    fixes: Fixes = ()
    unfixable: str = ""

    def to_json(self) -> dict[str, Json]:
        """Return the explanation as JSON, in the order in which people ask."""
        return {
            "policy": self.verdict.policy,
            "resource": self.verdict.resource,
            "state": self.verdict.state.value,
            "effect": self.verdict.effect,
            "summary": self.summary(),
            "title": self.title,
            "reason": self.verdict.reason,
            "reasons": [each.to_json() for each in self.reasons],
            "rationale": self.rationale,
            "controls": dict(self.controls or {}),
            "fixes": [each.to_json() for each in self.fixes],
            "unfixable": self.unfixable,
            "missing": [
                {"part": each.part, "reason": each.reason, "permission": each.permission, "scope": each.scope}
                for each in self.verdict.missing
            ],
            "rule": self.rule.to_json() if self.rule else None,
            "existence": self.existence.to_json() if self.existence else None,
        }

    def summary(self) -> str:
        """Return one readable sentence: the verdict, what decided it, what would fix it."""
        because = self._because()
        remedy = f"to comply, {_cut([each.text for each in self.fixes], SHOWN_FIXES, 'change')}" if self.fixes else ""
        said = f"{_STATE_WORDS[self.verdict.state]}{': ' + because if because else ''}"
        return f"{'; '.join(each for each in (said, remedy or self.unfixable) if each)}."

    def _because(self) -> str:
        verdict = self.verdict
        if verdict.state is State.UNKNOWN and verdict.missing:
            return _cut([need_text(each) for each in verdict.missing], SHOWN_REASONS, "part")
        if verdict.state is State.NOT_APPLICABLE and not (self.reasons or verdict.reason):
            return "the policy is about resources that have tags and a location"
        if verdict.effect == "denyAction" and verdict.state is State.COMPLIANT and self.rule:
            return _DENY_ACTION_WORDS[self.rule.result]
        if verdict.state is State.ERROR or not self.reasons:
            return verdict.reason
        return _cut(grouped(each.text for each in self.reasons), SHOWN_REASONS, "reason")


_STATE_WORDS = {
    State.COMPLIANT: "Compliant",
    State.NON_COMPLIANT: "Not compliant",
    State.UNKNOWN: "Unknown",
    State.ERROR: "The evaluation failed",
    State.EXEMPT: "Exempt",
    State.NOT_APPLICABLE: "Not applicable",
}
_DENY_ACTION_WORDS = {
    True: "denyAction refuses requests to delete this resource, and judges none as it is",
    False: "denyAction judges no resource as it is, and would not refuse to delete this one",
    None: "denyAction judges no resource as it is; whether it refuses to delete this one rests on what was not read",
}
"""What the effect does, by the answer of the rule: its state says nothing of the resource."""
_UNREAD_WORDS = {
    "unsupported": "the service does not offer it",
    "timeout": "the service did not answer in time",
    "notCollected": "not collected",
}


def need_text(need: MissingPart) -> str:
    """Return what was not read, why, and the permission that would read it."""
    if need.reason == "unknownAlias":
        return f"no {need.part} is known"
    if need.reason == DAMAGED:
        return f"what was stored of {need.part} is lost or damaged and has to be collected again"
    allowed = f"; reading it takes {need.permission}" if need.permission else ""
    return f"{need.part} was not read ({_UNREAD_WORDS.get(need.reason, need.reason)}{allowed})"


def _cut(texts: list[str], shown: int, noun: str) -> str:
    """Return texts as a list in a sentence, with how many more there are."""
    if len(texts) <= shown + 1:  # one more takes no more room than the words that would stand for it
        return and_text(texts)
    return f"{', '.join(texts[:shown])}, … and {len(texts) - shown:,} more {noun}s"


def explain(policy: Policy, resource: Resource, context: Context = EMPTY_CONTEXT) -> Explanation:
    """Return the verdict on one pair with its reasons, the smallest change that complies, and the tree of clauses."""
    verdict = judge(policy, resource, context)
    if policy.not_evaluable or policy.undecided or verdict.state is State.ERROR:
        return _explanation(policy, verdict)
    frame = Frame(resource, context)
    try:
        rule = policy.program(frame.type, frame.api_version).rule
        remedy = find_remedy(policy, frame, rule) if verdict.state is State.NON_COMPLIANT else Remedy()
        tree = TreeBuilder(frame, RuleSource(policy)).step(rule, decided=True)
        related = explain_related(policy, frame, remedy.related) if policy.effect in IF_NOT_EXISTS else None
    except (EvaluationError, RecursionError):
        return _explanation(policy, verdict)
    reasons = related.reasons if related else reasons_of(tree, frame.body)
    if verdict.state is State.NOT_APPLICABLE:
        reasons = reasons_of(tree, frame.body) if tree.result is False else []
    told = telling(reasons, [fix.path for fix in remedy.fixes])
    existence = related.step if related else None
    if policy.effect == "denyAction" and verdict.state is State.COMPLIANT:
        told = []
    return _explanation(policy, verdict, tree, existence, reasons=told, fixes=remedy.fixes)


def explain_effective(effective: EffectivePolicy, resource: Resource, context: Context = EMPTY_CONTEXT) -> Explanation:
    """Explain the verdict of a policy in force; there is no tree where the assignment leaves the resource out."""
    policy = effective.on(resource)
    if policy is None:
        return _explanation(effective.policy, effective.judge(resource, context))
    return explain(policy, resource, effective.around(context))


def _explanation(
    policy: Policy,
    verdict: Verdict,
    rule: ExplanationStep | None = None,
    existence: ExplanationStep | None = None,
    *,
    reasons: Sequence[Reason] = (),
    fixes: Fixes = (),
) -> Explanation:
    """Return an explanation with what the definition says to people."""
    definition, known = policy.definition, policy.definition.metadata
    violated = verdict.state is State.NON_COMPLIANT
    controls = known.get("controls")
    return Explanation(
        verdict,
        rule,
        existence,
        title=_title(policy, verdict.state),
        rationale=str(known.get("rationale") or definition.description),
        controls=controls if isinstance(controls, Mapping) else None,
        reasons=tuple(reasons),
        fixes=fixes,
        unfixable=f"no change is offered: {why_unfixable(policy, reasons)}" if violated and not fixes else "",
    )


def _title(policy: Policy, state: State) -> str:
    """Return what is wrong, or what is not known, else what is wished."""
    definition = policy.definition
    wished = definition.display_name or policy.name or "the policy"
    if state is State.NON_COMPLIANT:
        return str(definition.metadata.get("findingTitle") or f"Not met: {wished}")
    return f"Not known whether it is met: {wished}" if state is State.UNKNOWN else wished
