"""The state of the sandbox cloud: one SQLite file; a write that was answered survives `kill -9`."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import orjson

from local.cloud.address import group_of, subscription_of
from shared.domain.resource import Json

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resource (
  number INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  type TEXT NOT NULL,
  graph TEXT,
  subscription TEXT NOT NULL,
  grp TEXT NOT NULL,
  etag TEXT,
  created TEXT NOT NULL,
  changed TEXT NOT NULL,
  ready REAL NOT NULL DEFAULT 0,
  body BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS operation (
  id TEXT PRIMARY KEY, key TEXT NOT NULL, method TEXT NOT NULL, started TEXT NOT NULL, ready REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS write (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, method TEXT NOT NULL, id TEXT NOT NULL,
  type TEXT NOT NULL, etag TEXT, source TEXT NOT NULL, correlation TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""
_INDEX = """
CREATE UNIQUE INDEX IF NOT EXISTS by_key ON resource (key);
CREATE INDEX IF NOT EXISTS listed ON resource (graph, key, type, subscription, grp) WHERE graph IS NOT NULL;
"""
_FILLING = "PRAGMA page_size = 8192; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -131072;"
_SERVING = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536;"
_CHUNK = 500
_COLUMNS = "key, type, graph, subscription, grp, etag, created, changed, ready, body"
_INSERT = f"INSERT INTO resource ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants only
_UPSERT = (
    _INSERT + " ON CONFLICT (key) DO UPDATE SET etag = excluded.etag, changed = excluded.changed,"
    " ready = excluded.ready, body = excluded.body"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A stored resource. `ready` is when its last long-running operation ends (Unix time), `body` is JSON text."""

    key: str
    type: str
    graph: str | None
    subscription: str
    group: str
    etag: str | None
    created: str
    changed: str
    ready: float
    body: bytes

    def document(self) -> dict[str, Json]:
        """The body, parsed."""
        content: dict[str, Json] = orjson.loads(self.body)
        return content

    def values(self) -> tuple[Json, ...]:
        """The columns in the order of the table."""
        return (
            self.key, self.type, self.graph, self.subscription, self.group,
            self.etag, self.created, self.changed, self.ready, self.body,
        )  # fmt: skip


GROUP_TYPE = "microsoft.resources/subscriptions/resourcegroups"
"""The type of resource groups in the store and in Resource Graph; Resource Manager's answers say
Microsoft.Resources/resourceGroups."""


def stored_type(kind: str) -> str:
    """A type as it is stored: lower case."""
    kept = kind.lower()
    return GROUP_TYPE if kept == "microsoft.resources/resourcegroups" else kept


def row(key: str, *, kind: str, graph: str | None, at: str, body: bytes, etag: str | None = None) -> Row:
    """A row as it is stored first."""
    return Row(key, stored_type(kind), graph, subscription_of(key), group_of(key), etag, at, at, 0.0, body)


class Store:
    """One connection, shared by the threads of one process. Reads see what has been committed."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._connection.executescript(_SERVING + _SCHEMA + _INDEX)
        except sqlite3.DatabaseError:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction, kept at the end, undone on any error; inside another it is part of that one."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            with self._transaction("COMMIT"):
                yield

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """A transaction that is undone at the end, however it ends."""
        with self._lock, self._transaction("ROLLBACK"):
            yield

    @contextlib.contextmanager
    def _transaction(self, end: str) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute(end)
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def query(self, sql: str, parameters: Sequence[Json] = ()) -> list[tuple[Json, ...]]:
        """All rows that a statement gives."""
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def get(self, key: str) -> Row | None:
        """The resource with a lower-case id."""
        found = self.query(f"SELECT {_COLUMNS} FROM resource WHERE key = ?", (key,))  # noqa: S608 - constants only
        return Row(*found[0]) if found else None

    def put(self, new: Row) -> None:
        """Insert or replace."""
        self.query(_UPSERT, new.values())

    def scan(self, prefix: str, *, after: str = "", kind: str | None = None, graph: str | None = None) -> Iterator[Row]:
        """Rows whose key begins with `prefix`, after the key `after`, by key, read as they are asked for.

        Only those of a type or of a Resource Graph table, where one is given.
        """
        limit = end_of(prefix)
        where = " AND graph = ?3" if graph else " AND type = ?3" if kind else " AND ?3 IS NULL"
        sql = f"SELECT {_COLUMNS} FROM resource WHERE key > ?1 AND key < ?2 {where} ORDER BY key LIMIT {_CHUNK}"  # noqa: S608
        key = max(prefix, after)
        while found := self.query(sql, (key, limit, graph or kind)):
            yield from (Row(*each) for each in found)
            if len(found) < _CHUNK:
                return
            key = found[-1][0]

    def delete(self, key: str) -> int:
        """Delete a resource and all below it; how many there were."""
        with self._lock:
            sql = "DELETE FROM resource WHERE key = ? OR (key > ? AND key < ?)"
            return self._connection.execute(sql, (key, key + "/", key + "0")).rowcount

    def log(
        self, *, at: str, method: str, resource_id: str, kind: str, etag: str | None, source: str, correlation: str
    ) -> int:
        """Add to the log of writes; its sequence number."""
        with self._lock:
            sql = "INSERT INTO write (at, method, id, type, etag, source, correlation) VALUES (?, ?, ?, ?, ?, ?, ?)"
            return (
                self._connection.execute(sql, (at, method, resource_id, kind, etag, source, correlation)).lastrowid or 0
            )

    def writes(self, after: int = 0, most: int = 1000) -> list[dict[str, Json]]:
        """The log of writes after a sequence number."""
        names = ("sequence", "at", "method", "id", "type", "etag", "source", "correlation")
        found = self.query("SELECT * FROM write WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, most))
        return [dict(zip(names, each, strict=True)) for each in found]

    def fact(self, name: str) -> str | None:
        """Something the store remembers of itself."""
        found = self.query("SELECT value FROM fact WHERE name = ?", (name,))
        return found[0][0] if found else None

    def remember(self, name: str, value: str) -> None:
        """Remember it."""
        self.query(
            "INSERT INTO fact VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
        )


def end_of(prefix: str) -> str:
    """The least text that is greater than all that begin with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else "\U0010ffff"


def fill(path: Path, rows: Iterable[tuple[Json, ...]], facts: Mapping[str, str]) -> None:
    """Write a whole new store in one go, in bounded memory: all of it is there afterwards, or none."""
    making = path.with_suffix(path.suffix + ".new")
    path.parent.mkdir(parents=True, exist_ok=True)
    making.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(making, isolation_level=None)) as connection:
        connection.executescript(_FILLING + _SCHEMA)
        connection.execute("BEGIN")
        connection.executemany(_INSERT, rows)
        connection.executemany("INSERT INTO fact VALUES (?, ?)", facts.items())
        connection.execute("COMMIT")
        connection.executescript(_INDEX)
    for leftover in path.parent.glob(path.name + "-*"):
        leftover.unlink()
    making.replace(path)
