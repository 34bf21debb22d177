"""Empty the poison queues: record each message and why it failed, and end what it was about."""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from pydantic import ValidationError

from shared.domain.error import Conflict, CortexError, InvalidInput, NotFound, Throttled, Unavailable
from shared.domain.page import Page, PageRequest
from shared.domain.poison import MessagePoisoned, PoisonMessage, apply
from shared.domain.printable import printable
from shared.eventstore import aggregate
from shared.eventstore.store import Store
from shared.eventstore.stream import Stream
from shared.ports.documents import Documents, Query
from shared.ports.queue import Queue
from shared.ports.queue import QueueMessage as Delivery
from shared.services import read_model
from shared.services.message import MessageBody

STREAM = Stream("poison", PoisonMessage, MessagePoisoned, apply)
MODEL = read_model.ReadModel(STREAM.name, PoisonMessage)
POISON_QUEUE_SUFFIX = "-poison"
"""The suffix of the queue where the Functions host puts messages that failed on every delivery."""
FAILURE_KIND = "delivery-failure"
"""The kind of the documents that keep why a message failed, until it is recorded."""
REASON_CHARACTERS = 500
TEXT_CHARACTERS = 2000
"""Characters of a message that an answer shows."""
FAILED_REASON = "it failed on every delivery"
RETRY_DELAY = timedelta(minutes=10)
"""How long a message that could not be recorded stays hidden; as long as the Functions host hides it."""
RECEIVED_MESSAGES = 32

logger = logging.getLogger(__name__)

type GiveUp = Callable[[str, str, Store], object]
"""Ends the thing with an id, for a reason, unless it is still running."""
type StoreOf = Callable[[MessageBody | None], Store | None]
"""Returns the store of the tenant that a message names, None for an unknown one; the configured tenant's for None."""


def collect(name: str, *, give_up: GiveUp | None, queue: Queue, store_of: StoreOf) -> int:
    """Empty the poison queue of the queue `name`; return how many messages it held.

    One that cannot be recorded, or whose thing cannot be ended yet, stays for later; the others are not affected.
    """
    count = 0
    while found := queue.receive(f"{name}{POISON_QUEUE_SUFFIX}", limit=RECEIVED_MESSAGES, visibility=RETRY_DELAY):
        for each in found:
            try:
                _put_aside(name, each, give_up, store_of)
                queue.delete(f"{name}{POISON_QUEUE_SUFFIX}", each)
            except CortexError as error:
                logger.warning("poison message %s of %s stays for later: %s", each.id, name, error)
        count += len(found)
    return count


def keep_failure(name: str, body: bytes, reason: str, *, store: Store) -> None:
    """Keep why the queue's function failed with a body; when the store does not take it, only the log has it."""
    kept = {"reason": printable(reason)[:REASON_CHARACTERS]}
    with suppress(CortexError):
        store.documents.put(tenant=store.tenant, kind=FAILURE_KIND, id=_failure_id(name, body), body=kept)


def list_(asked: PageRequest, *, store: Store) -> Page[PoisonMessage]:
    """List poison messages, the newest first; their texts truncated and made printable."""
    found = read_model.page(MODEL, Query(order="at", descending=True), asked, store=store)
    shown = (
        each.model_copy(
            update={
                "text": printable(each.text)[:TEXT_CHARACTERS],
                "reason": printable(each.reason)[:REASON_CHARACTERS],
                "subject": None if each.subject is None else printable(each.subject)[:REASON_CHARACTERS],
            }
        )
        for each in found.items
    )
    return found.model_copy(update={"items": tuple(shown)})


def latest(*, documents: Documents, tenant: str, limit: int = 100) -> list[PoisonMessage]:
    """Return the latest poison messages of a tenant, the newest first."""
    query = Query(order="at", descending=True)
    page = documents.query(tenant=tenant, kind=STREAM.name, query=query, limit=limit)
    return [PoisonMessage.model_validate(each.body) for each in page.items]


def count(*, documents: Documents, tenant: str, since: datetime) -> Counter[str]:
    """Return how many messages of each queue have failed since then, of the last thousand."""
    found = latest(documents=documents, tenant=tenant, limit=1000)
    return Counter(each.queue for each in found if each.at >= since)


def _put_aside(name: str, delivery: Delivery, give_up: GiveUp | None, store_of: StoreOf) -> None:
    """Record a message, then end what it was about; done again, nothing more is recorded.

    A message that names an unknown tenant is kept as text, and nothing is ended.
    """
    given, reason = _read(delivery)
    own = store_of(None)
    assert own is not None  # there is always a configured tenant
    # The message names its tenant; what it says is believed only where that tenant is known here.
    store = store_of(given)
    if given and store is None:
        reason = f"{reason}; no tenant {printable(given.tenant)[:80]!r} is known here"
    failure = _failure_id(name, delivery.body.encode()) if reason.startswith(FAILED_REASON) else ""
    found = own.documents.get(tenant=own.tenant, kind=FAILURE_KIND, id=failure) if failure else None
    if found:
        reason = f"{reason}; the last one: {found.body['reason']}"
    # Recorded before anything is ended: a message must not vanish without a trace.
    _record(name, delivery, reason, given, store or own)
    if given and give_up and store:
        _end(given.id, reason, give_up, store)
    if found:
        own.documents.delete(tenant=own.tenant, kind=FAILURE_KIND, id=failure)


def _end(thing: str, reason: str, give_up: GiveUp, store: Store) -> None:
    """End what a message was about; Throttled or Unavailable when it is to be tried again."""
    try:
        give_up(thing, reason, store)
    except (Throttled, Unavailable):
        raise
    except (NotFound, Conflict, InvalidInput):
        return  # it has ended, or never was
    except Exception:  # a fault here must not bring the message back for days
        logger.exception("%s, which a poison message was about, cannot be ended", printable(thing)[:80])


def _record(name: str, delivery: Delivery, reason: str, given: MessageBody | None, store: Store) -> None:
    poisoned = MessagePoisoned(
        queue=name,
        text=delivery.text,
        reason=reason,
        subject=given.id if given else None,
        sent_at=delivery.inserted_at,
    )
    # The same for the same message, however often it is received.
    identity = f"{name}\n{delivery.id}\n{delivery.inserted_at.isoformat()}\n{delivery.text}"
    id_ = hashlib.sha256(identity.encode()).hexdigest()[:32]
    aggregate.decide(STREAM, id_, lambda known: () if known else (poisoned,), store=store)
    logger.error("a message of %s is poison: %s", name, reason)


def _read(delivery: Delivery) -> tuple[MessageBody | None, str]:
    """Return the message, None when it is not one of this product, and why it is poison."""
    try:
        given = MessageBody.model_validate_json(delivery.body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:80]
        return None, f"{FAILED_REASON}: it is not a message of this product ({first['msg']}; at {where!r})"
    except InvalidInput as error:
        return None, error.message
    return given, f"{FAILED_REASON}; see the log under correlation {printable(given.correlation)[:80]}"


def _failure_id(name: str, body: bytes) -> str:
    return hashlib.sha256(name.encode() + b"\n" + body).hexdigest()[:32]
