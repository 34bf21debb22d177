"""One resource of a template: its type, name, scope and body.

Sources: "Resource declaration", "Child resources", "Extension resources" and "Conditional deployment in ARM templates".
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from shared.domain.resource import Json
from shared.engine.error import EvaluationError
from shared.engine.templates.budget import error_path, unknown_text
from shared.engine.templates.expression import ExpressionEnvironment
from shared.engine.templates.scope import identity, relative_id, scope_at
from shared.engine.templates.value import array, members, text, value
from shared.engine.unknown import Unknown
from shared.engine.value import expect_boolean

_NOT_BODY = frozenset(
    {"apiversion", "dependson", "condition", "comments", "metadata", "resources", "copy", "scope"}
    | {"existing", "retryon", "waituntil", "asserts", "@options"}
)
_EXTENSIONS = frozenset({"extension", "import"})
"""Members of what another API than Resource Manager deploys, as Kubernetes or Microsoft Graph (Bicep, "extension")."""
_NAMESPACED = re.compile(r"[^/.]+\.[^/]+/")
TextOrUnknown = str | Unknown


@dataclass(frozen=True, slots=True)
class DeploymentSite:
    """A deployment: what its expressions see, the scope it deploys to, where its template is, how deep it nests.

    `doubts` are the members, with a reason each, that were not read and decide whether its resources are deployed.
    """

    env: ExpressionEnvironment
    scope: TextOrUnknown
    path: str = "$"
    depth: int = 0
    doubts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeclaredResource:
    """A resource as written, its members in lower case, and its whole type and name."""

    source: Mapping[str, Json]
    low: Mapping[str, Json]
    path: str
    kind: TextOrUnknown
    name: TextOrUnknown


def declare_resource(
    source: Mapping[str, Json], site: DeploymentSite, path: str, parent: DeclaredResource | None
) -> DeclaredResource:
    """Read a resource; one inside another has the type and name of its parent before its own.

    Unless it has a type of its own, with a namespace: Resource Manager takes that too, and then the name is whole.
    """
    low = members(source, path)
    if _EXTENSIONS & low.keys():
        return DeclaredResource(source, low, path, "", "")
    for member in ("type", "name"):
        if low.get(member) is None:
            raise EvaluationError(f"{path}.{member}: the resource has no {member}")
    kind = text(low.get("type"), site.env, f"{path}.type")
    name = text(low.get("name"), site.env, f"{path}.name")
    if parent is not None and not (isinstance(kind, str) and _NAMESPACED.match(kind)):
        kind, name = _joined(parent.kind, kind), _joined(parent.name, name)
    return DeclaredResource(source, low, path, kind, name)


def _joined(parent: TextOrUnknown, own: TextOrUnknown) -> TextOrUnknown:
    return parent if isinstance(parent, Unknown) else own if isinstance(own, Unknown) else f"{parent}/{own}"


def is_deployed(one: DeclaredResource, site: DeploymentSite) -> bool | Unknown:
    """Return whether it is deployed. A parent's condition says nothing about its children."""
    if one.low.get("existing") or _EXTENSIONS & one.low.keys():
        return False
    path = f"{one.path}.condition"
    found = value(one.low.get("condition", True), site.env, path)
    # A text counts as the boolean that it writes.
    if isinstance(found, str):
        return found.lower() == "true"
    with error_path(path):
        return found if isinstance(found, Unknown) else expect_boolean(found)


def dependencies(one: DeclaredResource, site: DeploymentSite) -> tuple[str, ...]:
    """Return what dependsOn says, in lower case; what is unknown of it names nothing."""
    path = f"{one.path}.dependsOn"
    found = value(one.low.get("dependson") or [], site.env, path)
    texts = [] if isinstance(found, Unknown) else array(found, path)
    return tuple(each.lower() for each in texts if isinstance(each, str))


def dependency_names(one: DeclaredResource, site: DeploymentSite, own: tuple[str, ...]) -> frozenset[str]:
    """Return what dependsOn may call it, in lower case: `own`, its name, its id, and the id's part below the scope."""
    names = [*own]
    if isinstance(one.kind, str) and isinstance(one.name, str):
        names.append(one.name)
        scope = scope_of_resource(one, site)
        with suppress(EvaluationError):  # a name that is none matters only where the resource is deployed
            names.append(relative_id(one.kind, one.name.split("/")))
            names.append(identity(one.kind, one.name, scope if isinstance(scope, str) else ""))
    return frozenset(map(str.lower, names))


def scope_of_resource(one: DeclaredResource, site: DeploymentSite) -> TextOrUnknown:
    """Return its own scope where it names one, else that of the deployment."""
    own = one.low.get("scope")
    found = site.scope if own is None else text(own, site.env, f"{one.path}.scope")
    return found if own is None or isinstance(found, Unknown) else scope_at(found, site.scope)


def deployed_resource(one: DeclaredResource, site: DeploymentSite) -> dict[str, Json]:
    """Return what is deployed: {id, type, name, apiVersion, body, unknown}, see `expand_template`."""
    env, path = site.env, one.path
    env.budget.deploy(path)
    kept = {key: each for key, each in one.source.items() if key.lower() not in _NOT_BODY}
    scope = scope_of_resource(one, site)
    with error_path(path):
        body, unknown = env.budget.written({**value(kept, env, path), "type": one.kind, "name": one.name})
        version, _ = env.budget.written(value(one.low.get("apiversion"), env, f"{path}.apiVersion"))
    found = {"type": body["type"], "name": body["name"], "apiVersion": version, "body": body}
    unknown = {**site.doubts, **({"scope": unknown_text(scope)} if isinstance(scope, Unknown) else {}), **unknown}
    if isinstance(one.kind, str) and isinstance(one.name, str) and isinstance(scope, str):
        with error_path(path):
            found = {"id": identity(one.kind, one.name, scope), **found}
    return {**found, "unknown": unknown} if unknown else found
