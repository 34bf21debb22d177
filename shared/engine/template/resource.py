"""One resource of a template: its type, name, scope and body.

Sources: "Resource declaration", "Child resources", "Extension resources" and "Conditional deployment in ARM templates".
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from shared.domain.resource import Json
from shared.engine.error import EvaluationError
from shared.engine.template.budget import located, shown
from shared.engine.template.expression import Environment
from shared.engine.template.scope import below, identity, scope_at
from shared.engine.template.value import array, members, text, value
from shared.engine.unknown import Unknown
from shared.engine.value import expect_boolean

_NOT_BODY = frozenset(
    {"apiversion", "dependson", "condition", "comments", "metadata", "resources", "copy", "scope"}
    | {"existing", "retryon", "waituntil", "asserts", "@options"}
)
Text = str | Unknown


@dataclass(frozen=True, slots=True)
class Site:
    """A deployment: what its expressions see, the scope it deploys to, where its template is, how deep it nests.

    `doubts` are what is not known of whether its resources are deployed, as text by the member that would tell.
    """

    env: Environment
    scope: Text
    path: str = "$"
    depth: int = 0
    doubts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Declared:
    """A resource as written, its members in lower case, and its whole type and name."""

    source: Mapping[str, Json]
    low: Mapping[str, Json]
    path: str
    kind: Text
    name: Text


def declared(source: Mapping[str, Json], site: Site, path: str, parent: Declared | None) -> Declared:
    """A resource; one inside another has the type and name of its parent before its own."""
    low = members(source, path)
    kind = text(low.get("type"), site.env, f"{path}.type")
    name = text(low.get("name"), site.env, f"{path}.name")
    if parent is not None:
        kind, name = _joined(parent.kind, kind), _joined(parent.name, name)
    return Declared(source, low, path, kind, name)


def _joined(parent: Text, own: Text) -> Text:
    return parent if isinstance(parent, Unknown) else own if isinstance(own, Unknown) else f"{parent}/{own}"


def condition(one: Declared, site: Site) -> bool | Unknown:
    """Whether it is deployed. A parent's condition says nothing about its children."""
    if one.low.get("existing"):
        return False
    path = f"{one.path}.condition"
    found = value(one.low.get("condition", True), site.env, path)
    if isinstance(found, str):
        return found.lower() == "true"
    with located(path):
        return found if isinstance(found, Unknown) else expect_boolean(found)


def dependencies(one: Declared, site: Site) -> tuple[str, ...]:
    """What dependsOn says, in lower case; what is unknown of it names nothing."""
    path = f"{one.path}.dependsOn"
    found = value(one.low.get("dependson") or [], site.env, path)
    texts = [] if isinstance(found, Unknown) else array(found, path)
    return tuple(each.lower() for each in texts if isinstance(each, str))


def called(one: Declared, site: Site, own: tuple[str, ...]) -> frozenset[str]:
    """What dependsOn may call it by, in lower case: `own`, its name, its id, and the id's part below the scope."""
    names = [*own]
    if isinstance(one.kind, str) and isinstance(one.name, str):
        names.append(one.name)
        scope = scope_of_resource(one, site)
        with suppress(EvaluationError):  # a name that is none matters only where the resource is deployed
            names.append(below(one.kind, one.name.split("/")))
            names.append(identity(one.kind, one.name, scope if isinstance(scope, str) else ""))
    return frozenset(map(str.lower, names))


def scope_of_resource(one: Declared, site: Site) -> Text:
    """Its own scope where it names one, else that of the deployment."""
    own = one.low.get("scope")
    found = site.scope if own is None else text(own, site.env, f"{one.path}.scope")
    return found if own is None or isinstance(found, Unknown) else scope_at(found, site.scope)


def deployed(one: Declared, site: Site) -> dict[str, Json]:
    """What is deployed: {id, type, name, apiVersion, body, unknown}, see `expand_template`."""
    env, path = site.env, one.path
    env.budget.deploy(path)
    kept = {key: each for key, each in one.source.items() if key.lower() not in _NOT_BODY}
    scope = scope_of_resource(one, site)
    with located(path):
        body, unknown = env.budget.written({**value(kept, env, path), "type": one.kind, "name": one.name})
        version, _ = env.budget.written(value(one.low.get("apiversion"), env, f"{path}.apiVersion"))
    found = {"type": body["type"], "name": body["name"], "apiVersion": version, "body": body}
    unknown = {**site.doubts, **({"scope": shown(scope)} if isinstance(scope, Unknown) else {}), **unknown}
    if isinstance(one.kind, str) and isinstance(one.name, str) and isinstance(scope, str):
        with located(path):
            found = {"id": identity(one.kind, one.name, scope), **found}
    return {**found, "unknown": unknown} if unknown else found
