"""Policies in force together, indexed so that a resource meets only those that can be about it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from shared.domain.resource import Resource
from shared.domain.verdict import State, Verdict
from shared.engine import Context, Policy, compile_set
from shared.engine.operand import calls
from shared.services.lint.subject import operands, places
from shared.services.placement import Placement

Placed = tuple[Placement, Verdict]
_MOST_TYPES = 10_000
_FINE = frozenset({State.COMPLIANT, State.NOT_APPLICABLE})


class PlacementSet:
    """Placements by the types they can match. Immutable; picklable.

    Those whose verdict does not depend on where they are in force are judged as one set of policies.
    """

    def __init__(self, placements: Iterable[Placement]) -> None:
        self.placements = tuple(placements)
        self._bound = frozenset(each for each in self.placements if _is_bound(each))
        self._plain = tuple(each for each in self.placements if each not in self._bound)
        self._set = compile_set(_numbered(each.policy, at) for at, each in enumerate(self._plain))
        self._by_type: dict[str, tuple[tuple[Placement, ...], tuple[Placement, ...]]] = {}

    def __len__(self) -> int:
        return len(self.placements)

    def __getstate__(self) -> tuple[Placement, ...]:
        return self.placements

    def __setstate__(self, placements: Any) -> None:  # noqa: ANN401 - what __getstate__ gave
        self.__init__(placements)  # type: ignore[misc]

    def applicable(self, resource_type: str) -> tuple[Placement, ...]:
        """The placements that can be about resources of a type, in their order."""
        return self._meeting(resource_type.lower())[0]

    def _meeting(self, resource_type: str) -> tuple[tuple[Placement, ...], tuple[Placement, ...]]:
        """All placements that can be about a type (lower case), and the bound ones among them."""
        found = self._by_type.get(resource_type)
        if found is None:
            if len(self._by_type) >= _MOST_TYPES:
                self._by_type.clear()
            every = tuple(each for each in self.placements if _may_apply(each, resource_type))
            found = self._by_type[resource_type] = every, tuple(each for each in every if each in self._bound)
        return found

    def judge(self, resource: Resource, context: Context) -> list[Placed]:
        """One verdict for each placement that is about the resource, in their order."""
        pairs = ((each, each.judge(resource, context)) for each in self.applicable(resource.type))
        return [(each, verdict) for each, verdict in pairs if verdict.state is not State.NOT_APPLICABLE]

    def tally(self, resource: Resource, context: Context) -> tuple[int, list[Placed]]:
        """The number of compliant pairs, and a verdict for each pair that is not: the cheap path of a scan."""
        compliant, verdicts = self._set.tally(resource, context)
        attention = [(self._plain[int(each.policy)], each) for each in verdicts]
        for each in self._meeting(resource.type.lower())[1]:
            verdict = each.judge(resource, context)
            compliant += verdict.state is State.COMPLIANT
            if verdict.state not in _FINE:
                attention.append((each, verdict))
        return compliant, attention


def _is_bound(placement: Placement) -> bool:
    """Whether the verdict depends on where the policy is in force: on an assignment, or on what policy() answers."""
    if placement.assignment is not None:
        return True
    if not placement.initiative:
        return False
    nodes = (placement.policy.definition.condition, placement.policy.details.existence)
    found = (place.condition for node in nodes if node is not None for place in places(node, None))
    return any(
        call.name.lower() == "policy"
        for condition in found
        for _, operand in operands(condition)
        for call in calls(operand)
    )


def _numbered(policy: Policy, at: int) -> Policy:
    """The policy with a number for its id, so that verdicts tell which of the set it was."""
    return replace(policy, definition=replace(policy.definition, id=str(at)))


def _may_apply(placement: Placement, resource_type: str) -> bool:
    policies = (placement.policy, *placement.overridden.values())
    return any(each.may_apply_to(resource_type) for each in policies)
