"""Documents: JSON records by (tenant, kind, id), with etags, filters and pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Document:
    """A stored record. `etag` changes with every write. The body is opaque to adapters but for the filtered fields."""

    id: str
    body: Body
    etag: str


@dataclass(frozen=True, slots=True)
class Query:
    """What to list: all the conditions hold.

    `equals` maps a top-level field of the body to a value, or to a tuple of values of which one must match.
    A field missing from the body matches None only. `prefix` maps a field to the start of a string.
    `contains` maps a field that holds a list of strings to a string it must have.
    `after` leaves out ids up to and including this one.
    `order` names the field to sort by ("" is the id); ties are broken by id; `descending` turns both round.
    Only numbers and text are ordered, numbers first: documents without such an `order` field are left out. Stores
    order by the fields they have an index for (adapters/index.py); InvalidInput for others.
    """

    equals: Mapping[str, Any] = field(default_factory=dict)
    prefix: Mapping[str, str] = field(default_factory=dict)
    contains: Mapping[str, str] = field(default_factory=dict)
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
    Bodies are JSON of at most 2,000,000 bytes, TooLarge over it; so are those of one `create_all` together.
    Errors: Throttled and Unavailable from any call, with the wait the store asks for.
    Source for the model: Azure Cosmos DB, "Optimistic concurrency control", "Pagination".
    """

    def get(self, *, tenant: str, kind: str, id: str) -> Document | None:
        """Point read; None when absent."""
        ...

    def get_many(self, *, tenant: str, kind: str, ids: Sequence[str]) -> dict[str, Document]:
        """Point reads of many; absent ids are left out."""
        ...

    def put(self, *, tenant: str, kind: str, id: str, body: Body, if_match: str | None = None) -> Document:
        """Write, replacing. With `if_match`: Stale when the etag differs, NotFound when there is nothing."""
        ...

    def create(self, *, tenant: str, kind: str, id: str, body: Body) -> Document:
        """Write only if absent; AlreadyExists otherwise."""
        ...

    def put_many(self, *, tenant: str, kind: str, items: Mapping[str, Body], newer_by: str | None = None) -> None:
        """Write many, replacing. Each is atomic, all together are not: a failure may leave a part written.

        With `newer_by`, a top-level field that holds an integer: an item is written only where there is none yet or
        the stored one's field is smaller, so that a projector that lags never overwrites one that is ahead.
        """
        ...

    def create_all(self, *, tenant: str, kind: str, group: str, items: Mapping[str, Body]) -> None:
        """Create all of them or none; AlreadyExists when one is there. At most 100 items.

        `group` is a transaction group: documents of one group share a partition, and are read with the same `group`.
        """
        ...

    def get_group(
        self, *, tenant: str, kind: str, group: str, after: str = "", limit: int = 1000
    ) -> Sequence[Document]:
        """The documents of one group with ids greater than `after`, by id."""
        ...

    def groups(self, *, tenant: str, kind: str) -> Sequence[str]:
        """The names of all groups of a kind, sorted."""
        ...

    def delete(self, *, tenant: str, kind: str, id: str, if_match: str | None = None) -> None:
        """Remove; no error when absent. With `if_match`: Stale when the etag differs."""
        ...

    def query(
        self, *, tenant: str, kind: str, query: Query, limit: int = 50, cursor: str | None = None
    ) -> DocumentPage:
        """A page of at most `limit` (1-1000) documents. InvalidInput when the cursor is not one of this query."""
        ...

    def count(self, *, tenant: str, kind: str, query: Query, by: str | None = None) -> dict[str, int]:
        """How many match: {"": n}, or with `by` a top-level field, the number for each of its values.

        Values are given as JSON, but text without quotes, and absent or null as "".
        """
        ...

    def request_units(self) -> Mapping[str, Mapping[str, float]]:
        """What this process has spent, by operation: {"calls", "units"}; empty for a store that charges nothing."""
        ...
