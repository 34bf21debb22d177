"""Timer triggers: on time, on start, past due, and across restarts."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.host import timer
from local.host.function import AppFunction, FunctionBinding
from local.host.invocation import InvocationInput, InvocationResult
from local.host.schedule import parse_schedule
from local.host.timer import Timer

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
_TURNS = 50
"""Turns of the loop in which a timer that sleeps for no time looks at the clock."""


class Clock:
    """Stands still until moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Runner:
    """A timer under test, with what its function was given; the function `takes` some time."""

    takes = timedelta(0)

    def __init__(self, path: Path, now: datetime, schedule: str = "0 0 * * * *", **data: Any) -> None:
        self.clock = Clock(now)
        self.given: list[dict[str, Any]] = []
        self._stop = asyncio.Event()
        self._runs = 1
        trigger = FunctionBinding("timer", "timerTrigger", is_output=False, data={"schedule": schedule} | data)
        function = AppFunction("hourly", "1", trigger, ())
        self.timer = Timer(function, parse_schedule(schedule), run=self._run, path=path, now=self.clock)

    async def _run(self, _function: AppFunction, call: InvocationInput) -> InvocationResult:
        self.given.append(json.loads(call.data.json))
        self.clock.now += self.takes
        if len(self.given) == self._runs:
            self._stop.set()
        return InvocationResult("ok")

    def until(self, now: datetime, *, runs: int) -> list[dict[str, Any]]:
        """Run until the function ran so many times, with the clock at `now` once the timer waits."""

        async def main() -> None:
            task = asyncio.create_task(self.timer.run(self._stop))
            await asyncio.sleep(0)
            self.clock.now = now
            await task

        self._runs = runs
        if runs == 0:
            self._stop.set()
        asyncio.run(main())
        return self.given

    def through(self, moments: Sequence[datetime], *, stop: bool = False) -> list[dict[str, Any]]:
        """Run until the function ran once, or to the end with `stop`: the clock shows one moment after the other."""

        async def main() -> None:
            task = asyncio.create_task(self.timer.run(self._stop))
            for moment in moments:
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
                self.clock.now = moment
            for _ in range(_TURNS if stop else 0):
                await asyncio.sleep(0)
            if stop:
                self._stop.set()
            await task

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(timer, "_SLEEP_SECONDS", 0)
            asyncio.run(main())
        return self.given


def test_a_new_timer_waits_for_its_first_occurrence(tmp_path: Path) -> None:
    runner = Runner(tmp_path / "t.json", NOON)
    assert runner.until(NOON + timedelta(minutes=59), runs=0) == []


def test_an_occurrence_missed_while_the_host_was_down_is_past_due(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    Runner(path, NOON).until(NOON, runs=0)
    later = NOON + timedelta(hours=3, minutes=30)
    (given,) = Runner(path, later).until(later, runs=1)
    assert given["IsPastDue"] is True
    assert given["ScheduleStatus"]["Next"] == "2026-03-04T13:00:00+00:00"
    assert json.loads(path.read_text()) == {
        "Last": "2026-03-04T13:00:00+00:00",
        "Next": "2026-03-04T16:00:00+00:00",
        "LastUpdated": "2026-03-04T15:30:00+00:00",
    }


def test_nothing_is_past_due_when_the_host_was_only_briefly_away(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    Runner(path, NOON).until(NOON, runs=0)
    later = NOON + timedelta(minutes=30)
    assert Runner(path, later).until(later, runs=0) == []


def test_a_changed_schedule_resets_the_status(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    Runner(path, NOON).until(NOON, runs=0)
    later = NOON + timedelta(hours=3)
    assert Runner(path, later, "0 30 * * * *").until(later, runs=0) == []
    assert json.loads(path.read_text())["Next"] == "2026-03-04T15:30:00+00:00"


EARLIEST, LATEST = "0001-01-01T00:00:00", "9999-12-31T23:59:59"
UNREADABLE = (
    "",
    "{",
    "[]",
    '{"Last": 1}',
    '{"Last": "x", "Next": "y", "LastUpdated": "z"}',
    '{"Last": "2026-03-04T11:00:00", "Next": "2026-03-04T12:00:00", "LastUpdated": "2026-03-04T11:00:00"}',
    f'{{"Last": "{EARLIEST}Z", "Next": "{EARLIEST}Z", "LastUpdated": "{EARLIEST}+14:00"}}',
    f'{{"Last": "{LATEST}Z", "Next": "{LATEST}Z", "LastUpdated": "{LATEST}-14:00"}}',
)


@pytest.mark.parametrize("kept", UNREADABLE)
def test_a_status_that_cannot_be_read_is_reset(tmp_path: Path, kept: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(kept)
    assert Runner(path, NOON).until(NOON, runs=0) == []
    assert json.loads(path.read_text())["Next"] == "2026-03-04T13:00:00+00:00"


AHEAD = NOON + timedelta(days=800)


@pytest.mark.parametrize("schedule", ["0 0 * * * *", "0 0 2 * * *", "01:00:00"])
def test_a_clock_that_was_ahead_when_the_host_ran_before_does_not_stop_a_timer(tmp_path: Path, schedule: str) -> None:
    path = tmp_path / "t.json"
    Runner(path, AHEAD, schedule, runOnStartup=True).until(AHEAD, runs=1)
    runner = Runner(path, NOON, schedule)
    (given,) = runner.until(NOON + timedelta(days=1), runs=1)
    assert given["ScheduleStatus"]["Next"] == parse_schedule(schedule)(NOON).isoformat()
    assert json.loads(path.read_text())["Next"] == parse_schedule(schedule)(NOON + timedelta(days=1)).isoformat()


def test_a_clock_set_back_while_the_timer_waits_does_not_stop_it(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    runner = Runner(path, AHEAD)
    assert runner.through((NOON, NOON + timedelta(hours=1))) == [runner.given[0]]
    assert runner.given[0]["ScheduleStatus"]["Next"] == "2026-03-04T13:00:00+00:00"
    assert json.loads(path.read_text())["Next"] == "2026-03-04T14:00:00+00:00"


def test_a_clock_put_right_by_seconds_runs_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    Runner(path, NOON - timedelta(minutes=1)).until(NOON, runs=1)
    before = path.read_text()
    corrected = NOON - timedelta(seconds=5)
    assert Runner(path, corrected).through((NOON + timedelta(minutes=1),), stop=True) == []
    assert path.read_text() == before


def test_run_on_startup_is_not_past_due(tmp_path: Path) -> None:
    (given,) = Runner(tmp_path / "t.json", NOON, runOnStartup=True).until(NOON, runs=1)
    assert given["IsPastDue"] is False


@pytest.mark.parametrize(("schedule", "data"), [("* * * * * *", {}), ("0 0 * * * *", {"useMonitor": False})])
def test_a_quick_or_unmonitored_timer_keeps_no_status(tmp_path: Path, schedule: str, data: dict[str, Any]) -> None:
    path = tmp_path / "t.json"
    (given,) = Runner(path, NOON, schedule, runOnStartup=True, **data).until(NOON, runs=1)
    assert given["ScheduleStatus"] is None
    assert not path.exists()


def test_occurrences_missed_while_the_function_ran_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    Runner(path, NOON).until(NOON, runs=0)
    runner = Runner(path, NOON)
    runner.takes = timedelta(hours=2, minutes=1)
    (given,) = runner.until(NOON + timedelta(hours=1), runs=1)
    assert given["IsPastDue"] is False
    assert json.loads(path.read_text()) == {
        "Last": "2026-03-04T13:00:00+00:00",
        "Next": "2026-03-04T16:00:00+00:00",
        "LastUpdated": "2026-03-04T15:01:00+00:00",
    }


def test_the_host_runs_timers_on_time_and_on_start(host: Any) -> None:
    assert host.until("startup", bool) == [False]
    assert host.until("tick", bool)[0] == {}
    assert host.seen("hourly") == []


def test_the_host_reports_what_it_missed(tmp_path: Path, serve: Any) -> None:
    with serve(tmp_path):
        kept = tmp_path / "timers" / "hourly.json"
    status = json.loads(kept.read_text())
    moved = {
        name: (datetime.fromisoformat(value) - timedelta(days=1)).isoformat()
        for name, value in status.items()
        if name != "Last"
    }
    kept.write_text(json.dumps(status | moved))
    with serve(tmp_path) as started:
        (seen,) = started.until("hourly", bool)
    assert seen["past_due"] is True
    assert seen["status"]["Next"] == moved["Next"]


def test_a_timer_fired_by_hand_has_no_status(host: Any) -> None:
    assert host.client.post("/admin/functions/hourly", json={}).status_code == 202
    assert host.until("hourly", bool) == [{"past_due": False, "status": {}}]


def test_a_retry_policy_is_kept(host: Any) -> None:
    host.client.post("/admin/functions/stubborn", json={})
    assert host.until("stubborn", lambda seen: len(seen) == 3) == ["tried"] * 3


def test_a_schedule_that_cannot_be_read_leaves_its_function_out(
    tmp_path: Path, serve: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOURLY", "whenever")
    with serve(tmp_path) as started:
        assert started.client.get("/api/hello/Ada").status_code == 200
    assert "hourly is left out: 'whenever' is not a schedule" in caplog.text
