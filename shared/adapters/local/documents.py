"""Documents in a SQLite file."""

import sqlite3
from collections.abc import Mapping, Sequence
from itertools import batched
from pathlib import Path

import orjson

from shared.adapters import probe
from shared.adapters.closing import Closing
from shared.adapters.listing import check_limit, check_query, count_by_value, page, read_cursor
from shared.adapters.local import facet
from shared.adapters.local.file import REMEDY, FileHeader
from shared.adapters.local.query import SqliteQuery
from shared.adapters.local.sqlite import Database
from shared.adapters.record import check_field, check_id, check_scope, encode, encode_group, encode_many
from shared.domain.error import AlreadyExists, CortexError, Damaged, ItemsRejected, NotFound, Stale
from shared.ports.documents import Document, DocumentBody, DocumentPage, Query

_MARK = FileHeader(application=0x50437844, version=1)
""""PCxD"."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
  number INTEGER PRIMARY KEY, tenant TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
  etag TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (tenant, kind, id)
) STRICT;
CREATE TABLE IF NOT EXISTS grouped (
  number INTEGER PRIMARY KEY, tenant TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL,
  etag TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (tenant, kind, name, id)
) STRICT
"""
_ETAG = "lower(hex(randomblob(8)))"
_GET = "SELECT id, etag, body FROM documents WHERE tenant = ? AND kind = ? AND id = ?"
_GET_MANY = (
    "SELECT id, etag, body FROM documents WHERE tenant = ? AND kind = ? AND id IN (SELECT value FROM json_each(?))"
)
_CREATE = f"INSERT INTO documents (tenant, kind, id, etag, body) VALUES (?, ?, ?, {_ETAG}, ?)"  # noqa: S608 - constants
_PUT = f"{_CREATE} ON CONFLICT (tenant, kind, id) DO UPDATE SET etag = excluded.etag, body = excluded.body"
_REPLACE = (
    f"UPDATE documents SET etag = {_ETAG}, body = ?"  # noqa: S608 - constants
    " WHERE tenant = ? AND kind = ? AND id = ? AND etag = ? RETURNING etag"
)
_DELETE = "DELETE FROM documents WHERE tenant = ? AND kind = ? AND id = ?"
_CREATE_GROUPED = f"INSERT INTO grouped (tenant, kind, name, id, etag, body) VALUES (?, ?, ?, ?, {_ETAG}, ?)"  # noqa: S608 - constants
_GET_GROUP = (
    "SELECT id, etag, body FROM grouped WHERE tenant = ? AND kind = ? AND name = ? AND id > ? ORDER BY id LIMIT ?"
)
# One seek in the index for each group: DISTINCT would read the rows of all of its documents.
_GROUPS = """
WITH RECURSIVE found (name) AS (
  SELECT min(name) FROM grouped WHERE tenant = :tenant AND kind = :kind
  UNION ALL
  SELECT (SELECT min(name) FROM grouped WHERE tenant = :tenant AND kind = :kind AND name > found.name)
  FROM found WHERE found.name IS NOT NULL
) SELECT name FROM found WHERE name IS NOT NULL
"""
_BATCH_DOCUMENTS = 4000
"""Documents written in one transaction, so that other writers get a turn within some 200 ms."""
_ANALYZE_AFTER_WRITES = 5000
"""Documents written in bulk between two samples of the indexes."""


class SqliteDocuments(Closing):
    """Keeps the `Documents` port in one file, for several threads and processes at once.

    `indexes` names, for each kind, the top-level fields that are filtered, ordered or counted by. Filters by other
    fields work too, but read every body of the tenant's kind; an order by another field is rejected, as it is in the
    cloud, unless no indexes are given at all. Close it, or use it as a context manager.
    """

    def __init__(self, path: Path, *, indexes: Mapping[str, Sequence[str]] | None = None) -> None:
        self._facets: dict[str, frozenset[str]] = {}
        self._indexes = indexes
        self._written = 0
        self._database = Database(path, _MARK, _SCHEMA, self._prepare)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        facet.prepare(connection, self._indexes or {})
        self._facets = facet.read(connection)

    def close(self) -> None:
        """Close the file; every later call raises Unusable."""
        self._database.close()

    def check(self) -> None:
        """See `Documents.check`; looks for damage in as much of the file as can be read in half a second."""
        self._database.check()
        probe.documents(self)

    def request_units(self) -> Mapping[str, Mapping[str, float]]:
        """See `Documents.request_units`: a file charges nothing."""
        return {}

    def get(self, *, tenant: str, kind: str, id: str) -> Document | None:
        """See `Documents.get`."""
        _check(tenant, kind, id)
        with self._database.reading() as connection:
            row = connection.execute(_GET, (tenant, kind, id)).fetchone()
        return None if row is None else RawDocument(*row)

    def get_many(self, *, tenant: str, kind: str, ids: Sequence[str]) -> dict[str, Document]:
        """See `Documents.get_many`."""
        _check(tenant, kind, *ids)
        with self._database.reading() as connection:
            rows = connection.execute(_GET_MANY, (tenant, kind, orjson.dumps(ids).decode())).fetchall()
        return {row[0]: _document(row) for row in rows}

    def put(self, *, tenant: str, kind: str, id: str, body: DocumentBody, if_match: str | None = None) -> Document:
        """See `Documents.put`."""
        _check(tenant, kind, id)
        data = encode(body)
        if if_match is None:
            return self._write(f"{_PUT} RETURNING etag", tenant, kind, id, data)
        with self._database.writing() as connection:
            row = connection.execute(_REPLACE, (data.decode(), tenant, kind, id, if_match)).fetchone()
            if row is None:
                raise _missed(connection, tenant, kind, id)
        return _document((id, row[0], data))

    def create(self, *, tenant: str, kind: str, id: str, body: DocumentBody) -> Document:
        """See `Documents.create`."""
        _check(tenant, kind, id)
        return self._write(f"{_CREATE} RETURNING etag", tenant, kind, id, encode(body))

    def _write(self, statement: str, tenant: str, kind: str, id_: str, data: bytes) -> Document:
        with self._database.writing() as connection:
            try:
                row = connection.execute(statement, (tenant, kind, id_, data.decode())).fetchone()
            except sqlite3.IntegrityError as error:
                raise AlreadyExists(f"{kind} '{id_}' already exists", path="id") from error
        return _document((id_, row[0], data))

    def put_many(
        self, *, tenant: str, kind: str, items: Mapping[str, DocumentBody], newer_by: str | None = None
    ) -> None:
        """See `Documents.put_many`; every 4000 documents are one transaction."""
        check_scope(tenant, kind)
        statement = _PUT
        if newer_by is not None:
            check_field(newer_by, path="newer_by")
            stored, coming = (f"json_extract({table}.body, '$.{newer_by}')" for table in ("documents", "excluded"))
            statement = f"{_PUT} WHERE {stored} IS NULL OR {stored} < {coming}"
        refused: dict[str, CortexError] = {}
        for batch in batched(items.items(), _BATCH_DOCUMENTS, strict=False):
            encoded, unfit = encode_many(dict(batch))
            refused |= unfit
            rows = [(tenant, kind, id_, data.decode()) for id_, data in encoded.items()]
            with self._database.writing() as connection:
                connection.executemany(statement, rows)
                self._written += len(rows)
                # Sampled now and then, SQLite knows which of two conditions is the narrower.
                if self._written >= _ANALYZE_AFTER_WRITES:
                    self._written = 0
                    connection.execute("ANALYZE")
        if refused:
            raise ItemsRejected(refused)

    def create_all(self, *, tenant: str, kind: str, group: str, items: Mapping[str, DocumentBody]) -> None:
        """See `Documents.create_all`; survives a power cut, because streams are what all else is rebuilt from."""
        check_scope(tenant, kind)
        check_id(group, path="group")
        rows = [(tenant, kind, group, id_, data.decode()) for id_, data in encode_group(items).items()]
        with self._database.writing(durable=True) as connection:
            try:
                connection.executemany(_CREATE_GROUPED, rows)
            except sqlite3.IntegrityError as error:
                raise AlreadyExists(
                    f"one of {', '.join(items)} already exists in {kind} '{group}'", path="items"
                ) from error

    def get_group(
        self, *, tenant: str, kind: str, group: str, after: str = "", limit: int = 1000
    ) -> Sequence[Document]:
        """See `Documents.get_group`."""
        check_scope(tenant, kind)
        check_id(group, path="group")
        check_limit(limit)
        with self._database.reading() as connection:
            return [_document(row) for row in connection.execute(_GET_GROUP, (tenant, kind, group, after, limit))]

    def groups(self, *, tenant: str, kind: str) -> Sequence[str]:
        """See `Documents.groups`."""
        check_scope(tenant, kind)
        with self._database.reading() as connection:
            return [name for (name,) in connection.execute(_GROUPS, {"tenant": tenant, "kind": kind})]

    def delete(self, *, tenant: str, kind: str, id: str, if_match: str | None = None) -> None:
        """See `Documents.delete`."""
        _check(tenant, kind, id)
        with self._database.writing() as connection:
            if if_match is None:
                connection.execute(_DELETE, (tenant, kind, id))
            elif not connection.execute(f"{_DELETE} AND etag = ?", (tenant, kind, id, if_match)).rowcount:
                missed = _missed(connection, tenant, kind, id)
                # What is gone already needs no deletion.
                if isinstance(missed, Stale):
                    raise missed

    def query(
        self, *, tenant: str, kind: str, query: Query, limit: int = 50, cursor: str | None = None
    ) -> DocumentPage:
        """See `Documents.query`."""
        check_limit(limit)
        check_query(query, orders=None if self._indexes is None else self._indexes.get(kind, ()))
        clause = SqliteQuery(tenant, kind, self._facets.get(kind, frozenset()))
        position = read_cursor(tenant, kind, query, cursor)
        clause.add(query)
        if position:
            clause.resume(query, position)
        with self._database.reading() as connection:
            rows = connection.execute(clause.page(query), (*clause.parameters, limit + 1)).fetchall()
        items = [RawDocument(*row) for row in rows]
        return page(tenant, kind, query, items, limit)

    def count(self, *, tenant: str, kind: str, query: Query, by: str | None = None) -> dict[str, int]:
        """See `Documents.count`; without the field, or null there, counts under ""."""
        check_scope(tenant, kind)
        check_query(query, by=by)
        clause = SqliteQuery(tenant, kind, self._facets.get(kind, frozenset()))
        clause.add(query)
        with self._database.reading() as connection:
            rows = connection.execute(clause.count(by), clause.parameters).fetchall()
        return count_by_value(
            (orjson.loads(value) if isinstance(value, bytes) else value, number) for value, number in rows
        )


class RawDocument(Document):
    """A document whose body is decoded when it is first used: who has this version cached never decodes it."""

    __slots__ = ("_decoded", "_raw")
    _decoded: DocumentBody | None
    _raw: str

    def __init__(self, id: str, etag: str, raw: str) -> None:
        # The base class is frozen: attributes can be set only past its own __setattr__.
        for name, value in (("id", id), ("etag", etag), ("_raw", raw), ("_decoded", None)):
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Document):
            return NotImplemented
        return (self.id, self.etag, self.body) == (other.id, other.etag, other.body)

    __hash__ = Document.__hash__

    @property
    def body(self) -> DocumentBody:
        """Decode the body, once; Damaged when it is not JSON."""
        if self._decoded is None:
            object.__setattr__(self, "_decoded", _document((self.id, self.etag, self._raw)).body)
        assert self._decoded is not None  # just decoded
        return self._decoded

    def has(self, member: str) -> bool:
        """See `Document.has`: most bodies do not hold the name at all."""
        return f'"{member}"' in self._raw and member in self.body


def _check(tenant: str, kind: str, *ids: str) -> None:
    check_scope(tenant, kind)
    for id_ in ids:
        check_id(id_)


def _document(row: tuple[str, str, str | bytes]) -> Document:
    id_, etag, body = row
    try:
        return Document(id_, orjson.loads(body), etag)
    except orjson.JSONDecodeError as error:
        raise Damaged(f"document '{id_}' is not JSON ({error}): {REMEDY}") from error


def _missed(connection: sqlite3.Connection, tenant: str, kind: str, id_: str) -> NotFound | Stale:
    """Return why a write that named an etag changed nothing."""
    if connection.execute(_GET, (tenant, kind, id_)).fetchone() is None:
        return NotFound(f"there is no {kind} '{id_}'", path="id")
    return Stale(f"{kind} '{id_}' has changed since it was read: read it again", path="etag")
