"""Judging: a policy, a resource and its surroundings come to a verdict with a reason."""

from collections.abc import Callable

from shared.domain.resource import Resource
from shared.domain.verdict import Evidence, State, Verdict
from shared.engine.context import EMPTY, MOST_STEPS, Context, Frame
from shared.engine.effect import IF_NOT_EXISTS
from shared.engine.error import EvaluationError
from shared.engine.evidence import evidence, needs
from shared.engine.policy import Policy, Program
from shared.engine.related import any_related, related_resources
from shared.engine.unknown import Unknown

_RANK = {True: State.NON_COMPLIANT, False: State.COMPLIANT, None: State.UNKNOWN}
_OTHER = IF_NOT_EXISTS | {"manual", "denyAction"}
_LOOKS_UP = frozenset(effect.lower() for effect in IF_NOT_EXISTS)
_ATTESTED = {"compliant": State.COMPLIANT, "noncompliant": State.NON_COMPLIANT, "unknown": State.UNKNOWN}


def judge(policy: Policy, resource: Resource, context: Context = EMPTY) -> Verdict:
    """The verdict on one pair. Never raises for what a definition or a resource holds: that is an error verdict."""
    frame = Frame(resource, context)
    if not policy.may_apply_to(frame.type):
        reason = policy.not_evaluable or ("disabled" if policy.effect == "disabled" else "not about this resource type")
        return _verdict(policy, frame, State.NOT_APPLICABLE, reason)
    return judge_applicable(policy, frame)


def judge_applicable(policy: Policy, frame: Frame) -> Verdict:
    """The verdict where the type is known to be one that the policy is about."""
    try:
        state, program = state_of(policy, frame)
        return explained(policy, frame, state, program)
    except (EvaluationError, RecursionError) as error:
        return failed(policy, frame, error)


def failed(policy: Policy, frame: Frame, error: EvaluationError | RecursionError) -> Verdict:
    """The verdict of an evaluation that failed."""
    reason = str(error) if isinstance(error, EvaluationError) else "the rule or the resource nests too deeply"
    return _verdict(policy, frame, State.ERROR, reason)


def state_of(policy: Policy, frame: Frame) -> tuple[State, Program]:
    """The bare state, without reasons; the fast path of a scan."""
    frame.steps = MOST_STEPS
    program = policy.program(frame.type, frame.resource.api_version)
    applies = program.applies
    if applies is not None and applies.test(frame.body, frame) is False:
        return State.NOT_APPLICABLE, program
    if policy.enforcement_only and frame.context.request_context is None:
        return State.NOT_APPLICABLE, program
    answer = program.rule.test(frame.body, frame)
    if policy.effect not in _OTHER:
        return _RANK[answer], program
    if policy.effect == "manual" and answer is not False:
        return _attested(policy, known=answer is True), program
    return state_for(policy.effect.lower(), lambda: any_related(policy, frame), answer=answer), program


def _attested(policy: Policy, *, known: bool) -> State:
    """The state until somebody attests; where the rule's answer is not `known`, a resource may be compliant anyway."""
    default = _ATTESTED.get(policy.details.default_state.lower().replace("-", ""), State.UNKNOWN)
    return default if known or default is State.COMPLIANT else State.UNKNOWN


def state_for(effect: str, exists: Callable[[], bool | None], *, answer: bool | None) -> State:
    """The state that a rule's answer comes to under an effect (lower case).

    auditIfNotExists and deployIfNotExists need the rule true and no related resource that `exists` as demanded; a
    denyAction protects what it matches, which is no violation.
    """
    if effect not in _LOOKS_UP:
        return State.COMPLIANT if effect == "denyaction" else _RANK[answer]
    if answer is False:
        return State.NOT_APPLICABLE
    found = exists()
    if answer is None:
        return State.COMPLIANT if found else State.UNKNOWN
    return {True: State.COMPLIANT, False: State.NON_COMPLIANT, None: State.UNKNOWN}[found]


def explained(policy: Policy, frame: Frame, state: State, program: Program) -> Verdict:
    """The verdict with evidence, and needs where it is unknown."""
    if state is State.COMPLIANT or state is State.NOT_APPLICABLE:
        return _verdict(policy, frame, state, "")
    frame.steps = MOST_STEPS
    reason = _reason(policy, state)
    try:
        found = evidence(program.rule, frame)
        gaps = needs(program.rule, frame) if state is State.UNKNOWN else ()
        if policy.effect in IF_NOT_EXISTS:
            more, why = _existence_evidence(policy, frame)
            found, gaps = (*found, *more), (*gaps, *(why if state is State.UNKNOWN else ()))
    except EvaluationError:  # finding them would take more steps than an evaluation may
        return _verdict(policy, frame, state, reason)
    return _verdict(policy, frame, state, reason, found=found, gaps=gaps)


def _reason(policy: Policy, state: State) -> str:
    if state is State.UNKNOWN:
        return (
            "needs an attestation" if policy.effect == "manual" else "a part that was not read could change the verdict"
        )
    if policy.effect in IF_NOT_EXISTS:
        return f"no related {policy.details.type} meets the existence condition"
    return "the rule matches"


def _existence_evidence(policy: Policy, frame: Frame) -> tuple[tuple[Evidence, ...], tuple[Unknown, ...]]:
    related = related_resources(policy, frame)
    if isinstance(related, Unknown):
        return (), (related,)
    path = "$.policyRule.then.details"
    number = Evidence(
        f"{path}.type", policy.details.type, None, "exists", expected=True, observed=len(related), result=False
    )
    if not related:
        return (number,), ()
    clause = policy.existence(related[0].api_version, frame)
    if clause is None:
        return (number,), ()
    inner = Frame(related[0], frame.context, frame)
    return (number, *evidence(clause, inner)), needs(clause, inner)


def _verdict(
    policy: Policy,
    frame: Frame,
    state: State,
    reason: str,
    *,
    found: tuple[Evidence, ...] = (),
    gaps: tuple[Unknown, ...] = (),
) -> Verdict:
    resource = frame.resource
    return Verdict(
        policy=policy.id or policy.name,
        resource=resource.id,
        state=state,
        effect=policy.effect,
        reason=reason,
        evidence=found,
        needs=tuple(dict.fromkeys(gap.need() for gap in gaps)),
        collected_at=resource.collected_at,
        api_version=resource.api_version,
    )
