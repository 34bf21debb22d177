"""A SQLite file shared by threads and processes: pooled connections, short transactions, the product's errors."""

import contextlib
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from shared.adapters.closing import Closing
from shared.adapters.local.file import FileHeader, check_room, claim, inspect, translate
from shared.domain.error import Damaged, Unusable

_BUSY_SECONDS = 30.0
_OPEN_ATTEMPTS = 100
_PRAGMAS = """
PRAGMA synchronous = NORMAL;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -32768;
PRAGMA wal_autocheckpoint = 4000;
PRAGMA journal_size_limit = 67108864;
PRAGMA analysis_limit = 1000;
"""


class Database(Closing):
    """One file in WAL mode. `schema` and then `prepare` bring it up to date, inside a write transaction, before use.

    A write that returned survives `kill -9` of this process (WAL, synchronous = NORMAL); one made with `durable`
    also survives a power cut (synchronous = FULL). Source: SQLite, "Write-Ahead Logging", "PRAGMA synchronous".
    """

    def __init__(
        self,
        path: Path,
        mark: FileHeader,
        schema: str,
        prepare: Callable[[sqlite3.Connection], None] = lambda _connection: None,
    ) -> None:
        self._path = path
        self._place = str(path)
        self._mark = mark
        # Threads share it without a lock: appending and popping are atomic.
        self._idle: deque[sqlite3.Connection] = deque()
        self._write_turn = threading.Lock()
        self._closed = False
        self._damage: Damaged | None = None
        self._identity = claim(path, mark)
        # Closed again when the schema cannot be prepared.
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            with self.writing() as connection:
                # One by one: `executescript` would end the transaction before it began.
                for statement in schema.split(";"):
                    connection.execute(statement)
                prepare(connection)
            undo.pop_all()

    def check(self) -> None:
        """Look for what calls might not meet: damage, a full disk. Damage that was met once counts until a restart."""
        if self._damage:
            raise self._damage
        self._check_place()
        check_room(self._path)
        with self._translated():
            inspect(self._path, self._mark)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection for statements that only read."""
        connection = self._borrow()
        try:
            with self._translated():
                yield connection
        finally:
            self._idle.append(connection)
            # Closed meanwhile: what comes back is closed too.
            if self._closed:
                self.close()

    @contextlib.contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Yield a connection inside a write transaction, committed at the end, rolled back on any error."""
        # Threads of one process take turns here: SQLite's own lock is polled, and starves whoever waits.
        with self._write_turn, self.reading() as connection:
            if durable:
                connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if durable:
                    connection.execute("PRAGMA synchronous = NORMAL")

    def close(self) -> None:
        """Close what is idle now, and what is in use as soon as it comes back."""
        self._closed = True
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn SQLite's errors into ours, and remember damage."""
        try:
            yield
        except sqlite3.Error as error:
            translated = translate(error, self._path)
            self._damage = translated if isinstance(translated, Damaged) else self._damage
            raise translated from error

    def _borrow(self) -> sqlite3.Connection:
        if self._closed:
            raise Unusable(f"{self._path.name} was closed: open it again")
        self._check_place()
        try:
            return self._idle.pop()
        except IndexError:
            with self._translated():
                return _connect(self._path)

    def _check_place(self) -> None:
        """Raise Unusable when the file is no longer in its place: what is written to it would be lost."""
        try:
            found = os.stat(self._place)  # noqa: PTH116 - every call comes by here, and Path.stat takes thrice as long
        except OSError as error:
            raise Unusable(f"{self._path.name} was removed while in use: restore it and restart") from error
        if (found.st_dev, found.st_ino) != self._identity:
            raise Unusable(f"{self._path.name} was replaced while in use: restart")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _enter_wal(connection)
        connection.executescript(_PRAGMAS)
    except BaseException:
        connection.close()
        raise
    return connection


def _enter_wal(connection: sqlite3.Connection) -> None:
    # The switch to WAL needs the whole file for a moment and does not wait its turn by itself.
    for attempt in range(_OPEN_ATTEMPTS):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if attempt == _OPEN_ATTEMPTS - 1:
                raise
            time.sleep(0.05)
        else:
            return
