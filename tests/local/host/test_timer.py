"""Timer triggers: on time, on start, past due, and across restarts."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.host.function import Binding, Function
from local.host.invocation import Call, Result
from local.host.schedule import parse
from local.host.timer import Timer

pytestmark = pytest.mark.xdist_group("host-timer")

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


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
        trigger = Binding("timer", "timerTrigger", is_output=False, data={"schedule": schedule} | data)
        function = Function("hourly", "1", trigger, ())
        self.timer = Timer(function, parse(schedule), run=self._run, path=path, now=self.clock)

    async def _run(self, _function: Function, call: Call) -> Result:
        self.given.append(json.loads(call.data.json))
        self.clock.now += self.takes
        if len(self.given) == self._runs:
            self._stop.set()
        return Result("ok")

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


def test_a_changed_schedule_starts_afresh(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    Runner(path, NOON).until(NOON, runs=0)
    later = NOON + timedelta(hours=3)
    assert Runner(path, later, "0 30 * * * *").until(later, runs=0) == []
    assert json.loads(path.read_text())["Next"] == "2026-03-04T15:30:00+00:00"


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"Last": 1}', '{"Last": "x", "Next": "y", "LastUpdated": "z"}'])
def test_a_status_that_cannot_be_read_starts_afresh(tmp_path: Path, kept: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(kept)
    assert Runner(path, NOON).until(NOON, runs=0) == []
    assert json.loads(path.read_text())["Next"] == "2026-03-04T13:00:00+00:00"


def test_on_startup_it_runs_at_once_and_is_not_past_due(tmp_path: Path) -> None:
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


def test_fired_by_hand_it_is_told_so(host: Any) -> None:
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
