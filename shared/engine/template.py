"""Expands simple deployment templates to the resources they deploy, without the cloud.

Understood: parameters with defaults, variables, conditions, child resources, nested deployments (inner and outer
evaluation scope), the pure template functions and those that compute names and ids. Anything that needs the cloud or
a clock (reference, list…, copy loops, linked templates, newGuid, utcNow without a time) is refused by name.
Source: "Understand the structure and syntax of ARM templates".
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from shared.domain.resource import Json
from shared.engine.context import EMPTY, Context
from shared.engine.error import EvaluationError, InvalidDefinition, NotSupported
from shared.engine.evaluate import access
from shared.engine.expression import Access, Call, Expression, Literal, is_expression, parse_expression, unescape
from shared.engine.function import FUNCTIONS, call
from shared.engine.function_date import formatted
from shared.engine.value import expect_boolean, expect_text

DEPLOYMENTS = "microsoft.resources/deployments"
MOST_RESOURCES = 800
_DEEPEST = 5
_NOT_BODY = frozenset({"apiversion", "dependson", "condition", "comments", "resources", "copy", "scope", "existing"})


@dataclass(frozen=True, slots=True)
class Environment:
    """What the expressions of a template see; `parameters` and `variables` may hold expressions, computed on use."""

    parameters: Mapping[str, Json]
    variables: Mapping[str, Json]
    context: Context
    deployment: str = "policy-deployment"
    depth: int = 0

    def value(self, source: Json, path: str) -> Json:
        """A value of the template with every expression inside computed."""
        if isinstance(source, str):
            return self.expression(source, path)
        if isinstance(source, list):
            return [self.value(each, f"{path}[{at}]") for at, each in enumerate(source)]
        if isinstance(source, Mapping):
            return {key: self.value(each, f"{path}.{key}") for key, each in source.items()}
        return source

    def expression(self, text: str, path: str) -> Json:
        """A string of the template, computed when it is an expression."""
        if not is_expression(text):
            return unescape(text)
        return self.compute(parse_expression(text, path), path)

    def compute(self, node: Expression, path: str) -> Json:
        """The value of an expression."""
        match node:
            case Literal():
                return node.value
            case Access():
                return access(self.compute(node.base, path), self.compute(node.key, path))
            case Call():
                return self.call(node, path)

    def call(self, node: Call, path: str) -> Json:
        """The result of a function."""
        name = node.name.lower()
        if name == "if":
            return self._chosen(node, path)
        arguments = [self.compute(each, path) for each in node.arguments]
        contextual = _CONTEXTUAL.get(name)
        if contextual is not None:
            if len(arguments) < _LEAST.get(name, 0):
                raise EvaluationError(f"{path}: {node.name}() needs {_LEAST[name]} arguments or more")
            return contextual(self, arguments, path)
        function = FUNCTIONS.get(name)
        if function is None:
            raise NotSupported(f"{path}: {node.name}() cannot be computed without the cloud", path=path)
        return call(function, arguments)

    def _chosen(self, node: Call, path: str) -> Json:
        test, then, other = (node.arguments + (Literal(None),) * 3)[:3]
        return self.compute(then if expect_boolean(self.compute(test, path)) else other, path)

    def named(self, kind: str, names: Mapping[str, Json], name: Json, path: str) -> Json:
        """A parameter or variable, computed; their own expressions may use others, in no circle."""
        low = expect_text(name).lower()
        found = next((each for each in names if each.lower() == low), None)
        if found is None:
            raise EvaluationError(f"{path}: no {kind} {low!r}")
        if self.depth > _DEEPEST * 10:
            raise EvaluationError(f"{path}: the {kind}s refer to each other in a circle")
        return replace(self, depth=self.depth + 1).value(names[found], f"$.{kind}s.{found}")


def _resource_id(environment: Environment, arguments: list[Json], path: str) -> str:
    return f"{_group(environment, arguments, path)}/providers/{_typed(arguments, path)}"


def _group(environment: Environment, arguments: list[Json], path: str) -> str:
    """The scope of resourceId: the leading arguments before the type, else the context."""
    leading = [expect_text(each) for each in arguments[: _type_at(arguments, path)]]
    group = (
        leading[-1]
        if leading
        else expect_text(_member(environment.context.resource_group, "name", "resourceGroup()", path))
    )
    subscription = leading[-2] if len(leading) > 1 else _subscription(environment, path)
    return f"/subscriptions/{subscription}/resourceGroups/{group}"


def _type_at(arguments: list[Json], path: str) -> int:
    found = next((at for at, each in enumerate(arguments) if isinstance(each, str) and "/" in each), None)
    if found is None:
        raise EvaluationError(f"{path}: resourceId() needs a resource type")
    return found


def _typed(arguments: list[Json], path: str) -> str:
    """`Namespace/a/b` with its names: `Namespace/a/name/b/name`."""
    at = _type_at(arguments, path)
    provider, *kinds = expect_text(arguments[at]).strip("/").split("/")
    names = [part for each in arguments[at + 1 :] for part in expect_text(each).split("/")]
    if len(names) != len(kinds):
        raise EvaluationError(f"{path}: {arguments[at]} needs {len(kinds)} names, found {len(names)}")
    return "/".join([provider, *(part for pair in zip(kinds, names, strict=True) for part in pair)])


def _member(source: Mapping[str, Json] | None, key: str, name: str, path: str) -> Json:
    found = access(source, key)
    if found is None:
        raise NotSupported(f"{path}: {name}.{key} is not known here", path=path)
    return found


def _subscription(environment: Environment, path: str) -> str:
    return expect_text(_member(environment.context.subscription, "subscriptionId", "subscription()", path))


def _subscription_id(environment: Environment, arguments: list[Json], path: str) -> str:
    leading = arguments[: _type_at(arguments, path)]
    subscription = expect_text(leading[0]) if leading else _subscription(environment, path)
    return f"/subscriptions/{subscription}/providers/{_typed(arguments, path)}"


def _extension_id(_: Environment, arguments: list[Json], path: str) -> str:
    return f"{expect_text(arguments[0])}/providers/{_typed(arguments[1:], path)}"


def _known(source: Mapping[str, Json] | None, name: str, path: str) -> Json:
    if source is None:
        raise NotSupported(f"{path}: {name} is not known here", path=path)
    return dict(source)


def _now(environment: Environment, arguments: list[Json], path: str) -> str:
    if environment.context.now is None:
        raise NotSupported(f"{path}: utcNow() needs a time", path=path)
    return formatted(environment.context.now, expect_text(arguments[0]) if arguments else "yyyyMMddTHHmmssZ")


_LEAST = {"parameters": 1, "variables": 1, "extensionresourceid": 2}
_CONTEXTUAL: Mapping[str, Callable[[Environment, list[Json], str], Json]] = {
    "parameters": lambda env, arguments, path: env.named("parameter", env.parameters, arguments[0], path),
    "variables": lambda env, arguments, path: env.named("variable", env.variables, arguments[0], path),
    "resourcegroup": lambda env, _, path: _known(env.context.resource_group, "resourceGroup()", path),
    "subscription": lambda env, _, path: _known(env.context.subscription, "subscription()", path),
    "tenant": lambda env, _, path: {"tenantId": _member({"id": env.context.tenant}, "id", "tenant()", path)},
    "deployment": lambda env, _arguments, _path: {"name": env.deployment},
    "resourceid": _resource_id,
    "subscriptionresourceid": _subscription_id,
    "tenantresourceid": lambda _, arguments, path: f"/providers/{_typed(arguments, path)}",
    "extensionresourceid": _extension_id,
    "utcnow": _now,
}


def evaluate_expression(
    text: str,
    *,
    parameters: Mapping[str, Json] | None = None,
    variables: Mapping[str, Json] | None = None,
    context: Context = EMPTY,
) -> Json:
    """Compute one template expression.

    Example: `evaluate_expression("[concat('kv-', parameters('env'))]", parameters={"env": "prod"})` is `"kv-prod"`.

    Raises:
        InvalidDefinition: the text is no expression of the language.
        NotSupported: it needs the cloud (reference, listKeys, …).
        EvaluationError: a function fails.
    """
    return Environment(parameters or {}, variables or {}, context).expression(text, "$")


def expand_template(
    template: Mapping[str, Json], parameters: Mapping[str, Json] | None = None, context: Context = EMPTY
) -> list[dict[str, Json]]:
    """The resources that a template deploys, as [{id, type, name, apiVersion, body}], in the order of the template.

    `parameters` are plain values or {"value": …}. `context` needs resource_group and subscription where the template
    computes ids; `id` is left out where the scope is not known.

    Raises:
        InvalidDefinition: a part of the template is not what it has to be.
        NotSupported: the template needs the cloud or uses a copy loop; the message names what and where.
        EvaluationError: an expression fails.
    """
    source = _object(template, "$")
    found = list(_resources(source, _environment(source, parameters or {}, context), "$", 0))
    if len(found) > MOST_RESOURCES:
        raise NotSupported(
            f"the template deploys {len(found)} resources; at most {MOST_RESOURCES} are allowed", path="$"
        )
    return found


def _environment(template: Mapping[str, Json], given: Mapping[str, Json], context: Context) -> Environment:
    declared = _object(template.get("parameters"), "$.parameters")
    values = {
        name: each["defaultValue"]
        for name, each in declared.items()
        if "defaultValue" in _object(each, f"$.parameters.{name}")
    }
    spelling = {name.lower(): name for name in declared}
    for name, each in given.items():
        plain = each["value"] if isinstance(each, Mapping) and "value" in each else each
        values[spelling.get(name.lower(), name)] = _escaped(plain)
    variables = _object(template.get("variables"), "$.variables")
    if "copy" in variables:
        raise NotSupported("$.variables.copy: copy loops are not supported", path="$.variables.copy")
    return Environment(values, variables, context)


def _escaped(value: Json) -> Json:
    """A given value stands for itself: a leading bracket in it starts no expression."""
    if isinstance(value, str):
        return "[" + value if value.startswith("[") else value
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    return {key: _escaped(each) for key, each in value.items()} if isinstance(value, Mapping) else value


def _resources(template: Mapping[str, Json], env: Environment, path: str, depth: int) -> Iterator[dict[str, Json]]:
    if depth > _DEEPEST:
        raise NotSupported(f"{path}: deployments nest more than {_DEEPEST} levels", path=path)
    listed = template.get("resources") or []
    pairs = listed.items() if isinstance(listed, Mapping) else enumerate(_array(listed, f"{path}.resources"))
    for at, each in pairs:
        yield from _resource(each, env, f"{path}.resources[{at}]", depth, ("", ""))


def _resource(
    source: Mapping[str, Json], env: Environment, path: str, depth: int, parent: tuple[str, str]
) -> Iterator[dict[str, Json]]:
    source = _object(source, path)
    if "copy" in source:
        raise NotSupported(f"{path}.copy: copy loops are not supported", path=f"{path}.copy")
    if source.get("existing") or not _is_deployed(env.value(source.get("condition", True), f"{path}.condition")):
        return
    kind = expect_text(env.value(source.get("type"), f"{path}.type"))
    if kind.lower() == DEPLOYMENTS:
        yield from _nested(source, env, path, depth)
        return
    name = expect_text(env.value(source.get("name"), f"{path}.name"))
    kind, name = (f"{parent[0]}/{kind}", f"{parent[1]}/{name}") if parent[0] else (kind, name)
    yield _deployed(source, env, path, (kind, name))
    for at, each in enumerate(_array(source.get("resources") or [], f"{path}.resources")):
        yield from _resource(each, env, f"{path}.resources[{at}]", depth, (kind, name))


def _object(source: Json, path: str) -> Mapping[str, Json]:
    if source is None:
        return {}
    if not isinstance(source, Mapping):
        raise InvalidDefinition("expected an object", path=path, offending=str(source))
    return source


def _array(source: Json, path: str) -> list[Json]:
    if not isinstance(source, list):
        raise InvalidDefinition("expected an array", path=path, offending=str(source))
    return source


def _is_deployed(condition: Json) -> bool:
    return condition.lower() == "true" if isinstance(condition, str) else expect_boolean(condition)


def _deployed(source: Mapping[str, Json], env: Environment, path: str, named: tuple[str, str]) -> dict[str, Json]:
    kind, name = named
    kept = {key: value for key, value in source.items() if key.lower() not in _NOT_BODY}
    body = {**env.value(kept, path), "type": kind, "name": name}
    identity = _id(kind, name, env.value(source.get("scope"), f"{path}.scope"), env)
    found = {
        "type": kind,
        "name": name,
        "apiVersion": env.value(source.get("apiVersion"), f"{path}.apiVersion"),
        "body": body,
    }
    return {"id": identity, **found} if identity else found


def _id(kind: str, name: str, scope: Json, env: Environment) -> str | None:
    """The id under its scope: an explicit one, the resource group, else the subscription."""
    try:
        tail = _typed([kind, name], "$")
        inside = env.context.resource_group is not None
        base = scope or (_group(env, [kind], "$") if inside else f"/subscriptions/{_subscription(env, '$')}")
    except (EvaluationError, NotSupported):
        return None
    return f"{base}/providers/{tail}"


def _nested(source: Mapping[str, Json], env: Environment, path: str, depth: int) -> Iterator[dict[str, Json]]:
    """The resources of a nested deployment, in its own resource group and subscription."""
    properties = _object(source.get("properties"), f"{path}.properties")
    template = properties.get("template")
    if not isinstance(template, Mapping):
        raise NotSupported(f"{path}.properties: linked templates are not supported", path=f"{path}.properties")
    context = _scoped(source, env, path)
    options = _object(properties.get("expressionEvaluationOptions"), f"{path}.properties.expressionEvaluationOptions")
    inner = replace(env, context=context)
    if str(options.get("scope", "outer")).lower() == "inner":
        given = env.value(_object(properties.get("parameters"), f"{path}.properties.parameters"), path)
        inner = replace(_environment(template, given, context), deployment=str(env.value(source.get("name"), path)))
    yield from _resources(template, inner, f"{path}.properties.template", depth + 1)


def _scoped(source: Mapping[str, Json], env: Environment, path: str) -> Context:
    group = env.value(source.get("resourceGroup"), f"{path}.resourceGroup")
    subscription = env.value(source.get("subscriptionId"), f"{path}.subscriptionId")
    context = env.context
    if subscription is not None:
        context = replace(
            context, subscription={"subscriptionId": subscription, "id": f"/subscriptions/{subscription}"}
        )
    if group is not None:
        known = _subscription(replace(env, context=context), path)
        context = replace(
            context, resource_group={"name": group, "id": f"/subscriptions/{known}/resourceGroups/{group}"}
        )
    return context
