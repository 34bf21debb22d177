"""Take change messages of the cloud and judge anew what they name, and nothing else."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.domain.error import InvalidInput
from shared.domain.resource import parent_of, type_of
from shared.ports.inventory import Inventory
from shared.ports.queue import Queue
from shared.services import compliance, judgement, message
from shared.services.estate import Store
from shared.services.policy import Book

QUEUE = "change-events"
MOST = 5000
"""Events in one delivery; Event Grid batches at most that many."""


def take(events: list[Mapping[str, Any]], *, store: Store, queue: Queue) -> int:
    """Queue one message for each resource that the events name; how many there were.

    Takes the Event Grid schema and CloudEvents. Source: Azure Event Grid, "Azure subscription as an Event Grid source".
    """
    if len(events) > MOST:
        raise InvalidInput(f"{len(events)} events in one delivery; at most {MOST} are taken", path="$")
    named = dict.fromkeys(target for index, event in enumerate(events) for target in _targets(event, index))
    for target in named:
        queue.send(QUEUE, message.write(store, target))
    return len(named)


def judge(resource_id: str, *, store: Store, inventory: Inventory, book: Book) -> None:
    """Judge one changed resource, and refresh the summary; what no scan lists counts only as a part of its owner."""
    if not book.lists(type_of(resource_id)):
        return
    judgement.judge_resource(resource_id, store=store, inventory=inventory, book=book)
    compliance.refresh(store=store, book=book)


def _targets(event: Mapping[str, Any], index: int) -> Iterator[str]:
    """The resource an event is about, and those it belongs to: children are judged with their owners.

    In lower case: events spell ids as whoever made the change did.
    """
    data = event.get("data")
    if not isinstance(data, Mapping):
        raise InvalidInput("an event must have an object as data", path=f"$[{index}].data")
    info = data.get("resourceInfo")
    named = info.get("id") if isinstance(info, Mapping) else data.get("resourceUri") or event.get("subject")
    if not isinstance(named, str) or not named.startswith("/") or len(named) > 2048:  # noqa: PLR2004 - ARM's bound
        raise InvalidInput("no ARM id in data.resourceInfo.id, data.resourceUri or subject", path=f"$[{index}]")
    target: str | None = named.lower()
    while target:
        yield target
        target = parent_of(target)
