"""Where a template is deployed: ids of resources, and the functions about the surroundings of a deployment.

A scope is an id without a slash at its end: of a resource group, a subscription, a management group, a resource, or
"" for the tenant.
Sources: "Resource functions", "Scope functions" and "Deployment functions for ARM templates"; "ARM template functions
in deployment scopes".
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from shared.domain.resource import Json
from shared.engine.context import Context
from shared.engine.error import EvaluationError
from shared.engine.functions import functions_by_name
from shared.engine.functions.date import format_timestamp
from shared.engine.templates.budget import known_after_deployment, not_given
from shared.engine.unknown import Partial, Unknown, get_member
from shared.engine.value import expect_text

_RESOURCE_GROUP_TYPE = "microsoft.resources/resourcegroups"
_MANAGEMENT_GROUP_TYPE = "Microsoft.Management/managementGroups"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SCOPE = re.compile(r"/subscriptions/([^/]+)(?:/resourceGroups/([^/]+))?.*", re.IGNORECASE)
_SCOPE_ARGUMENTS = 2


def scope_of(context: Context) -> str | Unknown:
    """Return the resource group of a context, else its subscription."""
    subscription = _subscription(context)
    if context.resource_group is None or isinstance(subscription, Unknown):
        return subscription if isinstance(subscription, Unknown) else f"/subscriptions/{subscription}"
    name = get_member(resource_group(context), "name")
    return name if isinstance(name, Unknown) else f"/subscriptions/{subscription}/resourceGroups/{name}"


def scope_at(written: str, base: str | Unknown) -> str | Unknown:
    """Return a scope as a resource writes it: an id, `/` for the tenant, or type and name of a resource in `base`."""
    if written.startswith("/"):
        return written.rstrip("/")
    if written.lower().startswith(f"{_MANAGEMENT_GROUP_TYPE}/".lower()):
        return f"/providers/{written}"
    return base if isinstance(base, Unknown) else f"{base}/providers/{written}"


def scope_within(
    base: str | Unknown, subscription: str | None, group: str | None, *, to_subscription: bool
) -> str | Unknown:
    """Return the scope of a nested deployment that names a subscription, a resource group, or both; else `base`.

    A subscription alone is the scope itself where a location is named, as deployments to subscriptions need one and no
    others have it; otherwise the resource group of the same name is.
    """
    if subscription is None and group is None:
        return base
    around = _SCOPE.fullmatch(base) if isinstance(base, str) else None
    own_subscription, own_group = around.groups() if around else (None, None)
    subscription = subscription or own_subscription
    group = group or (None if to_subscription else own_group)
    if subscription is None:
        return not_given("subscription().subscriptionId")
    return f"/subscriptions/{subscription}" + (f"/resourceGroups/{group}" if group else "")


def context_at(scope: str | Unknown, context: Context) -> Context:
    """Return the surroundings of a deployment at a scope: its names, and all that is known where they stay the same."""
    found = _SCOPE.fullmatch(scope) if isinstance(scope, str) else None
    subscription, group = found.groups() if found else (None, None)
    above = f"/subscriptions/{subscription}"
    return replace(
        context,
        subscription=_same(context.subscription, "subscriptionId", subscription, above),
        resource_group=_same(context.resource_group, "name", group, f"{above}/resourceGroups/{group}"),
    )


def _same(known: Mapping[str, Json] | None, key: str, name: str | None, identity: str) -> Mapping[str, Json] | None:
    if name is None:
        return None
    around = str((known or {}).get("id") or identity).lower() == identity.lower()
    same = known is not None and around and str(known.get(key)).lower() == name.lower()
    return known if same else {key: name, "id": identity}


def identity(kind: str, name: str, scope: str) -> str:
    """Return the id of a resource at a scope.

    Raises:
        EvaluationError: the type has not as many segments as the name needs, or a name is empty.
    """
    if not all(name.split("/")):
        raise EvaluationError(f"a name of the {kind} is empty")
    if kind.lower() == _RESOURCE_GROUP_TYPE:
        return f"{scope}/resourceGroups/{name}"
    return f"{scope}/providers/{relative_id(kind, name.split('/'))}"


def relative_id(kind: str, names: list[str]) -> str:
    """Return the part of an id below the scope: `Namespace/a/b` with its names is `Namespace/a/name/b/name`."""
    provider, *kinds = kind.strip("/").split("/")
    if not kinds:
        raise EvaluationError(f"{kind!r} is no resource type like 'Microsoft.Storage/storageAccounts'")
    if len(names) != len(kinds):
        raise EvaluationError(f"the type {kind} needs {len(kinds)} names, found {len(names)}: {'/'.join(names)!r}")
    return "/".join([provider, *(part for pair in zip(kinds, names, strict=True) for part in pair)])


def _parts(arguments: tuple[Json, ...]) -> tuple[list[str], str]:
    """Return the arguments before the type, and the type with its names."""
    texts = [expect_text(each, null=None) for each in arguments]
    at = next((at for at, each in enumerate(texts) if "/" in each), None)
    if at is None:
        raise EvaluationError("no argument is a resource type like 'Microsoft.Storage/storageAccounts'")
    return texts[:at], relative_id(texts[at], texts[at + 1 :])


def _under(scope: str | Unknown, resource: str) -> str | Unknown:
    return scope if isinstance(scope, Unknown) else f"{scope}/providers/{resource}"


def resource_id(context: Context, *arguments: Json) -> Json:
    """Evaluate resourceId([subscription], [resource group], type, name, …)."""
    leading, resource = _parts(arguments)
    if len(leading) > _SCOPE_ARGUMENTS:
        raise EvaluationError(f"only a subscription and a resource group stand before the type, found {leading}")
    return _under(_place(context, leading), resource)


def _place(context: Context, leading: list[str]) -> str | Unknown:
    if not leading:
        return scope_of(context)
    # A single argument names a resource group, unless the deployment is not in one and it looks like a subscription.
    if len(leading) == 1 and context.resource_group is None and _UUID.fullmatch(leading[0]):
        return f"/subscriptions/{leading[0]}"
    subscription = leading[0] if len(leading) > 1 else _subscription(context)
    if isinstance(subscription, Unknown):
        return subscription
    return f"/subscriptions/{subscription}/resourceGroups/{leading[-1]}"


def subscription_resource_id(context: Context, *arguments: Json) -> Json:
    """Evaluate subscriptionResourceId([subscription], type, name, …)."""
    leading, resource = _parts(arguments)
    found = leading[0] if leading else _subscription(context)
    return found if isinstance(found, Unknown) else f"/subscriptions/{found}/providers/{resource}"


def management_group_resource_id(_: Context, *arguments: Json) -> Json:
    """Evaluate managementGroupResourceId([management group], type, name, …)."""
    leading, resource = _parts(arguments)
    return _under(
        f"/providers/{_MANAGEMENT_GROUP_TYPE}/{leading[0]}" if leading else not_given("managementGroup()"), resource
    )


def tenant_resource_id(_: Context, *arguments: Json) -> Json:
    """Evaluate tenantResourceId(type, name, …)."""
    return f"/providers/{_parts(arguments)[1]}"


def extension_resource_id(_: Context, base: Json, *arguments: Json) -> Json:
    """Evaluate extensionResourceId(id, type, name, …)."""
    return f"{expect_text(base, null=None).rstrip('/')}/providers/{_parts(arguments)[1]}"


def subscription(context: Context) -> Json:
    """Return the subscription; what the context does not tell of it is unknown, not absent."""
    return Partial(context.subscription or {}, not_given("subscription()"))


def _subscription(context: Context) -> Json:
    return get_member(subscription(context), "subscriptionid")


def resource_group(context: Context) -> Json:
    """Return the resource group; what the context does not tell of it is unknown, not absent."""
    return Partial(context.resource_group or {}, not_given("resourceGroup()"))


def tenant(context: Context) -> Json:
    """Return the tenant, of which the context has the id only."""
    return Partial({"tenantId": context.tenant} if context.tenant else {}, not_given("tenant()"))


def environment(context: Context) -> Json:
    """Return the cloud; what the context does not tell of it is known after deployment."""
    return Partial(context.cloud or {}, known_after_deployment("environment()"))


def utc_now(context: Context, pattern: Json = "yyyyMMddTHHmmssZ") -> Json:
    """Return the time of the context in a .NET format."""
    return not_given("utcNow()") if context.now is None else format_timestamp(context.now, expect_text(pattern))


_TABLE: Mapping[str, tuple[Callable[..., Json], int, int | None]] = {
    "resourceId": (resource_id, 2, None),
    "subscriptionResourceId": (subscription_resource_id, 2, None),
    "managementGroupResourceId": (management_group_resource_id, 2, None),
    "tenantResourceId": (tenant_resource_id, 2, None),
    "extensionResourceId": (extension_resource_id, 3, None),
    "subscription": (subscription, 0, 0),
    "resourceGroup": (resource_group, 0, 0),
    "tenant": (tenant, 0, 0),
    "environment": (environment, 0, 0),
    "utcNow": (utc_now, 0, 1),
}
DEPLOYMENT_FUNCTIONS = functions_by_name(_TABLE)
"""Functions that take the context before their arguments."""
