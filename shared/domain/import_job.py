"""Imports: inventories that others exported, and what became of them."""

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import singledispatch
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, field_validator
from pydantic_core import PydanticCustomError

from shared.domain import transition
from shared.domain.error import Conflict
from shared.domain.event import Event, Recorded
from shared.domain.inventory import RecordError
from shared.domain.model import Model
from shared.domain.page import PageRequest
from shared.domain.progress import Waiting


class ImportStatus(StrEnum):
    """The status of an import. `uploading` waits for its file; `partial` lacks bad records, or pages."""

    UPLOADING = "uploading"
    REQUESTED = "requested"
    RUNNING = "running"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE_STATUSES = (ImportStatus.REQUESTED, ImportStatus.RUNNING)

RECORD_ERROR_ITEMS = 100
RETAINED_ITEMS = 5


SHA256_PATTERN = r"^[0-9a-f]{64}$"
SUBSCRIPTION_PATTERN = r"^[0-9A-Za-z-]{1,64}$"
RESOURCE_GROUP_PATTERN = (
    r"^[^\u0000-\u0027*+,/:-@\u005b-\u005e`{-\u00a0\u1680\u2000-\u2e7f\u3000-\u3004\ufe00-\ufe0f"
    r"\ufeff\ufff0-\uffff]{1,90}$"
)
"""Letters and digits of any alphabet, and `-`, `_`, `.`, `(`, `)`."""
LOCATION_PATTERN = r"^[A-Za-z0-9 -]{1,64}$"
API_VERSION_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(-[A-Za-z]{1,20})?$"
PARAMETER_PATTERN = r"^[^=]+="
TEMPLATE_PARAMETERS = 256
"""Parameters of a template ("Template limits")."""
PARAMETER_CHARACTERS = 65_536


class DeploymentScope(Model):
    """Where a template is deployed, and the api-version of bodies: what files do not say themselves."""

    subscription: str | None = Field(
        default=None, pattern=SUBSCRIPTION_PATTERN, description="the subscription that a template is deployed to"
    )
    resource_group: str | None = Field(
        default=None, pattern=RESOURCE_GROUP_PATTERN, description="the resource group that a template is deployed to"
    )
    management_group: str | None = Field(
        default=None, pattern=RESOURCE_GROUP_PATTERN, description="the management group that a template is deployed to"
    )
    location: str | None = Field(
        default=None, pattern=LOCATION_PATTERN, description="the location of a template's deployment and resource group"
    )
    api_version: str | None = Field(
        default=None, pattern=API_VERSION_PATTERN, description="the api-version of bodies that do not say it"
    )


class ImportOrigin(DeploymentScope):
    """The origin of a file, with the values of the parameters of its templates."""

    parameters: Mapping[str, Any] = Field(
        default_factory=dict,
        max_length=TEMPLATE_PARAMETERS,
        description='values of the parameters of a template: plain ones or {"value": …}. They are kept with the import '
        "and shown, so leave secrets out: what is not given counts as unread",
    )

    @field_validator("parameters")
    @classmethod
    def _check_size(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        # They are part of the import's record and of its first event.
        if len(json.dumps(given, default=str)) > PARAMETER_CHARACTERS:
            raise PydanticCustomError(
                "parameters_too_long", f"the parameters have more than {PARAMETER_CHARACTERS} characters of JSON"
            )
        return given


class ImportJob(Waiting):
    """An import as projected from its stream.

    `records` is the position in the file: so many of its records were read and settled, `imported` of them as
    resources, and `error_count` left out. Of `retained` resources something that was stored before was kept, because
    the file says less of them or is older; `retained_examples` are the first of them.
    """

    id: str
    status: ImportStatus
    name: str = Field(description="the name of the file, as sent")
    size: int = Field(default=0, description="bytes received")
    sha256: str | None = Field(default=None, description="the SHA-256 of the file, in hexadecimal")
    upload_until: AwareDatetime = Field(description="when the upload of the file has to have begun")
    origin: ImportOrigin = Field(default_factory=ImportOrigin)
    requested_by: str
    requested_at: AwareDatetime
    progressed_at: AwareDatetime = Field(description="when it last made progress")
    ended_at: AwareDatetime | None = None
    records: int = 0
    imported: int = 0
    error_count: int = 0
    errors: tuple[RecordError, ...] = Field(default=(), description="the first 100 records left out, and why")
    retained: int = Field(default=0, description="resources of which something stored was kept: it says more, or newer")
    retained_examples: tuple[str, ...] = Field(default=(), description="the ids of the first of them")
    subscriptions: tuple[str, ...] = ()
    sequence: int = 0


class UploadStarted(Event):
    """Somebody is about to send a file; the upload has to begin before `until`."""

    type: Literal["uploadStarted"] = "uploadStarted"
    version: Literal[1] = 1
    name: str
    until: AwareDatetime
    origin: ImportOrigin = Field(default_factory=ImportOrigin)


class ImportRequested(Event):
    """The file has arrived."""

    type: Literal["importRequested"] = "importRequested"
    version: Literal[1] = 1
    size: int
    sha256: str | None


class ImportWaiting(Event):
    """The store makes the import wait."""

    type: Literal["importWaiting"] = "importWaiting"
    version: Literal[1] = 1
    until: AwareDatetime
    reason: str


class ImportProgressed(Event):
    """The records between two positions of the file were settled."""

    type: Literal["importProgressed"] = "importProgressed"
    version: Literal[1] = 1
    start: int
    end: int
    imported: int
    error_count: int
    errors: tuple[RecordError, ...]
    subscriptions: tuple[str, ...]
    retained: int = 0
    retained_examples: tuple[str, ...] = ()


class ImportEnded(Event):
    """The base of the events that end an import."""

    reason: str = ""


class ImportCompleted(ImportEnded):
    """All records were kept. `reason` says what the file lacks all the same."""

    type: Literal["importCompleted"] = "importCompleted"
    version: Literal[1] = 1


class ImportPartial(ImportEnded):
    """All records were kept but bad ones, or the file is not the whole list: pages are missing."""

    type: Literal["importPartial"] = "importPartial"
    version: Literal[1] = 1


class ImportFailed(ImportEnded):
    """The import could not go on."""

    type: Literal["importFailed"] = "importFailed"
    version: Literal[1] = 1


class ImportCancelled(ImportEnded):
    """Somebody stopped the import; what it has kept stays."""

    type: Literal["importCancelled"] = "importCancelled"
    version: Literal[1] = 1


type ImportEvent = Annotated[
    UploadStarted
    | ImportRequested
    | ImportWaiting
    | ImportProgressed
    | ImportCompleted
    | ImportPartial
    | ImportFailed
    | ImportCancelled,
    Field(discriminator="type"),
]


TRANSITIONS: Mapping[tuple[ImportStatus | None, type[Event]], ImportStatus] = {
    (None, UploadStarted): ImportStatus.UPLOADING,
    (ImportStatus.UPLOADING, ImportRequested): ImportStatus.REQUESTED,
    (ImportStatus.UPLOADING, ImportFailed): ImportStatus.FAILED,
    (ImportStatus.UPLOADING, ImportCancelled): ImportStatus.CANCELLED,
    **{(status, ImportWaiting): status for status in ACTIVE_STATUSES},
    **{(status, ImportProgressed): ImportStatus.RUNNING for status in ACTIVE_STATUSES},
    **{(status, ImportCompleted): ImportStatus.COMPLETED for status in ACTIVE_STATUSES},
    **{(status, ImportPartial): ImportStatus.PARTIAL for status in ACTIVE_STATUSES},
    **{(status, ImportFailed): ImportStatus.FAILED for status in ACTIVE_STATUSES},
    **{(status, ImportCancelled): ImportStatus.CANCELLED for status in ACTIVE_STATUSES},
}
"""(status, event) -> the status after it."""


def apply(job: ImportJob | None, recorded: Recorded[ImportEvent]) -> ImportJob:
    """Return the import after an event; Conflict when the move is not allowed."""
    event, at, now = recorded.event, recorded.at, job.status if job else None
    if (now, type(event)) not in TRANSITIONS:
        raise transition.refused("an import", now, event.type)
    status = TRANSITIONS[now, type(event)]
    if isinstance(event, UploadStarted):
        return ImportJob(
            id=recorded.thing,
            status=status,
            name=event.name,
            upload_until=event.until,
            origin=event.origin,
            requested_by=recorded.actor,
            requested_at=at,
            progressed_at=at,
            sequence=recorded.sequence,
        )
    assert job is not None  # the table allows only an upload of an import that does not exist
    common = {"status": status, "sequence": recorded.sequence, "waiting_until": None, "reason": ""}
    return job.model_copy(update={**common, **_changes(event, job, at)})


@singledispatch
def _changes(_event: Event, _job: ImportJob, _at: datetime) -> dict[str, object]:
    """Return the fields that an event changes, besides the status."""
    return {}


@_changes.register
def _progressed(event: ImportProgressed, job: ImportJob, at: datetime) -> dict[str, object]:
    # Two deliveries of one message may both have read the batch: only one of them may count it.
    if event.start != job.records:
        raise Conflict(f"the import is at record {job.records}, not at {event.start}")
    return {
        "progressed_at": at,
        "records": event.end,
        "imported": job.imported + event.imported,
        "error_count": job.error_count + event.error_count,
        "errors": (*job.errors, *event.errors)[:RECORD_ERROR_ITEMS],
        "retained": job.retained + event.retained,
        "retained_examples": (*job.retained_examples, *event.retained_examples)[:RETAINED_ITEMS],
        "subscriptions": tuple(sorted({*job.subscriptions, *event.subscriptions})),
    }


@_changes.register
def _requested(event: ImportRequested, _job: ImportJob, at: datetime) -> dict[str, object]:
    return {"size": event.size, "sha256": event.sha256, "requested_at": at, "progressed_at": at}


@_changes.register
def _waits(event: ImportWaiting, _job: ImportJob, _at: datetime) -> dict[str, object]:
    return {"waiting_until": event.until, "reason": event.reason}


@_changes.register
def _ended(event: ImportEnded, _job: ImportJob, at: datetime) -> dict[str, object]:
    return {"ended_at": at, "reason": event.reason}


class ImportListing(PageRequest):
    """Chooses imports."""

    status: tuple[ImportStatus, ...] = ()
