"""The state of the sandbox cloud: one SQLite file; a write that got its response survives `kill -9`."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import orjson

from local.cloud.arm.address import group_of, subscription_of
from shared.domain.error import Damaged
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
CREATE TABLE IF NOT EXISTS change (
  key TEXT PRIMARY KEY, type TEXT NOT NULL, graph TEXT NOT NULL, subscription TEXT NOT NULL, grp TEXT NOT NULL,
  at TEXT NOT NULL, body BLOB NOT NULL
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
# Neither journal nor syncs: after a crash the unfinished file is not in its place, and is written again.
_BULK_PRAGMAS = (
    "PRAGMA page_size = 8192; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -131072;"
)
_SERVING_PRAGMAS = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536;"
_CHUNK_ROWS = 500
_COLUMNS = "key, type, graph, subscription, grp, etag, created, changed, ready, body"
_INSERT = f"INSERT INTO resource ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants only
_UPSERT = (
    _INSERT + " ON CONFLICT (key) DO UPDATE SET etag = excluded.etag, changed = excluded.changed,"
    " ready = excluded.ready, body = excluded.body"
)


@dataclass(frozen=True, slots=True)
class StoredRow:
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
        """Return the body, parsed."""
        content: dict[str, Json] = orjson.loads(self.body)
        return content

    def values(self) -> tuple[Json, ...]:
        """Return the columns in the order of the table."""
        return (
            self.key, self.type, self.graph, self.subscription, self.group,
            self.etag, self.created, self.changed, self.ready, self.body,
        )  # fmt: skip


CHANGE_TYPE = "microsoft.resources/changes"
GROUP_TYPE = "microsoft.resources/subscriptions/resourcegroups"
"""The type of resource groups in the store and in Resource Graph; Resource Manager itself says
Microsoft.Resources/resourceGroups."""


def stored_type(kind: str) -> str:
    """Return a type as it is stored: lower case."""
    kept = kind.lower()
    return GROUP_TYPE if kept == "microsoft.resources/resourcegroups" else kept


def make_row(key: str, *, kind: str, graph: str | None, at: str, body: bytes, etag: str | None = None) -> StoredRow:
    """Make the row of a resource that is stored for the first time."""
    return StoredRow(key, stored_type(kind), graph, subscription_of(key), group_of(key), etag, at, at, 0.0, body)


class ResourceStore:
    """One connection, shared by the threads of one process. Reads see what has been committed.

    Damaged when the file is not a store.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Taken again inside `writing`, whose block reads and writes by the same methods.
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._connection.executescript(_SERVING_PRAGMAS + _SCHEMA + _INDEX)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            message = f"{path.name} holds no sandbox cloud ({error}): move it away to get a new one"
            raise Damaged(message, place=str(path)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Open a transaction: committed at the end, rolled back on any error. Inside another it is part of that one."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            with self._transaction("COMMIT"):
                yield

    @contextlib.contextmanager
    def rolled_back(self) -> Iterator[None]:
        """Open a transaction that is rolled back at the end in any case."""
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
        """Run a statement and return all of its rows."""
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def get(self, key: str) -> StoredRow | None:
        """Return the resource with a lower-case id."""
        found = self.query(f"SELECT {_COLUMNS} FROM resource WHERE key = ?", (key,))  # noqa: S608 - constants only
        return StoredRow(*found[0]) if found else None

    def put(self, new: StoredRow) -> None:
        """Insert or replace a resource."""
        self.query(_UPSERT, new.values())

    def scan(
        self, prefix: str, *, after: str = "", kind: str | None = None, graph: str | None = None
    ) -> Iterator[StoredRow]:
        """Yield the rows whose key begins with `prefix` and lies after `after`, by key, in chunks.

        `kind` and `graph` leave only those of a type or of a Resource Graph table.
        """
        limit = prefix_end(prefix)
        where = " AND graph = ?3" if graph else " AND type = ?3" if kind else " AND ?3 IS NULL"
        sql = f"SELECT {_COLUMNS} FROM resource WHERE key > ?1 AND key < ?2 {where} ORDER BY key LIMIT {_CHUNK_ROWS}"  # noqa: S608
        # In chunks, each from the last key on: the lock is free in between, and memory is bounded.
        key = max(prefix, after)
        while found := self.query(sql, (key, limit, graph or kind)):
            yield from (StoredRow(*each) for each in found)
            if len(found) < _CHUNK_ROWS:
                return
            key = found[-1][0]

    def delete(self, key: str) -> int:
        """Delete a resource and all below it. Return how many there were."""
        with self._lock:
            # "0" follows "/": the range is all keys below this one.
            sql = "DELETE FROM resource WHERE key = ? OR (key > ? AND key < ?)"
            return self._connection.execute(sql, (key, key + "/", key + "0")).rowcount

    def add_change(self, key: str, graph: str, target: StoredRow, *, at: str, body: bytes) -> None:
        """Add a change of a resource, as a row of a Resource Graph table."""
        values = (key, CHANGE_TYPE, graph, target.subscription, target.group, at, body)
        self.query("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def log(
        self, *, at: str, method: str, resource_id: str, kind: str, etag: str | None, source: str, correlation: str
    ) -> int:
        """Add a write to the log. Return its sequence number."""
        with self._lock:
            sql = "INSERT INTO write (at, method, id, type, etag, source, correlation) VALUES (?, ?, ?, ?, ?, ?, ?)"
            return (
                self._connection.execute(sql, (at, method, resource_id, kind, etag, source, correlation)).lastrowid or 0
            )

    def writes(self, after: int = 0, most: int = 1000) -> list[dict[str, Json]]:
        """Return the log of writes after a sequence number."""
        names = ("sequence", "at", "method", "id", "type", "etag", "source", "correlation")
        found = self.query("SELECT * FROM write WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, most))
        return [dict(zip(names, each, strict=True)) for each in found]

    def fact(self, name: str) -> str | None:
        """Return a fact about the store by name, such as its seed; None when it has none."""
        found = self.query("SELECT value FROM fact WHERE name = ?", (name,))
        return found[0][0] if found else None

    def require_fact(self, name: str) -> str:
        """Return a fact that every store has; Damaged when this one has not."""
        found = self.fact(name)
        if not found:
            message = f"{self._path.name} is empty, or only part of a sandbox cloud: move it away to get a new one"
            raise Damaged(message, place=str(self._path))
        return found

    def remember(self, name: str, value: str) -> None:
        """Store a fact about the store itself."""
        self.query(
            "INSERT INTO fact VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
        )


def prefix_end(prefix: str) -> str:
    """Return the least text that is greater than all that begin with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else "\U0010ffff"


def bulk_insert(path: Path, rows: Iterable[tuple[Json, ...]], facts: Mapping[str, str]) -> None:
    """Write a new store, in bounded memory. Afterwards all of it is there, or nothing."""
    # Built under another name and moved into place in one step.
    building = path.with_suffix(path.suffix + ".new")
    path.parent.mkdir(parents=True, exist_ok=True)
    building.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(building, isolation_level=None)) as connection:
        connection.executescript(_BULK_PRAGMAS + _SCHEMA)
        connection.execute("BEGIN")
        connection.executemany(_INSERT, rows)
        connection.executemany("INSERT INTO fact VALUES (?, ?)", facts.items())
        connection.execute("COMMIT")
        connection.executescript(_INDEX)  # at the end: faster than row by row
    for journal in path.parent.glob(path.name + "-*"):  # of an older store: SQLite would replay it into the new one
        journal.unlink()
    building.replace(path)
