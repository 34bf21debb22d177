"""Catalog: the policies, frameworks and resource-type facts that the product ships."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from shared.domain.policy import Framework, PolicyEntry


class Catalog(Protocol):
    """Reads only; every call answers the same for as long as the process lives. Hashable, to cache answers by.

    Errors: InvalidInput naming the file and the part of it that cannot be used.
    """

    def __hash__(self) -> int:
        """By identity: the packaged files do not change while the process lives."""
        ...

    def policies(self) -> Sequence[PolicyEntry]:
        """All policies, by name; names are unique."""
        ...

    def frameworks(self) -> Sequence[Framework]:
        """All frameworks, by id."""
        ...

    def aliases(self) -> Sequence[Mapping[str, Any]]:
        """Rows {name, path, types, modifiable} of the aliases the policies use; types are lower case."""
        ...

    def resource_types(self) -> Sequence[Mapping[str, Any]]:
        """Facts on resource types, by type.

        Rows {type, apiVersion, supportsTags, supportsLocation, resourceGraph, list?, permission, role}: `apiVersion` is
        one to read and write with; `resourceGraph` tells whether Resource Graph lists the type; `list` is the path
        under the parent that lists children or extensions ("/blobServices"), which answers a page `{"value": […]}`
        or, for settings that exist once ("/config/web"), the resource itself; `permission` is the ARM action that
        reads it and `role` the least built-in role that grants it.
        """
        ...
