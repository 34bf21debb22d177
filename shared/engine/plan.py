"""What to run for one type of resource: its policies, and once it is met often, most of them as one function."""

from collections.abc import Mapping

from shared.domain.resource import Json, Resource
from shared.engine.applicability import conditions
from shared.engine.effect import IF_NOT_EXISTS
from shared.engine.error import EvaluationError
from shared.engine.fuse import Fused, fuse, is_plain
from shared.engine.policy import Policy

OFTEN = 48
_MOST_FUSED = 4_000
"""Conditions in one generated function: the memory that generating takes grows with them."""
_OTHER_STATES = IF_NOT_EXISTS | {"manual", "denyAction"}
Numbered = tuple[tuple[int, Policy], ...]


class Plan:
    """The policies about one type, numbered as in their set. `fused` are those in the function `run`.

    Bodies that name their type otherwise than policies do are not for generated code (`fuses` False).
    """

    __slots__ = ("_met", "_type", "all", "fused", "policies", "rest", "run")

    def __init__(self, resource_type: str, numbered: Numbered, *, fuses: bool = True) -> None:
        self._type = resource_type
        self.all = numbered
        self._met = 0 if fuses else OFTEN
        self.policies = tuple(policy for _, policy in numbered)
        self.rest = numbered
        self.fused: tuple[int, ...] = ()
        self.run: Fused | None = None

    def matched(self, resource: Resource, body: Mapping[str, Json]) -> tuple[list[int] | None, Numbered]:
        """The numbers of fused policies whose rule is true of a body, and the policies still to be judged one by one.

        A body that was not read completely, or that makes a fused rule fail, is judged one by one altogether: None.
        """
        if resource.unread or body.__class__ is not dict or not self.ready():
            return None, self.all
        hits: list[int] = []
        try:
            self.run(body, hits.append)  # type: ignore[misc]
        except (EvaluationError, RecursionError):
            return None, self.all
        return hits, self.rest

    def ready(self) -> bool:
        """Whether there is a function to run; counts the calls until there is."""
        return self.run is not None or self._worth_fusing()

    def _worth_fusing(self) -> bool:
        self._met += 1
        if self._met != OFTEN:
            return False
        chosen = self._chosen()
        if not chosen:
            return False
        run = fuse((at, policy.program(self._type).rule) for at, policy in chosen)
        numbers = frozenset(at for at, _ in chosen)
        self.rest = tuple(each for each in self.all if each[0] not in numbers)
        self.fused = tuple(numbers)
        self.run = run
        return True

    def _chosen(self) -> list[tuple[int, Policy]]:
        """The policies to fuse: all that are plain, as far as they are few enough."""
        found: list[tuple[int, Policy]] = []
        left = _MOST_FUSED
        for at, policy in self.all:
            if self._is_plain(policy):
                left -= sum(1 for _ in conditions(policy.definition.condition))
                if left >= 0:
                    found.append((at, policy))
        return found

    def _is_plain(self, policy: Policy) -> bool:
        """Whether the rule's answer alone gives the state, and code can be generated for it."""
        if policy.effect in _OTHER_STATES or policy.enforcement_only or policy.by_version or policy.filters is not None:
            return False
        try:
            return is_plain(policy.program(self._type).rule)
        except (EvaluationError, RecursionError):
            return False
