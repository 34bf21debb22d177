"""Documents of any size over a store whose items are small: what is too large for an item lies in a blob.

The item then holds the short members of the body, by which it is filtered, ordered and compared, and the name of a
blob that has all of it. Each write has a blob of its own, written before the item that names it; the one before is
removed when the item names another. Whoever reads an item whose blob has just been removed reads the item again.
"""

import gzip
import hashlib
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import orjson

from shared.adapters.record import BODY_BYTES, NESTING_LEVELS, to_json
from shared.domain.error import AlreadyExists, Damaged, InvalidInput, NotFound, Stale, TooLarge
from shared.domain.model import DOCUMENT_BYTES
from shared.ports.blobs import Blobs
from shared.ports.documents import Document, DocumentBody, DocumentPage, Documents, Query

ITEM_BYTES = 256 * 1024
"""Bytes of JSON that go into an item: a larger one costs Cosmos DB thousands of request units, a blob next to none."""
MEMBER_BYTES = 1024
"""Bytes of JSON of a member that stays in the item of a large body."""
BLOB_MEMBER = "~blob"
"""The member that names the blob; bodies have no such name of their own."""
_READ_ATTEMPTS = 5
_NOTHING_WRITTEN_ERRORS = (AlreadyExists, InvalidInput, NotFound, Stale, TooLarge)
"""Errors after which it is known that nothing was written."""


class LargeDocuments:
    """Keeps the `Documents` port, with bodies of up to `DOCUMENT_BYTES`, over a store of small items and its blobs."""

    def __init__(self, items: Documents, blobs: Blobs) -> None:
        self.items = items
        self._blobs = blobs

    def close(self) -> None:
        """Close the store of the items; the blobs are not ours."""
        close = getattr(self.items, "close", None)
        if close is not None:
            close()

    def request_units(self) -> Mapping[str, Mapping[str, float]]:
        """See `Documents.request_units`."""
        return self.items.request_units()

    def check(self) -> None:
        """See `Documents.check`."""
        self.items.check()

    def get(self, *, tenant: str, kind: str, id: str) -> Document | None:
        """See `Documents.get`."""
        found = self.items.get(tenant=tenant, kind=kind, id=id)
        return self._whole(tenant, kind, found) if found else None

    def get_many(self, *, tenant: str, kind: str, ids: Sequence[str]) -> dict[str, Document]:
        """See `Documents.get_many`."""
        found = self.items.get_many(tenant=tenant, kind=kind, ids=ids)
        whole = {id_: self._whole(tenant, kind, each) for id_, each in found.items()}
        return {id_: each for id_, each in whole.items() if each is not None}

    def put(self, *, tenant: str, kind: str, id: str, body: DocumentBody, if_match: str | None = None) -> Document:
        """See `Documents.put`."""
        with self._split(tenant, kind, {id: body}) as items:
            written = self.items.put(tenant=tenant, kind=kind, id=id, body=items[id], if_match=if_match)
        return replace(written, body=body)

    def create(self, *, tenant: str, kind: str, id: str, body: DocumentBody) -> Document:
        """See `Documents.create`."""
        with self._split(tenant, kind, {id: body}) as items:
            written = self.items.create(tenant=tenant, kind=kind, id=id, body=items[id])
        return replace(written, body=body)

    def put_many(
        self, *, tenant: str, kind: str, items: Mapping[str, DocumentBody], newer_by: str | None = None
    ) -> None:
        """See `Documents.put_many`."""
        with self._split(tenant, kind, items) as small:
            self.items.put_many(tenant=tenant, kind=kind, items=small, newer_by=newer_by)

    def create_all(self, *, tenant: str, kind: str, group: str, items: Mapping[str, DocumentBody]) -> None:
        """See `Documents.create_all`."""
        # The items of a group share one request, so each gets its part of half of what that may hold.
        most = min(ITEM_BYTES, BODY_BYTES // 2 // max(1, len(items)))
        small, names = self._small_ones(tenant, kind, items, most)
        try:
            self.items.create_all(tenant=tenant, kind=kind, group=group, items=small)
        except _NOTHING_WRITTEN_ERRORS:
            self._remove(tenant, names.values())
            raise

    def get_group(
        self, *, tenant: str, kind: str, group: str, after: str = "", limit: int = 1000
    ) -> Sequence[Document]:
        """See `Documents.get_group`."""
        found = self.items.get_group(tenant=tenant, kind=kind, group=group, after=after, limit=limit)
        return [self._loaded(tenant, each) if each.has(BLOB_MEMBER) else each for each in found]

    def groups(self, *, tenant: str, kind: str) -> Sequence[str]:
        """See `Documents.groups`."""
        return self.items.groups(tenant=tenant, kind=kind)

    def delete(self, *, tenant: str, kind: str, id: str, if_match: str | None = None) -> None:
        """See `Documents.delete`."""
        # Looked at before and after: another writer may have stored the document again in between.
        before = self._names(tenant, kind, [id])
        self.items.delete(tenant=tenant, kind=kind, id=id, if_match=if_match)
        self._remove(tenant, before - self._names(tenant, kind, [id]))

    def query(
        self, *, tenant: str, kind: str, query: Query, limit: int = 50, cursor: str | None = None
    ) -> DocumentPage:
        """See `Documents.query`; what was removed meanwhile is left out."""
        found = self.items.query(tenant=tenant, kind=kind, query=query, limit=limit, cursor=cursor)
        whole = [self._whole(tenant, kind, each) for each in found.items]
        return DocumentPage([each for each in whole if each is not None], found.cursor)

    def count(self, *, tenant: str, kind: str, query: Query, by: str | None = None) -> dict[str, int]:
        """See `Documents.count`."""
        return self.items.count(tenant=tenant, kind=kind, query=query, by=by)

    def _whole(self, tenant: str, kind: str, found: Document) -> Document | None:
        """Load all of a document's body, again where it has been written meanwhile; None when it has been deleted."""
        for _ in range(_READ_ATTEMPTS):
            if not found.has(BLOB_MEMBER):
                return found
            try:
                return self._loaded(tenant, found)
            except NotFound:
                again = self.items.get(tenant=tenant, kind=kind, id=found.id)
            if again is None:
                return None
            found = again
        raise Damaged(f"blob '{found.body[BLOB_MEMBER]}' of {kind} '{found.id}' is gone: restore it from a backup")

    def _loaded(self, tenant: str, found: Document) -> Document:
        name = found.body[BLOB_MEMBER]
        data = self._blobs.get(tenant=tenant, name=name)
        try:
            return Document(found.id, orjson.loads(gzip.decompress(data)), found.etag)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise Damaged(f"blob '{name}' is damaged ({error}): restore it from a backup") from error

    @contextmanager
    def _split(self, tenant: str, kind: str, items: Mapping[str, DocumentBody]) -> Iterator[dict[str, DocumentBody]]:
        """Yield items that are small enough to be written; then remove the blobs that none of them names."""
        small, names = self._small_ones(tenant, kind, items, ITEM_BYTES)
        if not names:
            yield small
            return
        # Which blobs the items name afterwards decides what is removed: another writer may have been faster.
        old = self._names(tenant, kind, list(names)) | set(names.values())
        try:
            yield small
        except _NOTHING_WRITTEN_ERRORS:
            self._remove(tenant, old - self._names(tenant, kind, list(names)))
            raise
        self._remove(tenant, old - self._names(tenant, kind, list(names)))

    def _small_ones(
        self, tenant: str, kind: str, items: Mapping[str, DocumentBody], most: int
    ) -> tuple[dict[str, DocumentBody], dict[str, str]]:
        """Write large bodies to blobs; return what the items hold of all bodies, and the names of the blobs by id.

        A body that is too large for a blob is left as it is, for the store to reject.
        """
        small, names = dict(items), {}
        for id_, body in items.items():
            try:
                data = to_json(body)
            except InvalidInput:
                continue  # the store rejects it, and says why
            if not most < len(data) <= DOCUMENT_BYTES:
                continue
            digest = hashlib.sha256(id_.encode(errors="surrogatepass")).hexdigest()[:16]
            # A name that no blob has had before: a reader of the item before may still want the other.
            names[id_] = f"document/{kind}/{digest}/{uuid.uuid4().hex}.json.gz"
            self._blobs.put(tenant=tenant, name=names[id_], data=gzip.compress(data, compresslevel=1, mtime=0))
            small[id_] = {**_short_members(body, most // 2), BLOB_MEMBER: names[id_]}
        return small, names

    def _names(self, tenant: str, kind: str, ids: Sequence[str]) -> set[str]:
        """Return the blobs that stored items name."""
        found = self.items.get_many(tenant=tenant, kind=kind, ids=ids)
        return {each.body[BLOB_MEMBER] for each in found.values() if BLOB_MEMBER in each.body}

    def _remove(self, tenant: str, names: Iterable[str]) -> None:
        for name in names:
            self._blobs.delete(tenant=tenant, name=name)


def _short_members(body: DocumentBody, room: int) -> dict[str, Any]:
    """Return the members of a body that are short, as many as there is room for."""
    kept: dict[str, Any] = {}
    for name, value in body.items():
        data = orjson.dumps({name: value})
        # As in `record.encode`: with so few brackets nothing can nest too deeply, and counting is cheaper than walking.
        flat = data.count(b"[") + data.count(b"{") < NESTING_LEVELS
        if len(data) <= min(MEMBER_BYTES, room) and flat:
            kept[name] = value
            room -= len(data)
    return kept
