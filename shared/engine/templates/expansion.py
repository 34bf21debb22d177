"""Expand deployment templates to the resources they deploy, without the cloud.

What only the running deployment can know (reference, list…, newGuid) is named as unknown, as is what a function gives
that is not known here, and all else is computed.
Sources: "Understand the structure and syntax of ARM templates", "Resource iteration", "Child resources",
"Conditional deployment", "Define the order for deploying resources" and "Linked and nested templates".
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from shared.domain.resource import Json
from shared.engine.context import EMPTY_CONTEXT, Context
from shared.engine.error import EvaluationError, InvalidDefinition, NotSupported
from shared.engine.language.expression import is_expression, parse_expression, unescape
from shared.engine.templates.budget import ExpansionBudget, unknown_text
from shared.engine.templates.expression import evaluate
from shared.engine.templates.order import DeploymentUnit, deployment_order
from shared.engine.templates.parameter import template_environment
from shared.engine.templates.resource import (
    DeclaredResource,
    DeploymentSite,
    TextOrUnknown,
    declare_resource,
    dependencies,
    dependency_names,
    deployed_resource,
    is_deployed,
)
from shared.engine.templates.scope import context_at, scope_at, scope_of, scope_within
from shared.engine.templates.value import array, iterations, loop_name, members, text, value
from shared.engine.unknown import Unknown

DEPLOYMENT_TYPE = "microsoft.resources/deployments"
_DEPLOYMENT_LEVELS = 5


def evaluate_expression(
    source: str,
    *,
    parameters: Mapping[str, Json] | None = None,
    variables: Mapping[str, Json] | None = None,
    context: Context = EMPTY_CONTEXT,
) -> Json:
    """Compute one template expression.

    Example: `evaluate_expression("[concat('kv-', parameters('env'))]", parameters={"env": "prod"})` is `"kv-prod"`.

    Raises:
        InvalidDefinition: the text is no expression of the language.
        NotSupported: only a running deployment knows the value (reference, listKeys, …), or a function is not known.
        EvaluationError: a function fails.
    """
    if not is_expression(source):
        return unescape(source)
    given = parameters or {}
    template = {"parameters": {name: {} for name in given}, "variables": variables or {}}
    with _bounded():
        env = template_environment(template, given, context, ExpansionBudget())
        found, unknown = env.budget.written(evaluate(parse_expression(source, "$"), env, "$"))
    if unknown:
        raise NotSupported(f"$: {next(iter(unknown.values()))}", path="$")
    return found


@contextmanager
def _bounded() -> Iterator[None]:
    """Report values that refer to each other too deeply, though in no circle, as one more error."""
    try:
        yield
    except RecursionError:
        raise EvaluationError("$: the values of the template refer to each other too deeply") from None


def expand_template(
    template: Mapping[str, Json],
    parameters: Mapping[str, Json] | None = None,
    context: Context = EMPTY_CONTEXT,
    deployment: Mapping[str, Json] | None = None,
    scope: str | None = None,
) -> list[dict[str, Json]]:
    """Return the resources that a template deploys, each {id, type, name, apiVersion, body, unknown}, in their order.

    `parameters` are plain values or {"value": …}. `context` needs resource_group and subscription where the template
    computes ids; `scope` is for deployments to neither of them, "" being the tenant; `id` is left out where it is not
    known. `deployment` is what is known of deployment(): name,
    location. What is not known stands in `body` as text, "known after deployment: reference('x').id", and is listed in
    `unknown`, that text by the path in the body; `unknown` is left out where all is known. There `scope`, `condition`
    and `copy.count` say that it is not known whether, where or how many times the resource is deployed.

    Raises:
        InvalidDefinition: a part of the template is not what it has to be.
        NotSupported: a linked template, or more resources than a template may have; the message says where.
        EvaluationError: an expression fails, or the template takes too much work.
    """
    with _bounded():
        env = template_environment(template, parameters or {}, context, ExpansionBudget(), deployment=deployment)
        return _expanded(template, DeploymentSite(env, scope_of(context) if scope is None else scope))


def _expanded(template: Mapping[str, Json], site: DeploymentSite) -> list[dict[str, Json]]:
    if site.depth > _DEPLOYMENT_LEVELS:
        raise NotSupported(f"{site.path}: deployments nest more than {_DEPLOYMENT_LEVELS} levels", path=site.path)
    listed, path = members(template, site.path).get("resources") or [], f"{site.path}.resources"
    steps: list[tuple[Json, str, tuple[str, ...]]]
    # Resources by symbolic names, as language version 2.0 writes them.
    if isinstance(listed, Mapping):
        steps = [(each, f".{name}", (name,)) for name, each in listed.items()]
    else:
        steps = [(each, f"[{at}]", ()) for at, each in enumerate(array(listed, path))]
    units = [unit for each, step, names in steps for unit in _units(each, site, path + step, names)]
    return [found for unit in deployment_order(units) for found in unit.found]


def _units(
    source: Json, site: DeploymentSite, path: str, names: tuple[str, ...], parent: DeclaredResource | None = None
) -> Iterator[DeploymentUnit]:
    """Yield a resource, as often as its loop has it, each time with its children."""
    low = members(source, path)
    if low.get("copy") is None:
        yield from _unit(source, site, path, names, parent)
        return
    if parent is not None:
        message = "a child resource cannot be copied: write it as a resource of its own, outside of its parent"
        raise InvalidDefinition(message, path=f"{path}.copy")
    loop = members(low["copy"], f"{path}.copy")
    names = (*names, loop_name(loop, f"{path}.copy"))
    # In its own resource copyIndex() needs no name.
    found = iterations(loop, site.env, f"{path}.copy", (names[-1], ""))
    if isinstance(found, Unknown):
        env = site.env.within((names[-1], ""), found)
        yield from _unit(source, replace(site, env=env, doubts={"copy.count": unknown_text(found)}), path, names)
        return
    for env in found:
        yield from _unit(source, replace(site, env=env), path, names)


def _unit(
    source: Mapping[str, Json],
    site: DeploymentSite,
    path: str,
    names: tuple[str, ...],
    parent: DeclaredResource | None = None,
) -> Iterator[DeploymentUnit]:
    """Yield one resource and its children."""
    one = declare_resource(source, site, path, parent)
    sure = is_deployed(one, site)
    doubts = {**site.doubts, "condition": unknown_text(sure)} if isinstance(sure, Unknown) else site.doubts
    known = dependency_names(one, site, names)
    site = replace(site, doubts=doubts)
    nested = str(one.kind).lower() == DEPLOYMENT_TYPE
    found = [] if sure is False else _nested(one, site) if nested else [deployed_resource(one, site)]
    yield DeploymentUnit(path, known, dependencies(one, site), tuple(found))
    for at, each in enumerate(array(one.low.get("resources") or [], f"{path}.resources")):
        yield from _units(each, site, f"{path}.resources[{at}]", (), one)


def _nested(one: DeclaredResource, site: DeploymentSite) -> list[dict[str, Json]]:
    """Return the resources of a nested deployment; by default its expressions see what is around it."""
    path = f"{one.path}.properties"
    properties = members(one.low.get("properties"), path)
    template = properties.get("template")
    if not isinstance(template, Mapping):
        message = "linked templates are not read; give that template as a file of its own, with its parameters"
        raise NotSupported(f"{path}: {message}", path=path)
    scope = _target(one, site)
    inner = DeploymentSite(site.env, scope, f"{path}.template", site.depth + 1, site.doubts)
    options = members(properties.get("expressionevaluationoptions") or {}, f"{path}.expressionEvaluationOptions")
    if str(options.get("scope", "outer")).lower() != "inner":
        return _expanded(template, inner)
    given = value(properties.get("parameters") or {}, site.env, f"{path}.parameters")
    env = template_environment(
        template,
        members(given, f"{path}.parameters"),
        context_at(scope, site.env.context),
        site.env.budget,
        path=inner.path,
        deployment={"name": one.name},
    )
    return _expanded(template, replace(inner, env=env))


def _target(one: DeclaredResource, site: DeploymentSite) -> TextOrUnknown:
    """Return where a nested deployment deploys to."""
    scope = _named(one, site, "scope")
    if scope is not None:
        return scope if isinstance(scope, Unknown) else scope_at(scope, site.scope)
    subscription, group = _named(one, site, "subscriptionId"), _named(one, site, "resourceGroup")
    if isinstance(subscription, Unknown):
        return subscription
    if isinstance(group, Unknown):
        return group
    return scope_within(site.scope, subscription, group, to_subscription="location" in one.low)


def _named(one: DeclaredResource, site: DeploymentSite, key: str) -> TextOrUnknown | None:
    written = one.low.get(key.lower())
    return None if written is None else text(written, site.env, f"{one.path}.{key}")
