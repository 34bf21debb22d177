"""Catalog: the policies, initiatives, assignments, frameworks and resource-type facts that the product ships."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from shared.domain.framework import Framework
from shared.domain.policy import PolicyEntry


class Catalog(Protocol):
    """Reads only; every call returns the same as long as the process lives. Hashable, so that results can be cached.

    Errors: InvalidInput naming the file and the part of it that cannot be used.
    """

    def __hash__(self) -> int:
        """Hash by identity: the packaged files do not change while the process lives."""
        ...

    def policies(self) -> Sequence[PolicyEntry]:
        """Return all policies, by name; names are unique."""
        ...

    def initiatives(self) -> Sequence[Mapping[str, Any]]:
        """Return all initiatives in Azure Policy's JSON, by name; names are unique."""
        ...

    def assignments(self) -> Sequence[Mapping[str, Any]]:
        """Return the assignments in force, in Azure Policy's JSON, by id: the default one and the deployment's."""
        ...

    def frameworks(self) -> Sequence[Framework]:
        """Return all frameworks, by id."""
        ...

    def aliases(self) -> Sequence[Mapping[str, Any]]:
        """Return rows {name, path, types, modifiable} of the aliases the policies use; types are lower case."""
        ...

    def alias_table(self) -> Callable[[], bytes]:
        """Return what reads the table of all aliases, as `shared.engine.alias_table` packs it; it can be pickled."""
        ...

    def facts_digest(self) -> str:
        """Return a digest of what is known of aliases and resource types: another one may mean other verdicts."""
        ...

    def resource_types(self) -> Sequence[Mapping[str, Any]]:
        """Return facts on resource types, by type.

        Rows {type, apiVersion, supportsTags, supportsLocation, resourceGraph, list?, permission, role}: `apiVersion` is
        one to read and write with; `resourceGraph` says whether Resource Graph lists the type; `list` is the path
        under the parent that lists children or extensions ("/blobServices"), which returns a page `{"value": […]}`
        or, for settings that exist once ("/config/web"), the resource itself; `permission` is the ARM action that
        reads it and `role` the least built-in role that grants it.
        """
        ...
