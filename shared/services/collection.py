"""Collect a subscription page by page: what the cloud says becomes documents, and each page is a checkpoint."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson

from shared.domain.difference import differences
from shared.domain.error import CortexError, Forbidden, NotFound
from shared.domain.estate import Collection, Posture
from shared.domain.finding import resource_key
from shared.domain.inventory import Subscription
from shared.domain.resource import Resource, parent_of, plain_location, resource_group_of
from shared.ports.documents import Query
from shared.ports.inventory import Inventory, InventoryPage, Wanted
from shared.services import absence, estate, finding, stream
from shared.services.absence import Absence
from shared.services.estate import Store, text

RESOURCE = "resource"
CHANGE = "change"
PATIENCE = timedelta(seconds=60)
"""For confirming what was not seen, beyond the time for collecting."""


def collect(
    scan: str, subscription: Subscription, *, store: Store, inventory: Inventory, wanted: Wanted, until: datetime
) -> Posture:
    """Collect pages until there are no more, or until the time is up; call again to go on.

    Throttled and Unavailable pass through: what was collected before is kept, and the next call resumes after it.
    """
    known = _begin(scan, subscription, store)
    while known.collection and known.collection.scan == scan and known.collection.ended_at is None:
        at = known.collection
        if at.pages and at.cursor is None:  # all pages are here, whoever kept the last one
            return _finish(scan, subscription.id, at, store=store, inventory=inventory, until=until)
        try:
            page = inventory.page(tenant=store.tenant, subscription=subscription.id, wanted=wanted, cursor=at.cursor)
        except (Forbidden, NotFound) as error:
            return give_up(scan, subscription.id, error, store)
        known = keep_page(scan, subscription.id, at, page, store)
        if page.cursor is not None and store.now() >= until:
            return known
    return known


def keep_page(scan: str, subscription: str, begun: Collection, page: InventoryPage, store: Store) -> Posture:
    """Record one page; a page that was recorded already (a step done twice) changes nothing."""

    def decision(known: Posture) -> estate.Change | None:
        at = known.collection
        if at is None or at.scan != scan or at.pages != begun.pages or at.ended_at is not None:
            return None
        kept, changes, new = changed(page.resources, store, subscription)
        data = {
            "scan": scan,
            "page": at.pages + 1,
            "cursor": page.cursor,
            "read": len(page.resources),
            "total": page.total,
            "new": new,
            "gaps": [gap.model_dump(mode="json") for gap in page.gaps],
        }
        seen = tuple(resource_key(resource.id) for resource in page.resources)
        return estate.Change("pageCollected", data, {RESOURCE: kept, CHANGE: changes}, seen)

    return estate.decide(store, subscription, decision)


def changed(
    resources: Iterable[Resource], store: Store, subscription: str
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]], int]:
    """The documents of the resources that are new or different, the changes of known ones, the number of new ones."""
    by_key = {resource_key(resource.id): resource for resource in resources}
    stored = store.documents.get_many(tenant=store.tenant, kind=RESOURCE, ids=list(by_key))
    kept: dict[str, dict[str, Any]] = {}
    changes: dict[str, dict[str, Any]] = {}
    new = 0
    for key, resource in by_key.items():
        before = stored[key].body if key in stored else None
        after = document(resource, subscription, before, store.now())
        if before and not before["gone"] and before["hash"] == after["hash"]:
            continue
        if before and (before["collectedAt"] or "") > (after["collectedAt"] or ""):
            continue
        kept[key] = after
        new += before is None or before["gone"]
        if before:
            changes[f"{key}.{after['changedAt']}"] = _change(before, after)
    return kept, changes, new


def document(resource: Resource, subscription: str, before: Mapping[str, Any] | None, at: datetime) -> dict[str, Any]:
    """The stored form of a resource: what lists filter by beside the record itself."""
    record = resource.to_record()
    collected = resource.collected_at or text(at)
    record["collectedAt"] = collected
    identity = resource.id.lower()
    parent = parent_of(identity)
    tags = {str(name).lower(): value for name, value in (resource.body.get("tags") or {}).items()}
    return {
        "id": resource_key(identity),
        "resourceId": resource.id,
        "name": str(resource.body.get("name") or identity.rpartition("/")[2]),
        "type": resource.type.lower(),
        "typeName": resource.type,
        "location": _location(resource.body),
        "subscription": subscription,
        "resourceGroup": resource_group_of(identity),
        "parent": resource_key(parent) if parent else None,
        "owner": _tag(tags, "owner"),
        "environment": _tag(tags, "environment"),
        "hash": fingerprint(record),
        "firstSeen": before["firstSeen"] if before else collected,
        "changedAt": collected,
        "collectedAt": collected,
        "gone": False,
        "record": record,
    }


def fingerprint(record: Mapping[str, Any]) -> str:
    """A digest of what a record says, whenever it was read."""
    said = {"body": _comparable(record), "unread": sorted(record.get("unread") or ()), "related": _said(record)}
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _comparable(record: Mapping[str, Any]) -> dict[str, Any]:
    """The body with its location in one spelling: a resource provider and Resource Graph have their own."""
    body = record["body"]
    return {**body, "location": _location(body)} if "location" in body else dict(body)


def _location(body: Mapping[str, Any]) -> str | None:
    found = body.get("location")
    return plain_location(found) if isinstance(found, str) else None


def _said(record: Mapping[str, Any]) -> dict[str, Any]:
    related = record.get("related") or {}
    return {
        kind: found["reason"] if isinstance(found, Mapping) else [each["body"] for each in found]
        for kind, found in related.items()
    }


def _tag(tags: Mapping[str, Any], name: str) -> str | None:
    value = tags.get(name)
    return str(value) if value else None


def _change(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    found = differences(_comparable(before["record"]), _comparable(after["record"]))
    return {
        "resource": after["id"],
        "at": after["changedAt"],
        "kind": "recreated" if before["gone"] else "updated",
        "differences": [each.model_dump(mode="json") for each in found],
    }


def _begin(scan: str, subscription: Subscription, store: Store) -> Posture:
    def decision(known: Posture) -> estate.Change | None:
        if known.collection and known.collection.scan == scan:
            return None
        data = {
            "scan": scan,
            "displayName": subscription.display_name,
            "managementGroups": list(subscription.management_groups),
            "source": "cloud",
        }
        return estate.Change("collectionStarted", data)

    return estate.decide(store, subscription.id, decision)


def give_up(scan: str, subscription: str, error: CortexError, store: Store) -> Posture:
    """End a collection that cannot go on, and record what could not be read, and why."""
    gap = absence.gap(subscription, "subscription", "*/read", error, store)
    return _end(scan, subscription, Absence(gaps=[gap]), store, whole=False)


def _finish(
    scan: str, subscription: str, at: Collection, *, store: Store, inventory: Inventory, until: datetime
) -> Posture:
    """End a collection whose pages are all here; what a whole one did not see is confirmed, one by one."""
    whole = at.expected is None or at.read >= at.expected
    missing = _missing(at, subscription, store) if whole else []
    absent = absence.settle(missing, store=store, inventory=inventory, until=until + PATIENCE)
    return _end(scan, subscription, absent, store, whole=whole)


def _end(scan: str, subscription: str, absent: Absence, store: Store, *, whole: bool) -> Posture:
    """End it in one fact with why it is not whole: half of that would let what was not seen pass for gone."""

    def decision(known: Posture) -> estate.Change | None:
        at = known.collection
        if at is None or at.scan != scan or at.ended_at is not None:
            return None
        leaving = {key: {**row, "gone": True, "changedAt": text(store.now())} for key, row in absent.gone.items()}
        hidden = {
            key: document(resource, subscription, row, store.now()) for key, (row, resource) in absent.hidden.items()
        }
        farewell = finding.resolved(tuple(leaving), store, reason="the resource is gone")
        gaps = [gap.model_dump(mode="json") for gap in absent.gaps]
        data = {"scan": scan, "complete": whole and not gaps, "gone": len(leaving), "gaps": gaps}
        return estate.Change("collectionEnded", data, {RESOURCE: {**leaving, **hidden}, finding.KIND: farewell})

    return estate.decide(store, subscription, decision)


def _missing(at: Collection, subscription: str, store: Store) -> list[tuple[str, Mapping[str, Any]]]:
    """The stored resources that a complete collection did not see."""
    seen: set[str] = set()
    name = estate.name_of(subscription)
    for event in stream.read(documents=store.documents, tenant=store.tenant, stream=name, after=at.first):
        if event.type == "pageCollected" and event.data["scan"] == at.scan:
            seen.update(estate.body_of(store, event).get("seen", ()))
    live = Query(equals={"subscription": subscription, "gone": False})
    known = store.documents.count(tenant=store.tenant, kind=RESOURCE, query=live)[""]
    return [] if known <= len(seen) else [each for each in stored(live, store) if each[0] not in seen]


def stored(query: Query, store: Store) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All stored resources that match, by key, a page at a time."""
    cursor: str | None = None
    while True:
        page = store.documents.query(tenant=store.tenant, kind=RESOURCE, query=query, limit=500, cursor=cursor)
        for each in page.items:
            yield each.id, each.body
        cursor = page.cursor
        if cursor is None:
            return
