"""Initiatives and assignments of a small catalog: by default one of all its policies, assigned to everything."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.domain.finding import finding_id, resource_key
from shared.domain.policy import PolicyEntry
from shared.domain.verdict import policy_key
from shared.engine.alias_table import pack
from shared.ports.catalog import Catalog

PREFIX = "/providers/Microsoft.Authorization"
INITIATIVE = f"{PREFIX}/policySetDefinitions/baseline"
BASELINE = f"{PREFIX}/policyAssignments/baseline"
DEFINITIONS = f"{PREFIX}/policyDefinitions"


def empty_table() -> bytes:
    """The table of a catalog that knows no more aliases than its policies use."""
    return pack((), {}, as_of="2026-01-31")


def key_of(name: str, assignment: str = BASELINE) -> str:
    """The key of a policy that an assignment brings under this reference."""
    return policy_key(assignment, name)


def id_of(resource_id: str, name: str, assignment: str = BASELINE) -> str:
    """The id of the finding of a resource and a policy that an assignment brings under this reference."""
    return finding_id(resource_key(resource_id), key_of(name, assignment))


def initiative(name: str, *members: Mapping[str, Any], **properties: Any) -> dict[str, Any]:
    """An initiative; `member` makes its members."""
    held = {"displayName": name, "policyDefinitions": list(members), **properties}
    return {"id": f"{PREFIX}/policySetDefinitions/{name}", "name": name, "properties": held}


def member(definition: str, reference: str = "", **parameters: Any) -> dict[str, Any]:
    """A definition in an initiative, by default under its own name."""
    found = {
        "policyDefinitionId": f"{DEFINITIONS}/{definition}",
        "policyDefinitionReferenceId": reference or definition,
    }
    return found | {"parameters": {name: {"value": value} for name, value in parameters.items()}}


def assignment(name: str, target: str, scope: str = "/", **more: Any) -> dict[str, Any]:
    """An assignment of a definition or an initiative, by its id, at a scope."""
    outer = "" if scope == "/" else scope
    identity = f"{outer}{PREFIX}/policyAssignments/{name}"
    return {"id": identity, "name": name, "properties": {"scope": scope, "policyDefinitionId": target, **more}}


class Assigned:
    """Gives a catalog an initiative of all its policies, assigned to everything; subclasses may have more of both."""

    more_initiatives: Sequence[Mapping[str, Any]] = ()
    more_assignments: Sequence[Mapping[str, Any]] = ()

    def policies(self) -> Sequence[PolicyEntry]:
        raise NotImplementedError

    def alias_table(self) -> Callable[[], bytes]:
        return empty_table

    def facts_digest(self) -> str:
        return "facts"

    def initiatives(self) -> Sequence[Mapping[str, Any]]:
        return (initiative("baseline", *(member(each.name) for each in self.policies())), *self.more_initiatives)

    def assignments(self) -> Sequence[Mapping[str, Any]]:
        return (assignment("baseline", INITIATIVE), *self.more_assignments)


class Everything(Assigned):
    """Another catalog with each of its policies assigned to everything, house rules too."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)

    def policies(self) -> Sequence[PolicyEntry]:
        return self._catalog.policies()
