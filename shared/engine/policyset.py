"""A set of policies, indexed so that a resource meets only those that can be about it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any

from shared.domain.resource import Body, Resource
from shared.domain.verdict import State, Verdict
from shared.engine.context import EMPTY, LONGEST_KEPT, Context, Frame, policy_type
from shared.engine.error import EvaluationError
from shared.engine.judge import explained, failed, judge_applicable, state_of
from shared.engine.plan import Plan
from shared.engine.policy import Policy

Surroundings = Context | Callable[[Resource], Context]
_MOST_TYPES = 10_000
_FLUSH = 100_000


class PolicySet:
    """Compiled policies by the types they can match. Immutable; picklable; safe to share between threads."""

    __slots__ = ("_by_type", "_open", "_plans", "policies")

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(policies)
        self._by_type: dict[str, list[int]] = {}
        self._open: list[int] = []
        self._plans: dict[str, Plan] = {}
        for at, policy in enumerate(self.policies):
            if policy.types is None:
                self._open.append(at)
            for each in policy.types or ():
                self._by_type.setdefault(each, []).append(at)

    def __len__(self) -> int:
        return len(self.policies)

    def __getstate__(self) -> tuple[Policy, ...]:
        return self.policies

    def __setstate__(self, policies: Any) -> None:  # noqa: ANN401 - what __getstate__ gave
        self.__init__(policies)  # type: ignore[misc]

    def _plan(self, resource_type: str) -> Plan:
        plan = self._plans.get(resource_type)
        if plan is None:
            if len(self._plans) >= _MOST_TYPES:
                self._plans.clear()
            low = policy_type(resource_type)
            candidates = sorted({*self._by_type.get(low, ()), *self._open})
            numbered = ((at, self.policies[at]) for at in candidates)
            chosen = tuple((at, policy) for at, policy in numbered if policy.may_apply_to(low))
            plan = Plan(low, chosen, fuses=low == resource_type.lower())
            if len(resource_type) <= LONGEST_KEPT:
                self._plans[resource_type] = plan
        return plan

    def applicable(self, resource_type: str) -> tuple[Policy, ...]:
        """The policies that can be about resources of a type, in the order of the set."""
        return self._plan(resource_type).policies

    def related_types(self, resource_type: str) -> frozenset[str]:
        """The related types (lower case) that judging resources of a type needs."""
        return frozenset(each for policy in self.applicable(resource_type) for each in policy.related)

    def judge(self, resource: Resource, context: Context = EMPTY) -> list[Verdict]:
        """One verdict for each policy that is about the resource; errors are verdicts among them."""
        frame = Frame(resource, context)
        verdicts = (judge_applicable(policy, frame) for policy in self.applicable(resource.type))
        return [each for each in verdicts if each.state is not State.NOT_APPLICABLE]

    def judge_many(
        self, resources: Iterable[Resource], context: Surroundings = EMPTY
    ) -> Iterator[tuple[Resource, list[Verdict]]]:
        """Each resource with its verdicts, streamed; `context` may be a function of the resource."""
        for resource in resources:
            yield resource, self.judge(resource, context(resource) if callable(context) else context)

    def tally(self, resource: Resource, context: Context = EMPTY) -> tuple[int, list[Verdict]]:
        """The number of compliant pairs, and a verdict for each pair that is not: the cheap path of a scan."""
        frame = Frame(resource, context)
        plan = self._plan(resource.type)
        hits, rest = plan.matched(resource, frame.body)
        compliant, attention = len(plan.all) - len(rest) - len(hits or ()), []
        waiting = sorted((*((at, self.policies[at]) for at in hits or ()), *rest), key=itemgetter(0))
        for _, policy in waiting:
            try:
                state, program = state_of(policy, frame)
                if state is State.COMPLIANT:
                    compliant += 1
                elif state is not State.NOT_APPLICABLE:
                    attention.append(explained(policy, frame, state, program))
            except (EvaluationError, RecursionError) as error:
                attention.append(failed(policy, frame, error))
        return compliant, attention

    def count(self, resources: Iterable[Resource | Body], context: Context = EMPTY) -> list[dict[State, int]]:
        """How many resources are in which state, one entry per policy in the order of the set: the fastest pass.

        A bare body (a dict) counts as read completely.
        """
        tally = _Tally(len(self.policies))
        hits, plans = tally.hits, self._plans
        hit, met = hits.append, tally.met
        for each in resources:
            body, complete = (each, True) if each.__class__ is dict else (each.body, not each.unread)  # type: ignore[union-attr]
            kind = str(body.get("type") or "")
            plan = plans.get(kind) or self._plan(kind)
            mark, rest = len(hits), plan.all
            if complete and plan.ready():
                try:
                    plan.run(body, hit)  # type: ignore[misc,arg-type]
                except (EvaluationError, RecursionError):
                    del hits[mark:]
                else:
                    met[plan] = met.get(plan, 0) + 1
                    rest = plan.rest
                if mark > _FLUSH:
                    tally.flush()
            if rest:
                resource = each if isinstance(each, Resource) else Resource(each)
                tally.judge(rest, Frame(resource, context))
        return tally.finish()


class _Tally:
    """The states seen so far, by the number of the policy."""

    def __init__(self, size: int) -> None:
        self.hits: list[int] = []
        self.met: dict[Plan, int] = {}
        self.totals: list[dict[State, int]] = [{} for _ in range(size)]

    def judge(self, policies: tuple[tuple[int, Policy], ...], frame: Frame) -> None:
        for at, policy in policies:
            try:
                state = state_of(policy, frame)[0]
            except (EvaluationError, RecursionError):
                state = State.ERROR
            self.add(at, state, 1)

    def add(self, at: int, state: State, number: int) -> None:
        total = self.totals[at]
        total[state] = total.get(state, 0) + number

    def flush(self) -> None:
        """A hit is a violation, and one fewer compliant."""
        for at, number in Counter(self.hits).items():
            self.add(at, State.NON_COMPLIANT, number)
            self.add(at, State.COMPLIANT, -number)
        self.hits.clear()

    def finish(self) -> list[dict[State, int]]:
        self.flush()
        for plan, number in self.met.items():
            for at in plan.fused:
                self.add(at, State.COMPLIANT, number)
        return self.totals


def compile_set(policies: Iterable[Policy]) -> PolicySet:
    """Index compiled policies as one set."""
    return PolicySet(policies)
