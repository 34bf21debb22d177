"""Queues in a SQLite file."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.adapters import probe
from shared.adapters.closing import Closing
from shared.adapters.local.file import FileHeader
from shared.adapters.local.sqlite import Database
from shared.adapters.message import MESSAGE_LIFETIME, check_delay, check_queue, check_receive, check_text, text_of
from shared.domain.error import Stale
from shared.ports.queue import QueueMessage

_MARK = FileHeader(application=0x50437851, version=1)
""""PCxQ"."""
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
# One statement, so that two processes never receive the same message.
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


class SqliteQueue(Closing):
    """Keeps the `Queue` port in one file, for several threads and processes at once. `now` is the clock.

    Close it, or use it as a context manager.
    """

    def __init__(self, path: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._database = Database(path, _MARK, _SCHEMA)

    def close(self) -> None:
        """Close the file; every later call raises Unusable."""
        self._database.close()

    def check(self) -> None:
        """See `Queue.check`; looks for damage in as much of the file as can be read in half a second."""
        self._database.check()
        probe.queue(self)

    def send(self, queue: str, body: str, *, delay: timedelta = timedelta(0)) -> str:
        """See `Queue.send`."""
        return self.send_text(queue, text_of(body), delay=delay)

    def send_text(self, queue: str, text: str, *, delay: timedelta = timedelta(0)) -> str:
        """See `Queue.send_text`."""
        check_queue(queue)
        check_text(text)
        check_delay(delay)
        now = self._now()
        times = (_stamp(now), _stamp(now + MESSAGE_LIFETIME), _stamp(now + delay))
        with self._database.writing() as connection:
            return str(connection.execute(_SEND, (queue, text, *times)).fetchone()[0])

    def receive(
        self, queue: str, *, limit: int = 16, visibility: timedelta = timedelta(seconds=30)
    ) -> list[QueueMessage]:
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
            # Removed with each receive, so that no job of its own is needed.
            connection.execute(_EXPIRE, (_stamp(now),))
            rows = connection.execute(_RECEIVE, wanted).fetchall()
        return [
            QueueMessage(str(id_), text, receipt, count, _time(inserted), _time(expires), _time(visible))
            # RETURNING promises no order; ids grow with time.
            for id_, text, receipt, count, inserted, expires, visible in sorted(rows)
        ]

    def delete(self, queue: str, message: QueueMessage) -> None:
        """See `Queue.delete`."""
        self._settle(_DELETE, queue, message, timedelta(0))

    def release(self, queue: str, message: QueueMessage, *, delay: timedelta = timedelta(0)) -> None:
        """See `Queue.release`."""
        check_delay(delay)
        self._settle(_RELEASE, queue, message, delay)

    def renew(
        self, queue: str, message: QueueMessage, *, visibility: timedelta = timedelta(seconds=30)
    ) -> QueueMessage:
        """See `Queue.renew`."""
        check_receive(1, visibility)
        receipt, visible_at = self._settle(_RENEW, queue, message, visibility)
        return replace(message, receipt=receipt, visible_at=_time(visible_at))

    def length(self, queue: str) -> int:
        """See `Queue.length`."""
        check_queue(queue)
        with self._database.reading() as connection:
            return int(connection.execute(_LENGTH, (queue, _stamp(self._now()))).fetchone()[0])

    def _settle(self, statement: str, queue: str, message: QueueMessage, span: timedelta) -> tuple[str, int]:
        """Change a message that is ours, visible again after `span`; return its new receipt and visibility."""
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


def _stamp(time: datetime) -> int:
    """Return the microseconds since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def _time(stamp: int) -> datetime:
    return _EPOCH + timedelta(microseconds=stamp)
