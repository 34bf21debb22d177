"""The policies in force, compiled once per process and version of the aliases."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from weakref import WeakKeyDictionary

from shared.domain.alias import AliasListing
from shared.domain.error import NotFound
from shared.domain.policy import PolicyEntry
from shared.engine import AliasCatalog, InvalidDefinition, Policy, PolicySet, compile_definition, compile_set
from shared.ports.catalog import Catalog
from shared.ports.documents import Documents
from shared.ports.inventory import Wanted
from shared.services import alias, listing
from shared.services.estate import Store
from shared.services.lint.subject import Facts

CONTAINERS = frozenset(("microsoft.resources/subscriptions", "microsoft.resources/subscriptions/resourcegroups"))
PATIENCE = timedelta(seconds=60)
"""How long a process may go on with the version it knows, when another has put a new one in force."""
_MOST_BOOKS = 8


@dataclass(frozen=True, slots=True)
class Book:
    """The catalog's entries by name, all of them compiled into one set, and what is known of each type.

    `versions` has the api-version that a type is read with, `listed` the types that a scan lists by themselves; `facts`
    is what the policies were compiled with.
    """

    entries: Mapping[str, PolicyEntry]
    compiled: PolicySet
    wanted: Wanted
    versions: Mapping[str, str]
    listed: frozenset[str]
    facts: Facts

    def lists(self, resource_type: str) -> bool:
        """Whether a scan lists resources of a type, rather than know them only as parts of what they belong to."""
        kind = resource_type.lower()
        return kind in self.listed or (kind not in self.versions and kind.count("/") == 1)

    def names_for(self, resource_type: str) -> tuple[str, ...]:
        """The policies that are looked at for a resource of this type."""
        return tuple(policy.name for policy in self.compiled.applicable(resource_type))


@lru_cache(maxsize=4)
def packaged(catalog: Catalog) -> Facts:
    """What the catalog itself knows of aliases and resource types."""
    return alias.packaged(catalog)


@lru_cache(maxsize=4)
def book(catalog: Catalog) -> Book:
    """The catalog compiled with its own facts; the same catalog is compiled once."""
    return _compile(catalog, packaged(catalog))


def book_for(store: Store, catalog: Catalog) -> Book:
    """The catalog compiled with its own facts and, over them, the aliases of the store's tenant.

    A process that holds an older version looks again after `PATIENCE`, so that all of them come to agree.
    """
    found = _SHELF.version(store)
    return book(catalog) if found is None else _SHELF.book(found, store, catalog)


def look_again(store: Store) -> None:
    """Forget which version was in force, so that this process sees a new one at once."""
    _SHELF.forget(store)


class _Shelf:
    """The books of tenants by version, and which version was in force when last looked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: WeakKeyDictionary[Documents, dict[str, tuple[datetime, AliasListing | None]]] = WeakKeyDictionary()
        self._books: OrderedDict[tuple[Catalog, str, str], Book] = OrderedDict()

    def version(self, store: Store) -> AliasListing | None:
        """The version in force, as it was at most `PATIENCE` ago."""
        now = store.now()
        with self._lock:
            seen = self._seen.setdefault(store.documents, {}).get(store.tenant)
        if seen is not None and seen[0] <= now < seen[0] + PATIENCE:
            return seen[1]
        found = listing.current(store)
        with self._lock:
            self._seen.setdefault(store.documents, {})[store.tenant] = (now, found)
        return found

    def book(self, version: AliasListing, store: Store, catalog: Catalog) -> Book:
        """The book of a version, compiled on first use."""
        key = (catalog, store.tenant, version.hash)
        with self._lock:
            if key in self._books:
                self._books.move_to_end(key)
                return self._books[key]
        try:
            own = listing.open_(version, store)
        except NotFound:  # two newer versions came meanwhile: look again next time
            self.forget(store)
            return book(catalog)
        made = _compile(catalog, alias.merged(packaged(catalog), own))
        with self._lock:
            self._books[key] = made
            while len(self._books) > _MOST_BOOKS:
                self._books.popitem(last=False)
        return made

    def forget(self, store: Store) -> None:
        """Look again next time."""
        with self._lock:
            self._seen.setdefault(store.documents, {}).pop(store.tenant, None)


_SHELF = _Shelf()


def _compile(catalog: Catalog, facts: Facts) -> Book:
    entries = {entry.name: entry for entry in catalog.policies()}
    own = packaged(catalog).aliases
    compiled = compile_set([_policy(entry, facts.aliases, own) for entry in entries.values()])
    rows = {row["type"].lower(): row for row in catalog.resource_types()}
    versions = {kind: row["apiVersion"] for kind, row in rows.items()}
    wanted = {kind: related for kind in versions if (related := compiled.related_types(kind))}
    listed = {kind for kind, row in rows.items() if row.get("resourceGraph", True)} | wanted.keys() | CONTAINERS
    return Book(entries, compiled, wanted, versions, frozenset(listed), facts)


def _policy(entry: PolicyEntry, aliases: AliasCatalog, own: AliasCatalog) -> Policy:
    """The policy; with the catalog's own facts where those of a tenant do not fit it."""
    try:
        return compile_definition(entry.definition, aliases=aliases)
    except InvalidDefinition:
        if aliases is own:
            raise
    return compile_definition(entry.definition, aliases=own)
