"""A set of policies, indexed so that a resource meets only those that can be about it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from shared.domain.resource import Resource
from shared.domain.verdict import State, Verdict
from shared.engine.context import EMPTY, Context, Frame
from shared.engine.error import EvaluationError
from shared.engine.judge import explained, judge_applicable, state_of
from shared.engine.policy import Policy

Surroundings = Context | Callable[[Resource], Context]
_MOST_TYPES = 10_000


class PolicySet:
    """Compiled policies by the types they can match. Immutable; picklable; safe to share between threads."""

    __slots__ = ("_by_type", "_open", "_plans", "policies")

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(policies)
        self._by_type: dict[str, list[int]] = {}
        self._open: list[int] = []
        self._plans: dict[str, tuple[Policy, ...]] = {}
        for at, policy in enumerate(self.policies):
            if policy.types is None:
                self._open.append(at)
            for each in policy.types or ():
                self._by_type.setdefault(each, []).append(at)

    def __len__(self) -> int:
        return len(self.policies)

    def __getstate__(self) -> tuple[Policy, ...]:
        return self.policies

    def __setstate__(self, policies: Any) -> None:
        self.__init__(policies)  # type: ignore[misc]

    def applicable(self, resource_type: str) -> tuple[Policy, ...]:
        """The policies that can be about resources of a type, in the order of the set."""
        low = resource_type.lower()
        plan = self._plans.get(low)
        if plan is None:
            if len(self._plans) >= _MOST_TYPES:
                self._plans.clear()
            candidates = sorted({*self._by_type.get(low, ()), *self._open})
            plan = tuple(self.policies[at] for at in candidates if self.policies[at].may_apply_to(low))
            self._plans[low] = plan
        return plan

    def related_types(self, resource_type: str) -> frozenset[str]:
        """The related types (lower case) that judging resources of a type needs."""
        return frozenset(each for policy in self.applicable(resource_type) for each in policy.related)

    def judge(self, resource: Resource, context: Context = EMPTY) -> list[Verdict]:
        """One verdict for each policy that is about the resource; errors are verdicts among them."""
        frame = Frame(resource, context)
        verdicts = (judge_applicable(policy, frame) for policy in self.applicable(frame.type))
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
        compliant, attention = 0, []
        for policy in self.applicable(frame.type):
            try:
                state, program = state_of(policy, frame)
            except (EvaluationError, RecursionError):
                attention.append(judge_applicable(policy, frame))
                continue
            if state is State.COMPLIANT:
                compliant += 1
            elif state is not State.NOT_APPLICABLE:
                attention.append(explained(policy, frame, state, program))
        return compliant, attention

    def states(self, resource: Resource, context: Context = EMPTY) -> Mapping[str, State]:
        """The bare state by policy id (or name), without evidence."""
        frame = Frame(resource, context)
        return {policy.id or policy.name: _state(policy, frame) for policy in self.applicable(frame.type)}


def _state(policy: Policy, frame: Frame) -> State:
    try:
        return state_of(policy, frame)[0]
    except (EvaluationError, RecursionError):
        return State.ERROR


def compile_set(policies: Iterable[Policy]) -> PolicySet:
    """Index compiled policies as one set."""
    return PolicySet(policies)
