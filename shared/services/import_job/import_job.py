"""Read exported inventories in steps, and put their resources into the estate."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import batched

from shared.domain.arm_id import SUBSCRIPTION_TYPE, subscription_of, type_of
from shared.domain.error import Conflict, InvalidInput, NotFound, Throttled, TooLarge, Unavailable
from shared.domain.estate import Estate
from shared.domain.estate_event import PageImported
from shared.domain.import_job import (
    ACTIVE_STATUSES,
    RECORD_ERROR_ITEMS,
    RETAINED_ITEMS,
    ImportCancelled,
    ImportCompleted,
    ImportEvent,
    ImportFailed,
    ImportJob,
    ImportListing,
    ImportPartial,
    ImportProgressed,
    ImportStatus,
    ImportWaiting,
    apply,
)
from shared.domain.inventory import RecordError
from shared.domain.page import Page
from shared.domain.resource import Resource
from shared.domain.timestamp import BEGINNING, format_time, parse_time
from shared.eventstore import aggregate, projection
from shared.eventstore.store import Store
from shared.eventstore.stream import Stream
from shared.importing.inventory_reader import InventoryReader
from shared.ports.catalog import Catalog
from shared.ports.documents import Query, each_document
from shared.ports.queue import Queue
from shared.services import message, read_model
from shared.services.estate import estate, resource_change
from shared.services.read_model import Stored

STREAM = Stream("import", ImportJob, ImportEvent, apply, requester=lambda job: job.requested_by)
MODEL = read_model.ReadModel(STREAM.name, ImportJob, left_out=frozenset({"errors"}))
QUEUE = "import-requests"
FOLDER = "import/"
BATCH_RECORDS = 1000
"""Records between two positions."""
PAGE_RESOURCES = 250
"""Resources of one event."""
STEP_DURATION = timedelta(seconds=60)
STALLED_AFTER = 3 * STEP_DURATION
"""Without progress for so long, no delivery is running: a step, its last batch and reading included, ends earlier."""


type ImportEnd = ImportCompleted | ImportPartial | ImportFailed


class _Overtaken(Exception):
    """Another delivery of the same import is ahead of this one, or has ended it."""


def run(import_id: str, *, store: Store, queue: Queue, catalog: Catalog) -> ImportJob:
    """Continue an import for a while from its recorded position; send another message unless it has ended.

    Of several deliveries at once, the one at the position goes on. The others find at their next batch that it is
    ahead of them, and stop: what they have kept is what it keeps too.
    """
    known = find(import_id, store=store)
    if known.status not in ACTIVE_STATUSES:
        return _cleared(known, store) if known.ended_at else known
    try:
        ended = _step(known, store, catalog)
    except _Overtaken:
        return find(import_id, store=store)
    except (Throttled, Unavailable) as error:
        # Sent before it is recorded: a store that is busy may refuse the record, and the import has to go on all the
        # same.
        queue.send(QUEUE, message.write(store, import_id), delay=timedelta(seconds=error.retry_after))
        return _wait(known, error, store)
    if ended is None:
        queue.send(QUEUE, message.write(store, import_id))
        return find(import_id, store=store)
    return ended


def _wait(known: ImportJob, error: Throttled | Unavailable, store: Store) -> ImportJob:
    """Record until when an import waits, and why, unless the store does not answer that either."""
    waiting = ImportWaiting(until=store.now() + timedelta(seconds=error.retry_after), reason=error.message)
    try:
        return aggregate.decide(
            STREAM, known.id, lambda now: (waiting,) if now and now.status in ACTIVE_STATUSES else (), store=store
        )
    except (Throttled, Unavailable):
        return known


def fail(import_id: str, reason: str, *, store: Store) -> ImportJob:
    """Record that an import cannot go on, and why."""
    return _end(import_id, lambda _now: _failed(reason), store)


def cancel(import_id: str, *, store: Store) -> ImportJob:
    """Stop an import, and remove its file; what it has kept stays. Done again, it returns the cancelled import.

    A delivery that is at work finds at the end of its batch that there is nothing more to do: what it has kept of that
    batch stays too, and is not counted.

    Errors: NotFound; Conflict when it has ended by itself.
    """
    find(import_id, store=store)

    def decision(now: ImportJob | None) -> Sequence[ImportEvent]:
        if now is None or now.status == ImportStatus.CANCELLED:
            return ()
        if now.ended_at is not None:
            raise Conflict(f"import {import_id} is {now.status} already")
        return (ImportCancelled(reason=f"cancelled after {now.records} records"),)

    return _cleared(aggregate.decide(STREAM, import_id, decision, store=store), store)


def give_up(import_id: str, reason: str, *, store: Store) -> ImportJob:
    """Record that an import cannot go on, and why, unless another delivery may be running."""
    late, failed = store.now() - STALLED_AFTER, _failed(reason)
    known = aggregate.decide(
        STREAM,
        import_id,
        lambda now: (failed,) if now and now.status in ACTIVE_STATUSES and _is_stalled(now, late) else (),
        store=store,
    )
    return _cleared(known, store) if known.ended_at else known


def content_name(import_id: str) -> str:
    """Return the name of the blob that holds an import's file."""
    return f"{FOLDER}{import_id}/content"


def current(import_id: str, *, store: Store) -> ImportJob | None:
    """Return the import with all its events applied, if there is one."""
    return projection.current(STREAM, import_id, store=store)


def get(import_id: str, *, store: Store) -> Stored[ImportJob]:
    """Find an import as it was projected last; NotFound."""
    return read_model.get(MODEL, import_id, store=store)


def list_(asked: ImportListing, *, store: Store) -> Page[ImportJob]:
    """List imports, the latest first, without the records that were left out."""
    return read_model.page(
        MODEL, Query(equals=read_model.conditions(asked), order="requestedAt", descending=True), asked, store=store
    )


def find(import_id: str, *, store: Store) -> ImportJob:
    """Return the import with all its events applied; NotFound."""
    known = current(import_id, store=store)
    if known is None:
        raise NotFound(f"there is no import {import_id}", path="id")
    return known


def _step(known: ImportJob, store: Store, catalog: Catalog) -> ImportJob | None:
    """Read up to the position and keep batches until the time is up; return the import when it has ended, else None."""
    file = InventoryReader(
        store.blobs.pieces(tenant=store.tenant, name=content_name(known.id)),
        origin=known.origin,
        resource_types=catalog.resource_types(),
    )
    try:
        if not known.records:
            _check_content(known, store)
        while file.position < known.records and not file.ended:
            file.batch(min(BATCH_RECORDS, known.records - file.position))
            _check_position(find(known.id, store=store), known.records)
        return _keep_batches(known, file, store)
    except (InvalidInput, NotFound, TooLarge) as error:
        # A delivery that is ahead has read the file further without this error: only it may end the import.
        at, failed = max(file.position, known.records), _failed(error.message)
        return _end(known.id, lambda now: failed if now.records <= at else None, store)


def _check_content(known: ImportJob, store: Store) -> None:
    """Raise InvalidInput when the stored file is not the one that was sent."""
    digest = hashlib.sha256()
    for piece in store.blobs.pieces(tenant=store.tenant, name=content_name(known.id)):
        digest.update(piece)
    # Checked before the first record: of a file that is not the announced one, nothing is kept.
    if digest.hexdigest() != known.sha256:
        raise InvalidInput(f"the file has the SHA-256 {digest.hexdigest()}, not {known.sha256}: upload it again")


def _keep_batches(known: ImportJob, file: InventoryReader, store: Store) -> ImportJob | None:
    until = store.now() + STEP_DURATION
    while store.now() < until:
        begun = file.position
        found = file.batch(BATCH_RECORDS)
        if found:
            _keep_batch(known, file, begun, found, store)
        if file.ended:
            return _end(known.id, lambda now: _outcome(now, file), store)
    return None


def _keep_batch(
    known: ImportJob, file: InventoryReader, begun: int, found: Sequence[Resource | RecordError], store: Store
) -> None:
    """Put what was found into the estate and move the import on; _Overtaken when it is not where the batch begins."""
    now = find(known.id, store=store)
    _check_position(now, begun)
    # The events of the estate name the event of the import that they follow from.
    store = store.led_by(STREAM.of(now.id), now.sequence)
    refused, retained = _keep_resources(known, found, store)
    settled = [file.bad_at(at, refused[at]) if at in refused else each for at, each in enumerate(found)]
    bad = [each for each in settled if isinstance(each, RecordError)]
    progress = ImportProgressed(
        start=begun,
        end=begun + len(settled),
        imported=len(settled) - len(bad),
        error_count=len(bad),
        errors=tuple(bad[:RECORD_ERROR_ITEMS]),
        subscriptions=tuple(sorted({subscription_of(each.id) for each in settled if isinstance(each, Resource)})),
        retained=len(retained),
        retained_examples=tuple(retained[:RETAINED_ITEMS]),
    )

    def decision(now: ImportJob | None) -> Sequence[ImportEvent]:
        _check_position(now, begun)
        return (progress,)

    aggregate.decide(STREAM, known.id, decision, store=store)


def _keep_resources(
    known: ImportJob, found: Sequence[Resource | RecordError], store: Store
) -> tuple[dict[int, str], list[str]]:
    """Put what was found into the estate.

    Returns:
        Why the store rejects some of it, by index; the ids of resources of which what is stored says more.
    """
    resources: dict[str, dict[int, Resource]] = {}
    for at, each in enumerate(found):
        if isinstance(each, Resource):
            # As of its own time, or of the request where it has none or a later one: so it replaces what was known
            # before the request, and nothing that was read after it.
            dated = BEGINNING < parse_time(each.collected_at) <= known.requested_at
            resource = each if dated else replace(each, collected_at=format_time(known.requested_at))
            resources.setdefault(subscription_of(each.id), {})[at] = resource
    refused: dict[int, str] = {}
    retained: list[str] = []
    for subscription, mine in resources.items():
        for page in batched(mine.items(), PAGE_RESOURCES, strict=False):
            refused |= _keep_each(known.id, subscription, page, retained, store)
    return refused, retained


def _check_position(now: ImportJob | None, position: int) -> None:
    if now is None or now.status not in ACTIVE_STATUSES or now.records != position:
        raise _Overtaken


def _keep_each(
    import_id: str, subscription: str, resources: Sequence[tuple[int, Resource]], retained: list[str], store: Store
) -> dict[int, str]:
    """Keep a page, or the part of it that the store takes; return why it rejects the others, by index.

    The ids of resources of which what is stored says more are added to `retained`.
    """
    try:
        retained += _keep_page(import_id, subscription, [each for _, each in resources], store)
    except (InvalidInput, TooLarge) as error:
        if len(resources) == 1:
            return {resources[0][0]: f"it cannot be stored: {error.message}"}
        # Bisection: a page with one bad resource costs about sixteen attempts, not one for each of its resources.
        half = len(resources) // 2
        halves = (resources[:half], resources[half:])
        first, second = (_keep_each(import_id, subscription, each, retained, store) for each in halves)
        return first | second
    return {}


def _keep_page(import_id: str, subscription: str, resources: Sequence[Resource], store: Store) -> list[str]:
    """Put resources into the estate; return the ids of those of which what is stored says more."""
    retained: list[str] = []

    def decision(known: Estate) -> estate.EstateChange | None:
        found = resource_change.changes_of(resources, store, known.subscription)
        retained[:] = found.retained  # a decision that is retried decides afresh
        if not found.kept:
            return None
        called = next(filter(None, map(_display_name, resources)), "")
        event = PageImported(import_id=import_id, read=len(resources), new=found.new, display_name=called)
        return estate.EstateChange(
            event, {resource_change.RESOURCE_KIND: found.kept, resource_change.CHANGE_KIND: found.changes}
        )

    estate.decide(store, subscription, decision)
    return retained


def _display_name(resource: Resource) -> str:
    """Return what people call a subscription: ARM has it apart, Resource Graph as the name; "" of anything else."""
    if type_of(resource.id) != SUBSCRIPTION_TYPE:
        return ""
    named = resource.body.get("displayName") or resource.body.get("name")
    return named if isinstance(named, str) and named.lower() != subscription_of(resource.id) else ""


def _outcome(now: ImportJob, file: InventoryReader) -> ImportEnd:
    """Return how an import ends whose file was read to its end: its batches must add up to what this reader saw.

    More records may be left out than the reader left out, but not fewer: the store may have rejected some.
    """
    if file.incomplete_reason:
        return _failed(f"{file.incomplete_reason}; import it again")
    if now.records != file.position or now.error_count < file.bad:
        recorded = f"{now.imported} imported and {now.error_count} left out were recorded"
        return _failed(f"the counts do not agree: {recorded}, the file has {file.kept} and {file.bad}; import it again")
    if not now.imported:
        first = f"; the first: {now.errors[0].reason}" if now.errors else ""
        return _failed(f"none of the {now.records} records in the file could be kept{first}")
    reasons = [f"{now.error_count} of {now.records} records were left out"] if now.error_count else []
    reasons += [f"the file is {file.missing}"] if file.missing else []
    notes = [*reasons, *filter(None, (file.poor, _retained(now)))]
    return ImportPartial(reason="; ".join(notes)) if reasons else ImportCompleted(reason="; ".join(notes))


def _retained(now: ImportJob) -> str:
    """Return of how many resources something that is stored was kept, and why; "" when of none."""
    if not now.retained:
        return ""
    names = ", ".join(each.rpartition("/")[2] for each in now.retained_examples)
    more = ", …" if now.retained > len(now.retained_examples) else ""
    plural = "" if now.retained == 1 else "s"
    return (
        f"of {now.retained} resource{plural} what was stored before says more or is newer, and was kept ({names}{more})"
    )


def _failed(reason: str) -> ImportFailed:
    return ImportFailed(reason=reason[:1000])


def _end(import_id: str, verdict: Callable[[ImportJob], ImportEnd | None], store: Store) -> ImportJob:
    """End an import that has not ended, as `verdict` says; _Overtaken when that is None."""

    def decision(now: ImportJob | None) -> Sequence[ImportEvent]:
        if now is None or now.ended_at is not None:
            return ()
        end = verdict(now)
        if end is None:
            raise _Overtaken
        return (end,)

    return _cleared(aggregate.decide(STREAM, import_id, decision, store=store), store)


def _cleared(ended: ImportJob, store: Store) -> ImportJob:
    """Remove the file of an import that has ended, and return the import."""
    store.blobs.delete(tenant=store.tenant, name=content_name(ended.id))
    return ended


def resend(*, store: Store, queue: Queue) -> None:
    """Send the messages of stalled imports again."""
    for each in stalled(store=store):
        queue.send(QUEUE, message.write(store, each.id))


def stalled(*, store: Store) -> list[ImportJob]:
    """Return the imports without progress for longer than a step takes: their messages are lost, or late."""
    late = store.now() - STALLED_AFTER
    return [each for each in unfinished(store=store) if _is_stalled(each, late)]


def _is_stalled(known: ImportJob, late: datetime) -> bool:
    return max(known.progressed_at, known.waiting_until or late) <= late


def unfinished(*, store: Store) -> list[ImportJob]:
    """Return the imports that have not ended."""
    return with_status(ACTIVE_STATUSES, store)


def with_status(statuses: Sequence[ImportStatus], store: Store) -> list[ImportJob]:
    """Return all imports of these statuses."""
    query = Query(equals={"status": tuple(statuses)})
    found = each_document(STREAM.name, query, documents=store.documents, tenant=store.tenant)
    return [MODEL.read(each.body) for each in found]
