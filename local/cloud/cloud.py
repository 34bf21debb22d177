"""The sandbox cloud as its handlers see it: the store, the faults, the clock, and how slow it is."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from local.clock import utc_now
from local.cloud.faults.fault import Faults
from local.cloud.store import ResourceStore, StoredRow


@dataclass(frozen=True, slots=True)
class Cloud:
    """What one sandbox cloud is made of.

    `secret` signs its tokens, `operation_seconds` is how long writes of slow types take, `graph_delay_seconds` how
    much later Resource Graph tells of a change, `throttle` turns the rate limits on, `limit_scale` makes them smaller.
    """

    store: ResourceStore
    secret: str
    tenant: str
    faults: Faults = field(default_factory=Faults)
    clock: Callable[[], datetime] = utc_now
    new_id: Callable[[], str] = lambda: str(uuid.uuid4())
    operation_seconds: float = 0.0
    graph_delay_seconds: float = 0.0
    throttle: bool = False
    limit_scale: float = 1.0

    def timestamp(self) -> str:
        """Return the current time as ARM writes it."""
        return self.clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def busy(self, row: StoredRow) -> bool:
        """Return whether a long-running operation on the resource is still under way."""
        return row.ready > self.clock().timestamp()
