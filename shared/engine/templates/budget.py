"""What the expansion of one template may come to, and how its results are written, so that hostile ones end early."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from shared.domain.resource import Json
from shared.engine.error import EvaluationError, NotSupported
from shared.engine.unknown import Partial, Unknown

TEMPLATE_RESOURCES = 800
"""Resources of a template and iterations of a loop ("Resource iteration in ARM templates: copy limits")."""
_TEMPLATE_STEPS = 250_000
_TEMPLATE_CHARACTERS = 4 << 20
_VALUE_LEVELS = 100
_CHARACTERS_PER_STEP = 64
_PART_CHARACTERS = 300
_NAME_CHARACTERS = 60
_WHEN = {"afterDeployment": "known after deployment", "notGiven": "not known here"}


def known_after_deployment(part: str) -> Unknown:
    """Return a value that only the running deployment knows."""
    return Unknown(part[:_PART_CHARACTERS], "afterDeployment")


def not_given(part: str) -> Unknown:
    """Return a value of the surroundings that the caller did not give."""
    return Unknown(part, "notGiven")


def unknown_function(name: str, part: str, near: str | None) -> Unknown:
    """Return the value of a function that is not known here: a newer one, or one of a namespace that is not declared.

    `near` is a function that may be meant.
    """
    hint = f" (did you mean {near!r}?)" if near else ""
    return Unknown(part[:_PART_CHARACTERS], f"unknown function {name[:_NAME_CHARACTERS]!r}{hint}")


def unknown_text(gap: Unknown) -> str:
    """Return an unknown as people read it: `known after deployment: reference('x').id`."""
    return f"{_WHEN.get(gap.reason, gap.reason)}: {gap.part}"


@contextmanager
def error_path(path: str) -> Iterator[None]:
    """Name the place of what fails inside, where that is not named yet."""
    try:
        yield
    except EvaluationError as error:
        message = str(error)
        raise EvaluationError(message if message.startswith("$") else f"{path}: {message}") from None


class ExpansionBudget:
    """Counts down the steps, characters and resources of one expansion."""

    __slots__ = ("_characters", "_resources", "_steps")

    def __init__(self) -> None:
        self._steps, self._characters, self._resources = (
            _TEMPLATE_STEPS,
            _TEMPLATE_CHARACTERS,
            TEMPLATE_RESOURCES,
        )

    def spend(self, steps: int = 1) -> None:
        """Count steps of work.

        Raises:
            EvaluationError: there are too many.
        """
        self._steps -= steps
        if self._steps < 0:
            raise EvaluationError(f"the template takes more than {_TEMPLATE_STEPS} steps to compute")

    def deploy(self, path: str) -> None:
        """Count a resource.

        Raises:
            NotSupported: there are too many.
        """
        self._resources -= 1
        if self._resources < 0:
            raise NotSupported(f"{path}: the template deploys more than {TEMPLATE_RESOURCES} resources", path=path)

    def measure(self, value: Json) -> Unknown | None:
        """Pay for every part of a value, which may share parts and so be far larger than it is in memory.

        Returns:
            A part that is unknown, if there is one.
        """
        gap: Unknown | None = None
        left: list[tuple[Json, int]] = [(value, 0)]
        while left:
            node, depth = left.pop()
            self.spend(1 + len(node) // _CHARACTERS_PER_STEP if isinstance(node, str) else 1)
            if depth > _VALUE_LEVELS:
                raise EvaluationError(f"a value nests more than {_VALUE_LEVELS} levels")
            gap = gap or _own_gap(node)
            left.extend((each, depth + 1) for each in _inside(node))
        return gap

    def written(self, value: Json) -> tuple[Json, dict[str, str]]:
        """Return a value as plain JSON with texts for what is unknown, and these by path: `a.b[0]`, `tags['a.b']`."""
        self.measure(value)
        unknown: dict[str, str] = {}
        return self._written(value, "", unknown), unknown

    def _written(self, value: Json, path: str, unknown: dict[str, str]) -> Json:
        gap = _own_gap(value)
        if gap is not None:
            value = unknown[path] = unknown_text(gap)
        self._characters -= len(value) + 2 if isinstance(value, str) else 2
        if self._characters < 0:
            raise EvaluationError(f"what the template deploys has more than {_TEMPLATE_CHARACTERS} characters")
        match value:
            case list():
                return [self._written(each, f"{path}[{at}]", unknown) for at, each in enumerate(value)]
            case Mapping():
                self._characters -= sum(map(len, value))
                return {key: self._written(each, _step(path, key), unknown) for key, each in value.items()}
            case None | bool() | int() | float() | str():
                return value
        raise EvaluationError("a lambda is no value; it stands only as an argument of map, filter and their kind")


def _step(path: str, key: str) -> str:
    """Return the path of a member: `path.key`, or `path['a.b']` where the key could be read otherwise."""
    if not key or any(mark in key for mark in ".[]'"):
        return f"{path}['{key}']"
    return f"{path}.{key}" if path else key


def _own_gap(node: Json) -> Unknown | None:
    if isinstance(node, Unknown):
        return node
    return node.unread if isinstance(node, Partial) else None


def _inside(node: Json) -> "list[Json]":
    if isinstance(node, list):
        return node
    return [*node, *node.values()] if isinstance(node, Mapping) else []
