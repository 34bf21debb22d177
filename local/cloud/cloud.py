"""The sandbox cloud as its handlers see it: the store, the faults, the clock, and how slow it is."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from local.cloud.fault import Faults
from local.cloud.store import Row, Store


def now() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


def new_id() -> str:
    """A new GUID."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Cloud:
    """What one sandbox cloud is made of.

    `secret` signs its tokens, `operation_seconds` is how long writes of slow types take, `throttle` turns the rate
    limits on.
    """

    store: Store
    secret: str
    tenant: str
    faults: Faults = field(default_factory=Faults)
    clock: Callable[[], datetime] = now
    new_id: Callable[[], str] = new_id
    operation_seconds: float = 0.0
    throttle: bool = False

    def timestamp(self) -> str:
        """Now, as ARM writes it."""
        return self.clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def busy(self, row: Row) -> bool:
        """Whether a long-running operation on the resource has not ended."""
        return row.ready > self.clock().timestamp()
