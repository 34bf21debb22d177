"""The estate of a subscription: decide on its posture, record what changed, project the documents that changed."""

import gzip
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from shared.domain.error import Stale
from shared.domain.estate import Posture, apply
from shared.domain.event import Actor, Event, Fact
from shared.ports.blobs import Blobs
from shared.ports.clock import Now
from shared.ports.documents import Documents
from shared.services import stream

POSTURE = "posture"
TRIES = 20
INLINE = 8 * 1024


@dataclass(frozen=True, slots=True)
class Store:
    """What a step on the estate of one tenant works with, and on whose behalf."""

    documents: Documents
    blobs: Blobs
    now: Now
    tenant: str
    actor: Actor


Bodies = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Document kind -> id -> body."""


@dataclass(frozen=True, slots=True)
class Change:
    """A decision about a subscription: the fact, and the documents as they are after it."""

    type: str
    data: Mapping[str, Any]
    documents: Bodies = field(default_factory=dict)
    seen: tuple[str, ...] = ()


def name_of(subscription: str) -> str:
    """The name of a subscription's stream."""
    return f"estate:{subscription}"


def posture(store: Store, subscription: str) -> Posture:
    """The posture with all events applied; catches the documents up when a projector had died."""
    found = store.documents.get(tenant=store.tenant, kind=POSTURE, id=subscription)
    known = Posture.model_validate(found.body) if found else Posture(subscription=subscription)
    name = name_of(subscription)
    for event in stream.read(documents=store.documents, tenant=store.tenant, stream=name, after=known.sequence):
        known = project(store, known, event)
    return known


def decide(store: Store, subscription: str, decision: Callable[[Posture], Change | None]) -> Posture:
    """Let `decision` look at the posture, record its change and project it; again when others were first.

    A decision that answers None leaves the posture as it is.
    """
    for _ in range(TRIES):
        known = posture(store, subscription)
        change = decision(known)
        if change is None:
            return known
        fact = Fact(type=change.type, data={**change.data, **_keep(store, subscription, change)})
        try:
            events = stream.append(
                [fact],
                documents=store.documents,
                now=store.now,
                tenant=store.tenant,
                stream=name_of(subscription),
                after=known.sequence,
                actor=store.actor,
            )
        except Stale:
            continue
        return project(store, known, events[0])
    raise Stale(f"subscription {subscription} kept changing; try again")


def project(store: Store, known: Posture, event: Event) -> Posture:
    """Store the documents that an event carries, then the posture after it. Safe to do twice and out of step."""
    for kind, bodies in body_of(store, event).get("documents", {}).items():
        items = {key: {**body, "sequence": event.sequence} for key, body in bodies.items()}
        store.documents.put_many(tenant=store.tenant, kind=kind, items=items, newer_by="sequence")
    after = apply(known, event)
    items = {after.subscription: after.model_dump(mode="json")}
    store.documents.put_many(tenant=store.tenant, kind=POSTURE, items=items, newer_by="sequence")
    return after


def body_of(store: Store, event: Event) -> Mapping[str, Any]:
    """The bulk part of an event: {"documents": {kind: {id: body}}, "seen": [resource keys]}."""
    if "body" in event.data:
        inline: Mapping[str, Any] = event.data["body"]
        return inline
    if "blob" not in event.data:
        return {}
    loaded: Mapping[str, Any] = orjson.loads(
        gzip.decompress(store.blobs.get(tenant=store.tenant, name=event.data["blob"]))
    )
    return loaded


def _keep(store: Store, subscription: str, change: Change) -> dict[str, Any]:
    """Put the bulk of a change where its event can find it: within it when small, else in a blob named by its hash."""
    bulk = {key: value for key, value in (("documents", change.documents), ("seen", change.seen)) if value}
    if not bulk:
        return {}
    raw = orjson.dumps(bulk, option=orjson.OPT_NON_STR_KEYS)
    if len(raw) <= INLINE:
        return {"body": orjson.loads(raw)}
    # An imported id can name its subscription in any characters; a blob cannot.
    folder = re.sub(r"[^\w-]", "-", subscription, flags=re.ASCII)
    name = f"estate/{folder}/{hashlib.sha256(raw).hexdigest()}.json.gz"
    store.blobs.put(tenant=store.tenant, name=name, data=gzip.compress(raw, compresslevel=1, mtime=0))
    return {"blob": name}


def text(at: datetime) -> str:
    """RFC 3339 in UTC, ending in Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
