"""Assignments as Enterprise Policy as Code (EPAC) keeps them: a tree whose branches gather what an assignment needs.

Each leaf makes one assignment for each definition and scope of its branch. Scopes stand under the names of
environments; all of them count here.
A node with `ignoreBranch` is not deployed, nor is anything below it.
Sources: "Policy Assignments" of Enterprise Policy as Code, its policy-assignment-schema.json, and
Build-AssignmentDefinitionNode.ps1 (`ignoreBranch`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.authoring.filed_policy import FiledPolicy, Steps, definition_id, path_of
from shared.domain.resource import Json
from shared.domain.spelling import lowered, spelled

_ANY_ENVIRONMENT = "*"
_KINDS = {
    "policyid": "",
    "policysetid": "",
    "initiativeid": "",
    "policyname": "policyDefinitions",
    "policysetname": "policySetDefinitions",
    "initiativename": "policySetDefinitions",
}
_OWN_KEYS = frozenset(_KINDS)


@dataclass(frozen=True, slots=True)
class _Node:
    """A node of a branch, where it stands in the file."""

    source: Mapping[str, Json]
    steps: Steps

    def get(self, name: str) -> tuple[Json, Steps]:
        """Return a member, whatever its case, and where it stands; None where it is not there."""
        key = spelled(self.source, name)
        return (None, self.steps) if key is None else (self.source.get(key), (*self.steps, key))


def is_tree(low: Mapping[str, Json]) -> bool:
    """Return whether a value with lower-case keys is a tree of assignments."""
    return isinstance(low.get("nodename"), str) and not {"policyrule", "properties"} & low.keys()


def assignments(source: Mapping[str, Json], steps: Steps = ()) -> Iterator[FiledPolicy]:
    """Yield the assignments of a tree; a branch that lacks something has that as its problem."""
    branches = list(_branches((_Node(source, steps),)))
    if not branches:
        yield FiledPolicy({}, steps, unknown="ignoreBranch leaves out all of its assignments")
    for branch in branches:
        yield from _of_branch(branch)


def _branches(around: tuple[_Node, ...]) -> Iterator[tuple[_Node, ...]]:
    """Yield the nodes from the root to each leaf that is deployed."""
    ignored, _ = around[-1].get("ignoreBranch")
    if ignored is True:
        return
    children, steps = around[-1].get("children")
    inner = [
        _Node(each, (*steps, at))
        for at, each in enumerate(children if isinstance(children, list) else ())
        if isinstance(each, Mapping)
    ]
    for each in inner:
        yield from _branches((*around, each))
    if not inner:
        yield around


def _of_branch(branch: tuple[_Node, ...]) -> Iterator[FiledPolicy]:
    leaf = branch[-1].steps
    entries = list(_entries(branch))
    scopes, scope_steps = _last(branch, "scope")
    if not entries or not isinstance(scopes, Mapping):
        wanted = "scope" if entries else "definitionEntry or definitionEntryList"
        yield FiledPolicy({}, leaf, problem=f"no node from the root to this one has a {wanted}")
        return
    file, _ = _last(branch, "parameterFile")
    for environment, listed in scopes.items():
        excluded = _excluded(branch, environment)
        unknown = f"its parameters are in {file}, which is not read here" if file else _pattern(excluded)
        for at, scope in enumerate(listed if isinstance(listed, list) else ()):
            for entry in entries:
                inner, places = _assignment(branch, entry)
                name = inner.pop("name")
                source: dict[str, Json] = {
                    "name": name,
                    "id": f"{scope}/providers/Microsoft.Authorization/policyAssignments/{name}",
                    # Made by the tool where an effect needs it.
                    "identity": {"type": "SystemAssigned"},
                    "properties": {**inner, "scope": scope, "notScopes": excluded},
                }
                places["$.properties.scope"] = path_of((*scope_steps, environment, at))
                yield FiledPolicy(source, leaf, unknown=unknown, places=places, selective=True)


def _pattern(excluded: list[str]) -> str:
    found = next((each for each in excluded if "*" in each or "/subscriptionspattern/" in each.lower()), "")
    return f"what the pattern {found!r} of its notScopes excludes is looked up then" if found else ""


def _last(branch: tuple[_Node, ...], name: str) -> tuple[Json, Steps]:
    """Return the member that is nearest to the leaf."""
    found = (each.get(name) for each in reversed(branch))
    return next(((value, steps) for value, steps in found if value is not None), (None, branch[-1].steps))


def _entries(branch: tuple[_Node, ...]) -> Iterator[_Node]:
    """Yield what is assigned."""
    one, steps = _last(branch, "definitionEntry")
    if isinstance(one, Mapping):
        yield _Node(one, steps)
        return
    several, steps = _last(branch, "definitionEntryList")
    for at, each in enumerate(several if isinstance(several, list) else ()):
        if isinstance(each, Mapping):
            yield _Node(each, (*steps, at))


def _excluded(branch: tuple[_Node, ...], environment: str) -> list[str]:
    """Return the scopes that a branch excludes in an environment."""
    maps = [value for each in branch for value, _ in (each.get("notScopes"),) if isinstance(value, Mapping)]
    listed = [each.get(key) for each in maps for key in (_ANY_ENVIRONMENT, environment)]
    return [str(scope) for each in listed if isinstance(each, list) for scope in each]


def _assignment(branch: tuple[_Node, ...], entry: _Node) -> tuple[dict[str, Json], dict[str, str]]:
    """Return the properties of an assignment with its name, and where they stand in the file."""
    places: dict[str, str] = {}
    parameters: dict[str, Json] = {}
    metadata: dict[str, Json] = {}
    inner: dict[str, Json] = {**_texts(branch, entry), "metadata": metadata, "parameters": parameters}
    for node in (*branch, entry):
        given, steps = node.get("parameters")
        for name, value in given.items() if isinstance(given, Mapping) else ():
            parameters[name] = {"value": value}
            places[f"$.properties.parameters.{name}"] = path_of((*steps, name))
        more, _ = node.get("metadata")
        metadata |= more if isinstance(more, Mapping) else {}
        _gather(node, inner, places, entry)
    key = next((key for key in entry.source if key.lower() in _KINDS), "")
    kind, written = _KINDS.get(key.lower(), ""), str(entry.source.get(key) or "")
    inner["policyDefinitionId"] = definition_id(written, kind) if kind else written
    places["$.properties.policyDefinitionId"] = path_of((*entry.steps, key))
    return inner, places


def _gather(node: _Node, inner: dict[str, Json], places: dict[str, str], entry: _Node) -> None:
    """Add what a node has of the parts that add up, and of those that the nearest to the leaf decides."""
    for name in ("enforcementMode", "definitionVersion"):
        value, steps = node.get(name)
        if value is not None:
            inner[name] = value
            places[f"$.properties.{name}"] = path_of(steps)
    for name in ("overrides", "resourceSelectors", "nonComplianceMessages"):
        listed, steps = node.get(name)
        for at, each in enumerate(listed if isinstance(listed, list) else ()):
            if not isinstance(each, Mapping) or not _is_about(each, entry):
                continue
            kept = inner.setdefault(name, [])
            places[f"$.properties.{name}[{len(kept)}]"] = path_of((*steps, at))
            kept.append({key: value for key, value in each.items() if key.lower() not in _OWN_KEYS})


def _is_about(part: Mapping[str, Json], entry: _Node) -> bool:
    """Return whether a part of a branch with several definitions names this one, or none."""
    named = {key: value for key, value in lowered(part).items() if key in _OWN_KEYS}
    return not named or bool(named.items() & lowered(entry.source).items())


def _texts(branch: tuple[_Node, ...], entry: _Node) -> dict[str, str]:
    """Return name, displayName and description: those of the branch, one behind the other, around the definition's."""
    own, _ = entry.get("assignment")
    parts = [value for each in branch for value, _ in (each.get("assignment"),) if isinstance(value, Mapping)]
    if isinstance(own, Mapping):
        parts = [*parts, own] if own.get(spelled(own, "append")) is True else [own, *parts]
    return {
        key: "".join(str(lowered(each).get(key.lower()) or "") for each in parts)
        for key in ("name", "displayName", "description")
    }
