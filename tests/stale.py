"""Documents as another process may see them at session consistency: for some reads after a write, as they were."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.ports.documents import Body, Document, Documents

Place = tuple[str, str, str]


class StaleReads:
    """Keeps the `Documents` port over another store; the first `lag` point reads after each write see what was before.

    Writes on condition are judged by the truth, as in Cosmos DB. Listings, counts and groups are not delayed.
    """

    def __init__(self, documents: Documents, *, lag: int = 1) -> None:
        self._documents = documents
        self._lag = lag
        self._before: dict[Place, tuple[int, Document | None]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)

    def get(self, *, tenant: str, kind: str, id: str) -> Document | None:
        left, before = self._before.get((tenant, kind, id), (0, None))
        if not left:
            return self._documents.get(tenant=tenant, kind=kind, id=id)
        self._before[tenant, kind, id] = (left - 1, before)
        return before

    def get_many(self, *, tenant: str, kind: str, ids: Sequence[str]) -> dict[str, Document]:
        found = {id_: self.get(tenant=tenant, kind=kind, id=id_) for id_ in dict.fromkeys(ids)}
        return {id_: document for id_, document in found.items() if document is not None}

    def put(self, *, tenant: str, kind: str, id: str, body: Body, if_match: str | None = None) -> Document:
        before = self._documents.get(tenant=tenant, kind=kind, id=id)
        written = self._documents.put(tenant=tenant, kind=kind, id=id, body=body, if_match=if_match)
        self._before[tenant, kind, id] = (self._lag, before)
        return written

    def create(self, *, tenant: str, kind: str, id: str, body: Body) -> Document:
        written = self._documents.create(tenant=tenant, kind=kind, id=id, body=body)
        self._before[tenant, kind, id] = (self._lag, None)
        return written

    def put_many(self, *, tenant: str, kind: str, items: Mapping[str, Body], newer_by: str | None = None) -> None:
        before = self._documents.get_many(tenant=tenant, kind=kind, ids=list(items))
        self._documents.put_many(tenant=tenant, kind=kind, items=items, newer_by=newer_by)
        for id_ in items:
            self._before[tenant, kind, id_] = (self._lag, before.get(id_))

    def delete(self, *, tenant: str, kind: str, id: str, if_match: str | None = None) -> None:
        before = self._documents.get(tenant=tenant, kind=kind, id=id)
        self._documents.delete(tenant=tenant, kind=kind, id=id, if_match=if_match)
        self._before[tenant, kind, id] = (self._lag, before)
