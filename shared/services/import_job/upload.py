"""Receive the files of imports: through our own API, or directly into the blob store with a grant for one blob.

The record comes first. A file that never arrives, or arrives too late, is found by its record and removed.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import timedelta

from shared.domain.error import AlreadyExists, Conflict, InvalidInput, NotFound, TooLarge, Unauthenticated
from shared.domain.import_job import (
    ACTIVE_STATUSES,
    ImportJob,
    ImportOrigin,
    ImportRequested,
    ImportStatus,
    UploadStarted,
)
from shared.eventstore import aggregate
from shared.eventstore.store import Store
from shared.ports.blobs import Blobs, Grant
from shared.ports.queue import Queue
from shared.services import message
from shared.services.import_job import import_job

UPLOAD_BYTES = 500 * 1024 * 1024
GRANT_LIFETIME = timedelta(minutes=15)
"""How long a grant is valid: an upload has to begin within it."""
UPLOAD_GRACE = timedelta(minutes=15)
"""How long an upload may go on after that, before it is taken for abandoned."""


class MeasuredStream:
    """Measures the pieces of a file as they pass; TooLarge as soon as there are too many bytes."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self._digest = hashlib.sha256()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.size += len(piece)
            if self.size > UPLOAD_BYTES:
                raise TooLarge(f"an import has at most {UPLOAD_BYTES >> 20} MB; split the file")
            self._digest.update(piece)
            yield piece

    @property
    def sha256(self) -> str:
        """Return the digest of what has passed, in hexadecimal."""
        return self._digest.hexdigest()


def take(
    import_id: str,
    name: str,
    pieces: Iterable[bytes],
    *,
    store: Store,
    queue: Queue,
    origin: ImportOrigin | None = None,
) -> ImportJob:
    """Keep a file that came with its request, and start its import.

    The same id a second time returns the existing import. TooLarge over 500 MB; InvalidInput for an empty file.
    """
    known = _begin(import_id, name, origin, store)
    if known.status == ImportStatus.UPLOADING:
        file = MeasuredStream(pieces)
        try:
            store.blobs.put(tenant=store.tenant, name=import_job.content_name(import_id), data=file)
            _check_size(file.size)
        except (InvalidInput, TooLarge) as error:
            import_job.fail(import_id, error.message, store=store)
            raise
        known = _request(import_id, file.size, file.sha256, store)
    return _sent(known, store, queue)


def start(import_id: str, name: str, *, store: Store, origin: ImportOrigin | None = None) -> tuple[ImportJob, Grant]:
    """Let a caller put a file into the blob store; `complete` starts the import of it."""
    known = _begin(import_id, name, origin, store)
    grant = store.blobs.grant(
        tenant=store.tenant, name=import_job.content_name(import_id), expires_at=known.upload_until
    )
    return known, grant


def holder(import_id: str, token: str, *, blobs: Blobs) -> str:
    """Return the tenant of a token that lets its holder upload this import's file to us; Unauthenticated."""
    admitted = blobs.admit(token)
    if admitted.name != import_job.content_name(import_id):
        raise Unauthenticated("this token was granted for another upload")
    return admitted.tenant


def receive(import_id: str, pieces: Iterable[bytes], *, store: Store) -> None:
    """Keep what the holder of a grant sends to our own API, once.

    Conflict when there is a file already, or the grant has expired; TooLarge.
    """
    known = import_job.find(import_id, store=store)
    if known.status != ImportStatus.UPLOADING or store.now() > known.upload_until:
        raise Conflict("the time for this upload has expired; start another")
    try:
        store.blobs.create(tenant=store.tenant, name=import_job.content_name(import_id), data=MeasuredStream(pieces))
    except AlreadyExists as error:
        raise Conflict("the file of this upload has already arrived; complete it, or start another") from error


def complete(import_id: str, size: int, sha256: str, *, store: Store, queue: Queue) -> ImportJob:
    """Start the import of a file that was uploaded; its digest is checked when the import begins.

    Done again, it returns the existing import. Conflict when the file has not arrived, or another was completed;
    InvalidInput when its size differs; TooLarge, which ends the import.
    """
    known = import_job.find(import_id, store=store)
    if known.status == ImportStatus.UPLOADING:
        try:
            _check_size(_arrived(known, size, store))
        except TooLarge as error:
            import_job.fail(import_id, error.message, store=store)
            raise
        known = _request(import_id, size, sha256, store)
    # Compared after the request is recorded: of two completions at once, the second may name another file.
    if (known.size, known.sha256) != (size, sha256):
        raise Conflict(f"import {import_id} is {known.status} and cannot take another file; start another upload")
    return _sent(known, store, queue)


def expire(*, store: Store) -> int:
    """End abandoned uploads, and remove files that no import waits for; return how many there were."""
    late = store.now() - UPLOAD_GRACE
    uploading = import_job.with_status((ImportStatus.UPLOADING,), store)
    abandoned = [each for each in uploading if each.upload_until <= late]
    for each in abandoned:
        import_job.fail(each.id, "the upload was not completed in time; start another", store=store)
    swept = 0
    # A grant outlives its import: what was created with it after the import had ended is nobody's.
    for name in store.blobs.names(tenant=store.tenant, prefix=import_job.FOLDER):
        known = import_job.current(name.removeprefix(import_job.FOLDER).partition("/")[0], store=store)
        if known is None or known.ended_at is not None:
            store.blobs.delete(tenant=store.tenant, name=name)
            swept += 1
    return len(abandoned) + swept


def _begin(import_id: str, name: str, origin: ImportOrigin | None, store: Store) -> ImportJob:
    begun = UploadStarted(name=name[:255], origin=origin or ImportOrigin(), until=store.now() + GRANT_LIFETIME)
    return aggregate.decide(import_job.STREAM, import_id, lambda now: () if now else (begun,), store=store)


def _request(import_id: str, size: int, sha256: str, store: Store) -> ImportJob:
    asked = ImportRequested(size=size, sha256=sha256)
    return aggregate.decide(
        import_job.STREAM,
        import_id,
        lambda now: (asked,) if now and now.status == ImportStatus.UPLOADING else (),
        store=store,
    )


def _sent(known: ImportJob, store: Store, queue: Queue) -> ImportJob:
    if known.status in ACTIVE_STATUSES:
        queue.send(import_job.QUEUE, message.write(store, known.id))
    return known


def _arrived(known: ImportJob, size: int, store: Store) -> int:
    try:
        # The size is cheap to ask for; the digest, which means to read the file, is left to the import.
        stored = store.blobs.size(tenant=store.tenant, name=import_job.content_name(known.id))
    except NotFound as error:
        raise Conflict("the file has not arrived: send it to the upload's URL first") from error
    if stored != size:
        raise InvalidInput(f"{stored} bytes arrived, not {size}", path="$.size")
    return stored


def _check_size(size: int) -> None:
    if not size:
        raise InvalidInput("the import is empty; send an inventory file", path="$")
    if size > UPLOAD_BYTES:
        raise TooLarge(f"an import has at most {UPLOAD_BYTES >> 20} MB; split the file")
