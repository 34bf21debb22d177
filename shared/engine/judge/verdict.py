"""Judge a resource by a policy: a verdict with its reason and evidence."""

from collections.abc import Callable

from shared.domain.resource import Body, Resource
from shared.domain.verdict import Evidence, State, Verdict
from shared.engine.compile.effect import IF_NOT_EXISTS
from shared.engine.compile.exempt_type import exemption_of
from shared.engine.compile.policy import CompiledProgram, Policy
from shared.engine.context import EMPTY_CONTEXT, EVALUATION_STEPS, Context, Frame
from shared.engine.error import EvaluationError
from shared.engine.judge.evidence import evidence, missing_parts
from shared.engine.judge.related import any_related, related_resources, unlisted
from shared.engine.unknown import Unknown

_STATE_OF_ANSWER = {True: State.NON_COMPLIANT, False: State.COMPLIANT, None: State.UNKNOWN}
_DERIVED_STATE_EFFECTS = IF_NOT_EXISTS | {"manual", "denyAction"}
_RELATED_EFFECTS = frozenset(effect.lower() for effect in IF_NOT_EXISTS)
_ATTESTATION_STATES = {"compliant": State.COMPLIANT, "noncompliant": State.NON_COMPLIANT, "unknown": State.UNKNOWN}


def judge(policy: Policy, resource: Resource, context: Context = EMPTY_CONTEXT) -> Verdict:
    """Judge one pair; never raises for what a definition or a resource holds: that is a verdict with state `error`."""
    frame = Frame(resource, context)
    if not policy.may_apply_to(frame.type):
        disabled = "disabled" if policy.effect == "disabled" else ""
        reason = policy.not_evaluable or disabled or exemption_of(frame.type) or "not about this resource type"
        return _verdict(policy, frame, State.NOT_APPLICABLE, reason)
    return judge_applicable(policy, frame)


def judge_applicable(policy: Policy, frame: Frame) -> Verdict:
    """Return the verdict where the type is known to be one that the policy is about."""
    try:
        state, program = state_of(policy, frame)
        return verdict_with_evidence(policy, frame, state, program)
    except (EvaluationError, RecursionError) as error:
        return error_verdict(policy, frame, error)


def error_verdict(policy: Policy, frame: Frame, error: EvaluationError | RecursionError) -> Verdict:
    """Return the verdict of an evaluation that failed."""
    reason = str(error) if isinstance(error, EvaluationError) else "the rule or the resource nests too deeply"
    return _verdict(policy, frame, State.ERROR, reason)


def state_of(policy: Policy, frame: Frame) -> tuple[State, CompiledProgram]:
    """Return the bare state, without reasons; the fast path of a scan."""
    # Each policy gets all steps: none can use up those of another.
    frame.steps = EVALUATION_STEPS
    program = policy.program(frame.type, frame.api_version)
    if policy.needs_tracked(frame.type) and not _is_tracked(frame.body):
        return State.NOT_APPLICABLE, program
    applies = program.applies
    if applies is not None and applies.test(frame.body, frame) is False:
        return State.NOT_APPLICABLE, program
    if policy.enforcement_only and frame.context.request_context is None:
        return State.NOT_APPLICABLE, program
    if policy.undecided:
        return State.UNKNOWN, program
    answer = program.rule.test(frame.body, frame)
    if policy.effect not in _DERIVED_STATE_EFFECTS:
        return _STATE_OF_ANSWER[answer], program
    if policy.effect == "manual" and answer is not False:
        return _attested(policy, known=answer is True), program
    return state_for(policy.effect.lower(), lambda: any_related(policy, frame), answer=answer), program


def _is_tracked(body: Body) -> bool:
    """Return whether a resource is one that Resource Manager keeps with tags and a location, as far as it shows."""
    return "location" in body or "tags" in body


def _attested(policy: Policy, *, known: bool) -> State:
    """Return the state until somebody attests; where the rule's answer is not `known`, a resource may comply anyway."""
    default = _ATTESTATION_STATES.get(policy.details.default_state.lower().replace("-", ""), State.UNKNOWN)
    return default if known or default is State.COMPLIANT else State.UNKNOWN


def state_for(effect: str, exists: Callable[[], bool | None], *, answer: bool | None) -> State:
    """Return the state that a rule's answer comes to under an effect (lower case).

    auditIfNotExists and deployIfNotExists need the rule true and no related resource that `exists` as demanded; a
    denyAction protects what it matches, which is no violation.
    """
    if effect not in _RELATED_EFFECTS:
        return State.COMPLIANT if effect == "denyaction" else _STATE_OF_ANSWER[answer]
    if answer is False:
        return State.NOT_APPLICABLE
    found = exists()
    if answer is None:
        return State.COMPLIANT if found else State.UNKNOWN
    return {True: State.COMPLIANT, False: State.NON_COMPLIANT, None: State.UNKNOWN}[found]


def verdict_with_evidence(policy: Policy, frame: Frame, state: State, program: CompiledProgram) -> Verdict:
    """Return the verdict with evidence, and with what is missing where it is unknown."""
    if state is State.COMPLIANT or state is State.NOT_APPLICABLE:
        return _verdict(policy, frame, state, "")
    if policy.undecided:
        return _verdict(policy, frame, state, policy.undecided)
    frame.steps = EVALUATION_STEPS
    reason = _reason(policy, state)
    try:
        found = evidence(program.rule, frame)
        gaps = missing_parts(program.rule, frame) if state is State.UNKNOWN else ()
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
    rest = unlisted(policy, frame, related)
    gaps = () if rest is None else (rest,)
    clause = policy.existence(related[0].api_version, frame) if related else None
    if clause is None:
        return (number,), gaps
    inner = Frame(related[0], frame.context, frame)
    return (number, *evidence(clause, inner)), (*gaps, *missing_parts(clause, inner))


def _verdict(
    policy: Policy,
    frame: Frame,
    state: State,
    reason: str,
    *,
    found: tuple[Evidence, ...] = (),
    gaps: tuple[Unknown, ...] = (),
) -> Verdict:
    resource, place = frame.resource, frame.place
    return Verdict(
        policy=policy.id or policy.name,
        resource=resource.id,
        state=state,
        effect=policy.effect,
        reason=reason,
        evidence=found,
        missing=tuple(dict.fromkeys(gap.need() for gap in gaps)),
        collected_at=resource.collected_at,
        api_version=resource.api_version,
        assignment=place.get("assignmentId", "") if place else "",
        reference=place.get("definitionReferenceId", "") if place else "",
    )
