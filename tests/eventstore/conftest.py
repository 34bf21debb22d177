"""A small kind of thing: a counter whose events add to it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from shared.domain.error import Conflict
from shared.domain.event import Event, Recorded
from shared.domain.model import Model
from shared.eventstore.stream import Stream


class Counter(Model):
    total: int = 0
    sequence: int = 0
    asked_by: str = ""


class Added(Event):
    type: Literal["added"] = "added"
    version: Literal[2] = 2
    by: int


class Emptied(Event):
    type: Literal["emptied"] = "emptied"
    version: Literal[1] = 1


type CounterEvent = Annotated[Added | Emptied, Field(discriminator="type")]


def apply(counter: Counter | None, recorded: Recorded[CounterEvent]) -> Counter:
    before, event = counter or Counter(asked_by=recorded.actor), recorded.event
    if isinstance(event, Emptied):
        return before.model_copy(update={"total": 0, "sequence": recorded.sequence})
    if event.by < 0:
        raise Conflict("a counter only grows")
    return before.model_copy(update={"total": before.total + event.by, "sequence": recorded.sequence})


def from_amount(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Version 1 called it an amount."""
    return {"type": "added", "version": 2, "by": event["amount"]}


COUNTER = Stream(
    "counter",
    Counter,
    CounterEvent,
    apply,
    upcasters={("added", 1): from_amount},
    requester=lambda counter: counter.asked_by,
)
