"""The policies in force, compiled once per process and version of the aliases."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from weakref import WeakKeyDictionary

import orjson

from shared.authoring.library import DocumentShape, Library, build_library
from shared.authoring.lint.subject import LintFacts
from shared.authoring.resolution import resolve_all
from shared.domain.alias import AliasListing
from shared.domain.arm_id import RESOURCE_GROUP_TYPE, SUBSCRIPTION_TYPE
from shared.domain.canonical import digest
from shared.domain.error import InvalidInput
from shared.domain.policy import PolicyEntry
from shared.engine import EffectivePolicy, PolicySet, compile_set
from shared.eventstore.store import Store
from shared.ports.catalog import Catalog
from shared.ports.documents import Documents
from shared.ports.inventory import RelatedTypes
from shared.services.policy import alias, alias_listing

CONTAINER_TYPES = frozenset((SUBSCRIPTION_TYPE.lower(), RESOURCE_GROUP_TYPE.lower()))
REFRESH_AFTER = timedelta(seconds=60)
"""How long a process may use the version it knows after another process has put a new one in force."""
_CACHED_VERSIONS = 8
_CACHED_DIGESTS = 10_000
_CODE = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class EffectivePolicies:
    """All policies in force for a tenant, and what is known of each resource type.

    `entries` are the catalog's definitions by name, `library` all its documents. `versions` has the api-version that a
    type is read with, `listed` the types that a scan lists by themselves; `facts` is what the policies were compiled
    with. `refused` has which assignments cannot be used, and why.
    """

    compiled: PolicySet
    entries: Mapping[str, PolicyEntry]
    library: Library
    wanted: RelatedTypes
    versions: Mapping[str, str]
    listed: frozenset[str]
    facts: LintFacts
    facts_digest: str
    refused: tuple[InvalidInput, ...] = ()
    _digests: dict[str, str | None] = field(default_factory=dict, repr=False)

    def entry(self, effective: EffectivePolicy) -> PolicyEntry:
        """Return what the catalog knows of the definition of a policy in force."""
        return self.entries[effective.policy.name]

    def get(self, key: str) -> EffectivePolicy | None:
        """Return the policy in force with a key; None when it is no longer in force."""
        return self.compiled.by_key.get(key)

    def of_assignment(self, named: str) -> tuple[EffectivePolicy, ...]:
        """Return the policies of an assignment, by its id or, where none matches, its name; without regard to case."""
        low = named.lower()
        every = self.compiled.policies
        found = tuple(each for each in every if each.assignment_id.lower() == low)
        return found or tuple(each for each in every if each.assignment and each.assignment.name.lower() == low)

    def lists(self, resource_type: str) -> bool:
        """Return whether a scan lists resources of a type, instead of reading them only as parts of others."""
        kind = resource_type.lower()
        return kind in self.listed or (kind not in self.versions and kind.count("/") == 1)

    def keys_for(self, resource_type: str) -> tuple[str, ...]:
        """Return the keys of the policies that are considered for a resource of this type."""
        return tuple(each.key for each in self.compiled.applicable(resource_type))

    def digest(self, resource_type: str) -> str | None:
        """Return a digest of all that verdicts and findings of a type depend on besides resources and exemptions.

        None where a policy reads the clock: its verdict may be another one tomorrow.
        """
        if resource_type not in self._digests:
            if len(self._digests) >= _CACHED_DIGESTS:
                self._digests.clear()
            self._digests[resource_type] = self._digest(self.compiled.applicable(resource_type))
        return self._digests[resource_type]

    def _digest(self, applicable: Iterable[EffectivePolicy]) -> str | None:
        found = hashlib.sha256(f"{code_digest()}{self.facts_digest}".encode())
        for each in applicable:
            said = [each.key, each.digest, self.entry(each).model_dump(mode="json"), each.values]
            text = orjson.dumps(said)
            if b"utcnow" in text.lower():
                return None
            found.update(text)
        return found.hexdigest()


@cache
def code_digest() -> str:
    """Return a digest of the code that judges: verdicts of another build of the product are not taken over."""
    found = hashlib.sha256()
    for path in sorted(_CODE.rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


@lru_cache(maxsize=4)
def facts(catalog: Catalog) -> LintFacts:
    """Return what the catalog itself knows of aliases and resource types."""
    return alias.packaged(catalog)


@lru_cache(maxsize=4)
def packaged(catalog: Catalog) -> EffectivePolicies:
    """Return the catalog compiled with its own facts; the same catalog is compiled once."""
    return _compile(catalog, facts(catalog), catalog.facts_digest())


def in_force(store: Store, catalog: Catalog) -> EffectivePolicies:
    """Return the catalog compiled with its own facts and, over them, the aliases of the store's tenant.

    A process that holds an older version looks again after `REFRESH_AFTER`, so that all of them come to agree.
    """
    found = _VERSION_CACHE.version(store)
    return packaged(catalog) if found is None else _VERSION_CACHE.policies(found, store, catalog)


def forget(store: Store) -> None:
    """Forget which version was in force, so that this process sees a new one at once."""
    _VERSION_CACHE.forget(store)


class _Cache:
    """Keep the policies of tenants by version, and which version was in force when last looked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: WeakKeyDictionary[Documents, dict[str, tuple[datetime, AliasListing | None]]] = WeakKeyDictionary()
        self._compiled: OrderedDict[tuple[Catalog, str, str], EffectivePolicies] = OrderedDict()

    def version(self, store: Store) -> AliasListing | None:
        """Return the version in force, as it was at most `REFRESH_AFTER` ago."""
        now = store.now()
        with self._lock:
            seen = self._seen.setdefault(store.documents, {}).get(store.tenant)
        # A time in the future is from a clock that was set back since: the version is read again.
        if seen is not None and seen[0] <= now < seen[0] + REFRESH_AFTER:
            return seen[1]
        found = alias_listing.current(store)
        with self._lock:
            self._seen.setdefault(store.documents, {})[store.tenant] = (now, found)
        return found

    def policies(self, version: AliasListing, store: Store, catalog: Catalog) -> EffectivePolicies:
        """Return the policies of a version, compiled on first use."""
        key = (catalog, store.tenant, version.hash)
        with self._lock:
            if key in self._compiled:
                self._compiled.move_to_end(key)
                return self._compiled[key]
        # Compiled outside of the lock: two threads may do it twice, and neither keeps the other tenants waiting.
        own = alias_listing.open_(version, store)
        made = _compile(catalog, alias.merge(facts(catalog), own), f"{catalog.facts_digest()}{version.hash}")
        with self._lock:
            self._compiled[key] = made
            while len(self._compiled) > _CACHED_VERSIONS:
                self._compiled.popitem(last=False)
        return made

    def forget(self, store: Store) -> None:
        """Look again next time."""
        with self._lock:
            self._seen.setdefault(store.documents, {}).pop(store.tenant, None)


_VERSION_CACHE = _Cache()


def _compile(catalog: Catalog, known: LintFacts, facts_digest: str) -> EffectivePolicies:
    entries = {entry.name: entry for entry in catalog.policies()}
    sources = (*catalog.initiatives(), *catalog.assignments())
    documents = build_library(
        (*((name, entry.definition) for name, entry in entries.items()), *(("", each) for each in sources))
    )
    assigned = [each for each in documents.entries if each.shape is DocumentShape.ASSIGNMENT]
    found = resolve_all(assigned, documents, aliases=known.aliases, parameters={}, fallback=facts(catalog).aliases)
    compiled = compile_set(_with_digest(each, entries, documents) for each in found.policies)
    rows = {row["type"].lower(): row for row in catalog.resource_types()}
    versions = {kind: row["apiVersion"] for kind, row in rows.items()}
    wanted = {kind: related for kind in versions if (related := compiled.related_types(kind))}
    listed = {kind for kind, row in rows.items() if row.get("resourceGraph", True)} | wanted.keys() | CONTAINER_TYPES
    return EffectivePolicies(
        compiled, entries, documents, wanted, versions, frozenset(listed), known, facts_digest, found.refused
    )


def _with_digest(effective: EffectivePolicy, entries: Mapping[str, PolicyEntry], documents: Library) -> EffectivePolicy:
    """Return the policy with the digest of its definition, of the values it gets, and of its assignment."""
    assignment = documents.find(effective.assignment_id, DocumentShape.ASSIGNMENT)
    assert assignment is not None  # it was resolved from there
    definition = entries[effective.policy.name].definition
    return replace(effective, digest=digest([definition, effective.values, assignment.source]))
