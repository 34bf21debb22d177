"""Retries wait as the service asks, and no longer than they may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.azure.retry_policy import RETRY_SECONDS_MAX, clock_seconds, is_loopback, origin, retry_after


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "17"}, 17.0),
        ({"retry-after": "1e99"}, RETRY_SECONDS_MAX),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 9015 07:28:00 GMT"}, RETRY_SECONDS_MAX),
        ({"x-ms-retry-after-ms": "1500", "retry-after": "9"}, 1.5),
    ],
)
def test_the_wait_is_read_from_any_of_the_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@given(st.text())
def test_a_wait_is_never_negative_or_endless(text: str) -> None:
    wait = retry_after({"retry-after": text})
    assert wait is None or 0 <= wait <= RETRY_SECONDS_MAX


@pytest.mark.parametrize(("text", "seconds"), [("00:00:05", 5.0), ("01:01:01", 3661.0), ("", 5.0), ("a:b:c", 5.0)])
def test_a_clock_reading_in_seconds(text: str, seconds: float) -> None:
    assert clock_seconds(text) == seconds


def test_an_origin_has_the_port_that_its_scheme_implies() -> None:
    assert origin("https://management.azure.com/x") == origin("https://MANAGEMENT.azure.com:443")
    assert origin("https://management.azure.com.evil.example") != origin("https://management.azure.com")
    assert origin("https://user@management.azure.com") == origin("https://management.azure.com")


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:7072", True),
        ("http://[::1]:1", True),
        ("http://localhost", True),
        ("http://10.0.0.1", False),
        ("http://localhost.evil.example", False),
    ],
)
def test_only_this_machine_is_a_loopback_address(url: str, *, loopback: bool) -> None:
    assert is_loopback(url) is loopback
