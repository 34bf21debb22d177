"""Poison messages: what a queue's function failed to take on every delivery, or could not read at all."""

from typing import Literal

from pydantic import AwareDatetime, Field

from shared.domain.event import Event, Recorded
from shared.domain.model import Model


class PoisonMessage(Model):
    """A poison message, as projected from its stream."""

    id: str
    queue: str = Field(description="the queue it came from, without -poison")
    text: str = Field(description="what was sent; responses show its start, made printable")
    reason: str
    subject: str | None = Field(default=None, description="the id of what it was about, where it could be read")
    sent_at: AwareDatetime
    at: AwareDatetime
    correlation: str
    sequence: int = 0


class MessagePoisoned(Event):
    """A message was taken out of a poison queue."""

    type: Literal["messagePoisoned"] = "messagePoisoned"
    version: Literal[1] = 1
    queue: str
    text: str
    reason: str
    subject: str | None = None
    sent_at: AwareDatetime


def apply(known: PoisonMessage | None, recorded: Recorded[MessagePoisoned]) -> PoisonMessage:
    """Return a message after an event; it is recorded once, and never changes."""
    if known is not None:
        return known
    event = recorded.event
    return PoisonMessage(
        id=recorded.thing,
        queue=event.queue,
        text=event.text,
        reason=event.reason,
        subject=event.subject,
        sent_at=event.sent_at,
        at=recorded.at,
        correlation=recorded.correlation,
        sequence=recorded.sequence,
    )
