"""The policies in force, compiled once per process."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from shared.domain.policy import PolicyEntry
from shared.engine import AliasCatalog, PolicySet, compile_definition, compile_set
from shared.ports.catalog import Catalog
from shared.ports.inventory import Wanted

CONTAINERS = {"microsoft.resources/subscriptions", "microsoft.resources/subscriptions/resourcegroups"}


@dataclass(frozen=True, slots=True)
class Book:
    """The catalog's entries by name, all of them compiled into one set, and what is known of each type.

    `versions` has the api-version that a type is read with, `listed` the types that a scan lists by themselves.
    """

    entries: Mapping[str, PolicyEntry]
    compiled: PolicySet
    wanted: Wanted
    versions: Mapping[str, str]
    listed: frozenset[str]

    def lists(self, resource_type: str) -> bool:
        """Whether a scan lists resources of a type, rather than know them only as parts of what they belong to."""
        kind = resource_type.lower()
        return kind in self.listed or (kind not in self.versions and kind.count("/") == 1)

    def names_for(self, resource_type: str) -> tuple[str, ...]:
        """The policies that are looked at for a resource of this type."""
        return tuple(policy.name for policy in self.compiled.applicable(resource_type))


@lru_cache(maxsize=4)
def aliases(catalog: Catalog) -> AliasCatalog:
    """The aliases of the catalog with what it knows of resource types."""
    facts = ({**row, "hasLocations": row.get("supportsLocation")} for row in catalog.resource_types())
    return AliasCatalog.from_rows(catalog.aliases(), facts)


@lru_cache(maxsize=4)
def book(catalog: Catalog) -> Book:
    """Compile the catalog; the same catalog is compiled once."""
    entries = {entry.name: entry for entry in catalog.policies()}
    known = aliases(catalog)
    compiled = compile_set([compile_definition(entry.definition, aliases=known) for entry in entries.values()])
    rows = {row["type"].lower(): row for row in catalog.resource_types()}
    versions = {kind: row["apiVersion"] for kind, row in rows.items()}
    wanted = {kind: related for kind in versions if (related := compiled.related_types(kind))}
    listed = {kind for kind, row in rows.items() if row.get("resourceGraph", True)} | wanted.keys() | CONTAINERS
    return Book(entries=entries, compiled=compiled, wanted=wanted, versions=versions, listed=frozenset(listed))
