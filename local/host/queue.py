"""Queue triggers: polling, leases that are renewed, retries and poison queues."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

from local.host.function import Function
from local.host.invocation import Call, Invoker
from local.host.proto import TypedData
from local.host.setting import Queues
from local.host.wait import drain, within
from shared.domain.error import CortexError, Stale
from shared.ports.queue import Message, Queue

logger = logging.getLogger("Host.Triggers.Queues")

Settle = Callable[[str, Message], None]

_SHORTEST_WAIT = 0.02
_RETRY_WAIT = 5.0


class Consumer:
    """Feeds the messages of one queue to one function, as many side by side as host.json allows.

    A message is leased for `lease`; the lease is renewed while the function runs, so that a host that dies loses
    it within that time and someone else gets the message.
    """

    def __init__(
        self,
        function: Function,
        name: str,
        *,
        queue: Queue,
        invoker: Invoker,
        settings: Queues,
        lease: timedelta = timedelta(seconds=30),
    ) -> None:
        self.name = name
        self._function = function
        self._queue = queue
        self._invoker = invoker
        self._settings = settings
        self._lease = lease
        self._work: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There may be messages: look now."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until told to stop. Messages in work go on; `drain` waits for them."""
        longest = min(self._settings.max_polling_interval.total_seconds(), 1.0)
        wait = _SHORTEST_WAIT
        while not stop.is_set():
            self._woken.clear()
            if len(self._work) <= self._settings.threshold and await self._receive(stop):
                wait = _SHORTEST_WAIT
                continue
            await within(stop, _SHORTEST_WAIT)  # however often we are woken
            await within(self._woken, wait)
            wait = min(wait * 2, longest)

    async def drain(self, seconds: float) -> None:
        """Wait for the messages in work; give back those that take longer."""
        await drain(self._work, seconds)

    async def _receive(self, stop: asyncio.Event) -> int:
        try:
            messages = await asyncio.to_thread(
                self._queue.receive, self.name, limit=self._settings.batch_size, visibility=self._lease
            )
        except CortexError as error:
            logger.warning("queue %s cannot be read, trying again: %s", self.name, error)
            await within(stop, _RETRY_WAIT)
            return 0
        for message in messages:
            task = asyncio.create_task(self._give_back(message) if stop.is_set() else self._handle(message))
            self._work.add(task)
            task.add_done_callback(self._done)
        return len(messages)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        self.wake()
        if not task.cancelled() and (error := task.exception()):
            logger.error("queue %s: a message could not be settled: %s", self.name, error)

    async def _handle(self, message: Message) -> None:
        if message.dequeue_count > self._settings.max_dequeue_count:  # hosts died over it
            await self._poison(message)
            return
        lease = Lease(self._queue, self.name, message, self._lease)
        try:
            async with lease.held():
                result = await self._invoker.invoke(self._function, call(message))
        except asyncio.CancelledError:
            await asyncio.to_thread(lease.release)
            raise
        if result.ok:
            await asyncio.to_thread(lease.delete)
        elif message.dequeue_count >= self._settings.max_dequeue_count:
            await self._poison(lease.message)
        else:
            await asyncio.to_thread(lease.release, self._settings.visibility_timeout)

    async def _give_back(self, message: Message) -> None:
        await asyncio.to_thread(Lease(self._queue, self.name, message, self._lease).release)

    async def _poison(self, message: Message) -> None:
        poison = f"{self.name}-poison"
        logger.warning("message %s failed %d times and moves to %s", message.id, message.dequeue_count, poison)
        await asyncio.to_thread(self._queue.send, poison, message.body)
        await asyncio.to_thread(Lease(self._queue, self.name, message, self._lease).delete)


class Lease:
    """A message we hold. `message` carries the receipt of the last renewal."""

    def __init__(self, queue: Queue, name: str, message: Message, length: timedelta) -> None:
        self.message = message
        self._queue = queue
        self._name = name
        self._length = length

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Renew it at every third of its length; on leaving, a renewal under way has ended and `message` is right."""
        done = asyncio.Event()
        renewing = asyncio.create_task(self._renew(done))
        try:
            yield
        finally:
            done.set()
            await renewing

    async def _renew(self, done: asyncio.Event) -> None:
        while not await within(done, self._length.total_seconds() / 3):
            try:
                self.message = await asyncio.to_thread(
                    self._queue.renew, self._name, self.message, visibility=self._length
                )
            except Stale:
                logger.warning("message %s of %s is no longer ours while it is in work", self.message.id, self._name)
                return
            except CortexError as error:
                logger.warning("message %s of %s was not renewed: %s", self.message.id, self._name, error)

    def delete(self) -> None:
        """Done with it."""
        self._settle(self._queue.delete)

    def release(self, delay: timedelta = timedelta(0)) -> None:
        """Let it come back after `delay`."""
        self._settle(lambda name, message: self._queue.release(name, message, delay=delay))

    def _settle(self, how: Settle) -> None:
        try:
            how(self._name, self.message)
        except Stale:
            logger.warning("message %s of %s was taken over; it will be handled again", self.message.id, self._name)


def call(message: Message) -> Call:
    """What the function is given for a message."""
    return Call(
        TypedData(string=message.body),
        metadata={
            "Id": TypedData(string=message.id),
            "DequeueCount": TypedData(json=str(message.dequeue_count)),
            "InsertionTime": TypedData(string=_time(message.inserted_at)),
            "ExpirationTime": TypedData(string=_time(message.expires_at)),
            "NextVisibleTime": TypedData(string=_time(message.visible_at)),
            "PopReceipt": TypedData(string=message.receipt),
        },
        detail=f"{message.id} delivery {message.dequeue_count}",
    )


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
