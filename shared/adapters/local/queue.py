"""Queues in a SQLite file."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.adapters.local.sqlite import Database
from shared.adapters.message import LIFE, check_body, check_delay, check_queue, check_receive
from shared.domain.error import Stale
from shared.ports.queue import Message

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, body TEXT NOT NULL, receipt TEXT NOT NULL DEFAULT '',
  dequeue_count INTEGER NOT NULL DEFAULT 0,
  inserted_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, visible_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS messages_by_visibility ON messages (queue, visible_at);
CREATE INDEX IF NOT EXISTS messages_by_expiry ON messages (expires_at)
"""
_SEND = "INSERT INTO messages (queue, body, inserted_at, expires_at, visible_at) VALUES (?, ?, ?, ?, ?) RETURNING id"
_WAITING = "SELECT 1 FROM messages WHERE queue = ? AND visible_at <= ? LIMIT 1"
_EXPIRE = "DELETE FROM messages WHERE expires_at <= ?"
_RECEIVE = """
UPDATE messages SET receipt = lower(hex(randomblob(16))), dequeue_count = dequeue_count + 1, visible_at = :until
WHERE id IN (SELECT id FROM messages WHERE queue = :queue AND visible_at <= :now ORDER BY visible_at, id LIMIT :limit)
RETURNING id, body, receipt, dequeue_count, inserted_at, expires_at, visible_at
"""
_HELD = "WHERE id = :id AND queue = :queue AND receipt = :receipt AND visible_at > :now RETURNING receipt, visible_at"
_DELETE = f"DELETE FROM messages {_HELD}"  # noqa: S608 - constants
_RELEASE = f"UPDATE messages SET visible_at = :until, receipt = '' {_HELD}"  # noqa: S608 - constants
_RENEW = f"UPDATE messages SET visible_at = :until, receipt = lower(hex(randomblob(16))) {_HELD}"  # noqa: S608 - constants
_LENGTH = "SELECT count(*) FROM messages WHERE queue = ? AND expires_at > ?"


class SqliteQueue:
    """Keeps the `Queue` port in one file, for several threads and processes at once. `now` is the clock.

    Close it, or use it as a context manager.
    """

    def __init__(self, path: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._database = Database(path, _prepare)

    def close(self) -> None:
        """Close the file; every later call is refused."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, queue: str, body: str, *, delay: timedelta = timedelta(0)) -> str:
        """See `Queue.send`."""
        check_queue(queue)
        check_body(body)
        check_delay(delay)
        now = self._now()
        times = (_stamp(now), _stamp(now + LIFE), _stamp(now + delay))
        with self._database.writing() as connection:
            return str(connection.execute(_SEND, (queue, body, *times)).fetchone()[0])

    def receive(self, queue: str, *, limit: int = 16, visibility: timedelta = timedelta(seconds=30)) -> list[Message]:
        """See `Queue.receive`; the message that waits longest comes first."""
        check_queue(queue)
        check_receive(limit, visibility)
        now = self._now()
        # Looking first keeps the many polls of empty queues from taking turns with the writers.
        with self._database.reading() as connection:
            if connection.execute(_WAITING, (queue, _stamp(now))).fetchone() is None:
                return []
        wanted = {"queue": queue, "now": _stamp(now), "until": _stamp(now + visibility), "limit": limit}
        with self._database.writing() as connection:
            connection.execute(_EXPIRE, (_stamp(now),))
            rows = connection.execute(_RECEIVE, wanted).fetchall()
        return [_message(*row) for row in sorted(rows)]

    def delete(self, queue: str, message: Message) -> None:
        """See `Queue.delete`."""
        self._settle(_DELETE, queue, message, timedelta(0))

    def release(self, queue: str, message: Message, *, delay: timedelta = timedelta(0)) -> None:
        """See `Queue.release`."""
        check_delay(delay)
        self._settle(_RELEASE, queue, message, delay)

    def renew(self, queue: str, message: Message, *, visibility: timedelta = timedelta(seconds=30)) -> Message:
        """See `Queue.renew`."""
        check_receive(1, visibility)
        receipt, visible_at = self._settle(_RENEW, queue, message, visibility)
        return replace(message, receipt=receipt, visible_at=_time(visible_at))

    def length(self, queue: str) -> int:
        """See `Queue.length`."""
        check_queue(queue)
        with self._database.reading() as connection:
            return int(connection.execute(_LENGTH, (queue, _stamp(self._now()))).fetchone()[0])

    def _settle(self, statement: str, queue: str, message: Message, span: timedelta) -> tuple[str, int]:
        """Change a message we hold, visible again after `span`; its receipt and visibility then."""
        check_queue(queue)
        now = self._now()
        delivery = {"id": message.id, "queue": queue, "receipt": message.receipt, "now": _stamp(now)}
        with self._database.writing() as connection:
            row: tuple[str, int] | None = connection.execute(
                statement, delivery | {"until": _stamp(now + span)}
            ).fetchone()
        if row is None:
            raise Stale(f"message {message.id} of '{queue}' is no longer ours: it will be, or was, delivered again")
        return row


def _prepare(connection: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)


def _message(  # noqa: PLR0917 - the columns of _RECEIVE
    id_: int, body: str, receipt: str, dequeue_count: int, inserted: int, expires: int, visible: int
) -> Message:
    return Message(str(id_), body, receipt, dequeue_count, _time(inserted), _time(expires), _time(visible))


def _stamp(time: datetime) -> int:
    """Microseconds since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def _time(stamp: int) -> datetime:
    return _EPOCH + timedelta(microseconds=stamp)
