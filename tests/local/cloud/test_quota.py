"""Rate limits are reported in headers, and enforced on request."""

from typing import Any

import pytest

from local.cloud.arm.error import ArmError
from local.cloud.quota import WINDOW_QUERIES, RateLimits

READS = "x-ms-ratelimit-remaining-subscription-reads"


def test_limits_are_told_and_not_enforced_by_default() -> None:
    quota = RateLimits(enforced=False)
    for _ in range(1000):
        assert quota.request("p", "GET", "s", 0.0) == {READS: "249"}
        assert quota.query("p", 0.0)["x-ms-user-quota-remaining"] == str(WINDOW_QUERIES - 1)


def test_a_bucket_empties_and_fills_again() -> None:
    quota = RateLimits(enforced=True)
    left = [int(quota.request("p", "GET", "s", 0.0)[READS]) for _ in range(250)]
    with pytest.raises(ArmError) as refused:
        quota.request("p", "GET", "s", 0.0)
    assert (left[0], left[-1]) == (249, 0)
    assert (refused.value.status, refused.value.headers) == (429, {"x-ms-retry-after-ms": "40"})
    assert quota.request("p", "GET", "s", 1.0) == {READS: "24"}, "25 a second"


@pytest.mark.parametrize(
    ("method", "name", "size"),
    [("PUT", "writes", 200), ("PATCH", "writes", 200), ("DELETE", "deletes", 200), ("HEAD", "reads", 250)],
)
def test_each_subscription_and_kind_of_call_has_its_own_bucket(method: str, name: str, size: int) -> None:
    quota = RateLimits(enforced=True)
    for _ in range(size):
        quota.request("p", method, "s", 0.0)
    with pytest.raises(ArmError):
        quota.request("p", method, "s", 0.0)
    assert quota.request("p", method, "other", 0.0)
    assert quota.request("p", method, "", 0.0) == {f"x-ms-ratelimit-remaining-tenant-{name}": str(size - 1)}


def test_each_principal_has_its_own_limits() -> None:
    quota = RateLimits(enforced=True)
    for _ in range(250):
        quota.request("p", "GET", "s", 0.0)
    for _ in range(WINDOW_QUERIES):
        quota.query("p", 0.0)
    assert quota.request("q", "GET", "s", 0.0) == {READS: "249"}
    assert quota.query("q", 0.0)["x-ms-user-quota-remaining"] == "14"
    with pytest.raises(ArmError):
        quota.request("p", "GET", "S", 0.0)
    with pytest.raises(ArmError):
        quota.query("p", 0.0)


def test_a_free_subscription_may_have_less() -> None:
    assert RateLimits(enforced=True, scale=0.1).request("p", "GET", "s", 0.0) == {READS: "24"}


def test_fifteen_queries_in_five_seconds() -> None:
    quota = RateLimits(enforced=True)
    for left in range(14, -1, -1):
        assert quota.query("p", 100.0) == {
            "x-ms-user-quota-remaining": str(left),
            "x-ms-user-quota-resets-after": "00:00:05",
        }
    with pytest.raises(ArmError) as refused:
        quota.query("p", 102.0)
    assert (refused.value.code, refused.value.headers["Retry-After"]) == ("RateLimiting", "3")
    assert quota.query("p", 105.0)["x-ms-user-quota-remaining"] == "14"


def test_a_cloud_that_throttles_turns_callers_away(start: Any, connect: Any, clock: Any) -> None:
    http = connect(start(throttle=True, clock=clock))
    path = "/providers/Microsoft.ResourceGraph/resources"
    replies = [http("POST", path, {"query": "resources | take 1"}, version="2024-04-01") for _ in range(16)]
    reads = [http("GET", "/subscriptions", version="2022-12-01") for _ in range(251)]
    assert [each.status for each in replies] == [200] * 15 + [429]
    assert replies[-1].headers["x-ms-user-quota-remaining"] == "0"
    assert [each.status for each in reads] == [200] * 250 + [429]
    clock.sleep(5)
    assert http("POST", path, {"query": "resources | take 1"}, version="2024-04-01").status == 200


def test_the_token_says_whose_calls_are_counted(start: Any, connect: Any, clock: Any) -> None:
    cloud = start(throttle=True, clock=clock)
    http = connect(cloud)
    other = {"Authorization": f"Bearer {cloud.new_token(60, 'somebody-else')}"}
    left = [
        http("GET", "/subscriptions", version="2022-12-01", **given).headers[READS.replace("subscription", "tenant")]
        for given in ({}, {}, other, {})
    ]
    assert left == ["249", "248", "249", "247"]


def test_an_error_of_a_provider_tells_what_resource_manager_has_left(start: Any, connect: Any, clock: Any) -> None:
    cloud = start(throttle=True, clock=clock)
    cloud.faults.add("throttled", path="/resourceGroups", retry_after=17)
    subscription = cloud.ids("Microsoft.Resources/subscriptions")[0]
    reply = connect(cloud)("GET", f"{subscription}/resourceGroups", version="2021-04-01")
    assert (reply.status, reply.headers[READS], reply.headers["retry-after"]) == (429, "249", "17")
