"""A queue's consumer when things go wrong: stores that fail, leases that are lost, stops at a bad moment."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, override

import pytest

from local.host import queue as consuming
from local.host.function import AppFunction, FunctionBinding
from local.host.invocation import InvocationInput, InvocationResult
from local.host.queue import QueueConsumer
from local.host.setting import Queues
from shared.adapters.local.queue import SqliteQueue
from shared.domain.error import Unavailable
from shared.ports.queue import QueueMessage

FUNCTION = AppFunction(
    "work", "1", FunctionBinding("m", "queueTrigger", is_output=False, data={"queueName": "work"}), ()
)


class Faulty(SqliteQueue):
    """Fails calls as often as asked; its clock is set by the test."""

    def __init__(self, path: Path) -> None:
        self.time = datetime(2026, 3, 4, tzinfo=UTC)
        self.faults = dict.fromkeys(("receive", "delete", "renew"), 0)
        super().__init__(path, now=lambda: self.time)

    def _perhaps_fail(self, call: str) -> None:
        if self.faults[call]:
            self.faults[call] -= 1
            raise Unavailable(f"{call} fails as asked")

    @override
    def receive(self, *args: Any, **kwargs: Any) -> list[QueueMessage]:
        self._perhaps_fail("receive")
        return super().receive(*args, **kwargs)

    @override
    def delete(self, *args: Any, **kwargs: Any) -> None:
        self._perhaps_fail("delete")
        super().delete(*args, **kwargs)

    @override
    def renew(self, *args: Any, **kwargs: Any) -> QueueMessage:
        self._perhaps_fail("renew")
        return super().renew(*args, **kwargs)


class Invoker:
    """Calls what the test wants to happen while a message is in work."""

    def __init__(self, during: Callable[[], Any] = lambda: None) -> None:
        self.bodies: list[str] = []
        self.called = asyncio.Event()
        self._during = during

    async def invoke(self, _function: AppFunction, call: InvocationInput) -> InvocationResult:
        self.bodies.append(call.data.string)
        self.called.set()
        waiting = self._during()
        if waiting is not None:
            await waiting
        return InvocationResult("ok")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    monkeypatch.setattr(consuming, "_RETRY_SECONDS", 0)
    with Faulty(tmp_path / "queue.db") as faulty:
        faulty.send("work", "body")
        yield faulty


async def consume(store: SqliteQueue, invoker: Invoker, *, seconds: float = 1) -> None:
    """Let a consumer work until its function was called and the message is settled."""
    lease = timedelta(seconds=seconds)
    alone = Queues(batch_size=1, new_batch_threshold=0)  # it does not look for more while it has one in work
    consumer = QueueConsumer(FUNCTION, "work", queue=store, invoker=invoker, settings=alone, lease=lease)  # type: ignore[arg-type]
    stop = asyncio.Event()
    running = asyncio.create_task(consumer.run(stop))
    await asyncio.wait_for(invoker.called.wait(), 10)
    stop.set()
    await running
    await consumer.drain(10)


def test_a_store_that_cannot_be_read_is_tried_again(store: Faulty, caplog: pytest.LogCaptureFixture) -> None:
    store.faults["receive"] = 2
    invoker = Invoker()
    asyncio.run(consume(store, invoker))
    assert invoker.bodies == ["body"]
    assert store.length("work") == 0
    assert caplog.text.count("queue work cannot be read, trying again: receive fails as asked") == 2


def test_a_message_that_cannot_be_deleted_will_come_again(store: Faulty, caplog: pytest.LogCaptureFixture) -> None:
    store.faults["delete"] = 1
    asyncio.run(consume(store, Invoker()))
    assert store.length("work") == 1
    assert "could not be settled: delete fails as asked" in caplog.text


def test_a_lease_that_is_lost_leaves_the_message_to_whoever_has_it(
    store: Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    other: list[QueueMessage] = []

    def take_over() -> None:
        store.time += timedelta(hours=1)
        other.extend(store.receive("work"))

    asyncio.run(consume(store, Invoker(take_over)))
    assert [each.dequeue_count for each in other] == [2]
    assert store.length("work") == 1
    assert "was leased by another host and will run again" in caplog.text
    store.delete("work", other[0])


def test_a_renewal_that_fails_is_tried_again_and_one_that_is_too_late_ends_them(
    store: Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    store.faults["renew"] = 1

    async def work() -> None:
        await said("was not renewed: renew fails as asked")
        store.time += timedelta(hours=1)
        await said("was leased by another host while its function runs")

    async def said(text: str) -> None:
        while text not in caplog.text:  # noqa: ASYNC110 - the log has no event to wait for
            await asyncio.sleep(0.01)

    with caplog.at_level(logging.WARNING):
        asyncio.run(asyncio.wait_for(consume(store, Invoker(work)), 10))
    assert store.length("work") == 1


def test_a_message_that_arrives_while_stopping_goes_back_unhandled(store: Faulty) -> None:
    async def main() -> list[str]:
        invoker = Invoker()
        consumer = QueueConsumer(FUNCTION, "work", queue=store, invoker=invoker, settings=Queues())  # type: ignore[arg-type]
        stop = asyncio.Event()
        running = asyncio.create_task(consumer.run(stop))
        await asyncio.sleep(0)  # it is receiving
        stop.set()
        await running
        await consumer.drain(10)
        return invoker.bodies

    assert asyncio.run(main()) == []
    (back,) = store.receive("work")
    assert back.dequeue_count == 2
