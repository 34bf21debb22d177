"""Take inventories that others exported: keep the upload, read it bit by bit, put its resources into the estate."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from shared.domain.error import CortexError, InvalidInput, NotFound, TooLarge
from shared.domain.estate import Posture
from shared.domain.event import Fact
from shared.domain.inventory import BadRecord
from shared.domain.resource import Resource, subscription_of
from shared.domain.transfer import ACTIVE, FIRST_BAD, Origin, Transfer, apply
from shared.ports.catalog import Catalog
from shared.ports.documents import Query
from shared.ports.queue import Queue
from shared.services import collection, estate, intake, message, record
from shared.services.estate import Store

KIND = record.Kind("import", Transfer, apply)
QUEUE = "import-requests"
PART = 4 * 1024 * 1024
LARGEST = 500 * 1024 * 1024
BATCH = 1000
STEP = timedelta(seconds=60)


@dataclass(slots=True)
class Batch:
    """Some records of an import, read but not yet kept."""

    records: int = 0
    resources: dict[str, list[Resource]] = field(default_factory=dict)
    bad: list[BadRecord] = field(default_factory=list)

    def add(self, each: Resource | BadRecord) -> None:
        """Sort one record in."""
        self.records += 1
        if isinstance(each, BadRecord):
            self.bad.append(each)
        else:
            self.resources.setdefault(subscription_of(each.id), []).append(each)

    def fact(self) -> Fact:
        """What this batch came to."""
        data = {
            "records": self.records,
            "kept": self.records - len(self.bad),
            "bad": len(self.bad),
            "firstBad": [each.model_dump(mode="json") for each in self.bad[:FIRST_BAD]],
            "subscriptions": sorted(self.resources),
        }
        return Fact(type="importProgressed", data=data)


def request(
    import_id: str,
    name: str,
    chunks: Iterable[bytes],
    *,
    store: Store,
    queue: Queue,
    origin: Origin | None = None,
) -> Transfer:
    """Keep an upload in parts, record the request and send it on its way.

    The same id a second time answers the import there is. TooLarge over 500 MB; InvalidInput for nothing at all.
    """
    known = record.current(KIND, import_id, documents=store.documents, tenant=store.tenant)
    if known is None:
        size, parts = _keep(import_id, chunks, store)
        told = (origin or Origin()).model_dump(mode="json")
        data = {"name": name[:255], "size": size, "parts": parts, "origin": told}
        known = _decide(import_id, lambda now: [] if now else [Fact(type="importRequested", data=data)], store)
    if known.status in ACTIVE:
        queue.send(QUEUE, message.write(store, import_id))
    return known


def run(import_id: str, *, store: Store, queue: Queue, catalog: Catalog) -> Transfer:
    """Go on with an import for a while; sends itself on its way again until it has ended."""
    known = find(import_id, store=store)
    if known.status not in ACTIVE:
        return known
    until = store.now() + STEP
    records = intake.records(
        _chunks(known, store),
        subscription=known.origin.subscription,
        resource_group=known.origin.resource_group,
        resource_types=catalog.resource_types(),
    )
    try:
        ended = _read(import_id, islice(records, known.records, None), until, store)
    except CortexError as error:
        return _end(import_id, Fact(type="importFailed", data={"reason": error.message}), store)
    if not ended:
        queue.send(QUEUE, message.write(store, import_id))
        return find(import_id, store=store)
    return _end(import_id, None, store)


def fail(import_id: str, reason: str, *, store: Store) -> Transfer:
    """Record that an import cannot go on, and why."""
    return _end(import_id, Fact(type="importFailed", data={"reason": reason}), store)


def find(import_id: str, *, store: Store) -> Transfer:
    """The import with all its events applied; NotFound."""
    known = record.current(KIND, import_id, documents=store.documents, tenant=store.tenant)
    if known is None:
        raise NotFound(f"there is no import {import_id}", path="id")
    return known


def _keep(import_id: str, chunks: Iterable[bytes], store: Store) -> tuple[int, int]:
    size = parts = 0
    for part in _parts(chunks):
        size += len(part)
        if size > LARGEST:
            raise TooLarge(f"an import has at most {LARGEST >> 20} MB; split the file")
        parts += 1
        store.blobs.put(tenant=store.tenant, name=_part(import_id, parts), data=part)
    if not size:
        raise InvalidInput("the import is empty; send an inventory file", path="$")
    return size, parts


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= PART:
            yield bytes(buffer[:PART])
            del buffer[:PART]
    if buffer:
        yield bytes(buffer)


def _part(import_id: str, number: int) -> str:
    return f"import/{import_id}/part-{number:05d}"


def _chunks(known: Transfer, store: Store) -> Iterator[bytes]:
    for number in range(1, known.parts + 1):
        yield store.blobs.get(tenant=store.tenant, name=_part(known.id, number))


def _read(import_id: str, records: Iterator[Resource | BadRecord], until: datetime, store: Store) -> bool:
    """Keep batch after batch; whether the file has ended."""
    while True:
        batch = Batch()
        for each in islice(records, BATCH):
            batch.add(each)
        if batch.records:
            _keep_batch(import_id, batch, store)
        if batch.records < BATCH:
            return True
        if store.now() >= until:
            return False


def _keep_batch(import_id: str, batch: Batch, store: Store) -> None:
    for subscription, resources in batch.resources.items():
        for start in range(0, len(resources), BATCH // 4):
            _keep_page(import_id, subscription, resources[start : start + BATCH // 4], store)
    fact = batch.fact()
    _decide(import_id, lambda now: [fact] if now and now.status in ACTIVE else [], store)


def _keep_page(import_id: str, subscription: str, resources: Sequence[Resource], store: Store) -> Posture:
    def decision(known: Posture) -> estate.Change | None:
        kept, changes, new = collection.changed(resources, store, known.subscription)
        if not kept:
            return None
        data = {"import": import_id, "read": len(resources), "new": new}
        return estate.Change("pageImported", data, {collection.RESOURCE: kept, collection.CHANGE: changes})

    return estate.decide(store, subscription, decision)


def _end(import_id: str, failed: Fact | None, store: Store) -> Transfer:
    def decision(now: Transfer | None) -> Sequence[Fact]:
        if now is None or now.status not in ACTIVE:
            return ()
        if failed:
            return (failed,)
        reason = f"{now.bad} of {now.records} records were left out" if now.bad else ""
        return (Fact(type="importPartial" if now.bad else "importCompleted", data={"reason": reason}),)

    ended = _decide(import_id, decision, store)
    for number in range(1, ended.parts + 1):
        store.blobs.delete(tenant=store.tenant, name=_part(import_id, number))
    return ended


def unfinished(*, store: Store) -> list[Transfer]:
    """The imports that have not ended, the latest first."""
    page = store.documents.query(
        tenant=store.tenant, kind=KIND.name, query=Query(equals={"status": tuple(ACTIVE)}), limit=100
    )
    return [Transfer.model_validate(each.body) for each in page.items]


def _decide(import_id: str, decision: "record.Decision[Transfer]", store: Store) -> Transfer:
    return record.decide(
        KIND,
        import_id,
        decision,
        documents=store.documents,
        now=store.now,
        tenant=store.tenant,
        actor=store.actor,
    )
