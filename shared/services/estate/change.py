"""Receive change events of the cloud, and judge again the resources that they name."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from shared.domain.arm_id import parent_of, type_of
from shared.domain.decoding import decode
from shared.domain.error import Forbidden, InvalidInput, NotFound
from shared.domain.printable import printable
from shared.eventstore.store import Store
from shared.ports.inventory import Inventory
from shared.ports.queue import Queue
from shared.services import compliance, message
from shared.services.estate import judgement
from shared.services.policy.effective_policy import EffectivePolicies

QUEUE = "change-events"
EVENT_QUEUE = "resource-events"
"""The queue where Event Grid puts its events, one per message."""
DELIVERY_EVENTS = 5000
"""Events in one delivery; Event Grid batches at most that many."""
_LOG = logging.getLogger(__name__)


def take(events: list[Mapping[str, Any]], *, store: Store, queue: Queue) -> int:
    """Queue one message for each resource that the events name; return how many there are.

    Takes the Event Grid schema and CloudEvents; InvalidInput for any other.
    Source: Azure Event Grid, "Azure subscription as an Event Grid source".
    """
    if len(events) > DELIVERY_EVENTS:
        raise InvalidInput(f"{len(events)} events in one delivery; at most {DELIVERY_EVENTS} are taken", path="$")
    # A dict keeps the order and drops repetitions: one burst of events often names one resource many times.
    named = dict.fromkeys(target for index, event in enumerate(events) for target in _targets(event, index))
    for target in named:
        queue.send(QUEUE, message.write(store, target))
    return len(named)


def receive(body: bytes, *, store: Store, queue: Queue) -> int:
    """Receive what Event Grid put into its queue, an event or a list of them; return how many resources it names.

    InvalidInput, also for what is not JSON. Source: Azure Event Grid, "Storage queue as an event handler".
    """
    found = decode(body)
    events = found if isinstance(found, list) else [found]
    for index, each in enumerate(events):
        if not isinstance(each, Mapping):
            raise InvalidInput("an event must be an object", path=f"$[{index}]")
    return take(events, store=store, queue=queue)


def judge(resource_id: str, *, store: Store, inventory: Inventory, policies: EffectivePolicies) -> None:
    """Judge one changed resource, and refresh the summary; what no scan lists counts only as a part of its owner.

    One that may not be read counts as unread from now on. Throttled and Unavailable are raised, to be tried again.
    """
    # A part of another resource is judged with its owner, which has a message of its own.
    if not policies.lists(type_of(resource_id)):
        return
    try:
        _judge(resource_id, store=store, inventory=inventory, policies=policies)
    finally:
        # However it ends: an earlier delivery may have judged it, and others have left the summary to this message.
        compliance.refresh_soon(store=store, policies=policies)


def _judge(resource_id: str, *, store: Store, inventory: Inventory, policies: EffectivePolicies) -> None:
    try:
        judgement.judge_resource(resource_id, store=store, inventory=inventory, policies=policies)
    except Forbidden as error:  # another delivery would not help
        _LOG.warning("%s has changed, but may not be read: %s", printable(resource_id), error.message)
        judgement.hide_resource(resource_id, error, store=store, policies=policies)
    except NotFound as error:
        _LOG.warning("%s has changed, but no cloud is connected: %s", printable(resource_id), error.message)


def _targets(event: Mapping[str, Any], index: int) -> Iterator[str]:
    """Yield the resource an event is about, and those it belongs to: children are judged with their owners.

    In lower case: events spell ids as whoever made the change did.
    """
    data = event.get("data")
    if not isinstance(data, Mapping):
        raise InvalidInput("an event must have an object as data", path=f"$[{index}].data")
    info = data.get("resourceInfo")
    named = info.get("id") if isinstance(info, Mapping) else data.get("resourceUri") or event.get("subject")
    if not isinstance(named, str) or not named.startswith("/") or len(named) > 2048:  # noqa: PLR2004 - ARM's bound
        raise InvalidInput("no ARM id in data.resourceInfo.id, data.resourceUri or subject", path=f"$[{index}]")
    # An event names the child only; the policies of its owner may look at it.
    target: str | None = named.lower()
    while target:
        yield target
        target = parent_of(target)
