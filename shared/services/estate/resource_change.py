"""What readings of resources change: their documents, and how each differs from what is stored."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.domain.difference import differences
from shared.domain.error import TooLarge
from shared.domain.finding import resource_key
from shared.domain.inventory import Gap, UnreadReason
from shared.domain.resource import Resource
from shared.domain.timestamp import parse_time
from shared.eventstore.store import Store
from shared.services.estate import resource
from shared.services.estate.resource import (
    comparable,
    completed,
    document,
    is_damaged,
    record,
    with_record_in_blob,
    without_body,
)

RESOURCE_KIND = resource.KIND
CHANGE_KIND = resource.CHANGE_KIND


@dataclass(slots=True)
class ResourceChanges:
    """What a page of resources changes: their documents, the changes of known ones, and which are new, by key.

    `differing` has the id of the change of each that differs from what was stored. `gaps` tell of bodies that could
    not be kept, whose documents say what is certain of the resource. `retained` are the ids of resources of which
    something that is stored was kept, because it says more or is newer.
    """

    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    added: set[str] = field(default_factory=set)
    differing: dict[str, str] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    retained: list[str] = field(default_factory=list)

    @property
    def new(self) -> int:
        """Return the number of resources that were not known, or gone."""
        return len(self.added)

    def paths(self, key: str) -> list[str]:
        """Return the paths in the body of a resource that differ; none where only what belongs to it does."""
        return (
            [each["path"] for each in self.changes[self.differing[key]]["differences"]] if key in self.differing else []
        )


def changes_of(
    resources: Iterable[Resource], store: Store, subscription: str, *, since: int | None = None
) -> ResourceChanges:
    """Return which resources are new or differ from what is stored; large bodies are put into blobs on the way.

    `since` is the last event of the subscription when the reading of them began: it is newer than all that was stored
    by then, whatever the clocks said. None for what others have read: only its own time says how old it is.
    """
    by_key = {resource_key(resource.id): resource for resource in resources}
    stored = store.documents.get_many(tenant=store.tenant, kind=RESOURCE_KIND, ids=list(by_key))
    found = ResourceChanges()
    for key, each in by_key.items():
        before = stored[key].body if key in stored else None
        whole = _completed(each, before, store) if before and since is None else each
        after, gap = _document(whole, subscription, before, store)
        if gap:
            found.gaps.append(gap)
        same = before is not None and not before["gone"] and before["hash"] == after["hash"]
        # Stored by a clock that was ahead, as its time is still to come: such a time does not stay, nor decide.
        ahead = before is not None and _known_at(before) > store.now()
        newer = before is not None and _is_newer(before, after, since, ahead=ahead)
        if (newer and not same) or len(whole.unread) < len(each.unread):
            found.retained.append(each.id)
        # The verdict may depend on how an equal body was read: that is stored, without a change in the history.
        alike = same and before is not None and before.get("reading") == after["reading"]
        # Whether it is damaged is asked last: it may take to read the blob.
        if before and (newer or (alike and not ahead and not is_damaged(before, store))):
            continue
        found.added.update({key} if before is None or before["gone"] else ())
        if whole.collected_at != each.collected_at:  # of what is older in it, that is no time of a change
            after["changedAt"] = each.collected_at
        # Read again and found unchanged: `changedAt` stays that of the last change.
        if before and same and not ahead:
            after["changedAt"] = before["changedAt"]
        if before and not same:
            found.differing[key] = f"{key}.{after['changedAt']}"
            found.changes[found.differing[key]] = _change(before, after, store)
        found.kept[key] = with_record_in_blob(after, store)
    return found


def _completed(fresh: Resource, before: Mapping[str, Any], store: Store) -> Resource:
    """Return what others have read of a resource with what is stored of it besides; as it is where that is newer."""
    if before["gone"] or fresh.collected_at is None or _known_at(before) > parse_time(fresh.collected_at):
        return fresh
    return completed(fresh, Resource.from_record(record(before, store)))


def _is_newer(before: Mapping[str, Any], after: Mapping[str, Any], since: int | None, *, ahead: bool) -> bool:
    """Return whether what is stored says more than another reading of the resource.

    Times decide only between readings that went on side by side; one from a clock that was ahead decides nothing.
    """
    if since is not None and (before["sequence"] <= since or ahead):
        return False
    return _known_at(before) > parse_time(after["collectedAt"])


def _known_at(stored: Mapping[str, Any]) -> datetime:
    """Return when we were last told of a resource: when it was read, or not found any more."""
    return parse_time(stored["changedAt"] if stored["gone"] else stored["collectedAt"])


def _document(
    each: Resource, subscription: str, before: Mapping[str, Any] | None, store: Store
) -> tuple[dict[str, Any], Gap | None]:
    """Return the stored form of a resource, and the gap where it has a body that no store takes."""
    try:
        return document(each, subscription, before, store.now()), None
    except (TooLarge, TypeError) as error:
        gap = Gap(
            scope=each.id,
            part=each.type,
            reason=UnreadReason.UNSUPPORTED,
            at=store.now(),
            message=f"what was read of it cannot be kept: {error}",
        )
        return document(without_body(each), subscription, before, store.now()), gap


def _change(before: Mapping[str, Any], after: Mapping[str, Any], store: Store) -> dict[str, Any]:
    lost = is_damaged(before, store)  # with nothing to compare, all of it would pass for added
    found = () if lost else differences(comparable(record(before, store)), comparable(after["record"]))
    return {
        "resource": after["id"],
        "at": after["changedAt"],
        "kind": "recreated" if before["gone"] else "updated",
        "differences": [each.model_dump(mode="json") for each in found],
    }
