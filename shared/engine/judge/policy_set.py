"""The policies in force, indexed so that a resource meets only those that can be about it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from operator import itemgetter
from typing import Any

from shared.domain.resource import Body, Resource
from shared.domain.verdict import State, Verdict
from shared.engine.compile.policy import Policy
from shared.engine.context import CACHED_CHARACTERS, EMPTY_CONTEXT, Context, Frame, policy_type
from shared.engine.error import EvaluationError
from shared.engine.judge.effective import EffectivePolicy
from shared.engine.judge.plan import NumberedPolicies, TypePlan
from shared.engine.judge.verdict import error_verdict, judge_applicable, state_of, verdict_with_evidence
from shared.engine.language.assignment import Assignment

ContextSource = Context | Callable[[Resource], Context]
PolicyVerdict = tuple[EffectivePolicy, Verdict]
_PLAN_CACHE_ENTRIES = 10_000
_FLUSH_MARKS = 100_000
"""Hits that are held before they are counted."""


class PolicySet:
    """Effective policies by the types they can match. Immutable; picklable; safe to share between threads."""

    def __init__(self, policies: Iterable[EffectivePolicy]) -> None:
        self.policies = tuple(policies)
        self._by_type: dict[str, list[int]] = {}
        self._open: list[int] = []
        self._plans: dict[str, TypePlan] = {}
        for at, each in enumerate(self.policies):
            types = [variant.types for variant in each.variants]
            if None in types:
                self._open.append(at)
                continue
            for name in frozenset[str]().union(*(known for known in types if known is not None)):
                self._by_type.setdefault(name, []).append(at)

    def __len__(self) -> int:
        return len(self.policies)

    def __getstate__(self) -> tuple[EffectivePolicy, ...]:
        return self.policies

    def __setstate__(self, policies: Any) -> None:  # noqa: ANN401 - what __getstate__ gave
        self.__init__(policies)  # type: ignore[misc]

    @cached_property
    def by_key(self) -> Mapping[str, EffectivePolicy]:
        """Return the policies by their keys; of several with one key the first counts."""
        return {each.key: each for each in reversed(self.policies)}

    def _plan(self, resource_type: str) -> TypePlan:
        plan = self._plans.get(resource_type)
        if plan is None:
            if len(self._plans) >= _PLAN_CACHE_ENTRIES:
                self._plans.clear()
            low = policy_type(resource_type)
            candidates = sorted({*self._by_type.get(low, ()), *self._open})
            numbered = ((at, self.policies[at]) for at in candidates)
            chosen = tuple((at, policy) for at, policy in numbered if policy.may_apply_to(low))
            plan = TypePlan(low, chosen, generates=low == resource_type.lower())
            if len(resource_type) <= CACHED_CHARACTERS:
                self._plans[resource_type] = plan
        return plan

    def applicable(self, resource_type: str) -> tuple[EffectivePolicy, ...]:
        """Return the policies that can be about resources of a type, in the order of the set."""
        return self._plan(resource_type).policies

    def related_types(self, resource_type: str) -> frozenset[str]:
        """Return the related types (lower case) that judging resources of a type needs."""
        variants = (each for policy in self.applicable(resource_type) for each in policy.variants)
        return frozenset(name for each in variants for name in each.related)

    def judge(self, resource: Resource, context: Context = EMPTY_CONTEXT) -> list[PolicyVerdict]:
        """Judge a resource: each policy that is about it, with its verdict; errors are verdicts among them."""
        frame = Frame(resource, context)
        found: list[PolicyVerdict] = []
        for _, each, policy in _in_force(self._plan(resource.type).all, frame):
            verdict = judge_applicable(policy, frame)
            if verdict.state is not State.NOT_APPLICABLE:
                found.append((each, verdict))
        return found

    def judge_many(
        self, resources: Iterable[Resource], context: ContextSource = EMPTY_CONTEXT
    ) -> Iterator[tuple[Resource, list[PolicyVerdict]]]:
        """Yield each resource with its policies and verdicts, streamed; `context` may be a function of the resource."""
        for resource in resources:
            yield resource, self.judge(resource, context(resource) if callable(context) else context)

    def summarize(
        self, resource: Resource, context: Context = EMPTY_CONTEXT
    ) -> tuple[list[EffectivePolicy], list[PolicyVerdict]]:
        """Return the policies that the resource complies with, and those that it does not, each with its verdict.

        The cheap path of a scan: most policies run as generated code, and what complies needs no verdict.
        """
        frame = Frame(resource, context)
        plan = self._plan(resource.type)
        hits, rest = plan.matched(resource, frame.body)
        compliant = plan.missed(hits)
        attention: list[PolicyVerdict] = []
        waiting = sorted((*((at, self.policies[at]) for at in hits or ()), *rest), key=itemgetter(0))
        for _, each, policy in _in_force(waiting, frame):
            try:
                state, program = state_of(policy, frame)
                if state is State.COMPLIANT:
                    compliant.append(each)
                elif state is not State.NOT_APPLICABLE:
                    attention.append((each, verdict_with_evidence(policy, frame, state, program)))
            except (EvaluationError, RecursionError) as error:
                attention.append((each, error_verdict(policy, frame, error)))
        return compliant, attention

    def count(self, resources: Iterable[Resource | Body], context: Context = EMPTY_CONTEXT) -> list[dict[State, int]]:
        """Count how many resources are in which state, an entry per policy in the order of the set: the fastest pass.

        A bare body (a dict) counts as read completely.
        """
        totals = _Counts(len(self.policies))
        # Bound once: the loop below runs for every resource of an estate.
        hits, plans = totals.hits, self._plans
        hit, met = hits.append, totals.met
        for each in resources:
            body, complete = (each, True) if each.__class__ is dict else (each.body, not each.unread)  # type: ignore[union-attr]
            kind = str(body.get("type") or "")
            plan = plans.get(kind) or self._plan(kind)
            mark, rest = len(hits), plan.all
            version = (None if body is each else each.api_version) or body.get("apiVersion")  # type: ignore[union-attr]
            if complete and plan.ready() and (version is None or not plan.differs(version)):
                try:
                    plan.run(body, hit)  # type: ignore[misc,arg-type]
                except (EvaluationError, RecursionError):
                    del hits[mark:]  # of the rules before the one that failed: all are judged one by one instead
                else:
                    met[plan] = met.get(plan, 0) + 1
                    rest = plan.rest
                if mark > _FLUSH_MARKS:
                    totals.flush()
            if rest:
                resource = each if isinstance(each, Resource) else Resource(each)
                totals.judge(rest, Frame(resource, context))
        return totals.finish()


def _in_force(
    numbered: Iterable[tuple[int, EffectivePolicy]], frame: Frame
) -> Iterator[tuple[int, EffectivePolicy, Policy]]:
    """Yield (number, effective policy, policy with its effect here) of those in force on the frame's resource.

    `frame.place` is set for each of them. The policies of one assignment stand side by side, so that whether it covers
    the resource is looked at once.
    """
    given, resource = frame.context.policy, frame.resource
    last: Assignment | None = None
    covered: bool | None = True
    for at, each in numbered:
        policy = each.policy
        if not each.is_everywhere:
            if each.assignment is not last:
                last, covered = each.assignment, each.assignment is None or each.assignment.covers(resource)
            if covered is False or not (policy := each.variant(resource)).may_apply_to(frame.type):
                continue
        frame.place = {**each.place, **given} if given else each.place
        yield at, each, policy


class _Counts:
    """The states seen so far, by the number of the policy."""

    def __init__(self, size: int) -> None:
        self.hits: list[int] = []
        self.met: dict[TypePlan, int] = {}
        self.totals: list[dict[State, int]] = [{} for _ in range(size)]

    def judge(self, policies: NumberedPolicies, frame: Frame) -> None:
        for at, _, policy in _in_force(policies, frame):
            try:
                state = state_of(policy, frame)[0]
            except (EvaluationError, RecursionError):
                state = State.ERROR
            self.add(at, state, 1)

    def add(self, at: int, state: State, number: int) -> None:
        total = self.totals[at]
        total[state] = total.get(state, 0) + number

    def flush(self) -> None:
        """Count each hit as a violation, and one compliant fewer."""
        for at, number in Counter(self.hits).items():
            self.add(at, State.NON_COMPLIANT, number)
            self.add(at, State.COMPLIANT, -number)
        self.hits.clear()

    def finish(self) -> list[dict[State, int]]:
        self.flush()
        for plan, number in self.met.items():
            for at, _ in plan.generated:
                self.add(at, State.COMPLIANT, number)
        return self.totals


def compile_set(policies: Iterable[Policy | EffectivePolicy]) -> PolicySet:
    """Index policies as one set; a bare policy is in force everywhere."""
    return PolicySet(each if isinstance(each, EffectivePolicy) else EffectivePolicy(each) for each in policies)
