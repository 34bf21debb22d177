"""Retry policies: the waits between tries."""

from datetime import timedelta
from itertools import islice
from typing import Any

import pytest

from local.host.proto import RpcRetryOptions
from local.host.retry import retry_delays

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"max_retry_count": 3, "delay_interval": SECOND}, [1, 1, 1]),
        ({"max_retry_count": 0, "delay_interval": SECOND}, []),
        ({"max_retry_count": -1, "delay_interval": SECOND}, [1] * 8),
        ({"max_retry_count": 5, "minimum_interval": SECOND, "maximum_interval": 5 * SECOND}, [1, 2, 4, 5, 5]),
        ({"max_retry_count": 2, "minimum_interval": 0 * SECOND, "maximum_interval": SECOND}, [0, 0]),
    ],
)
def test_delays_follow_the_retry_policy(options: dict[str, Any], expected: list[float]) -> None:
    assert list(islice(retry_delays(RpcRetryOptions(**options)), 8)) == expected


def test_without_a_policy_there_is_no_second_try() -> None:
    assert list(retry_delays(None)) == []


def test_exponential_waits_never_overflow() -> None:
    options = RpcRetryOptions(max_retry_count=-1, minimum_interval=SECOND, maximum_interval=timedelta(days=9999))
    assert next(islice(retry_delays(options), 5000, None)) == timedelta(days=9999).total_seconds()
