"""`cortex status`: the age of the data, and what could not be read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from cli import client, terminal

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def scope(name: str, as_of: str | None, gaps: int = 0) -> dict[str, Any]:
    return {"displayName": name, "resources": 7, "asOf": as_of, "gapCount": gaps}


FRAMEWORK = {
    "id": "soc-2",
    "states": {"met": 11, "notMet": 7, "unknown": 3, "exempt": 1, "notAssessed": 39},
    "notAssessable": 38,
    "controlCount": 61,
    "score": None,
    "weightedScore": 62.5,
}


def summary(**more: Any) -> dict[str, Any]:
    whole = {"score": 84.8, "resources": 431, "at": "2026-03-01T12:00:00Z", "asOf": "2026-02-26T12:00:00Z"}
    parts = {
        "gapCount": 0,
        "gaps": [],
        "scopes": {},
        "openBySeverity": {},
        "unknownBySeverity": {},
        "owners": {},
    }
    return {**whole, **parts, **more}


@pytest.fixture
def status(cortex: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    made = httpx2.Client

    def run(summarized: dict[str, Any], **work: dict[str, Any]) -> str:
        def answer(request: httpx2.Request) -> httpx2.Response:
            if request.url.path.endswith("/summary"):
                return httpx2.Response(200, json=summarized)
            if request.url.path.endswith("/aliases"):
                return httpx2.Response(200, json={"waitingUntil": None, "reason": ""})
            if request.url.path.endswith("/frameworks"):
                return httpx2.Response(200, json={"items": [FRAMEWORK], "nextCursor": None})
            found = work.get(request.url.path.rpartition("/")[2])
            return httpx2.Response(200, json={"items": [found] if found else [], "nextCursor": None})

        transport = httpx2.MockTransport(answer)
        monkeypatch.setattr(client.httpx2, "Client", lambda **given: made(**given, transport=transport))
        result = cortex("status")
        assert result.exit_code == 0, result
        return str(result.stdout)

    return run


def test_the_age_is_that_of_the_oldest_that_counts_and_not_of_the_adding_up(status: Any) -> None:
    text = status(summary())
    assert "oldest data: 2026-02-26 12:00 UTC, " in text
    assert "2026-03-01" not in text
    assert "gaps" not in text


def test_violations_and_what_is_unknown_are_counted_apart(status: Any) -> None:
    text = status(summary(openBySeverity={"low": 1200, "critical": 2}, unknownBySeverity={"high": 5}))
    assert "Open violations: 1,202: 2 critical, 1200 low\n" in text
    assert "Open unknowns: 5: 5 high\n" in text


def test_frameworks_are_counted_by_controls_and_what_is_not_assessable_is_shown(status: Any) -> None:
    lines = [line.split() for line in status(summary()).splitlines()]
    assert ["soc-2", "11", "7", "3", "1", "38", "61", "-", "62.5%"] in lines


def test_gaps_are_printed_with_their_reasons_and_the_age_of_the_data(status: Any) -> None:
    gap = {"scope": "/subscriptions/s1", "part": "resources", "reason": "partial", "message": "the list was empty"}
    scopes = {"s1": scope("Payments", "2026-02-26T12:00:00Z", 3), "s2": scope("", None), "s3": scope("New", None)}
    text = status(summary(gapCount=9, gaps=[gap] * 9, scopes=scopes))
    assert "9 parts of the estate could not be read" in text
    assert text.count("not read: resources in /subscriptions/s1: partial: the list was empty") == 5
    lines = [line.split() for line in text.splitlines()]
    assert ["s2", "0", "7", "never"] in lines
    assert any(line[:5] == ["Payments", "3", "7", "2026-02-26", "12:00"] and line[-1] == "ago" for line in lines)
    assert text.index("never") < text.index("Payments")


def test_of_very_many_subscriptions_the_oldest_are_printed(status: Any) -> None:
    scopes = {f"s{number}": scope(f"name{number}", "2026-02-26T12:00:00Z") for number in range(500)}
    text = status(summary(gapCount=1, scopes=scopes))
    assert text.count("name") == 20
    assert "and 480 subscriptions with newer data" in text


def test_work_that_goes_on_is_printed_with_its_last_progress_and_how_it_resumes(status: Any) -> None:
    known = {"id": "i77", "status": "running", "waitingUntil": None, "reason": "", "endedAt": None}
    text = status(summary(), imports={**known, "progressedAt": "2026-02-26T12:00:00Z"})
    assert "running: import i77 running, last progress: 2026-02-26 12:00 UTC, " in text
    assert "resumes when the lease of its message expires" in " ".join(text.split())
    assert "i77" not in status(summary(), imports={**known, "status": "completed", "endedAt": "2026-02-26T12:00:00Z"})


@pytest.mark.parametrize(("alarms", "told"), [(3, True), (0, False)])
def test_an_alarm_of_the_last_verification_is_printed(status: Any, alarms: int, *, told: bool) -> None:
    ended = {"id": "s7", "status": "completed", "endedAt": "2026-03-01T12:00:00Z", "waitingUntil": None, "reason": ""}
    text = " ".join(
        status(summary(), scans={**ended, "request": {"mode": "verification"}, "alarmCount": alarms}).split()
    )
    found = (
        "alarm: the last verification found 3 resources that no scan of changes would have found: cortex scan show s7"
    )
    assert (found in text) is told
    assert "alarm" not in status(summary(), scans={**ended, "request": {"mode": "changes"}, "alarmCount": alarms})


def test_work_that_waits_is_printed_with_until_when_and_why(status: Any) -> None:
    waiting = {"id": "i77", "status": "running", "waitingUntil": "2026-03-01T13:00:00Z", "reason": "asked to wait"}
    text = status(summary(), scans={**waiting, "endedAt": None})
    assert "waiting: scan i77 until 2026-03-01T13:00:00Z: asked to wait" in text


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (timedelta(0), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=119), "1 hour ago"),
        (timedelta(days=40), "40 days ago"),
        (timedelta(minutes=-5), "just now"),
    ],
)
def test_a_moment_is_printed_with_its_age(ago: timedelta, expected: str) -> None:
    at = NOW - ago
    assert terminal.format_age(at.isoformat(), NOW) == f"{at:%Y-%m-%d %H:%M} UTC, {expected}"


def test_a_moment_that_is_none_is_never_and_one_that_is_not_readable_is_printed_as_it_is() -> None:
    assert terminal.format_age(None, NOW) == "never"
    assert terminal.format_age("yesterday", NOW) == "yesterday"
