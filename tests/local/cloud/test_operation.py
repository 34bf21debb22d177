"""Writes that take time: what answers them, how they are polled, when they end."""

from collections.abc import Callable
from typing import Any

import pytest

from local.cloud import Sandbox
from local.cloud.arm.operation import retry_after_headers

CACHE = "Microsoft.Cache/Redis"
V = "2024-11-01"


@pytest.fixture
def slow(start: Callable[..., Sandbox], clock: Any) -> Sandbox:
    return start(operation_seconds=30, clock=clock)


@pytest.fixture
def cache(slow: Sandbox) -> str:
    locked = {name.partition("/providers/")[0] for name in slow.ids("Microsoft.Authorization/locks")}
    return next(name for name in slow.ids(CACHE) if name.partition("/providers/")[0] not in locked)


def test_a_slow_update_is_in_progress_until_its_time(slow: Sandbox, cache: str, connect: Any, clock: Any) -> None:
    http = connect(slow)
    begun = http("PATCH", cache, {"properties": {"minimumTlsVersion": "1.3"}}, version=V)
    link = begun.headers["azure-asyncoperation"]
    running = http("GET", link, version=None)
    clock.sleep(29)
    late = http("GET", link, version=None)
    clock.sleep(2)
    done = http("GET", link, version=None)
    assert (begun.status, begun.body["properties"]["provisioningState"]) == (200, "Updating")
    assert (begun.headers["retry-after"], running.headers["retry-after"], late.headers["retry-after"]) == (
        "30",
        "30",
        "1",
    )
    assert [each.body["status"] for each in (running, late, done)] == ["InProgress", "InProgress", "Succeeded"]
    assert done.body["endTime"] > done.body["startTime"]
    assert http("GET", cache, version=V).body["properties"]["provisioningState"] == "Succeeded"


def test_a_resource_is_not_written_while_an_operation_runs(slow: Sandbox, cache: str, connect: Any, clock: Any) -> None:
    http = connect(slow)
    http("PATCH", cache, {"tags": {}}, version=V)
    for method, body in (("PATCH", {}), ("PUT", {}), ("DELETE", None)):
        reply = http(method, cache, body, version=V)
        assert (reply.status, reply.error) == (409, "AnotherOperationInProgress")
    clock.sleep(31)
    assert http("PATCH", cache, {"tags": {}}, version=V).status == 200


def test_a_slow_create_returns_201(slow: Sandbox, cache: str, connect: Any) -> None:
    reply = connect(slow)("PUT", cache + "new", {"location": "West Europe", "properties": {}}, version=V)
    assert (reply.status, reply.body["properties"]["provisioningState"]) == (201, "Updating")
    assert "azure-asyncoperation" in reply.headers


def test_deleting_is_polled_at_its_location(slow: Sandbox, cache: str, connect: Any, clock: Any) -> None:
    http = connect(slow)
    begun = http("DELETE", cache, version=V)
    waiting = http("GET", begun.headers["location"], version=None)
    clock.sleep(31)
    done = http("GET", begun.headers["location"], version=None)
    assert [each.status for each in (begun, waiting, done)] == [202, 202, 204]
    assert waiting.headers["location"] == begun.headers["location"]
    assert http("GET", cache, version=V).status == 404


def test_other_types_are_written_at_once(slow: Sandbox, connect: Any) -> None:
    account = slow.ids("Microsoft.Storage/storageAccounts")[0]
    reply = connect(slow)("PATCH", account, {"tags": {}}, version="2025-06-01")
    assert reply.body["properties"]["provisioningState"] == "Succeeded"
    assert "azure-asyncoperation" not in reply.headers


def test_unknown_operations_are_not_found(slow: Sandbox, cache: str, connect: Any) -> None:
    scope = cache[: len("/subscriptions/") + 36]
    for kind in ("operations", "operationresults"):
        reply = connect(slow)("GET", f"{scope}/providers/Microsoft.Resources/{kind}/none")
        assert (reply.status, reply.error) == (404, "OperationNotFound")


@pytest.mark.parametrize(
    ("seconds", "header"),
    [
        (30, {"Retry-After": "30"}),
        (1.2, {"Retry-After": "2"}),
        (0.25, {"x-ms-retry-after-ms": "250"}),
        (0, {"x-ms-retry-after-ms": "1"}),
    ],
)
def test_retry_after_is_in_seconds_or_milliseconds(seconds: float, header: dict[str, str]) -> None:
    assert retry_after_headers(seconds) == header
