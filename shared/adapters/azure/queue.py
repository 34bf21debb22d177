"""Queues in Azure Queue Storage."""

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueServiceClient

from shared.adapters import probe
from shared.adapters.azure.account import service
from shared.adapters.azure.storage_error import error_translation
from shared.adapters.closing import Closing
from shared.adapters.message import MESSAGE_LIFETIME, check_delay, check_queue, check_receive, check_text, text_of
from shared.domain.error import InvalidInput, NotFound, Stale
from shared.ports.queue import QueueMessage


class StorageQueue(Closing):
    """Keeps the `Queue` port in a storage account. Texts are sent and received unchanged.

    `address` is a connection string or the account's https address, which takes an identity. `now` is the clock that
    judges whether a receipt is void, before the service is asked.
    """

    def __init__(
        self,
        address: str,
        *,
        identity: TokenCredential | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        **options: Any,  # noqa: ANN401 - the SDK client's own
    ) -> None:
        self._service = service(QueueServiceClient, "queue", address, identity, options)
        self._now = now

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def check(self) -> None:
        """See `Queue.check`."""
        probe.queue(self)

    def send(self, queue: str, body: str, *, delay: timedelta = timedelta(0)) -> str:
        """See `Queue.send`."""
        return self.send_text(queue, text_of(body), delay=delay)

    def send_text(self, queue: str, text: str, *, delay: timedelta = timedelta(0)) -> str:
        """See `Queue.send_text`."""
        client = self._client(queue)
        check_text(text)
        check_delay(delay)
        seconds = _seconds(delay)
        life = int(MESSAGE_LIFETIME.total_seconds())
        with error_translation(f"queue '{queue}'"):
            try:
                return client.send_message(text, visibility_timeout=seconds, time_to_live=life).id
            except ResourceNotFoundError:
                with contextlib.suppress(ResourceExistsError):
                    # Queues are made on first use: asking each time whether one exists would double the requests.
                    client.create_queue()
                return client.send_message(text, visibility_timeout=seconds, time_to_live=life).id

    def receive(
        self, queue: str, *, limit: int = 16, visibility: timedelta = timedelta(seconds=30)
    ) -> list[QueueMessage]:
        """See `Queue.receive`."""
        client = self._client(queue)
        check_receive(limit, visibility)
        with error_translation(f"queue '{queue}'"):
            answer = client.receive_messages(messages_per_page=limit, visibility_timeout=_seconds(visibility))
            try:
                # One page is one request; iterating would go on and receive more than was asked for.
                return [_message(each) for each in next(answer.by_page(), [])]
            except ResourceNotFoundError:
                return []

    def delete(self, queue: str, message: QueueMessage) -> None:
        """See `Queue.delete`."""
        client = self._client(queue)
        with self._held(queue, message):
            client.delete_message(message.id, message.receipt)

    def release(self, queue: str, message: QueueMessage, *, delay: timedelta = timedelta(0)) -> None:
        """See `Queue.release`."""
        client = self._client(queue)
        check_delay(delay)
        with self._held(queue, message):
            client.update_message(message.id, message.receipt, visibility_timeout=_seconds(delay))

    def renew(
        self, queue: str, message: QueueMessage, *, visibility: timedelta = timedelta(seconds=30)
    ) -> QueueMessage:
        """See `Queue.renew`."""
        client = self._client(queue)
        check_receive(1, visibility)
        with self._held(queue, message):
            renewed: Any = client.update_message(message.id, message.receipt, visibility_timeout=_seconds(visibility))
        return replace(message, receipt=renewed.pop_receipt, visible_at=renewed.next_visible_on)

    def length(self, queue: str) -> int:
        """See `Queue.length`."""
        client = self._client(queue)
        try:
            with error_translation(f"queue '{queue}'"):
                return client.get_queue_properties().approximate_message_count or 0
        except NotFound:
            return 0

    def _client(self, queue: str) -> QueueClient:
        check_queue(queue)
        return self._service.get_queue_client(queue)

    @contextlib.contextmanager
    def _held(self, queue: str, message: QueueMessage) -> Iterator[None]:
        """Raise Stale unless the delivery is still ours: by the clock, and then by the service."""
        void = Stale(f"message {message.id} of '{queue}' is no longer ours: it will be, or was, delivered again")
        # The service takes a receipt until the message is received again; the port's promise ends with its visibility.
        if message.visible_at <= self._now():
            raise void
        try:
            with error_translation(f"message {message.id} of '{queue}'"):
                yield
        except (NotFound, InvalidInput) as error:  # 404, or 400 PopReceiptMismatch
            raise void from error


def _seconds(span: timedelta) -> int:
    # Rounded up: a message is never visible before its time.
    return math.ceil(span.total_seconds())


def _message(received: Any) -> QueueMessage:  # noqa: ANN401 - QueueMessage, whose types allow that nothing is set
    return QueueMessage(
        id=received.id,
        text=received.content or "",
        receipt=received.pop_receipt,
        dequeue_count=received.dequeue_count,
        inserted_at=received.inserted_on,
        expires_at=received.expires_on,
        visible_at=received.next_visible_on,
    )
