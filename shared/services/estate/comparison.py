"""What a verification finds: resources that a full collection reads otherwise than the collection of changes kept them.

Only what no change told of is a difference. A change is told with a delay, so that what differs is looked at once more
when all changes made before it was read must have been told.
"""

import logging
from collections.abc import Iterator

from shared.domain.error import Unavailable
from shared.domain.estate import CollectionProgress
from shared.domain.estate_event import PageCollected
from shared.domain.printable import printable
from shared.domain.scan_difference import ScanDifference, ScanDifferenceKind
from shared.domain.timestamp import format_time
from shared.eventstore import stream
from shared.eventstore.store import Store
from shared.ports.inventory import CHANGE_DELAY, Inventory
from shared.services.estate import estate
from shared.services.estate.collection_page import lineage
from shared.services.estate.resource_change import ResourceChanges

NAMED_PATHS = 3
"""Paths that a cause names."""
_CAUSES = {
    ScanDifferenceKind.BODY: "{what} differs, and no change since {since} told of it",
    ScanDifferenceKind.MISSING: "it was not known, and no change since {since} told of its creation",
    ScanDifferenceKind.RELATED: "what belongs to it differs, which is read again every few days",
}
_LOG = logging.getLogger(__name__)

type Suspects = dict[str, tuple[str, str, str]]
"""Resource key -> kind of difference, ARM id, what differs."""


def suspects(found: ResourceChanges, *, store: Store, inventory: Inventory) -> Suspects:
    """Return what a page of a full collection changes of what was stored."""
    return {
        key: (_kind(found, key, store, inventory).value, row["resourceId"], ", ".join(found.paths(key)[:NAMED_PATHS]))
        for key, row in found.kept.items()
        if key in found.added or key in found.differing
    }


def _kind(found: ResourceChanges, key: str, store: Store, inventory: Inventory) -> ScanDifferenceKind:
    if key in found.added:
        # What is found under another resource has no changes of its own.
        listed = inventory.lists(tenant=store.tenant, resource_type=found.kept[key]["typeName"])
        return ScanDifferenceKind.MISSING if listed else ScanDifferenceKind.RELATED
    return ScanDifferenceKind.BODY if found.paths(key) else ScanDifferenceKind.RELATED


def differences(
    subscription: str, at: CollectionProgress, *, store: Store, inventory: Inventory
) -> list[ScanDifference]:
    """Return what differs though no change told of it, alarms first, and log those.

    Unavailable, with the seconds to wait, until changes that are made now must have been told.
    """
    left: Suspects = {}
    for each in stream.read(estate.STREAM, subscription, store=store, after=at.first):
        if isinstance(each.event, PageCollected) and each.event.scan == at.scan:
            found = estate.body_of(store, each.event).get("suspects", {})
            left |= found
            if found and (early := (each.at + CHANGE_DELAY - store.now()).total_seconds()) > 0:
                who = "1 resource differs" if len(found) == 1 else f"{len(found)} resources differ"
                reason = f"{who}: the cloud may still tell of the change"
                raise Unavailable(reason, retry_after=early)
    for told in _told(subscription, at, store, inventory) if left else ():
        left.pop(told, None)
    since = format_time(at.since) if at.since else ""
    kinds = ((ScanDifferenceKind(kind), identity, what) for kind, identity, what in left.values())
    made = [
        ScanDifference(kind=kind, resource=identity, cause=_CAUSES[kind].format(what=what, since=since))
        for kind, identity, what in kinds
    ]
    for alarm in (each for each in made if each.is_alarm):
        _LOG.error("scans of changes have missed %s: %s", printable(alarm.resource), alarm.cause)
    return sorted(made, key=lambda each: (not each.is_alarm, each.resource.lower()))


def _told(subscription: str, at: CollectionProgress, store: Store, inventory: Inventory) -> Iterator[str]:
    """Yield the keys of what changes name, and of the resources that it belongs to."""
    assert at.since is not None  # a verification begins with changes
    cursor: str | None = None
    while True:
        page = inventory.changed(tenant=store.tenant, subscription=subscription, since=at.since, cursor=cursor)
        for each in page.ids:
            yield from lineage(each)
        cursor = page.cursor
        if cursor is None:
            return
