"""Queue: messages between the app's functions, delivered at least once, in no particular order."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.domain.error import InvalidInput


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message as received. `receipt` proves this delivery; it is void once the message becomes visible again.

    `text` is what the queue holds, unchanged; other senders may send any text.
    """

    id: str
    text: str
    receipt: str
    dequeue_count: int
    inserted_at: datetime
    expires_at: datetime
    visible_at: datetime

    @property
    def body(self) -> str:
        """Return the body that `Queue.send` was given; InvalidInput for a text that did not come from there."""
        try:
            return decoded(self.text).decode()
        except UnicodeDecodeError as error:
            raise InvalidInput("the text is the base64 of bytes that are not UTF-8", path="text") from error


def encoded(body: str) -> str:
    """Return the text of a body: base64, which the Functions host expects unless host.json says otherwise.

    Source: "Azure Queue storage trigger and bindings", host.json settings, messageEncoding.
    """
    return base64.b64encode(body.encode()).decode()


def decoded(text: str) -> bytes:
    """Return the bytes of a base64 text, whose white space is ignored as in .NET; InvalidInput for any other text."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"the text is not base64 ({error}): it was sent without encoding", path="text") from error


class Queue(Protocol):
    """Named queues (3-63 characters: lower-case letters, digits, hyphens), made on first use.

    A body is text of at most 48 KiB and travels as base64, which makes 64 KiB of it. Messages live seven days. A
    received message is invisible for `visibility` and comes back unless it is deleted; `dequeue_count` counts the
    deliveries.
    Source: Azure Storage, "Queue Storage concepts".
    """

    def send(self, queue: str, body: str, *, delay: timedelta = timedelta(0)) -> str:
        """Send a body, visible after `delay`; return the message's id. TooLarge over 48 KiB."""
        ...

    def send_text(self, queue: str, text: str, *, delay: timedelta = timedelta(0)) -> str:
        """Send a text as it is, as other senders do and as messages move between queues; return the message's id.

        TooLarge over 64 KiB.
        """
        ...

    def receive(
        self, queue: str, *, limit: int = 16, visibility: timedelta = timedelta(seconds=30)
    ) -> list[QueueMessage]:
        """Receive up to `limit` (at most 32) visible messages, hidden from others for `visibility`."""
        ...

    def delete(self, queue: str, message: QueueMessage) -> None:
        """Delete a message that is done; Stale when the receipt is void: someone else may have the message now."""
        ...

    def release(self, queue: str, message: QueueMessage, *, delay: timedelta = timedelta(0)) -> None:
        """Give the message back, visible after `delay`. Stale when the receipt is void."""
        ...

    def renew(
        self, queue: str, message: QueueMessage, *, visibility: timedelta = timedelta(seconds=30)
    ) -> QueueMessage:
        """Hide the message for `visibility` from now; return it with its new receipt. Stale when it is void."""
        ...

    def length(self, queue: str) -> int:
        """Return about how many messages there are, visible or not."""
        ...

    def check(self) -> None:
        """Write something small and read it back; raise the error of what does not work, Damaged included."""
        ...
