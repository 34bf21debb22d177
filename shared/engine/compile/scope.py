"""What the compiler knows while it compiles: aliases, the type of the resources, parameters, and the counts around."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shared.domain.resource import Json, Resource
from shared.engine.alias import AliasCatalog
from shared.engine.context import COUNT_LEVELS, EMPTY_CONTEXT, Frame
from shared.engine.error import EvaluationError


@dataclass(frozen=True, slots=True)
class CountBinding:
    """A member that a count stands at: `name` (lower case) as written, `path` of the array with [*] (lower case)."""

    name: str
    path: str | None
    slot: int


@dataclass(frozen=True, slots=True)
class CompileScope:
    """`type` (lower case) is None while a program serves every type.

    `origin` is the scope of the resource that the `if` was about, inside an existenceCondition. `blank` is where
    what no resource decides is computed, with one count of steps for all of it.
    """

    catalog: AliasCatalog
    parameters: Mapping[str, Json]
    type: str | None = None
    api_version: str | None = None
    bindings: tuple[CountBinding, ...] = ()
    origin: "CompileScope | None" = None
    blank: Frame = field(default_factory=lambda: Frame(Resource({}), EMPTY_CONTEXT), compare=False, repr=False)

    def on(self, resource_type: str, api_version: str | None) -> "CompileScope":
        """Return the same scope for the resources of one type, where it is not for one already."""
        return self if self.type is not None else replace(self, type=resource_type, api_version=api_version)

    def bind(self, name: str, path: str | None) -> "CompileScope":
        """Return the scope inside a count."""
        slot = len(self.bindings)
        if slot >= COUNT_LEVELS:
            raise EvaluationError(f"counts nest more than {COUNT_LEVELS} levels")
        return replace(self, bindings=(*self.bindings, CountBinding(name.lower(), path and path.lower(), slot)))

    def at(self, path: str) -> tuple[CountBinding | None, str]:
        """Return the innermost member that a path goes through, and the rest of the path below it."""
        low = path.lower()
        for binding in reversed(self.bindings):
            prefix = binding.path
            if prefix is not None and low.startswith(prefix) and low[len(prefix) : len(prefix) + 1] in {"", ".", "["}:
                return binding, path[len(prefix) :].lstrip(".")
        return None, path

    def named(self, name: str) -> CountBinding | None:
        """Return the count of that name."""
        low = name.lower()
        return next((each for each in reversed(self.bindings) if each.name == low), None)
