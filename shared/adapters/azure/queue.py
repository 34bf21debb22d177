"""Queues in Azure Queue Storage."""

import base64
import binascii
import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueServiceClient

from shared.adapters.azure.account import service
from shared.adapters.azure.fault import translated
from shared.adapters.message import LIFE, check_body, check_delay, check_queue, check_receive
from shared.domain.error import InvalidInput, NotFound, Stale
from shared.ports.queue import Message


class StorageQueue:
    """Keeps the `Queue` port in a storage account. Bodies travel as base64, as the Functions host expects them.

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, queue: str, body: str, *, delay: timedelta = timedelta(0)) -> str:
        """See `Queue.send`."""
        client = self._client(queue)
        check_body(body)
        check_delay(delay)
        text, seconds = base64.b64encode(body.encode()).decode(), _seconds(delay)
        life = int(LIFE.total_seconds())
        with translated(f"queue '{queue}'"):
            try:
                return client.send_message(text, visibility_timeout=seconds, time_to_live=life).id
            except ResourceNotFoundError:
                with contextlib.suppress(ResourceExistsError):
                    client.create_queue()
                return client.send_message(text, visibility_timeout=seconds, time_to_live=life).id

    def receive(self, queue: str, *, limit: int = 16, visibility: timedelta = timedelta(seconds=30)) -> list[Message]:
        """See `Queue.receive`."""
        client = self._client(queue)
        check_receive(limit, visibility)
        with translated(f"queue '{queue}'"):
            answer = client.receive_messages(messages_per_page=limit, visibility_timeout=_seconds(visibility))
            try:
                return [_message(each) for each in next(answer.by_page(), [])]
            except ResourceNotFoundError:
                return []

    def delete(self, queue: str, message: Message) -> None:
        """See `Queue.delete`."""
        client = self._client(queue)
        with self._held(queue, message):
            client.delete_message(message.id, message.receipt)

    def release(self, queue: str, message: Message, *, delay: timedelta = timedelta(0)) -> None:
        """See `Queue.release`."""
        client = self._client(queue)
        check_delay(delay)
        with self._held(queue, message):
            client.update_message(message.id, message.receipt, visibility_timeout=_seconds(delay))

    def renew(self, queue: str, message: Message, *, visibility: timedelta = timedelta(seconds=30)) -> Message:
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
            with translated(f"queue '{queue}'"):
                return client.get_queue_properties().approximate_message_count or 0
        except NotFound:
            return 0

    def _client(self, queue: str) -> QueueClient:
        check_queue(queue)
        return self._service.get_queue_client(queue)

    @contextlib.contextmanager
    def _held(self, queue: str, message: Message) -> Iterator[None]:
        """Raise Stale unless the delivery is still ours: by the clock, and then by the service."""
        void = Stale(f"message {message.id} of '{queue}' is no longer ours: it will be, or was, delivered again")
        if message.visible_at <= self._now():
            raise void
        try:
            with translated(f"message {message.id} of '{queue}'"):
                yield
        except (NotFound, InvalidInput) as error:  # 404, or 400 PopReceiptMismatch
            raise void from error


def _seconds(span: timedelta) -> int:
    return math.ceil(span.total_seconds())


def _message(received: Any) -> Message:  # noqa: ANN401 - QueueMessage, whose types allow that nothing is set
    return Message(
        id=received.id,
        body=_text(received.content or ""),
        receipt=received.pop_receipt,
        dequeue_count=received.dequeue_count,
        inserted_at=received.inserted_on,
        expires_at=received.expires_on,
        visible_at=received.next_visible_on,
    )


def _text(content: str) -> str:
    """The body of a message; what somebody else sent as plain text is taken as that."""
    try:
        return base64.b64decode(content, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return content
