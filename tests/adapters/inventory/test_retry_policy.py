"""Retries wait as the service asks, and no longer than they may."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.pipeline import PipelineContext, PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HTTPPolicy
from azure.core.rest import HttpRequest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.azure.retry_policy import (
    RETRY_SECONDS_MAX,
    QuotaPolicy,
    clock_seconds,
    is_loopback,
    origin,
    retry_after,
)
from shared.domain.error import Throttled

GRAPH = "https://management.azure.com/providers/Microsoft.ResourceGraph/resources"


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
    assert origin("http://management.azure.com:443") != origin("https://management.azure.com")


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


class Answering(HTTPPolicy[Any, Any]):
    """Answers each query with these headers, after what it is told to do meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: Mapping[str, str] = {}
        self.meanwhile: Callable[[], object] = list

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        self.meanwhile()
        answer = SimpleNamespace(status_code=200, headers=self.headers)
        return PipelineResponse(request.http_request, answer, request.context)


@dataclass
class Quota:
    """A policy of quotas whose clock stands still while it sleeps, so that every thread comes at the same time."""

    asleep: Callable[[], object] = list

    def __post_init__(self) -> None:
        self.waits: list[float] = []
        self.at = 0.0
        self.cloud = Answering()
        self.policy = QuotaPolicy(self.sleep, clock=lambda: self.at)
        self.policy.next = self.cloud

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.asleep()

    def ask(self, left: int | None = None, resets: int = 3) -> None:
        told = {"x-ms-user-quota-remaining": str(left), "x-ms-user-quota-resets-after": f"00:00:{resets:02}"}
        self.cloud.headers = {} if left is None else told
        self.policy.send(PipelineRequest(HttpRequest("POST", GRAPH), PipelineContext(None)))


def test_all_threads_wait_until_the_quota_resets() -> None:
    quota = Quota()
    quota.ask(0)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: quota.ask(), range(8)))
    assert quota.waits == [3.0] * 8


def test_calls_in_flight_use_up_the_quota() -> None:
    quota = Quota()
    quota.ask(2)
    inner = [quota.ask, quota.ask]
    quota.cloud.meanwhile = lambda: inner.pop()() if inner else None
    quota.ask()
    assert quota.waits == [3.0]  # of three at once, the last
    quota.cloud.meanwhile = list
    quota.ask()
    assert quota.waits == [3.0]  # nothing is in flight any more


def test_the_lowest_count_of_a_window_holds_until_it_ends() -> None:
    quota = Quota()
    quota.ask(0)
    quota.ask(5)  # an earlier call's answer
    quota.ask(5)
    assert quota.waits == [3.0, 3.0]
    quota.at = 3.0
    quota.ask(5, resets=5)
    quota.ask()
    assert quota.waits == [3.0, 3.0]


def test_a_wait_that_was_told_meanwhile_is_waited_for_too() -> None:
    quota = Quota()
    quota.ask(0)

    def pass_time() -> None:
        quota.at += quota.waits[-1]
        if len(quota.waits) == 1:  # another caller has used up the next window too
            quota.ask(0, resets=5)

    quota.asleep = pass_time
    quota.ask()
    assert quota.waits == [3.0, 5.0]


def test_a_reset_that_is_too_far_off_is_not_waited_for() -> None:
    quota = Quota()
    quota.ask(0, resets=11)
    with pytest.raises(Throttled):
        quota.ask()
    assert quota.waits == []
