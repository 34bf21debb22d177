"""A clock that only moves when it is read or set."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
TENANT = "contoso"


@dataclass
class Clock:
    """Returns the time it was set to, and goes on by `tick` with every call."""

    at: datetime = START
    tick: timedelta = field(default_factory=lambda: timedelta(milliseconds=1))

    def __call__(self) -> datetime:
        self.at += self.tick
        return self.at
