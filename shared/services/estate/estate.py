"""The estate of a subscription: decide on it, record what changed, project the documents that changed."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from shared.domain.error import CortexError, InvalidInput, ItemsRejected, TooLarge
from shared.domain.estate import GAP_ITEMS, Estate, with_gaps
from shared.domain.estate_event import EstateEvent, ExemptionChanged, ScanStopped, apply
from shared.domain.event import Recorded
from shared.domain.inventory import Gap, UnreadReason
from shared.domain.model import DOCUMENT_BYTES
from shared.eventstore import aggregate, projection
from shared.eventstore.store import Store
from shared.eventstore.stream import Stream
from shared.ports.documents import Query, each_document
from shared.services import content
from shared.services.turn import Turns

ESTATE_KIND = "estate"
INLINE_BYTES = 8 * 1024
_LOG = logging.getLogger(__name__)
_TURNS = Turns()


Bodies = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Document kind -> id -> body."""


@dataclass(frozen=True, slots=True)
class EstateChange:
    """A decision about a subscription: the event, and the documents as they are after it.

    `seen` are the keys of resources that are there, `read` those that were read for it, `suspects` what differs from
    what was stored, by key: what kind of difference, the ARM id, and what differs. `verdicts` is what came of each, as
    `verdict_cache` has it.
    """

    event: EstateEvent
    documents: Bodies = field(default_factory=dict)
    seen: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    suspects: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    verdicts: Mapping[str, Any] = field(default_factory=dict)


def current(store: Store, subscription: str) -> Estate:
    """Return the estate with all events applied; catches the documents up when a projector had died."""
    return projection.current(STREAM, subscription, store=store) or Estate(subscription=subscription)


def every(store: Store) -> list[Estate]:
    """Read the estates of all subscriptions, as they were projected last."""
    return _read(Query(), store)


def at_work(scan: str, *, store: Store) -> list[Estate]:
    """Read the estates that a scan is at work in."""
    return _read(Query(equals={"scan": scan}), store)


def of(subscriptions: Sequence[str], *, store: Store) -> dict[str, Estate]:
    """Read the estates of some subscriptions, by subscription; those that nothing is known of are left out."""
    found = store.documents.get_many(tenant=store.tenant, kind=ESTATE_KIND, ids=subscriptions)
    return {key: Estate.model_validate(each.body) for key, each in found.items()}


def _read(query: Query, store: Store) -> list[Estate]:
    found = each_document(ESTATE_KIND, query, documents=store.documents, tenant=store.tenant)
    return [Estate.model_validate(each.body) for each in found]


def decide(
    store: Store, subscription: str, decision: Callable[[Estate], EstateChange | Sequence[EstateChange] | None]
) -> Estate:
    """Decide on a subscription; the documents of each change are kept where its event can find them.

    Several changes are recorded together, in their order: all or none. A decision that returns none leaves the estate
    as it is.
    """

    def with_documents(known: Estate | None) -> Sequence[EstateEvent]:
        found = decision(known or Estate(subscription=subscription)) or ()
        changes = (found,) if isinstance(found, EstateChange) else found
        return [each.event.model_copy(update=_keep(store, subscription, each)) for each in changes]

    with _TURNS.at(store.documents, f"{store.tenant}/{subscription}"):
        return aggregate.decide(STREAM, subscription, with_documents, store=store)


def fence_off(scan: str, fence: int, subscription: str, *, store: Store) -> None:
    """Let a scan write nothing more to a subscription, whatever step of it is still under way."""
    stopped = EstateChange(ScanStopped(scan=scan, fence=fence))
    decide(store, subscription, lambda known: stopped if known.fence <= fence else None)


def exemption_changed(exemption: str, subscription: str, *, store: Store) -> None:
    """Record that an exemption began or ended, once: who decided without knowing has to decide again.

    What was recorded before is in the documents afterwards. A subscription of which nothing is known stays so.
    """
    changed = EstateChange(ExemptionChanged(exemption=exemption))
    decide(store, subscription, lambda known: None if known.sequence == 0 or known.exemption == exemption else changed)


def _attach(known: Estate, recorded: Recorded[EstateEvent], store: Store) -> Estate:
    """Store the documents that an event carries. Safe to do twice and out of step.

    A document that the store refuses is a gap in the estate, and the stream goes on without it.
    """
    # Two kinds: what was left out before the event was recorded, and what the store refuses now.
    gaps = list(recorded.event.left_out)
    for kind, bodies in body_of(store, recorded.event).get("documents", {}).items():
        # The sequence makes a late or repeated projector harmless: a newer document is never replaced by an older one.
        items = {key: {**body, "sequence": recorded.sequence} for key, body in bodies.items()}
        try:
            store.documents.put_many(tenant=store.tenant, kind=kind, items=items, newer_by="sequence")
        except ItemsRejected as refused:
            _LOG.warning("%s:%s is not stored whole: %s", recorded.stream, recorded.sequence, refused.message)
            gaps += [_gap(kind, key, items[key], why, recorded.at) for key, why in refused.items.items()]
    return with_gaps(known, gaps)


STREAM = Stream(
    "estate",
    Estate,
    EstateEvent,
    lambda known, recorded: apply(known or Estate(subscription=recorded.thing), recorded),
    kind=ESTATE_KIND,
    initial=lambda subscription: Estate(subscription=subscription),
    attach=_attach,
)


def _gap(kind: str, key: str, body: Mapping[str, Any], why: CortexError, at: datetime) -> Gap:
    """Return the gap for a document that cannot be stored: its resource, and why."""
    scope = str(body.get("resourceId") or body.get("resource") or key)
    message = f"the {kind} cannot be stored: {why.message}"
    return Gap(scope=scope, part=kind, reason=UnreadReason.FAILED, at=at, message=message)


def body_of(store: Store, event: EstateEvent) -> Mapping[str, Any]:
    """Return the bulk of an event; Damaged when it is lost.

    {"documents": {kind: {id: body}}, "seen": [resource keys], …}: what an `EstateChange` has, without empty parts.
    """
    if event.body is not None or event.blob is None:
        return event.body or {}
    loaded: Mapping[str, Any] = orjson.loads(content.load(event.blob, blobs=store.blobs, tenant=store.tenant))
    return loaded


def _keep(store: Store, subscription: str, change: EstateChange) -> dict[str, Any]:
    """Put the bulk of a change where its event can find it: within it when small, else in a blob named by its hash.

    What no store could take is left out before it is recorded, and the event says so.
    """
    parts = {name: getattr(change, name) for name in ("documents", "seen", "read", "suspects", "verdicts")}
    bulk = {name: value for name, value in parts.items() if value}
    if not bulk:
        return {}
    raw = _json(bulk)
    told: dict[str, Any] = {}
    # Only where the whole does not fit is each document tried by itself, which takes a second pass.
    if raw is None or len(raw) > DOCUMENT_BYTES:
        documents, gaps = _storable(change.documents, store.now())
        raw = _json({**bulk, "documents": documents})
        told = {"left_out": tuple(gaps[:GAP_ITEMS])} if gaps else {}
    assert raw is not None  # what is not JSON has been left out
    told["kinds"] = tuple(kind for kind, bodies in change.documents.items() if bodies)
    if len(raw) <= INLINE_BYTES:
        return {**told, "body": orjson.loads(raw)}
    name = content.keep(f"estate/{folder_of(subscription)}/", raw, blobs=store.blobs, tenant=store.tenant)
    return {**told, "blob": name}


def _json(bulk: Mapping[str, Any]) -> bytes | None:
    """Return the JSON of the bulk of a change; None when a part of it is none."""
    try:
        return orjson.dumps(bulk, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return None


def _storable(documents: Bodies, at: datetime) -> tuple[dict[str, dict[str, Any]], list[Gap]]:
    """Return the documents that a store can take, and a gap for each of the others."""
    gaps: list[Gap] = []
    kept: dict[str, dict[str, Any]] = {}
    for kind, bodies in documents.items():
        for key, body in bodies.items():
            why: CortexError | None = None
            try:
                size = len(orjson.dumps(body))
            except TypeError as error:
                why = InvalidInput(f"it is not JSON: {error}")
            else:
                if size > DOCUMENT_BYTES:
                    why = TooLarge(f"it has {size:,} bytes, and {DOCUMENT_BYTES:,} are kept")
            if why:
                gaps.append(_gap(kind, key, body, why, at))
            else:
                kept.setdefault(kind, {})[key] = body
    return kept, gaps


def folder_of(subscription: str) -> str:
    """Return the folder of a subscription's blobs: an imported id can name it in any characters, a blob cannot."""
    return re.sub(r"[^\w-]", "-", subscription, flags=re.ASCII)
