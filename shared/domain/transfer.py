"""Imports: inventories that others exported, and what became of them."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import AwareDatetime, Field

from shared.domain.error import Conflict
from shared.domain.event import Event
from shared.domain.inventory import BadRecord
from shared.domain.model import Model


class Status(StrEnum):
    """How an import stands. `partial` is complete, but for bad records."""

    REQUESTED = "requested"
    RUNNING = "running"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"


ACTIVE = (Status.REQUESTED, Status.RUNNING)

TRANSITIONS: Mapping[tuple[Status | None, str], Status] = {
    (None, "importRequested"): Status.REQUESTED,
    **{(status, "importProgressed"): Status.RUNNING for status in ACTIVE},
    **{(status, "importCompleted"): Status.COMPLETED for status in ACTIVE},
    **{(status, "importPartial"): Status.PARTIAL for status in ACTIVE},
    **{(status, "importFailed"): Status.FAILED for status in ACTIVE},
}

FIRST_BAD = 100


SUBSCRIPTION = r"^[0-9A-Za-z-]{1,64}$"
GROUP = r"^[-\w._()]{1,90}$"


class Origin(Model):
    """Where an exported template is from: its resources do not say so themselves."""

    subscription: str | None = Field(default=None, pattern=SUBSCRIPTION)
    resource_group: str | None = Field(default=None, pattern=GROUP)


class Transfer(Model):
    """An import as projected from its stream. `records` were read so far: `kept` of them and `bad` ones left out."""

    id: str
    status: Status
    name: str = Field(description="the file's name, as told")
    size: int = Field(description="bytes received")
    parts: int = Field(description="blobs that hold them")
    origin: Origin = Field(default_factory=Origin)
    requested_by: str
    requested_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    records: int = 0
    kept: int = 0
    bad: int = 0
    first_bad: tuple[BadRecord, ...] = Field(default=(), description="the first 100 records left out, and why")
    subscriptions: tuple[str, ...] = ()
    reason: str = ""
    sequence: int = 0


def apply(transfer: Transfer | None, event: Event) -> Transfer:
    """The import after an event; Conflict when the move is not allowed."""
    now = transfer.status if transfer else None
    if (now, event.type) not in TRANSITIONS:
        raise Conflict(f"an import that is {now or 'not there'} cannot take {event.type}")
    status = TRANSITIONS[now, event.type]
    if transfer is None:
        return Transfer(
            id=event.stream.partition(":")[2],
            status=status,
            name=event.data["name"],
            size=event.data["size"],
            parts=event.data["parts"],
            origin=Origin.model_validate(event.data.get("origin", {})),
            requested_by=event.actor,
            requested_at=event.at,
            sequence=event.sequence,
        )
    changes = _progressed(transfer, event) if event.type == "importProgressed" else _ended(event)
    return transfer.model_copy(update={**changes, "status": status, "sequence": event.sequence})


def _progressed(transfer: Transfer, event: Event) -> dict[str, object]:
    data = event.data
    bad = tuple(BadRecord.model_validate(each) for each in data["firstBad"])
    return {
        "records": transfer.records + data["records"],
        "kept": transfer.kept + data["kept"],
        "bad": transfer.bad + data["bad"],
        "first_bad": (*transfer.first_bad, *bad)[:FIRST_BAD],
        "subscriptions": tuple(sorted({*transfer.subscriptions, *data["subscriptions"]})),
    }


def _ended(event: Event) -> dict[str, object]:
    return {"ended_at": event.at, "reason": event.data.get("reason", "")}
