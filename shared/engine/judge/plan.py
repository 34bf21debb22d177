"""What to run for one type of resource: its policies, and once it is met often, most of them as one function."""

from collections.abc import Mapping

from shared.domain.resource import Json, Resource
from shared.engine.compile.code_generation import GeneratedFunction, generate_function, is_plain
from shared.engine.compile.effect import IF_NOT_EXISTS
from shared.engine.error import EvaluationError
from shared.engine.judge.effective import EffectivePolicy
from shared.engine.language.traversal import walk_conditions

GENERATION_RESOURCES = 48
"""Resources of one type after which its function is generated: fewer would not pay for it."""
_GENERATED_CONDITIONS = 4_000
"""Conditions in one generated function: the memory that generating takes grows with them."""
_DERIVED_STATE_EFFECTS = IF_NOT_EXISTS | {"manual", "denyAction"}
NumberedPolicies = tuple[tuple[int, EffectivePolicy], ...]


class TypePlan:
    """The policies about one type, numbered as in their set. `generated` are those in the function `run`.

    Bodies that name their type otherwise than policies do are not for generated code (`generates` False), nor are those
    of api-versions that lack a property, or have it elsewhere.
    """

    __slots__ = ("_met", "_newest_without", "_type", "_versions", "all", "generated", "policies", "rest", "run")

    def __init__(self, resource_type: str, numbered: NumberedPolicies, *, generates: bool = True) -> None:
        self._type = resource_type
        self.all = numbered
        self._met = 0 if generates else GENERATION_RESOURCES
        self.policies = tuple(policy for _, policy in numbered)
        self.rest = numbered
        self.generated: NumberedPolicies = ()
        self.run: GeneratedFunction | None = None
        self._versions = frozenset[str]()
        self._newest_without = ""

    def matched(self, resource: Resource, body: Mapping[str, Json]) -> tuple[list[int] | None, NumberedPolicies]:
        """Return the numbers of the generated policies that a body violates, and the policies to judge one by one.

        A body that was not read completely, or that makes a generated rule fail, is judged one by one altogether: None.
        """
        if resource.unread or body.__class__ is not dict or not self.ready():
            return None, self.all
        if self.differs(resource.api_version or body.get("apiVersion")):
            return None, self.all
        hits: list[int] = []
        try:
            self.run(body, hits.append)  # type: ignore[misc]
        except (EvaluationError, RecursionError):
            return None, self.all
        return hits, self.rest

    def differs(self, version: Json) -> bool:
        """Return whether the generated code is not for bodies of an api-version; anything but a text is none."""
        return version.__class__ is str and (version <= self._newest_without or version in self._versions)

    def missed(self, hits: list[int] | None) -> list[EffectivePolicy]:
        """Return the generated policies whose rule is not among the hits; none where they were not run."""
        if hits is None:
            return []
        if not hits:
            return [each for _, each in self.generated]
        hit = frozenset(hits)
        return [each for at, each in self.generated if at not in hit]

    def ready(self) -> bool:
        """Return whether there is a function to run; counts the calls until there is."""
        return self.run is not None or self._generate()

    def _generate(self) -> bool:
        """Generate the function once the type was met often enough to pay for it; return whether that happened."""
        self._met += 1
        if self._met != GENERATION_RESOURCES:
            return False
        chosen = self._chosen()
        if not chosen:
            return False
        self.run = generate_function((at, each.policy.program(self._type).rule) for at, each in chosen)
        numbers = frozenset(at for at, _ in chosen)
        self.rest = tuple(each for each in self.all if each[0] not in numbers)
        self.generated = tuple(chosen)
        self._versions = self._versions.union(*(each.policy.versions or () for _, each in chosen))
        self._newest_without = max(each.policy.newest_without for _, each in chosen)
        return True

    def _chosen(self) -> list[tuple[int, EffectivePolicy]]:
        """Return the policies to generate code for: all that are plain, as far as they are few enough."""
        found: list[tuple[int, EffectivePolicy]] = []
        left = _GENERATED_CONDITIONS
        for at, each in self.all:
            if self._is_plain(each):
                left -= sum(1 for _ in walk_conditions(each.policy.definition.condition))
                if left >= 0:
                    found.append((at, each))
        return found

    def _is_plain(self, effective: EffectivePolicy) -> bool:
        """Return whether the rule's answer alone gives the state, and code can be generated for it."""
        policy = effective.policy
        if (
            not effective.is_everywhere
            or policy.effect in _DERIVED_STATE_EFFECTS
            or policy.enforcement_only
            or policy.versions is None
            or policy.needs_tracked(self._type)
            or policy.filters is not None
        ):
            return False
        try:
            return is_plain(policy.program(self._type).rule)
        except (EvaluationError, RecursionError):
            return False
