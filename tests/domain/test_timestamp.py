"""Stored times are written in UTC and compared as times, whatever their texts look like."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.domain.timestamp import BEGINNING, format_time, parse_time


def test_a_time_is_written_in_utc() -> None:
    assert format_time(datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1)))) == "2026-03-01T12:00:00Z"


def test_a_written_time_is_read_back() -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)
    assert parse_time(format_time(at)) == at


@pytest.mark.parametrize("text", ["2026-03-01T13:00:00+01:00", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00"])
def test_one_time_has_several_texts(text: str) -> None:
    assert parse_time(text) == datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", [None, "", "soon", 20260301.5])
def test_what_is_not_a_time_is_before_all_others(text: object) -> None:
    assert parse_time(text) == BEGINNING
