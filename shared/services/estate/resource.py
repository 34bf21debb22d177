"""The stored form of a resource: a document with what lists filter by and what was read, or the name of its blob.

A record of up to 64 kB is in the document. A larger one is a blob named by the hash of its content, which the document
names: lists stay fast, a page of large resources is judged one at a time, and a body of any size is judged whole. What
no store takes is left out of the record, which says so: it counts as unread, and the rest of the page is kept.
"""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from shared.domain.arm_id import RESOURCE_GROUP_TYPE, holder_of, resource_group_of, type_of
from shared.domain.error import Damaged, TooLarge
from shared.domain.finding import resource_key
from shared.domain.inventory import UnreadReason
from shared.domain.model import DOCUMENT_BYTES
from shared.domain.nesting import nests_deeper
from shared.domain.page import Page, PageRequest
from shared.domain.resource import DAMAGED, Resource, Unread, plain_location
from shared.domain.spelling import lowered
from shared.domain.stored_resource import ListedResource, ResourceChange, ResourceListing, StoredResource
from shared.domain.timestamp import format_time
from shared.eventstore.store import Store
from shared.ports.documents import Query, each_document
from shared.services import content, read_model
from shared.services.read_model import Stored

INLINE_BYTES = 64 * 1024
"""Bytes of a record's JSON that lie in its document."""
NESTING_LEVELS = 100
"""Objects and arrays within each other in a record that lies in its document; stores take some 120."""
FILTER_CHARACTERS = 256
"""Characters of what lists filter by; Azure allows a tag that many."""
PASSING_REASONS = frozenset({UnreadReason.TIMEOUT, UnreadReason.PARTIAL, UnreadReason.FAILED, UnreadReason.DAMAGED})
"""Why a part was not read that the next attempt may read; what is forbidden or unsupported stays so for a while."""
_PARTS = ("properties", "tags", "sku", "kind", "identity", "plan", "zones", "managedBy", "extendedLocation")

KIND = "resource"
CHANGE_KIND = "change"
LISTED_MODEL = read_model.ReadModel(KIND, ListedResource, in_subscription=True)
STORED_MODEL = read_model.ReadModel(KIND, StoredResource, in_subscription=True)
CHANGE_MODEL = read_model.ReadModel(CHANGE_KIND, ResourceChange)

ResourceRow = Mapping[str, Any]
"""The document of a stored resource."""
_LOG = logging.getLogger(__name__)


def document(resource: Resource, subscription: str, before: ResourceRow | None, at: datetime) -> dict[str, Any]:
    """Return the document of a resource, with its record whatever its size; `with_record_in_blob` takes that out.

    Raises:
        TooLarge: nothing keeps so large a record.
        TypeError: it holds what is not JSON.
    """
    record = resource.to_record()
    collected = resource.collected_at or format_time(at)
    record["collectedAt"] = collected
    identity = resource.id.lower()
    parent = _owner(identity)
    tags = resource.body.get("tags")
    tags = lowered(tags) if isinstance(tags, Mapping) else {}
    return {
        "id": resource_key(identity),
        "resourceId": resource.id,
        "name": str(resource.body.get("name") or identity.rpartition("/")[2])[:FILTER_CHARACTERS],
        "type": resource.type.lower(),
        "typeName": resource.type,
        "location": _location(resource.body),
        "subscription": subscription,
        "resourceGroup": resource_group_of(identity),
        "parent": resource_key(parent) if parent else None,
        "owner": _tag(tags, "owner"),
        "environment": _tag(tags, "environment"),
        "hash": fingerprint(record),
        "reading": reading(record),
        "firstSeen": before["firstSeen"] if before else collected,
        "changedAt": collected,
        "collectedAt": collected,
        "judgedAt": before.get("judgedAt") if before else None,
        "gone": False,
        "unsettled": _is_unsettled(resource),
        "record": record,
    }


def _owner(identity: str) -> str | None:
    """Return the id of what a resource is judged with: its parent, or the subscription that it lies right in."""
    holder = holder_of(identity)
    return None if holder is None or type_of(holder) == RESOURCE_GROUP_TYPE else holder


def _is_unsettled(resource: Resource) -> bool:
    """Return whether a part of it was not read for a reason that another attempt may not meet."""
    lists = (each for each in resource.related.values() if isinstance(each, Unread))
    return any(each.reason in PASSING_REASONS for each in (*resource.unread.values(), *lists))


def completed(fresh: Resource, known: Resource) -> Resource:
    """Return a resource that others have read with what is known of it besides, so that less does not replace more.

    A list without properties says nothing of them, nor a body of what belongs to the resource: what was read of them
    before stays, with the api-version and the time that it was read with. What the newer reading does say is taken.
    """
    kept = {
        part: known.body[part]
        for part, why in fresh.unread.items()
        if why.reason == "notCollected" and part in known.body and part not in known.unread
    }
    related = {**known.related, **fresh.related}
    if not kept:
        return replace(fresh, related=related)
    unread = {part: why for part, why in fresh.unread.items() if part not in kept}
    return Resource({**fresh.body, **kept}, known.api_version, known.collected_at, unread, related)


def get(key: str, *, store: Store) -> Stored[StoredResource]:
    """Find a resource by its key, with its body as it was last read; NotFound."""
    found = read_model.get(LISTED_MODEL, key, store=store)
    return Stored(found.document, lambda row: STORED_MODEL.read({**row, "record": record(row, store)}))


def list_(asked: ResourceListing, *, store: Store) -> Page[ListedResource]:
    """List resources, without their bodies."""
    order = "" if asked.order == "id" else asked.order
    query = Query(equals=read_model.conditions(asked, "order"), order=order, descending=bool(order))
    return read_model.page(LISTED_MODEL, query, asked, store=store)


def history(key: str, asked: PageRequest, *, store: Store) -> Page[ResourceChange]:
    """List how a resource changed, path by path, the latest first; NotFound."""
    read_model.get(LISTED_MODEL, key, store=store)
    query = Query(equals={"resource": key}, order="at", descending=True)
    return read_model.page_of_part(CHANGE_MODEL, query, asked, store=store)


def without_body(resource: Resource, reason: str = "unsupported") -> Resource:
    """Return a resource whose body is not kept: its id, name, type and location. The rest counts as unread."""
    plain = (resource.body.get(name) for name in ("id", "name", "type", "location"))
    body = {
        name: value
        for name, value in zip(("id", "name", "type", "location"), plain, strict=True)
        if isinstance(value, str) and value.isprintable()
    }
    why = Unread(reason)
    return Resource(body, resource.api_version, resource.collected_at, dict.fromkeys(_PARTS, why))


def with_record_in_blob(row: dict[str, Any], store: Store) -> dict[str, Any]:
    """Return the document with a record that is too large for it put into a blob; with any other as it is."""
    raw = orjson.dumps(row["record"])
    many = raw.count(b"{") + raw.count(b"[") > NESTING_LEVELS  # without so many, nothing nests so deeply
    if len(raw) <= INLINE_BYTES and not (many and nests_deeper(row["record"], NESTING_LEVELS)):
        return row
    name = content.keep(f"resource/{row['id']}/", raw, blobs=store.blobs, tenant=store.tenant)
    # Whether it has relatives is kept outside: assessing a page must not open the blobs to learn that.
    kept = {key: value for key, value in row.items() if key != "record"}
    return {**kept, "recordBlob": {"name": name, "bytes": len(raw), "related": "related" in row["record"]}}


def record_text(row: ResourceRow, store: Store) -> bytes:
    """Return the JSON of what was read of a stored resource; where its blob is lost, only that it exists."""
    if "recordBlob" not in row:
        return orjson.dumps(row["record"])
    try:
        return content.load(row["recordBlob"]["name"], blobs=store.blobs, tenant=store.tenant)
    except Damaged as error:
        _LOG.warning("the stored body of %s is lost; a scan reads it again: %s", row["resourceId"], error.message)
        body = {"id": row["resourceId"], "name": row["name"], "type": row["typeName"], "location": row["location"]}
        return orjson.dumps(without_body(Resource(body, collected_at=row["collectedAt"]), DAMAGED).to_record())


def record(row: ResourceRow, store: Store) -> Mapping[str, Any]:
    """Return what was read of a stored resource, as `Resource.to_record` has it."""
    if "recordBlob" not in row:
        inline: Mapping[str, Any] = row["record"]
        return inline
    found: Mapping[str, Any] = orjson.loads(record_text(row, store))
    return found


def is_damaged(row: ResourceRow, store: Store) -> bool:
    """Return whether the record of a stored resource is lost."""
    return "recordBlob" in row and Resource.from_record(record(row, store)).is_damaged


def has_related(row: ResourceRow) -> bool:
    """Return whether the record of a stored resource says what belongs to it."""
    return bool(row["recordBlob"]["related"]) if "recordBlob" in row else "related" in row["record"]


def fingerprint(record: Mapping[str, Any]) -> str:
    """Return a digest of a record without the times it was read at; TooLarge for what is not kept."""
    # Of a list that is unread only the reason counts, and of the parts their bodies: the rest says when it was read.
    related = {
        kind: found["reason"] if isinstance(found, Mapping) else [each["body"] for each in found]
        for kind, found in (record.get("related") or {}).items()
    }
    said = {"body": comparable(record), "unread": sorted(record.get("unread") or ()), "related": related}
    raw = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    if len(raw) > DOCUMENT_BYTES:
        raise TooLarge(f"the body has {len(raw):,} bytes; up to {DOCUMENT_BYTES:,} are kept")
    return hashlib.sha256(raw).hexdigest()[:32]


def reading(record: Mapping[str, Any]) -> str:
    """Return a digest of how equal bodies were read: with which api-versions, and why parts are unread, but not when.

    An api-version may lack a property that another has, and what is forbidden is not read again as what timed out is.
    """
    related = {
        kind: _reason(found) if isinstance(found, Mapping) else [_reading(each) for each in found]
        for kind, found in (record.get("related") or {}).items()
    }
    raw = orjson.dumps([_reading(record), related], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(raw).hexdigest()[:16]


def _reading(record: Mapping[str, Any]) -> list[Any]:
    unread = record.get("unread") or {}
    return [record.get("apiVersion"), {part: _reason(why) for part, why in unread.items()}]


def _reason(why: Mapping[str, Any]) -> list[Any]:
    return [why["reason"], why.get("permission"), why.get("scope")]


def comparable(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body with its location in one spelling: a resource provider and Resource Graph have their own."""
    body = record["body"]
    return {**body, "location": _location(body)} if "location" in body else dict(body)


def _location(body: Mapping[str, Any]) -> str | None:
    found = body.get("location")
    return plain_location(found)[:FILTER_CHARACTERS] if isinstance(found, str) else None


def _tag(tags: Mapping[str, Any], name: str) -> str | None:
    value = tags.get(name)
    return str(value)[:FILTER_CHARACTERS] if value else None


def stored(query: Query, store: Store) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield all stored resources that match, by key, a page at a time."""
    found = each_document(KIND, query, documents=store.documents, tenant=store.tenant, batch=500)
    return ((each.id, each.body) for each in found)
