"""Documents as another process may see them at session consistency: for some reads after a write, as they were."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.ports.documents import Document, DocumentBody, DocumentPage, Documents, Query

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

    def put(self, *, tenant: str, kind: str, id: str, body: DocumentBody, if_match: str | None = None) -> Document:
        before = self._documents.get(tenant=tenant, kind=kind, id=id)
        written = self._documents.put(tenant=tenant, kind=kind, id=id, body=body, if_match=if_match)
        self._before[tenant, kind, id] = (self._lag, before)
        return written

    def create(self, *, tenant: str, kind: str, id: str, body: DocumentBody) -> Document:
        written = self._documents.create(tenant=tenant, kind=kind, id=id, body=body)
        self._before[tenant, kind, id] = (self._lag, None)
        return written

    def put_many(
        self, *, tenant: str, kind: str, items: Mapping[str, DocumentBody], newer_by: str | None = None
    ) -> None:
        before = self._documents.get_many(tenant=tenant, kind=kind, ids=list(items))
        self._documents.put_many(tenant=tenant, kind=kind, items=items, newer_by=newer_by)
        for id_ in items:
            self._before[tenant, kind, id_] = (self._lag, before.get(id_))

    def delete(self, *, tenant: str, kind: str, id: str, if_match: str | None = None) -> None:
        before = self._documents.get(tenant=tenant, kind=kind, id=id)
        self._documents.delete(tenant=tenant, kind=kind, id=id, if_match=if_match)
        self._before[tenant, kind, id] = (self._lag, before)


class UnseenWrites:
    """Keeps the `Documents` port over another store, as a process that has not seen any of its writes yet.

    From its own first write on, refused or not, it sees all: the answer brings its session up to date.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._seen = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._documents, name)
        if name not in {"put", "create", "put_many", "create_all", "delete"}:
            return method

        def write(**given: Any) -> Any:
            self._seen = True
            return method(**given)

        return write

    def get(self, *, tenant: str, kind: str, id: str) -> Document | None:
        return self._documents.get(tenant=tenant, kind=kind, id=id) if self._seen else None

    def get_many(self, *, tenant: str, kind: str, ids: Sequence[str]) -> dict[str, Document]:
        return self._documents.get_many(tenant=tenant, kind=kind, ids=ids) if self._seen else {}

    def get_group(self, **given: Any) -> Sequence[Document]:
        return self._documents.get_group(**given) if self._seen else ()

    def groups(self, *, tenant: str, kind: str) -> Sequence[str]:
        return self._documents.groups(tenant=tenant, kind=kind) if self._seen else ()

    def query(self, **given: Any) -> DocumentPage:
        return self._documents.query(**given) if self._seen else DocumentPage((), None)

    def count(self, *, tenant: str, kind: str, query: Query, by: str | None = None) -> dict[str, int]:
        if self._seen:
            return self._documents.count(tenant=tenant, kind=kind, query=query, by=by)
        return {} if by else {"": 0}
