"""The order in which resources of a template are deployed ("Define the order for deploying resources")."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.domain.resource import Json
from shared.engine.error import InvalidDefinition


@dataclass(frozen=True, slots=True)
class DeploymentUnit:
    """A resource, or the resources of a nested deployment.

    `names` are what dependsOn may call it by: its id, the id below its scope, its name, its loop, its symbolic name;
    `after` those it comes after; all in lower case.
    """

    path: str
    names: frozenset[str]
    after: tuple[str, ...]
    found: tuple[dict[str, Json], ...]


def deployment_order(units: Sequence[DeploymentUnit]) -> Iterator[DeploymentUnit]:
    """Yield the units as written, each after what it depends on; what is not among them is taken to be there.

    Raises:
        InvalidDefinition: the dependencies form a circle.
    """
    named: dict[str, list[int]] = {}
    for at, unit in enumerate(units):
        for name in unit.names:
            named.setdefault(name, []).append(at)
    done: set[int] = set()
    for at in range(len(units)):
        yield from _with_dependencies(at, units, named, done)


def _with_dependencies(
    start: int, units: Sequence[DeploymentUnit], named: dict[str, list[int]], done: set[int]
) -> Iterator[DeploymentUnit]:
    """Yield a unit after those it depends on that are not done; a stack, as chains may be as long as the template."""
    stack, waiting = [start], set[int]()
    while stack:
        at = stack[-1]
        needed = [each for each in _dependencies(units[at], named) if each not in done]
        if at in done or not needed:
            if at not in done:
                yield units[at]
            done.add(at)
            stack.pop()
        elif at in waiting:
            raise InvalidDefinition("it depends on itself in a circle", path=f"{units[at].path}.dependsOn")
        else:
            waiting.add(at)
            stack.extend(reversed(needed))


def _dependencies(unit: DeploymentUnit, named: dict[str, list[int]]) -> list[int]:
    """Return the units that a unit names: by a whole id where one has it, else by its end."""
    names = dict.fromkeys(unit.after)
    known = (named.get(name) or named.get(name.rpartition("/providers/")[2], []) for name in names)
    return list(dict.fromkeys(each for found in known for each in found))
