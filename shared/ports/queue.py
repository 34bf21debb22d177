"""Queue: messages between doors, delivered at least once, in no promised order."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """A message as received. `receipt` proves this delivery; it is void once the message becomes visible again."""

    id: str
    body: str
    receipt: str
    dequeue_count: int
    inserted_at: datetime
    expires_at: datetime
    visible_at: datetime


class Queue(Protocol):
    """Named queues (3-63 characters: lower-case letters, digits, hyphens), made on first use.

    A body is text of at most 48 KiB. Messages live seven days. A received message is invisible for `visibility`
    and comes back unless it is deleted; `dequeue_count` counts the deliveries.
    Source: Azure Storage, "Queue Storage concepts".
    """

    def send(self, queue: str, body: str, *, delay: timedelta = timedelta(0)) -> str:
        """Put a message, visible after `delay`; answer its id. TooLarge over 48 KiB."""
        ...

    def receive(self, queue: str, *, limit: int = 16, visibility: timedelta = timedelta(seconds=30)) -> list[Message]:
        """Take up to `limit` (at most 32) visible messages, hidden from others for `visibility`."""
        ...

    def delete(self, queue: str, message: Message) -> None:
        """Done with this delivery. Stale when the receipt is void: someone else may have the message now."""
        ...

    def release(self, queue: str, message: Message, *, delay: timedelta = timedelta(0)) -> None:
        """Give the message back, visible after `delay`. Stale when the receipt is void."""
        ...

    def renew(self, queue: str, message: Message, *, visibility: timedelta = timedelta(seconds=30)) -> Message:
        """Keep the message hidden for `visibility` from now; answer it with its new receipt. Stale when it is void."""
        ...

    def length(self, queue: str) -> int:
        """About how many messages there are, visible or not."""
        ...
