"""Queue triggers: polling, leases that are renewed, retries and poison queues."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

from local.host.function import AppFunction
from local.host.invocation import InvocationInput, Invoker
from local.host.proto import TypedData
from local.host.setting import Queues
from local.host.wait import drain_tasks, wait_within
from shared.domain.error import CortexError, InvalidInput, Stale
from shared.ports.queue import Queue, QueueMessage, decoded

logger = logging.getLogger("Host.Triggers.Queues")

SettleMessage = Callable[[str, QueueMessage], None]

_POISON_SUFFIX = "-poison"
_NAME_CHARACTERS = 63
_POLL_SECONDS = 0.02
_RETRY_SECONDS = 5.0


class QueueConsumer:
    """Runs one function for the messages of one queue, as many concurrently as host.json allows.

    A message is leased for `lease`, which is renewed while the function runs; when a host dies, another one gets the
    message within that time. A message that failed too often, or is not encoded as host.json says, moves to the queue
    NAME-poison, unless it comes from such a queue. Source: azure-sdk-for-net, WebJobs extensions,
    "QueueProcessor", "QueueServiceClientProvider".
    """

    def __init__(
        self,
        function: AppFunction,
        name: str,
        *,
        queue: Queue,
        invoker: Invoker,
        settings: Queues,
        lease: timedelta = timedelta(seconds=30),
    ) -> None:
        self.name = name
        self._function = function
        self._poison_queue = (
            ""
            if name.endswith(_POISON_SUFFIX) or len(name + _POISON_SUFFIX) > _NAME_CHARACTERS
            else name + _POISON_SUFFIX
        )
        self._queue = queue
        self._invoker = invoker
        self._settings = settings
        self._lease = lease
        self._work: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look for messages now."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until `stop` is set. Messages in progress go on; `drain` waits for them."""
        longest = min(self._settings.max_polling_interval.total_seconds(), 1.0)
        wait = _POLL_SECONDS
        while not stop.is_set():
            # Cleared before the queue is read: a message that comes meanwhile is not missed.
            self._woken.clear()
            if len(self._work) <= self._settings.threshold and await self._receive(stop):
                wait = _POLL_SECONDS
                continue
            await wait_within(stop, _POLL_SECONDS)  # at least, however often we are woken
            await wait_within(self._woken, wait)
            # An empty queue is asked less and less often.
            wait = min(wait * 2, longest)

    async def drain(self, seconds: float) -> None:
        """Wait for the messages in progress; those that take longer go back to the queue."""
        await drain_tasks(self._work, seconds)

    async def _receive(self, stop: asyncio.Event) -> int:
        try:
            messages = await asyncio.to_thread(
                self._queue.receive, self.name, limit=self._settings.batch_size, visibility=self._lease
            )
        except CortexError as error:
            logger.warning("queue %s cannot be read, trying again: %s", self.name, error)
            await wait_within(stop, _RETRY_SECONDS)
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

    async def _handle(self, message: QueueMessage) -> None:
        if message.dequeue_count > self._settings.max_dequeue_count:  # hosts died while they ran it
            await self._poison(message, f"failed {message.dequeue_count - 1} times")
            return
        try:
            text, encoded = message.text, self._settings.message_encoding == "base64"
            body = decoded(text).decode(errors="replace") if encoded else text
        except InvalidInput as error:
            await self._poison(message, f"cannot be read: {error}")
            return
        lease = MessageLease(self._queue, self.name, message, self._lease)
        try:
            async with lease.held():
                result = await self._invoker.invoke(self._function, queue_input(message, body))
        except asyncio.CancelledError:
            await asyncio.to_thread(lease.release)
            raise
        if result.ok:
            await asyncio.to_thread(lease.delete)
        elif message.dequeue_count >= self._settings.max_dequeue_count:
            await self._poison(lease.message, f"failed {message.dequeue_count} times")
        elif self._poison_queue:  # without one it stays hidden for the rest of its lease
            await asyncio.to_thread(lease.release, self._settings.visibility_timeout)

    async def _give_back(self, message: QueueMessage) -> None:
        await asyncio.to_thread(MessageLease(self._queue, self.name, message, self._lease).release)

    async def _poison(self, message: QueueMessage, why: str) -> None:
        """Move a message unchanged to the poison queue; a message of a poison queue stays where it is."""
        if not self._poison_queue:
            logger.warning("message %s of %s %s and stays there", message.id, self.name, why)
            return
        logger.warning("message %s of %s %s and moves to %s", message.id, self.name, why, self._poison_queue)
        # Sent before it is deleted: a crash in between leaves two messages, never none.
        await asyncio.to_thread(self._queue.send_text, self._poison_queue, message.text)
        await asyncio.to_thread(MessageLease(self._queue, self.name, message, self._lease).delete)


class MessageLease:
    """A message that this host has leased. `message` has the receipt of the last renewal."""

    def __init__(self, queue: Queue, name: str, message: QueueMessage, length: timedelta) -> None:
        self.message = message
        self._queue = queue
        self._name = name
        self._length = length

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Renew the lease at every third of its length. On leaving, no renewal is under way: `message` is current."""
        done = asyncio.Event()
        renewing = asyncio.create_task(self._renew(done))
        try:
            yield
        finally:
            done.set()
            await renewing

    async def _renew(self, done: asyncio.Event) -> None:
        # At every third: one renewal may fail before the lease ends.
        while not await wait_within(done, self._length.total_seconds() / 3):
            try:
                self.message = await asyncio.to_thread(
                    self._queue.renew, self._name, self.message, visibility=self._length
                )
            except Stale:
                logger.warning(
                    "message %s of %s was leased by another host while its function runs",
                    self.message.id,
                    self._name,
                )
                return
            except CortexError as error:
                logger.warning("the lease of message %s of %s was not renewed: %s", self.message.id, self._name, error)

    def delete(self) -> None:
        """Delete the message."""
        self._settle(self._queue.delete)

    def release(self, delay: timedelta = timedelta(0)) -> None:
        """Make the message visible again after `delay`."""
        self._settle(lambda name, message: self._queue.release(name, message, delay=delay))

    def _settle(self, how: SettleMessage) -> None:
        try:
            how(self._name, self.message)
        except Stale:
            logger.warning(
                "message %s of %s was leased by another host and will run again", self.message.id, self._name
            )


def queue_input(message: QueueMessage, body: str) -> InvocationInput:
    """Return the function's input for a message whose text was decoded as `body`."""
    return InvocationInput(
        TypedData(string=body),
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
