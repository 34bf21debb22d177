"""Expands deployment templates to the resources they deploy, without the cloud.

What only the running deployment can know (reference, list…, newGuid) is named as unknown, and all else is computed.
Sources: "Understand the structure and syntax of ARM templates", "Resource iteration", "Child resources",
"Conditional deployment", "Define the order for deploying resources" and "Linked and nested templates".
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from shared.domain.resource import Json
from shared.engine.context import EMPTY, Context
from shared.engine.error import EvaluationError, InvalidDefinition, NotSupported
from shared.engine.expression import is_expression, parse_expression, unescape
from shared.engine.template.budget import Budget, shown
from shared.engine.template.expression import compute
from shared.engine.template.order import Unit, ordered
from shared.engine.template.parameter import surroundings
from shared.engine.template.resource import Declared, Site, Text, called, condition, declared, dependencies, deployed
from shared.engine.template.scope import context_at, scope_at, scope_of, scope_within
from shared.engine.template.value import array, loop_name, members, rounds, text, value
from shared.engine.unknown import Unknown

DEPLOYMENTS = "microsoft.resources/deployments"
_DEEPEST = 5


def evaluate_expression(
    source: str,
    *,
    parameters: Mapping[str, Json] | None = None,
    variables: Mapping[str, Json] | None = None,
    context: Context = EMPTY,
) -> Json:
    """Compute one template expression.

    Example: `evaluate_expression("[concat('kv-', parameters('env'))]", parameters={"env": "prod"})` is `"kv-prod"`.

    Raises:
        InvalidDefinition: the text is no expression of the language.
        NotSupported: only a running deployment knows the value (reference, listKeys, …).
        EvaluationError: a function fails.
    """
    if not is_expression(source):
        return unescape(source)
    given = parameters or {}
    template = {"parameters": {name: {} for name in given}, "variables": variables or {}}
    with _bounded():
        env = surroundings(template, given, context, Budget())
        found, unknown = env.budget.written(compute(parse_expression(source, "$"), env, "$"))
    if unknown:
        raise NotSupported(f"$: {next(iter(unknown.values()))}", path="$")
    return found


@contextmanager
def _bounded() -> Iterator[None]:
    """Values that refer to each other without end, though in no circle, are one more way to be wrong."""
    try:
        yield
    except RecursionError:
        raise EvaluationError("$: the values of the template refer to each other too deeply") from None


def expand_template(
    template: Mapping[str, Json],
    parameters: Mapping[str, Json] | None = None,
    context: Context = EMPTY,
    deployment: Mapping[str, Json] | None = None,
) -> list[dict[str, Json]]:
    """The resources that a template deploys, each {id, type, name, apiVersion, body, unknown}, in the order it may.

    `parameters` are plain values or {"value": …}. `context` needs resource_group and subscription where the template
    computes ids; `id` is left out where the scope is not known. `deployment` is what is known of deployment(): name,
    location. What is not known stands in `body` as text, "known after deployment: reference('x').id", and is listed in
    `unknown`, that text by the path in the body; `unknown` is left out where all is known. There `scope`, `condition`
    and `copy.count` say that it is not known whether, where or how many times the resource is deployed.

    Raises:
        InvalidDefinition: a part of the template is not what it has to be.
        NotSupported: a linked template, or more resources than a template may have; the message says where.
        EvaluationError: an expression fails, or the template takes too much work.
    """
    with _bounded():
        env = surroundings(template, parameters or {}, context, Budget(), deployment=deployment)
        return _expanded(template, Site(env, scope_of(context)))


def _expanded(template: Mapping[str, Json], site: Site) -> list[dict[str, Json]]:
    if site.depth > _DEEPEST:
        raise NotSupported(f"{site.path}: deployments nest more than {_DEEPEST} levels", path=site.path)
    listed, path = members(template, site.path).get("resources") or [], f"{site.path}.resources"
    steps: list[tuple[Json, str, tuple[str, ...]]]
    if isinstance(listed, Mapping):
        steps = [(each, f".{name}", (name,)) for name, each in listed.items()]
    else:
        steps = [(each, f"[{at}]", ()) for at, each in enumerate(array(listed, path))]
    units = [unit for each, step, names in steps for unit in _units(each, site, path + step, names)]
    return [found for unit in ordered(units) for found in unit.found]


def _units(
    source: Json, site: Site, path: str, names: tuple[str, ...], parent: Declared | None = None
) -> Iterator[Unit]:
    """A resource, as often as its loop has it, each time with its children."""
    low = members(source, path)
    if low.get("copy") is None:
        yield from _unit(source, site, path, names, parent)
        return
    if parent is not None:
        message = "a child resource cannot be copied: write it as a resource of its own, outside of its parent"
        raise InvalidDefinition(message, path=f"{path}.copy")
    loop = members(low["copy"], f"{path}.copy")
    names = (*names, loop_name(loop, f"{path}.copy"))
    found = rounds(loop, site.env, f"{path}.copy", (names[-1], ""))
    if isinstance(found, Unknown):
        env = site.env.within((names[-1], ""), found)
        yield from _unit(source, replace(site, env=env, doubts={"copy.count": shown(found)}), path, names)
        return
    for env in found:
        yield from _unit(source, replace(site, env=env), path, names)


def _unit(
    source: Mapping[str, Json], site: Site, path: str, names: tuple[str, ...], parent: Declared | None = None
) -> Iterator[Unit]:
    """One resource and its children."""
    one = declared(source, site, path, parent)
    sure = condition(one, site)
    doubts = {**site.doubts, "condition": shown(sure)} if isinstance(sure, Unknown) else site.doubts
    known = called(one, site, names)
    found = _found(one, replace(site, doubts=doubts)) if sure is not False else []
    yield Unit(path, known, dependencies(one, site), tuple(found))
    for at, each in enumerate(array(one.low.get("resources") or [], f"{path}.resources")):
        yield from _units(each, site, f"{path}.resources[{at}]", (), one)


def _found(one: Declared, site: Site) -> list[dict[str, Json]]:
    return _nested(one, site) if str(one.kind).lower() == DEPLOYMENTS else [deployed(one, site)]


def _nested(one: Declared, site: Site) -> list[dict[str, Json]]:
    """The resources of a nested deployment; by default its expressions see what is around it, not what it declares."""
    path = f"{one.path}.properties"
    properties = members(one.low.get("properties"), path)
    template = properties.get("template")
    if not isinstance(template, Mapping):
        raise NotSupported(f"{path}: linked templates are not supported", path=path)
    scope = _target(one, site)
    inner = Site(site.env, scope, f"{path}.template", site.depth + 1, site.doubts)
    options = members(properties.get("expressionevaluationoptions") or {}, f"{path}.expressionEvaluationOptions")
    if str(options.get("scope", "outer")).lower() != "inner":
        return _expanded(template, inner)
    given = value(properties.get("parameters") or {}, site.env, f"{path}.parameters")
    env = surroundings(
        template,
        members(given, f"{path}.parameters"),
        context_at(scope, site.env.context),
        site.env.budget,
        path=inner.path,
        deployment={"name": one.name},
    )
    return _expanded(template, replace(inner, env=env))


def _target(one: Declared, site: Site) -> Text:
    """Where a nested deployment deploys to."""
    scope = _named(one, site, "scope")
    if scope is not None:
        return scope if isinstance(scope, Unknown) else scope_at(scope, site.scope)
    subscription, group = _named(one, site, "subscriptionId"), _named(one, site, "resourceGroup")
    if isinstance(subscription, Unknown):
        return subscription
    if isinstance(group, Unknown):
        return group
    return scope_within(site.scope, subscription, group, to_subscription="location" in one.low)


def _named(one: Declared, site: Site, key: str) -> Text | None:
    written = one.low.get(key.lower())
    return None if written is None else text(written, site.env, f"{one.path}.{key}")
