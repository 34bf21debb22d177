"""NCRONTAB expressions and intervals."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.host.schedule import parse_schedule
from local.host.setting import SettingError

NOW = datetime(2026, 3, 4, 12, 30, 15, 500_000, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * * *", datetime(2026, 3, 4, 12, 30, 16, tzinfo=UTC)),
        ("*/10 * * * * *", datetime(2026, 3, 4, 12, 30, 20, tzinfo=UTC)),
        ("0 */5 * * * *", datetime(2026, 3, 4, 12, 35, tzinfo=UTC)),
        ("0 30 9 * * *", datetime(2026, 3, 5, 9, 30, tzinfo=UTC)),
        ("0 30 9 * * 1-5", datetime(2026, 3, 5, 9, 30, tzinfo=UTC)),
        ("0 0 8 * * Sun", datetime(2026, 3, 8, 8, tzinfo=UTC)),
        ("0 0 0 1 Jan *", datetime(2027, 1, 1, tzinfo=UTC)),
        ("30 9 * * *", datetime(2026, 3, 5, 9, 30, tzinfo=UTC)),
        ("0 0 0 13 * Fri", datetime(2026, 3, 13, tzinfo=UTC)),
        ("0 0 0 14 * Fri", datetime(2026, 8, 14, tzinfo=UTC)),
        ("0 0 0 29 2 *", datetime(2028, 2, 29, tzinfo=UTC)),
        ("00:05:00", NOW + timedelta(minutes=5)),
        ("1.02:00:00", NOW + timedelta(days=1, hours=2)),
    ],
)
def test_the_next_occurrence(text: str, expected: datetime) -> None:
    assert parse_schedule(text)(NOW) == expected


def test_times_are_utc_whatever_the_zone_asked_in() -> None:
    here = NOW.astimezone(timezone(timedelta(hours=5)))
    assert parse_schedule("0 0 13 * * *")(here) == datetime(2026, 3, 4, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "nightly", "* * *", "* * * * * * *", "61 * * * * *", "0 0 0 30 2 *", "0 0 0 31 2 Mon", "00:00:00", "5:00"],
)
def test_what_is_no_schedule_is_refused_by_name(text: str) -> None:
    with pytest.raises(SettingError, match=f"'{text}'".replace("*", r"\*")):
        parse_schedule(text)


@given(
    second=st.integers(0, 59),
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    moment=st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)),  # noqa: DTZ001 - made UTC below
)
def test_a_daily_time_is_always_within_the_next_day(second: int, minute: int, hour: int, moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC)
    following = parse_schedule(f"{second} {minute} {hour} * * *")(now)
    assert timedelta(0) < following - now <= timedelta(days=1)
    assert (following.second, following.minute, following.hour) == (second, minute, hour)
