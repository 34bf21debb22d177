"""Values of a template: expressions anywhere inside them computed, and copy loops of properties and variables run.

Sources: "Property iteration", "Variable iteration" and "Resource iteration in ARM templates".
"""

from collections.abc import Iterator, Mapping

from shared.domain.resource import Json
from shared.engine.error import EvaluationError, InvalidDefinition
from shared.engine.expression import is_expression, parse_expression, unescape
from shared.engine.template.budget import MOST_RESOURCES, located
from shared.engine.template.expression import Environment, compute
from shared.engine.unknown import Unknown
from shared.engine.value import expect_integer, expect_text

MOST_ITERATIONS = MOST_RESOURCES


def value(source: Json, env: Environment, path: str) -> Json:
    """A value of the template, computed."""
    with located(path):
        env.budget.spend()
    if isinstance(source, str):
        return expression(source, env, path)
    if isinstance(source, list):
        return [value(each, env, f"{path}[{at}]") for at, each in enumerate(source)]
    return _object(source, env, path) if isinstance(source, Mapping) else source


def expression(source: str, env: Environment, path: str) -> Json:
    """A string of the template, computed when it is an expression."""
    if not is_expression(source):
        return unescape(source)
    node = parse_expression(source, path)
    with located(path):
        return compute(node, env, path)


def text(source: Json, env: Environment, path: str) -> str | Unknown:
    """A value that has to be a string."""
    found = value(source, env, path)
    with located(path):
        return found if isinstance(found, Unknown) else expect_text(found, null=None)


def _object(source: Mapping[str, Json], env: Environment, path: str) -> Json:
    """Names of properties may be expressions too; where one is unknown so is the object."""
    found: dict[str, Json] = {}
    for key, each in source.items():
        if key.lower() == "copy" and _are_loops(each):
            found |= repeated(each, env, f"{path}.copy")
            continue
        name = text(key, env, path)
        if isinstance(name, Unknown):
            return name
        found[name] = value(each, env, f"{path}.{key}")
    return found


def _are_loops(source: Json) -> bool:
    return isinstance(source, list) and bool(source) and all(isinstance(each, Mapping) for each in source)


def repeated(source: Json, env: Environment, path: str) -> Iterator[tuple[str, Json]]:
    """The names and arrays that the loops of a `copy` array make; an array is unknown where its count is."""
    for at, each in enumerate(array(source, path)):
        where = f"{path}[{at}]"
        loop = members(each, where)
        yield loop_name(loop, where), iterated(loop, env, where)


def loop_name(loop: Mapping[str, Json], path: str) -> str:
    """The name of a loop, by which copyIndex() and dependsOn know it."""
    name = loop.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidDefinition("the copy loop needs a name", path=path, offending=str(name))
    return name


def iterated(loop: Mapping[str, Json], env: Environment, path: str) -> Json:
    """The array of a loop's inputs."""
    if "input" not in loop:
        raise InvalidDefinition("the copy loop needs an input", path=path)
    found = rounds(loop, env, path, (loop_name(loop, path),))
    if isinstance(found, Unknown):
        return found
    return [value(loop["input"], each, f"{path}.input") for each in found]


def rounds(
    loop: Mapping[str, Json], env: Environment, path: str, names: tuple[str, ...]
) -> list[Environment] | Unknown:
    """An environment for each iteration of a loop, which copyIndex() knows by `names`; unknown where the count is."""
    count = value(loop.get("count"), env, f"{path}.count")
    if isinstance(count, Unknown):
        return count
    with located(f"{path}.count"):
        number = expect_integer(count)
        if not 0 <= number <= MOST_ITERATIONS:
            raise EvaluationError(f"a copy loop runs 0 to {MOST_ITERATIONS} times, not {number}")
        env.budget.spend(number)
    return [env.within(names, at) for at in range(number)]


def members(source: Json, path: str) -> dict[str, Json]:
    """An object of the template; its names compare without case and are given in lower case."""
    if not isinstance(source, Mapping):
        raise InvalidDefinition("expected an object", path=path, offending=str(source))
    return {key.lower(): each for key, each in source.items()}


def array(source: Json, path: str) -> list[Json]:
    """An array of the template."""
    if not isinstance(source, list):
        raise InvalidDefinition("expected an array", path=path, offending=str(source))
    return source
