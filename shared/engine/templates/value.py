"""Values of a template: expressions anywhere inside them computed, and copy loops of properties and variables run.

Sources: "Property iteration", "Variable iteration" and "Resource iteration in ARM templates".
"""

from collections.abc import Iterator, Mapping

from shared.domain.resource import Json
from shared.domain.spelling import lowered
from shared.engine.error import EvaluationError, InvalidDefinition
from shared.engine.language.expression import is_expression, parse_expression, unescape
from shared.engine.templates.budget import TEMPLATE_RESOURCES, error_path
from shared.engine.templates.expression import ExpressionEnvironment, evaluate
from shared.engine.unknown import Unknown
from shared.engine.value import expect_integer, expect_text

COPY_ITERATIONS = TEMPLATE_RESOURCES


def value(source: Json, env: ExpressionEnvironment, path: str) -> Json:
    """Compute a value of the template."""
    with error_path(path):
        env.budget.spend()
    if isinstance(source, str):
        return expression(source, env, path)
    if isinstance(source, list):
        return [value(each, env, f"{path}[{at}]") for at, each in enumerate(source)]
    return _object(source, env, path) if isinstance(source, Mapping) else source


def expression(source: str, env: ExpressionEnvironment, path: str) -> Json:
    """Compute a string of the template where it is an expression."""
    if not is_expression(source):
        return unescape(source)
    node = parse_expression(source, path)
    with error_path(path):
        return evaluate(node, env, path)


def text(source: Json, env: ExpressionEnvironment, path: str) -> str | Unknown:
    """Compute a value that has to be a string."""
    found = value(source, env, path)
    with error_path(path):
        return found if isinstance(found, Unknown) else expect_text(found, null=None)


def _object(source: Mapping[str, Json], env: ExpressionEnvironment, path: str) -> Json:
    """Return an object, computed; property names may be expressions too, and where one is unknown so is the object."""
    found: dict[str, Json] = {}
    for key, each in source.items():
        # Loops under `copy` make properties; anything else of that name is a property itself.
        if key.lower() == "copy" and _are_loops(each):
            found |= copy_arrays(each, env, f"{path}.copy")
            continue
        name = text(key, env, path)
        if isinstance(name, Unknown):
            return name
        found[name] = value(each, env, f"{path}.{key}")
    return found


def _are_loops(source: Json) -> bool:
    return isinstance(source, list) and bool(source) and all(isinstance(each, Mapping) for each in source)


def copy_arrays(source: Json, env: ExpressionEnvironment, path: str) -> Iterator[tuple[str, Json]]:
    """Yield the names and arrays that the loops of a `copy` array make; an array is unknown where its count is."""
    for at, each in enumerate(array(source, path)):
        where = f"{path}[{at}]"
        loop = members(each, where)
        yield loop_name(loop, where), copy_array(loop, env, where)


def loop_name(loop: Mapping[str, Json], path: str) -> str:
    """Return the name of a loop, by which copyIndex() and dependsOn know it."""
    name = loop.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidDefinition("the copy loop needs a name", path=path, offending=str(name))
    return name


def copy_array(loop: Mapping[str, Json], env: ExpressionEnvironment, path: str) -> Json:
    """Return the array of a loop's inputs."""
    if "input" not in loop:
        raise InvalidDefinition("the copy loop needs an input", path=path)
    found = iterations(loop, env, path, (loop_name(loop, path),))
    if isinstance(found, Unknown):
        return found
    return [value(loop["input"], each, f"{path}.input") for each in found]


def iterations(
    loop: Mapping[str, Json], env: ExpressionEnvironment, path: str, names: tuple[str, ...]
) -> list[ExpressionEnvironment] | Unknown:
    """Return the environment of each iteration; copyIndex() knows the loop by `names`; unknown where the count is."""
    count = value(loop.get("count"), env, f"{path}.count")
    if isinstance(count, Unknown):
        return count
    with error_path(f"{path}.count"):
        number = expect_integer(count)
        if not 0 <= number <= COPY_ITERATIONS:
            raise EvaluationError(f"a copy loop runs 0 to {COPY_ITERATIONS} times, not {number}")
        env.budget.spend(number)
    return [env.within(names, at) for at in range(number)]


def members(source: Json, path: str) -> dict[str, Json]:
    """Require an object of the template and return its members by lower-case name; names compare without case."""
    if not isinstance(source, Mapping):
        raise InvalidDefinition("expected an object", path=path, offending=str(source))
    return lowered(source)


def array(source: Json, path: str) -> list[Json]:
    """Require an array of the template and return it."""
    if not isinstance(source, list):
        raise InvalidDefinition("expected an array", path=path, offending=str(source))
    return source
