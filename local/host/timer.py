"""Timer triggers: run a function at each occurrence of its schedule, and once for those missed."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.host.function import AppFunction
from local.host.invocation import InvocationInput, InvocationResult
from local.host.proto import TypedData
from local.host.schedule import Schedule
from local.host.wait import wait_within
from shared.ports.clock import Now

# The wall clock is read this often, so that a machine that slept or a clock that was set is noticed in time.
_SLEEP_SECONDS = 1.0
_MONITORED_INTERVAL = timedelta(minutes=1)
# A clock that is corrected by less than this would otherwise run an occurrence twice.
_CLOCK_CORRECTION = timedelta(minutes=1)

RunFunction = Callable[[AppFunction, InvocationInput], Awaitable[InvocationResult]]


@dataclass(frozen=True, slots=True)
class ScheduleStatus:
    """What is stored of a timer: the last occurrence that ran, the next one expected, and when this was written."""

    last: datetime | None
    next: datetime
    updated: datetime

    def json(self) -> dict[str, str]:
        """Return TimerInfo's ScheduleStatus, in which the earliest .NET time stands for never."""
        last = self.last or datetime(1, 1, 1, tzinfo=UTC)
        return {"Last": last.isoformat(), "Next": self.next.isoformat(), "LastUpdated": self.updated.isoformat()}


class Timer:
    """Runs one function at the times of its schedule, one run at a time. `path` is the file of its status.

    Occurrences missed while the function ran are skipped; for those missed while the host was down there is one run,
    which is reported as past due. Source: azure-webjobs-sdk-extensions, "TimerListener".
    When the clock has been set back, the next occurrence is computed again, where Azure's listener would wait.
    """

    def __init__(self, function: AppFunction, schedule: Schedule, *, run: RunFunction, path: Path, now: Now) -> None:
        self._function = function
        self._schedule = schedule
        self._run = run
        self._path = path
        self._now = now
        first = schedule(now())
        interval = schedule(first) - first
        self._monitored = function.trigger.data.get("useMonitor", True) and interval >= _MONITORED_INTERVAL

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, or until cancelled in the middle of the function."""
        now = self._now()
        status = self._load() if self._monitored else None
        # What the schedule of today would not have expected was stored under another one.
        if status is None or _set_back(status, now) or status.next != self._schedule(status.updated):
            status = self._reset(now)
        past_due = status.next < now
        if past_due or self._function.trigger.data.get("runOnStartup"):
            status = await self._fire(status, past_due=past_due)
        while due := await self._due(status, stop):
            status = await self._fire(due, past_due=False)

    def call(self, status: ScheduleStatus | None = None, *, past_due: bool = False) -> InvocationInput:
        """Build the input of one run of the function."""
        info = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": status.json() if status and self._monitored else None,
            "IsPastDue": past_due,
        }
        return InvocationInput(TypedData(json=json.dumps(info)), detail="past due" if past_due else "")

    def _reset(self, now: datetime) -> ScheduleStatus:
        """Store and return a status that expects the next occurrence from now."""
        fresh = ScheduleStatus(None, self._schedule(now), now)
        self._save(fresh)
        return fresh

    async def _due(self, status: ScheduleStatus, stop: asyncio.Event) -> ScheduleStatus | None:
        """Wait for the next occurrence. Return the status that expected it; None when `stop` is set first."""
        while not stop.is_set():
            now = self._now()
            if _set_back(status, now):
                status = self._reset(now)
            remaining = (status.next - now).total_seconds()
            if remaining <= 0:
                return status
            await wait_within(stop, min(remaining, _SLEEP_SECONDS))
        return None

    async def _fire(self, status: ScheduleStatus, *, past_due: bool) -> ScheduleStatus:
        await self._run(self._function, self.call(status, past_due=past_due))
        now = self._now()
        # After a run on startup the next occurrence still lies ahead; otherwise the one that was due has run.
        after = ScheduleStatus(min(status.next, now), self._schedule(now), now)
        self._save(after)
        return after

    def _load(self) -> ScheduleStatus | None:
        try:
            kept = json.loads(self._path.read_bytes())
            last, following, updated = (_moment(kept[name]) for name in ("Last", "Next", "LastUpdated"))
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return None  # never stored, or unreadable: as for a new timer
        return ScheduleStatus(None if last.year == 1 else last, following, updated)

    def _save(self, status: ScheduleStatus) -> None:
        if not self._monitored:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Written under another name and moved into place: a crash never leaves half a status.
        written = self._path.with_suffix(".new")
        written.write_text(json.dumps(status.json()))
        written.replace(self._path)


def _set_back(status: ScheduleStatus, now: datetime) -> bool:
    """Return whether the clock has been set back since, so that the expected occurrence may lie far ahead."""
    return status.updated - now > _CLOCK_CORRECTION


def _moment(text: str) -> datetime:
    """Return a time with its offset; ValueError or OverflowError when there is no such time."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"'{text}' has no offset")
    return moment.astimezone(UTC)
