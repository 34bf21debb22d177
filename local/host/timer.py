"""Timer triggers: waiting for the next occurrence, and noticing after a pause that some were missed."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.host.function import Function
from local.host.invocation import Call, Result
from local.host.proto import TypedData
from local.host.schedule import Schedule
from local.host.wait import within
from shared.ports.clock import Now

# The wall clock is looked at this often: a machine that slept, or a clock that was set, is noticed within a second.
_LONGEST_SLEEP = 1.0
_MONITORED = timedelta(minutes=1)

Run = Callable[[Function, Call], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Status:
    """What is kept of a timer between runs of the host: the last occurrence run, and the next one expected."""

    last: datetime | None
    next: datetime
    updated: datetime

    def json(self) -> dict[str, str]:
        """As TimerInfo's ScheduleStatus; the earliest .NET time stands for never."""
        last = self.last or datetime(1, 1, 1, tzinfo=UTC)
        return {"Last": last.isoformat(), "Next": self.next.isoformat(), "LastUpdated": self.updated.isoformat()}


class Timer:
    """Runs one function at the times of its schedule, never twice at once. `path` keeps its status.

    Occurrences missed while the function ran are left out; those missed while the host was down are made up for by
    one run that is reported as past due. Source: azure-webjobs-sdk-extensions, "TimerListener".
    """

    def __init__(self, function: Function, schedule: Schedule, *, run: Run, path: Path, now: Now) -> None:
        self._function = function
        self._schedule = schedule
        self._run = run
        self._path = path
        self._now = now
        self._monitored = function.trigger.data.get("useMonitor", True) and self._is_slow()

    async def run(self, stop: asyncio.Event) -> None:
        """Run until told to stop, or cancelled in the middle of the function."""
        status, past_due = self._start()
        if past_due or self._function.trigger.data.get("runOnStartup"):
            status = await self._fire(status, past_due=past_due)
        while await self._due(status.next, stop):
            status = await self._fire(status, past_due=False)

    def call(self, status: Status | None = None, *, past_due: bool = False) -> Call:
        """What the function is given."""
        info = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": status.json() if status and self._monitored else None,
            "IsPastDue": past_due,
        }
        return Call(TypedData(json=json.dumps(info)), detail="past due" if past_due else "")

    def _start(self) -> tuple[Status, bool]:
        now = self._now()
        fresh = Status(None, self._schedule(now), now)
        kept = self._load() if self._monitored else None
        if kept is None or kept.next != self._schedule(kept.updated):  # the schedule has changed
            self._save(fresh)
            return fresh, False
        return kept, kept.next < now

    async def _due(self, moment: datetime, stop: asyncio.Event) -> bool:
        """Wait for the moment; False when told to stop instead."""
        while not stop.is_set():
            remaining = (moment - self._now()).total_seconds()
            if remaining <= 0:
                return True
            await within(stop, min(remaining, _LONGEST_SLEEP))
        return False

    async def _fire(self, status: Status, *, past_due: bool) -> Status:
        await self._run(self._function, self.call(status, past_due=past_due))
        now = self._now()
        # On startup an occurrence may still lie ahead; otherwise the one that was due has now been run.
        after = Status(min(status.next, now), self._schedule(now), now)
        self._save(after)
        return after

    def _is_slow(self) -> bool:
        first = self._schedule(self._now())
        return self._schedule(first) - first >= _MONITORED

    def _load(self) -> Status | None:
        try:
            kept = json.loads(self._path.read_bytes())
            last, following, updated = (datetime.fromisoformat(kept[name]) for name in ("Last", "Next", "LastUpdated"))
        except (OSError, ValueError, KeyError, TypeError):
            return None  # never kept, or not readable: as for a new timer
        return Status(None if last.year == 1 else last, following, updated)

    def _save(self, status: Status) -> None:
        if not self._monitored:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        written = self._path.with_suffix(".new")
        written.write_text(json.dumps(status.json()))
        written.replace(self._path)
