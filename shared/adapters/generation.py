"""Keeps the documents that follow from events in generations, each of which is a tenant of its own to the store.

A document in the store says which generation of a tenant is in use. It is read again after a few seconds, so that every
process follows a switch soon and calls stay cheap.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from shared.adapters.index import PROJECTED_KINDS
from shared.adapters.record import check_tenant
from shared.domain.error import Stale
from shared.ports.documents import Document, DocumentBody, DocumentPage, Documents, Query, write_unchanged
from shared.ports.generations import SETTLED_SECONDS

KIND = "generation"
CURRENT_ID = "current"
REMEMBERED_SECONDS = SETTLED_SECONDS / 2


class GenerationDocuments:
    """Keeps the `Documents` port over a store: those of the generation in use, or of a `fixed` one."""

    def __init__(self, items: Documents, *, fixed: int | None = None) -> None:
        self.items = items
        self._fixed = fixed
        self._known: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the store."""
        close = getattr(self.items, "close", None)
        if close is not None:
            close()

    def generation(self, tenant: str) -> int:
        """Return the generation that this process reads, which may be the one that was in use some seconds ago."""
        if self._fixed is not None:
            return self._fixed
        # Half the time that a switch needs to settle, so that no process reads an old generation after that.
        at, known = self._known.get(tenant, (0.0, 0))
        if at and time.monotonic() - at < REMEMBERED_SECONDS:
            return known
        found = _read(self.items, tenant)
        generation = found.body["generation"] if found else 0
        with self._lock:
            self._known[tenant] = (time.monotonic(), generation)
        return int(generation)

    def forget(self, tenant: str) -> None:
        """Read the generation in use again at the next call."""
        with self._lock:
            self._known.pop(tenant, None)

    def _place(self, tenant: str, kind: str) -> str:
        check_tenant(tenant)  # so that no tenant of a caller can name a generation
        generation = self.generation(tenant) if kind in PROJECTED_KINDS else 0
        return f"{tenant}~{generation}" if generation else tenant

    def get(self, *, tenant: str, kind: str, id: str) -> Document | None:
        """See `Documents.get`."""
        return self.items.get(tenant=self._place(tenant, kind), kind=kind, id=id)

    def get_many(self, *, tenant: str, kind: str, ids: Sequence[str]) -> dict[str, Document]:
        """See `Documents.get_many`."""
        return self.items.get_many(tenant=self._place(tenant, kind), kind=kind, ids=ids)

    def put(self, *, tenant: str, kind: str, id: str, body: DocumentBody, if_match: str | None = None) -> Document:
        """See `Documents.put`."""
        return self.items.put(tenant=self._place(tenant, kind), kind=kind, id=id, body=body, if_match=if_match)

    def create(self, *, tenant: str, kind: str, id: str, body: DocumentBody) -> Document:
        """See `Documents.create`."""
        return self.items.create(tenant=self._place(tenant, kind), kind=kind, id=id, body=body)

    def put_many(
        self, *, tenant: str, kind: str, items: Mapping[str, DocumentBody], newer_by: str | None = None
    ) -> None:
        """See `Documents.put_many`."""
        self.items.put_many(tenant=self._place(tenant, kind), kind=kind, items=items, newer_by=newer_by)

    def create_all(self, *, tenant: str, kind: str, group: str, items: Mapping[str, DocumentBody]) -> None:
        """See `Documents.create_all`."""
        self.items.create_all(tenant=self._place(tenant, kind), kind=kind, group=group, items=items)

    def get_group(
        self, *, tenant: str, kind: str, group: str, after: str = "", limit: int = 1000
    ) -> Sequence[Document]:
        """See `Documents.get_group`."""
        place = self._place(tenant, kind)
        return self.items.get_group(tenant=place, kind=kind, group=group, after=after, limit=limit)

    def groups(self, *, tenant: str, kind: str) -> Sequence[str]:
        """See `Documents.groups`."""
        return self.items.groups(tenant=self._place(tenant, kind), kind=kind)

    def delete(self, *, tenant: str, kind: str, id: str, if_match: str | None = None) -> None:
        """See `Documents.delete`."""
        self.items.delete(tenant=self._place(tenant, kind), kind=kind, id=id, if_match=if_match)

    def query(
        self, *, tenant: str, kind: str, query: Query, limit: int = 50, cursor: str | None = None
    ) -> DocumentPage:
        """See `Documents.query`."""
        place = self._place(tenant, kind)
        return self.items.query(tenant=place, kind=kind, query=query, limit=limit, cursor=cursor)

    def count(self, *, tenant: str, kind: str, query: Query, by: str | None = None) -> dict[str, int]:
        """See `Documents.count`."""
        return self.items.count(tenant=self._place(tenant, kind), kind=kind, query=query, by=by)

    def request_units(self) -> Mapping[str, Mapping[str, float]]:
        """See `Documents.request_units`."""
        return self.items.request_units()

    def check(self) -> None:
        """See `Documents.check`."""
        self.items.check()


class StoredGenerations:
    """Keeps the `Generations` port in the store that the documents are in; `whole` makes them of any size."""

    def __init__(
        self, current: GenerationDocuments, whole: Callable[[Documents], Documents] = lambda items: items
    ) -> None:
        self._current, self._whole = current, whole

    def current(self, *, tenant: str) -> int:
        """See `Generations.current`."""
        found = _read(self._current.items, tenant)
        return int(found.body["generation"]) if found else 0

    def at(self, *, tenant: str, generation: int) -> Documents:
        """See `Generations.at`."""
        check_tenant(tenant)
        return self._whole(GenerationDocuments(self._current.items, fixed=generation))

    def switch(self, *, tenant: str, before: int, to: int) -> None:
        """See `Generations.switch`."""
        store, found = self._current.items, _read(self._current.items, tenant)
        # The number is compared first: another rebuild may have switched there and the etag alone would not tell.
        unchanged = (found.body["generation"] if found else 0) == before
        body = {"generation": to}
        if not unchanged or not write_unchanged(body, found, documents=store, tenant=tenant, kind=KIND, id=CURRENT_ID):
            raise Stale(f"generation {before} of the documents is no longer in use")
        self._current.forget(tenant)


def _read(store: Documents, tenant: str) -> Document | None:
    return store.get(tenant=tenant, kind=KIND, id=CURRENT_ID)
