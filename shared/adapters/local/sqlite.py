"""A SQLite file shared by threads and processes: pooled connections, short transactions, errors in our words."""

import contextlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.domain.error import Unavailable

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


class Database:
    """One file in WAL mode. `prepare` brings the schema up to date, inside a write transaction, before first use.

    A write that returned survives `kill -9` of this process (WAL, synchronous = NORMAL); one made with `durable`
    also survives a power cut (synchronous = FULL). Source: SQLite, "Write-Ahead Logging", "PRAGMA synchronous".
    """

    def __init__(self, path: Path, prepare: Callable[[sqlite3.Connection], None]) -> None:
        self._path = path
        self._idle: deque[sqlite3.Connection] = deque()
        self._write_turn = threading.Lock()
        self._closed = False
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            with self.writing() as connection:
                prepare(connection)
            undo.pop_all()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for statements that only read."""
        connection = self._borrow()
        try:
            with translated(self._path):
                yield connection
        finally:
            self._return(connection)

    @contextlib.contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """A connection inside a write transaction, committed at the end, rolled back on any error."""
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _borrow(self) -> sqlite3.Connection:
        if self._closed:
            raise Unavailable(f"{self._path} was closed: open it again")
        try:
            return self._idle.pop()
        except IndexError:
            with translated(self._path):
                return _connect(self._path)

    def _return(self, connection: sqlite3.Connection) -> None:
        self._idle.append(connection)
        if self._closed:
            self.close()


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours; each names the file and SQLite's own word for what happened."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise Unavailable(f"the store {path} does not answer: {error}", retry_after=1.0) from error
    except sqlite3.DatabaseError as error:
        raise Unavailable(f"the store {path} cannot be read: {error}; move it away or restore it") from error


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
