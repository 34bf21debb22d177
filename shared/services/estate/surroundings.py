"""What counts for a resource besides itself: its subscription and group, its children, exemptions, and policies."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import batched

from shared.domain.resource import Resource
from shared.engine import Context
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.services import exemption, finding
from shared.services.estate.resource import KIND, ResourceRow, has_related, record, stored
from shared.services.policy.effective_policy import CONTAINER_TYPES, EffectivePolicies

ResourceRows = Mapping[str, ResourceRow]


def context_of(row: ResourceRow, store: Store) -> Context:
    """Return the evaluation context of one stored resource."""
    return Contexts(row["subscription"], store).of(row)


def load_resource(row: ResourceRow, store: Store) -> Resource:
    """Return one stored resource, with the children that were stored as resources of their own."""
    children = stored_children((row["id"],), store) if not has_related(row) else {}
    return with_children(row, children.get(row["id"]), store)


def with_children(row: ResourceRow, children: list[ResourceRow] | None, store: Store) -> Resource:
    """Return a stored resource with its stored children, of which nobody says that they are all there are."""
    resource = Resource.from_record(record(row, store))
    if not children:
        return resource
    related: dict[str, tuple[Resource, ...]] = {}
    for child in children:
        related[child["type"]] = (*related.get(child["type"], ()), Resource.from_record(record(child, store)))
    return replace(resource, related=related, partial=frozenset(related))  # what was imported need not be all there is


class Contexts:
    """The evaluation context of resources: their subscription and resource group, read once.

    Of those that are not stored, as imports may leave them out, only what the id says is known. What changes there
    while it is used is seen by the next judgement: it is in the digest.
    """

    def __init__(self, subscription: str, store: Store) -> None:
        containers = {"subscription": subscription, "type": tuple(sorted(CONTAINER_TYPES)), "gone": False}
        found = {row["resourceId"].lower(): row for _, row in stored(Query(equals=containers), store)}
        self._base = f"/subscriptions/{subscription}"
        self._hashes = {identity: str(row["hash"]) for identity, row in found.items()}
        bodies = {identity: record(row, store)["body"] for identity, row in found.items()}
        own = bodies.pop(self._base, None)
        named = None if own is None else {"subscriptionId": subscription, "id": self._base, **own}
        self._groups = {identity.rpartition("/")[2]: body for identity, body in bodies.items()}
        # One time for all resources: verdicts of one page must not differ by the moment they were reached.
        self.at = store.now()
        self._plain = Context(resource_group=None, subscription=named, now=self.at)
        self._subscription, self._store = subscription, store
        self._parents: frozenset[str] | None = None

    def of(self, row: ResourceRow) -> Context:
        """Return the context of one row."""
        name = row["resourceGroup"]
        if name is None:
            return self._plain
        return replace(self._plain, resource_group=self._groups.get(name))

    def digest(self, group: str | None) -> str:
        """Return what tells the context of what is in one group from another, but for the time."""
        return f"{self._hashes.get(self._base)} {self._hashes.get(f'{self._base}/resourcegroups/{group}')}"

    def parents(self) -> frozenset[str]:
        """Return the keys of the resources of the subscription that have children stored as resources of their own."""
        if self._parents is None:
            live = Query(equals={"subscription": self._subscription, "gone": False})
            found = self._store.documents.count(tenant=self._store.tenant, kind=KIND, query=live, by="parent")
            self._parents = frozenset(found)
        return self._parents

    def is_within(self, scope: str) -> bool:
        """Return whether a scope may be, hold, or lie within the subscription."""
        low = scope.lower().rstrip("/")
        return not low.startswith("/subscriptions/") or f"{low}/".startswith(f"{self._base.lower()}/")


class Surroundings:
    """All that counts for resources of a subscription besides themselves, read once."""

    def __init__(self, contexts: Contexts, store: Store, policies: EffectivePolicies) -> None:
        self.contexts, self.store, self.policies = contexts, store, policies
        self.exemptions = exemption.active(store)
        scopes = {each.id: each.request.scope for each in self.exemptions if each.request.expires_at > contexts.at}
        self._reaching = sorted(name for name, scope in scopes.items() if contexts.is_within(scope))
        self._groups: dict[str | None, str] = {}
        self._children: dict[str, list[ResourceRow]] = {}
        self._asked: set[str] = set()

    def children(self, rows: ResourceRows) -> Mapping[str, list[ResourceRow]]:
        """Return the stored children of rows whose records have none, by the key of the row."""
        without = {key for key, row in rows.items() if not has_related(row)}
        fresh = without - self._asked
        self._asked |= fresh
        # To ask for the children of all would take many queries; for a few, counting all parents costs more.
        asked = fresh & self.contexts.parents() if len(fresh) > finding.QUERY_KEYS else fresh
        self._children |= stored_children(asked, self.store)
        return {key: self._children[key] for key in without if key in self._children}

    def digest(self, row: ResourceRow) -> str | None:
        """Return what tells these surroundings of a row from others, without its children.

        None where verdicts depend on the time. Of the exemptions those count that reach the row, whatever they exempt
        it from: it is judged again when one begins or ends.
        """
        policies = self.policies.digest(row["type"])
        identity, at = row["resourceId"].lower(), self.contexts.at
        reaching = sorted(each.id for each in self.exemptions if each.reaches(identity, at))
        return policies and f"{policies} {self.contexts.digest(row['resourceGroup'])} {reaching}"

    def group_digest(self, group: str | None) -> str:
        """Return what tells what lies around what is in a group from other surroundings, but for the policies.

        All exemptions count that may reach any of it: a row need not be read to know that nothing around it has
        changed.
        """
        if group not in self._groups:
            said = f"{self.contexts.digest(group)} {self._reaching}"
            self._groups[group] = hashlib.sha256(said.encode()).hexdigest()[:32]
        return self._groups[group]


def stored_children(parents: Iterable[str], store: Store) -> dict[str, list[ResourceRow]]:
    """Return the children that are stored as resources of their own, as an import does, by the key of their parent."""
    grouped: dict[str, list[ResourceRow]] = {}
    # Queries take a bounded number of values, so that the parents are asked for some at a time.
    for some in batched(sorted(parents), finding.QUERY_KEYS, strict=False):
        for _, body in stored(Query(equals={"parent": some, "gone": False}), store):
            grouped.setdefault(body["parent"], []).append(body)
    return grouped
