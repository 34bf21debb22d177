"""Documents: JSON records by (tenant, kind, id), with etags, filters and pages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.domain.error import AlreadyExists, NotFound, Stale

DocumentBody = Mapping[str, Any]
"""The JSON of a document: at most `shared.domain.model.DOCUMENT_BYTES`."""


@dataclass(frozen=True, slots=True)
class Document:
    """A stored record. `etag` changes with every write. The body is opaque to adapters but for the filtered fields.

    A store may decode the body only when it is first used, which raises Damaged for one that is not JSON.
    """

    id: str
    body: DocumentBody
    etag: str

    def has(self, member: str) -> bool:
        """Return whether the body has a member of this name."""
        return member in self.body


@dataclass(frozen=True, slots=True)
class Query:
    """A query for documents for which all conditions hold.

    `equals` maps a top-level field of the body to a value, or to a tuple of values of which one must match.
    A field missing from the body matches None only. `prefix` maps a field to the start of a string.
    `contains` maps a field that holds a list of strings to a string it must have.
    `includes` maps a field to a text that is somewhere in it, `at_least` to the least text that it may be.
    `after` leaves out ids up to and including this one.
    `order` names the field to sort by ("" is the id); ties are broken by id; `descending` turns both round.
    Only numbers and text are ordered, numbers first: documents without such an `order` field are left out. Stores
    order by the fields they have an index for (adapters/index.py); InvalidInput for others.
    """

    equals: Mapping[str, Any] = field(default_factory=dict)
    prefix: Mapping[str, str] = field(default_factory=dict)
    contains: Mapping[str, str] = field(default_factory=dict)
    includes: Mapping[str, str] = field(default_factory=dict)
    at_least: Mapping[str, str] = field(default_factory=dict)
    after: str = ""
    order: str = ""
    descending: bool = False


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """One page of a listing. `cursor` is opaque and resumes after the last item; None on the last page."""

    items: Sequence[Document]
    cursor: str | None


class Documents(Protocol):
    r"""Every call names the tenant; nothing of another tenant can be reached by any id, filter or cursor.

    Ids are any text of 1-255 characters without `/`, `\`, `?` and `#`. Kinds are lower-case nouns.
    Bodies are JSON of at most `DOCUMENT_BYTES`; TooLarge above. Adapters whose items are smaller keep this promise
    behind `adapters/large.py`; alone they take 2,000,000 bytes, and as many in one `create_all` together.
    Errors: Throttled and Unavailable from any call, with the wait the store asks for.
    Source for the model: Azure Cosmos DB, "Optimistic concurrency control", "Pagination".
    """

    def get(self, *, tenant: str, kind: str, id: str) -> Document | None:
        """Return a document, by a point read; None when absent."""
        ...

    def get_many(self, *, tenant: str, kind: str, ids: Sequence[str]) -> dict[str, Document]:
        """Return documents by id, by point reads; absent ids are left out."""
        ...

    def put(self, *, tenant: str, kind: str, id: str, body: DocumentBody, if_match: str | None = None) -> Document:
        """Write, replacing what is there. With `if_match`: Stale when the etag differs, NotFound when there is none."""
        ...

    def create(self, *, tenant: str, kind: str, id: str, body: DocumentBody) -> Document:
        """Write only if absent; AlreadyExists otherwise."""
        ...

    def put_many(
        self, *, tenant: str, kind: str, items: Mapping[str, DocumentBody], newer_by: str | None = None
    ) -> None:
        """Write many, replacing what is there. Each write is atomic, all together are not: a failure may leave some.

        The others are written even when the store rejects some; ItemsRejected then says which and why.

        With `newer_by`, a top-level field that holds an integer: an item is written only where there is none yet or
        the stored one's field is smaller, so that a projection that lags never overwrites one that is ahead.
        """
        ...

    def create_all(self, *, tenant: str, kind: str, group: str, items: Mapping[str, DocumentBody]) -> None:
        """Create all of them or none; AlreadyExists when one is there. At most 100 items.

        `group` is a transaction group: documents of one group share a partition, and are read with the same `group`.
        """
        ...

    def get_group(
        self, *, tenant: str, kind: str, group: str, after: str = "", limit: int = 1000
    ) -> Sequence[Document]:
        """Return the documents of one group with ids greater than `after`, by id."""
        ...

    def groups(self, *, tenant: str, kind: str) -> Sequence[str]:
        """Return the names of all groups of a kind, sorted."""
        ...

    def delete(self, *, tenant: str, kind: str, id: str, if_match: str | None = None) -> None:
        """Delete a document; no error when absent. With `if_match`: Stale when the etag differs."""
        ...

    def query(
        self, *, tenant: str, kind: str, query: Query, limit: int = 50, cursor: str | None = None
    ) -> DocumentPage:
        """Return a page of at most `limit` (1-1000) documents; InvalidInput when the cursor is not of this query."""
        ...

    def count(self, *, tenant: str, kind: str, query: Query, by: str | None = None) -> dict[str, int]:
        """Return how many match: {"": n}, or with `by` a top-level field, the number for each of its values.

        Values are given as JSON, but text without quotes, and absent or null as "".
        """
        ...

    def request_units(self) -> Mapping[str, Mapping[str, float]]:
        """Return what this process has spent, by operation: {"calls", "units"}; empty where nothing is charged."""
        ...

    def check(self) -> None:
        """Write something small and read it back; raise the error of what does not work, Damaged included."""
        ...


BATCH_DOCUMENTS = 1000
"""Documents in one page where all of them are wanted."""


def each_document(
    kind: str, query: Query, *, documents: Documents, tenant: str, batch: int = BATCH_DOCUMENTS
) -> Iterator[Document]:
    """Yield all documents of a kind that match, read a page at a time."""
    cursor: str | None = None
    while True:
        found = documents.query(tenant=tenant, kind=kind, query=query, limit=batch, cursor=cursor)
        yield from found.items
        cursor = found.cursor
        if cursor is None:
            return


def write_unchanged(
    body: DocumentBody, before: Document | None, *, documents: Documents, tenant: str, kind: str, id: str
) -> bool:
    """Write a document if it still is as it was read, absent for None; return False when another write was first."""
    try:
        if before is None:
            documents.create(tenant=tenant, kind=kind, id=id, body=body)
        else:
            documents.put(tenant=tenant, kind=kind, id=id, body=body, if_match=before.etag)
    except (AlreadyExists, NotFound, Stale):
        return False
    return True
