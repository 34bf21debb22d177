"""Explanations: the whole tree of a rule with what each condition saw, which clauses decided, and what would fix it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from shared.domain.resource import Json, Resource
from shared.domain.verdict import State, Verdict
from shared.engine.clause import Clause
from shared.engine.context import EMPTY, Context, Frame
from shared.engine.effect import IF_NOT_EXISTS
from shared.engine.error import EvaluationError
from shared.engine.evidence import entry
from shared.engine.fix import Fix, Fixes, turn
from shared.engine.judge import judge
from shared.engine.policy import Policy
from shared.engine.related import lookup_text, related_resources
from shared.engine.repair import repair
from shared.engine.resolve import effects
from shared.engine.unknown import Unknown

MOST_MEMBERS = 5
_SHORT = 80
_MOST_TOLD = 4


@dataclass(frozen=True, slots=True)
class Step:
    """One clause: `result` true, false or None for unknown; `decided` when the verdict rests on it.

    Below a count stand the members that were counted, at most `MOST_MEMBERS`.
    """

    clause: str
    kind: str
    result: bool | None
    decided: bool
    field: str = ""
    path: str | None = None
    operator: str = ""
    expected: Json = None
    observed: Json = None
    parts: "tuple[Step, ...]" = ()

    def to_json(self) -> dict[str, Json]:
        """As JSON, without what is empty."""
        full: dict[str, Json] = {
            "clause": self.clause,
            "kind": self.kind,
            "result": self.result,
            "decided": self.decided,
        }
        if self.operator:
            full |= {"field": self.field, "path": self.path, "operator": self.operator}
            full |= {"expected": self.expected, "observed": self.observed}
        return full | ({"parts": [each.to_json() for each in self.parts]} if self.parts else {})

    def leaves(self) -> "Iterator[Step]":
        """The conditions that decided, in the order of the rule."""
        if self.operator and self.decided:
            yield self
        elif not self.operator:
            for each in self.parts:
                yield from each.leaves()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict with the tree behind it. `existence` explains the existenceCondition on the nearest related resource.

    `fixes` is the smallest set of changes that would make the resource compliant, empty where none is computable.
    """

    verdict: Verdict
    rule: Step | None
    existence: Step | None = None
    fixes: Fixes = ()

    def to_json(self) -> dict[str, Json]:
        """As JSON."""
        return {
            "policy": self.verdict.policy,
            "resource": self.verdict.resource,
            "state": self.verdict.state.value,
            "effect": self.verdict.effect,
            "reason": self.verdict.reason,
            "sentence": self.sentence(),
            "rule": self.rule.to_json() if self.rule else None,
            "existence": self.existence.to_json() if self.existence else None,
            "needs": [
                {"part": each.part, "reason": each.reason, "permission": each.permission, "scope": each.scope}
                for each in self.verdict.needs
            ],
            "fixes": [each.to_json() for each in self.fixes],
        }

    def sentence(self) -> str:
        """One readable sentence: the verdict, what decided it, what would fix it."""
        said = _WORDS[self.verdict.state]
        because = self._because()
        remedy = f"; to comply, {_remedies(self.fixes)}" if self.fixes else ""
        return f"{said}{': ' + because if because else ''}{remedy}."

    def _because(self) -> str:
        verdict = self.verdict
        if verdict.state is State.UNKNOWN and verdict.needs:
            return "; ".join(_need(each.part, each.reason, each.permission) for each in verdict.needs[:3])
        if verdict.state in {State.ERROR, State.NOT_APPLICABLE} or self.rule is None:
            return verdict.reason
        steps = [each for each in self.rule.leaves() if each.field.lower() != "type"]
        found = [_seen(each) for each in steps[:4]]
        if verdict.effect in IF_NOT_EXISTS and verdict.state is State.NON_COMPLIANT:
            found.append(verdict.reason)
        return " and ".join(found) or verdict.reason


_WORDS = {
    State.COMPLIANT: "Compliant",
    State.NON_COMPLIANT: "Not compliant",
    State.UNKNOWN: "Unknown",
    State.ERROR: "The evaluation failed",
    State.EXEMPT: "Exempt",
    State.NOT_APPLICABLE: "Not applicable",
}


def _need(part: str, reason: str, permission: str | None) -> str:
    if reason == "unknownAlias":
        return f"the catalog has no {part}"
    return f"{part} was not read ({reason}{f', needs {permission}' if permission else ''})"


def _shown(value: Json) -> str:
    if value is None:
        return "absent"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value[:_SHORT]}'"
    return str(value)[:_SHORT]


def _seen(step: Step) -> str:
    subject = step.path or step.field or "the value"
    if step.kind == "count":
        counted = step.path or step.field
        return f"{_shown(step.observed)} members of {counted} match ({step.operator} {_shown(step.expected)})"
    outcome = "" if step.result else "not "
    return f"{subject} is {_shown(step.observed)} ({outcome}{step.operator} {_shown(step.expected)})"


def _remedies(fixes: Fixes) -> str:
    told = [_remedy(each) for each in fixes[:_MOST_TOLD]]
    more = len(fixes) - _MOST_TOLD
    return " and ".join(told + ([f"{more} more change{'s' if more > 1 else ''}"] if more > 0 else []))


def _remedy(fix: Fix) -> str:
    match fix.action:
        case "set":
            return f"set {fix.path} to {_shown(fix.value)}"
        case "remove":
            return f"remove {fix.path}"
        case "create":
            return f"create {fix.text}"
        case _:
            return f"change {fix.path} to {fix.text}"


def explain(policy: Policy, resource: Resource, context: Context = EMPTY) -> Explanation:
    """The verdict on one pair with the tree of clauses, the deciding ones, and the smallest fix."""
    verdict = judge(policy, resource, context)
    if policy.not_evaluable or verdict.state is State.ERROR:
        return Explanation(verdict, None)
    frame = Frame(resource, context)
    try:
        rule = policy.program(frame.type, resource.api_version).rule
        fixes = _computed(policy, frame, rule) if verdict.state is State.NON_COMPLIANT else ()
        return Explanation(verdict, step(rule, frame, decided=True), _existence(policy, frame), fixes)
    except (EvaluationError, RecursionError):
        return Explanation(verdict, None)


def _computed(policy: Policy, frame: Frame, rule: Clause) -> Fixes:
    """The fixes, none where a condition that they depend on cannot be evaluated."""
    try:
        return _proven(policy, frame, _fixes(policy, frame, rule))
    except EvaluationError:
        return ()


def step(clause: Clause, frame: Frame, *, decided: bool) -> Step:
    """The clause and everything below it, evaluated where the frame stands."""
    try:
        result = clause.test(frame.body, frame)
    except EvaluationError as error:
        return _failed(clause, frame, error, decided=decided)
    if clause.kind in {"allOf", "anyOf", "not"}:
        return Step(
            clause.path, clause.kind, result, decided, parts=_parts(clause, frame, result=result, decided=decided)
        )
    parts = _counted(clause, frame) if clause.kind == "count" else ()
    return _condition(clause, frame, result=result, decided=decided, parts=parts)


def _failed(clause: Clause, frame: Frame, error: EvaluationError, *, decided: bool) -> Step:
    """A clause without an answer; the condition that fails shows the error in place of what it saw."""
    if clause.kind in {"allOf", "anyOf", "not"}:
        parts = tuple(step(each, frame, decided=False) for each in clause.parts)
        return Step(clause.path, clause.kind, None, decided, parts=parts)
    return replace(_condition(clause, frame, result=None, decided=decided), observed=f"({error})")


def _condition(
    clause: Clause, frame: Frame, *, result: bool | None, decided: bool, parts: tuple[Step, ...] = ()
) -> Step:
    seen = entry(clause, frame, answer=result)
    return Step(
        clause=clause.path,
        kind=clause.kind,
        result=result,
        decided=decided,
        field=seen.field,
        path=seen.path,
        operator=seen.operator,
        expected=seen.expected,
        observed=seen.observed,
        parts=parts,
    )


def _parts(clause: Clause, frame: Frame, *, result: bool | None, decided: bool) -> tuple[Step, ...]:
    """The parts; those count as deciding that bring about the result (of several that would do, the first)."""
    one_is_enough = result is (clause.kind == "anyOf") and clause.kind != "not"
    found: list[Step] = []
    open_ = decided
    for part in clause.parts:
        answer = _answer(part, frame)
        decides = open_ and (clause.kind == "not" or answer is result)
        found.append(step(part, frame, decided=decides))
        if decides and one_is_enough:
            open_ = False
    return tuple(found)


def _answer(clause: Clause, frame: Frame) -> bool | None:
    try:
        return clause.test(frame.body, frame)
    except EvaluationError:
        return None


def _counted(clause: Clause, frame: Frame) -> tuple[Step, ...]:
    where = clause.parts[0] if clause.parts else None
    found: list[Step] = []

    def visit(_: tuple[int, ...]) -> None:
        if where is not None and len(found) < MOST_MEMBERS and _answer(where, frame) is not False:
            found.append(step(where, frame, decided=True))

    if clause.each is not None:
        clause.each(frame.body, frame, visit)
    return tuple(found)


def _existence(policy: Policy, frame: Frame) -> Step | None:
    related = related_resources(policy, frame) if policy.effect in IF_NOT_EXISTS else ()
    if isinstance(related, Unknown) or not related:
        return None
    clause = policy.existence(related[0].api_version, frame)
    return step(clause, Frame(related[0], frame.context, frame), decided=True) if clause else None


def _fixes(policy: Policy, frame: Frame, rule: Clause) -> Fixes:
    if policy.effect in IF_NOT_EXISTS:
        return _existence_fixes(policy, frame)
    changes = _changes(policy, frame) if policy.effect in {"modify", "append"} else ()
    return changes or turn(rule, frame, wanted=False) or ()


def _changes(policy: Policy, frame: Frame) -> Fixes:
    """What the effect itself would change; nothing where that cannot be computed."""
    try:
        operations = effects(policy, frame.resource, frame.context).operations
    except EvaluationError:
        return ()
    return tuple(Fix(_action(each.operation), ".".join(each.steps), each.value) for each in operations if each.applies)


def _proven(policy: Policy, frame: Frame, fixes: Fixes) -> Fixes:
    """The fixes, unless they are exact and yet do not do: conditions that pull in different directions."""
    body = repair(frame.resource.body, fixes)
    if body is None:
        return fixes
    fixed = replace(frame.resource, body=body)
    return () if judge(policy, fixed, frame.context).state in {State.NON_COMPLIANT, State.ERROR} else fixes


def _action(operation: str) -> str:
    return "remove" if operation == "remove" else "set"


def _existence_fixes(policy: Policy, frame: Frame) -> Fixes:
    """Change the related resource that needs the fewest changes, or create one."""
    related = related_resources(policy, frame)
    if isinstance(related, Unknown):
        return ()
    options = [found for each in related if (found := _related_fix(policy, each, frame))]
    if options:
        return min(options, key=len)
    return () if related else (_creation(policy, frame),)


def _creation(policy: Policy, frame: Frame) -> Fix:
    """The related resource to create, as far as the existence condition tells what it must hold."""
    kind, name = policy.details.type, lookup_text(policy, frame, policy.details.name)
    body = {"type": kind, **({"name": name} if isinstance(name, str) else {})}
    clause = policy.existence(None, frame)
    found = turn(clause, Frame(Resource(body), frame.context, frame), wanted=True) if clause else ()
    text = f"a {kind} that meets the existence condition" if clause else f"a {kind}"
    return Fix("create", kind, repair(body, found or ()) or body, text)


def _related_fix(policy: Policy, related: Resource, frame: Frame) -> Fixes:
    clause = policy.existence(related.api_version, frame)
    inner = Frame(related, frame.context, frame)
    found = turn(clause, inner, wanted=True) if clause else None
    prefix = related.id or policy.details.type
    return tuple(Fix(each.action, f"{prefix}#{each.path}", each.value, each.text) for each in found or ())
