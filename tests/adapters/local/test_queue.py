"""What only the SQLite queue promises: its own clock, order, expiry, other processes, kills."""

import multiprocessing
from datetime import timedelta
from pathlib import Path

from shared.adapters.local.queue import SqliteQueue
from tests.adapters.queue.conftest import Clock


def test_messages_expire_after_seven_days(tmp_path: Path) -> None:
    clock = Clock()
    with SqliteQueue(tmp_path / "queue.db", now=clock) as queue:
        queue.send("work", "old")
        clock.move(timedelta(days=6).total_seconds())
        queue.send("work", "new")
        clock.move(timedelta(days=1).total_seconds())
        assert queue.length("work") == 1
        assert [message.body for message in queue.receive("work")] == ["new"]


def test_the_oldest_come_first(tmp_path: Path) -> None:
    clock = Clock()
    with SqliteQueue(tmp_path / "queue.db", now=clock) as queue:
        for number in range(20):
            queue.send("work", str(number))
            clock.move(1)
        received = [message.body for _ in range(4) for message in queue.receive("work", limit=5)]
    assert received == [str(number) for number in range(20)]


def test_a_renewed_message_outlives_its_first_visibility(tmp_path: Path) -> None:
    clock = Clock()
    with SqliteQueue(tmp_path / "queue.db", now=clock) as queue:
        queue.send("work", "hello")
        (message,) = queue.receive("work", visibility=timedelta(seconds=30))
        for _ in range(5):
            clock.move(20)
            message = queue.renew("work", message, visibility=timedelta(seconds=30))
            assert queue.receive("work") == []
        clock.move(31)
        assert [each.dequeue_count for each in queue.receive("work")] == [2]


def drain(path: Path) -> list[str]:
    received = []
    with SqliteQueue(path) as queue:
        while messages := queue.receive("work", limit=3):
            for message in messages:
                queue.delete("work", message)
                received.append(message.body)
    return received


def test_processes_share_a_queue(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    with SqliteQueue(path) as queue:
        for number in range(200):
            queue.send("work", str(number))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        received = [body for bodies in pool.map(drain, [path, path], chunksize=1) for body in bodies]
        pool.close()
        pool.join()
    assert sorted(received, key=int) == [str(number) for number in range(200)]
