"""The named parts of a template: parameters with what they have to be, variables, and user-defined functions.

Sources: "Parameters", "Variables" and "User-defined functions in ARM templates".
"""

from collections.abc import Callable, Mapping
from functools import partial

from shared.domain.resource import Json
from shared.engine.context import Context
from shared.engine.error import EvaluationError
from shared.engine.templates.budget import ExpansionBudget, error_path, known_after_deployment, not_given
from shared.engine.templates.expression import ExpressionEnvironment, LazyValues
from shared.engine.templates.value import array, copy_array, loop_name, members, value
from shared.engine.unknown import Unknown
from shared.engine.value import is_number, kind, loosely_equal

_TYPES: Mapping[str, Callable[[Json], bool]] = {
    "string": lambda given: isinstance(given, str),
    "securestring": lambda given: isinstance(given, str),
    "int": lambda given: isinstance(given, int) and not isinstance(given, bool),
    "bool": lambda given: isinstance(given, bool),
    "object": lambda given: isinstance(given, Mapping),
    "secureobject": lambda given: isinstance(given, Mapping),
    "array": lambda given: isinstance(given, list),
}


def template_environment(
    template: Mapping[str, Json],
    given: Mapping[str, Json],
    context: Context,
    budget: ExpansionBudget,
    *,
    path: str = "$",
    deployment: Mapping[str, Json] | None = None,
) -> ExpressionEnvironment:
    """Return what the expressions of a template see; nothing is computed before it is used.

    `given` are the parameters: plain values, {"value": …}, or {"reference": …} to a secret.
    """
    low = members(template, path)
    env = ExpressionEnvironment(LazyValues("parameter"), LazyValues("variable"), context, budget, {}, deployment or {})
    _define_parameters(env, low.get("parameters") or {}, given, f"{path}.parameters")
    _define_variables(env, low.get("variables") or {}, f"{path}.variables")
    _define_functions(env, low.get("functions") or [], f"{path}.functions")
    return env


def _define_parameters(env: ExpressionEnvironment, declared: Json, given: Mapping[str, Json], path: str) -> None:
    plain = {name.lower(): _given(name, each) for name, each in given.items()}
    members(declared, path)
    for name, each in declared.items():
        declaration = members(each, f"{path}.{name}")
        known = partial(plain.__getitem__, name.lower()) if name.lower() in plain else None
        compute = known or partial(_default, name, declaration, env, f"{path}.{name}")
        env.parameters.define(name, partial(_accepted, compute, declaration, f"{path}.{name}"))


def _given(name: str, source: Json) -> Json:
    if isinstance(source, Mapping) and "value" in source:
        return source["value"]
    if isinstance(source, Mapping) and "reference" in source:
        return known_after_deployment(f"the secret for parameters('{name}')")
    return source


def _default(name: str, declaration: Mapping[str, Json], env: ExpressionEnvironment, path: str) -> Json:
    """Return the default value; without one a parameter is null where it may be, else not known."""
    if declaration.get("defaultvalue") is not None:
        return value(declaration["defaultvalue"], env, f"{path}.defaultValue")
    return None if declaration.get("nullable") is True else not_given(f"parameters('{name}')")


def _accepted(compute: Callable[[], Json], declaration: Mapping[str, Json], path: str) -> Json:
    found = compute()
    if isinstance(found, Unknown) or (found is None and declaration.get("nullable") is True):
        return found
    with error_path(path):
        _check(found, declaration)
    return found


def _check(found: Json, declaration: Mapping[str, Json]) -> None:
    sort = str(declaration.get("type")).lower()
    if sort in _TYPES and not _TYPES[sort](found):
        raise EvaluationError(f"expected a value of type {sort}, found {kind(found)}")
    if isinstance(declaration.get("allowedvalues"), list):
        _check_allowed(found, declaration["allowedvalues"])
    if is_number(found):
        _check_bounds(found, declaration, "Value", "is")
    elif isinstance(found, str | list | Mapping):
        _check_bounds(len(found), declaration, "Length", "has the length")


def _check_allowed(found: Json, allowed: list[Json]) -> None:
    """Raise EvaluationError for a value that is not allowed; an array may also be a subset of the allowed values."""
    if any(loosely_equal(found, each) for each in allowed):
        return
    for each in found if isinstance(found, list) else [found]:
        if not any(loosely_equal(each, one) for one in allowed):
            shown = ", ".join(map(str, allowed))[:200]
            raise EvaluationError(f"{str(each)[:60]!r} is not one of the allowed values {shown}")


def _check_bounds(found: float, declaration: Mapping[str, Json], suffix: str, verb: str) -> None:
    low = declaration.get(f"min{suffix.lower()}", found)
    high = declaration.get(f"max{suffix.lower()}", found)
    if is_number(low) and is_number(high) and not low <= found <= high:
        raise EvaluationError(f"the value {verb} {found}, which is less than min{suffix} or more than max{suffix}")


def _define_variables(env: ExpressionEnvironment, variables: Json, path: str) -> None:
    members(variables, path)
    for name, each in variables.items():
        if name.lower() != "copy":
            env.variables.define(name, partial(value, each, env, f"{path}.{name}"))
            continue
        for at, loop in enumerate(array(each, f"{path}.copy")):
            where = f"{path}.copy[{at}]"
            low = members(loop, where)
            env.variables.define(loop_name(low, where), partial(copy_array, low, env, where))


def _define_functions(env: ExpressionEnvironment, namespaces: Json, path: str) -> None:
    found: dict[str, Callable[..., Json]] = {}
    for at, each in enumerate(array(namespaces, path)):
        low = members(each, f"{path}[{at}]")
        for name, source in (low.get("members") or {}).items():
            full = f"{low.get('namespace')}.{name}"
            found[full.lower()] = partial(_user_defined, full, source, env, f"{path}[{at}].members.{name}")
    env.functions.update(found)


def _user_defined(name: str, source: Json, env: ExpressionEnvironment, path: str, *arguments: Json) -> Json:
    """Return the output of a user-defined function, which sees its own parameters and the other functions only."""
    low = members(source, path)
    declared = array(low.get("parameters") or [], f"{path}.parameters")
    if len(arguments) != len(declared):
        raise EvaluationError(f"{name}() takes {len(declared)} arguments, found {len(arguments)}")
    inner = ExpressionEnvironment(
        LazyValues("parameter"), LazyValues("variable"), env.context, env.budget, env.functions
    )
    for at, (each, argument) in enumerate(zip(declared, arguments, strict=True)):
        where = f"{path}.parameters[{at}]"
        declaration = members(each, where)
        inner.parameters.define(
            str(declaration.get("name")), partial(_accepted, partial(_itself, argument), declaration, where)
        )
    return value(members(low.get("output"), f"{path}.output").get("value"), inner, f"{path}.output.value")


def _itself(argument: Json) -> Json:
    return argument
