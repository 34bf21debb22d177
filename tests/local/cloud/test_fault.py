"""Faults on demand: what each kind does, to which requests, and how often."""

import json
from collections.abc import Callable
from http.client import BadStatusLine, HTTPException, IncompleteRead, RemoteDisconnected
from typing import Any

import pytest
from pydantic import ValidationError

from local.cloud import Sandbox
from local.cloud.arm.http import ArmRequest
from local.cloud.faults.fault import Faults

STORAGE = "Microsoft.Storage/storageAccounts"
GRAPH = "/providers/Microsoft.ResourceGraph/resources"
V = "2025-06-01"


@pytest.fixture
def account(cloud: Sandbox) -> str:
    return cloud.ids(STORAGE)[0]


def request(
    path: str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v", method: str = "GET"
) -> ArmRequest:
    return ArmRequest(method, path)


@pytest.mark.parametrize(
    ("match", "matched"),
    [
        ({}, True),
        ({"method": "get"}, True),
        ({"method": "PUT"}, False),
        ({"path": r"/VAULTS/v$"}, True),
        ({"path": r"^/vaults"}, False),
        ({"provider": "microsoft.keyvault"}, True),
        ({"provider": "Microsoft.Key"}, False),
        ({"type": "microsoft.keyvault/VAULTS"}, True),
        ({"type": "Microsoft.KeyVault/vaults/keys"}, False),
        ({"scope": "/subscriptions/S/resourcegroups/g/"}, True),
        ({"scope": "/subscriptions/s/resourceGroups/gg"}, False),
        ({"scope": "/subscriptions/s", "method": "PUT"}, False),
    ],
)
def test_a_fault_applies_only_to_requests_that_match(match: dict[str, Any], *, matched: bool) -> None:
    faults = Faults()
    faults.add("unavailable", **match)
    assert bool(faults.matching(request())) == matched


def test_a_fault_is_injected_times_after_skip() -> None:
    faults = Faults()
    faults.add("unavailable", skip=2, times=3)
    assert [bool(faults.matching(request())) for _ in range(8)] == [False, False, True, True, True, False, False, False]
    (record,) = faults.records()
    assert (record["matched"], record["injected"]) == (8, 3)


def test_probability_is_decided_by_the_seed() -> None:
    def pattern(seed: int) -> list[bool]:
        faults = Faults()
        faults.add("throttled", probability=0.3, seed=seed)
        return [bool(faults.matching(request())) for _ in range(400)]

    assert pattern(1) == pattern(1) != pattern(2)
    assert 80 < sum(pattern(1)) < 160


def test_faults_can_be_listed_removed_and_cleared() -> None:
    faults = Faults()
    one, other = faults.add("slow"), faults.add("dropped")
    assert [each["id"] for each in faults.records()] == [one, other]
    assert faults.remove(one)
    assert not faults.remove(one)
    faults.clear()
    assert faults.records() == []
    assert faults.matching(request()) == []


@pytest.mark.parametrize(
    "wrong", [{"kind": "flood"}, {"kind": "slow", "colour": "red"}, {"kind": "slow", "probability": 2}]
)
def test_an_invalid_fault_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, ValueError)):
        Faults().add(**wrong)


def test_a_throttled_request_says_when_to_come_back(http: Any, cloud: Sandbox, account: str) -> None:
    cloud.faults.add("throttled", retry_after=17)
    cloud.faults.add("throttled", retry_after=0.2, method="PUT")
    reply = http("GET", account, version=V)
    assert (reply.status, reply.error, reply.headers["retry-after"]) == (429, "TooManyRequests", "17")
    cloud.faults.remove("1")
    assert http("PUT", account, {}, version=V).headers["x-ms-retry-after-ms"] == "200"
    assert cloud.writes() == []


def test_an_unavailable_service_has_the_status_given(http: Any, cloud: Sandbox, account: str) -> None:
    cloud.faults.add("unavailable", times=1)
    cloud.faults.add("unavailable", status=502, times=1)
    assert [http("GET", account, version=V).status for _ in range(3)] == [503, 200, 200], "both struck the first"


def test_forbidden_names_action_and_scope(http: Any, cloud: Sandbox, account: str) -> None:
    cloud.faults.add("forbidden", provider="Microsoft.Storage")
    scope = account[: len("/subscriptions/") + 36]
    read, write = http("GET", account, version=V), http("PATCH", account, {}, version=V)
    listed = http("GET", f"{scope}/providers/{STORAGE}", version=V)
    assert {(each.status, each.error) for each in (read, write, listed)} == {(403, "AuthorizationFailed")}
    assert f"'{STORAGE}/read' over scope '{account}'" in read.body["error"]["message"]
    assert f"'{STORAGE}/write'" in write.body["error"]["message"]
    assert f"'{STORAGE}/read' over scope '{scope}'" in listed.body["error"]["message"]
    cloud.faults.add("forbidden", path="/resources$")
    headers = http("GET", f"{scope}/resources")
    assert (
        f"'Microsoft.Resources/subscriptions/resources/read' over scope '{scope}'" in headers.body["error"]["message"]
    )


def test_what_is_forbidden_is_missing_from_the_graph(http: Any, cloud: Sandbox, account: str) -> None:
    group = account.partition("/providers/")[0]
    before = http("POST", GRAPH, {"query": "resources"}, version="2024-04-01").body["totalRecords"]
    cloud.faults.add("forbidden", provider="Microsoft.Storage")
    cloud.faults.add("forbidden", scope=group)
    reply = http("POST", GRAPH, {"query": "resources"}, version="2024-04-01").body
    assert reply["totalRecords"] == len(reply["data"]) < before
    assert not any(row["type"].startswith("microsoft.storage/") or row["id"].startswith(group) for row in reply["data"])


def test_a_forbidden_subscription_is_refused_by_the_graph(http: Any, cloud: Sandbox, account: str) -> None:
    scope = account[: len("/subscriptions/") + 36]
    cloud.faults.add("forbidden", scope=scope)
    asked = {"query": "resources", "subscriptions": [scope.rpartition("/")[2].upper()]}
    refused = http("POST", GRAPH, asked, version="2024-04-01")
    assert (refused.status, refused.error) == (403, "AuthorizationFailed")
    assert http("GET", scope, version="2022-12-01").status == 403
    everywhere = http("POST", GRAPH, {"query": "resources"}, version="2024-04-01").body["data"]
    assert scope.rpartition("/")[2] not in {row["subscriptionId"] for row in everywhere}


def test_a_slow_response_comes_late_and_whole(
    http: Any, cloud: Sandbox, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("local.cloud.app.asyncio.sleep", sleep)
    cloud.faults.add("slow", delay=60)
    assert http("GET", account, version=V).status == 200
    assert waited == [60]


def test_a_dropped_request_changes_nothing(http: Any, cloud: Sandbox, account: str) -> None:
    cloud.faults.add("dropped", times=1)
    with pytest.raises((RemoteDisconnected, ConnectionResetError, BadStatusLine)):
        http("PATCH", account, {"tags": {}}, version=V)
    assert cloud.writes() == []
    assert http("GET", account, version=V).status == 200


def test_a_cut_response_ends_in_the_middle_of_its_body(http: Any, cloud: Sandbox, account: str) -> None:
    cloud.faults.add("cut", times=1)
    with pytest.raises((IncompleteRead, ConnectionResetError)):
        http("GET", account, version=V)
    assert http("GET", account, version=V).status == 200


def test_garbled_bodies_end_in_the_middle(http: Any, cloud: Sandbox, account: str) -> None:
    cloud.faults.add("garbled", times=1)
    with pytest.raises(json.JSONDecodeError):
        http("GET", account, version=V)


def test_partial_pages_claim_more_than_they_give(http: Any, cloud: Sandbox, account: str) -> None:
    scope = account[: len("/subscriptions/") + 36]
    whole = http("GET", f"{scope}/resources?$top=10").body
    cloud.faults.add("partialPage", keep=0.3)
    part = http("GET", f"{scope}/resources?$top=10").body
    rows = http("POST", GRAPH, {"query": "resources"}, version="2024-04-01").body
    assert (len(part["value"]), part["nextLink"]) == (3, whole["nextLink"])
    assert len(rows["data"]) < rows["count"] == rows["totalRecords"]


def test_too_large_pages_are_refused_and_smaller_ones_are_not(http: Any, cloud: Sandbox) -> None:
    cloud.faults.add("tooLarge", rows=50)
    large = http("POST", GRAPH, {"query": "resources"}, version="2024-04-01")
    small = http("POST", GRAPH, {"query": "resources", "options": {"$top": 50}}, version="2024-04-01")
    assert (large.status, large.error) == (400, "ResponsePayloadTooLarge")
    assert (small.status, small.body["count"]) == (200, 50)


def test_an_expired_token_gets_401_with_a_challenge(http: Any, cloud: Sandbox, account: str) -> None:
    cloud.faults.add("expired", times=1)
    reply = http("GET", account, version=V)
    assert (reply.status, reply.error) == (401, "ExpiredAuthenticationToken")
    assert reply.headers["www-authenticate"].startswith("Bearer ")
    assert http("GET", account, version=V).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"tags": {"a": "b"}}),
        ("PUT", "", {"location": "westeurope", "properties": {}}),
        ("PUT", "/providers/Microsoft.Resources/tags/default", {"properties": {"tags": {}}}),
        ("DELETE", "", None),
    ],
)
def test_a_lost_write_is_reported_as_done_and_not_done(
    start: Callable[..., Sandbox], connect: Any, method: str, path: str, body: Any
) -> None:
    cloud = start(operation_seconds=30)
    account = next(name for name in cloud.ids(STORAGE) if not _locked(cloud, name))
    http = connect(cloud)
    before = cloud.read(account)
    assert before
    body = body and ({**body, "location": before["location"]} if "location" in body else body)
    version = "2021-04-01" if path else V
    cloud.faults.add("lostWrite", times=1)
    reply = http(method, account + path, body, version=version)
    assert reply.status == 200
    assert cloud.read(account) == before
    assert cloud.writes() == []
    assert http(method, account + path, body, version=version).status == 200
    assert len(cloud.writes()) == 1


def test_a_lost_write_of_a_slow_type_is_reported_as_done(start: Callable[..., Sandbox], connect: Any) -> None:
    cloud = start(operation_seconds=30)
    cache = cloud.ids("Microsoft.Cache/Redis")[0]
    cloud.faults.add("lostWrite", times=1)
    reply = connect(cloud)("PATCH", cache, {"tags": {"a": "b"}}, version="2024-11-01")
    assert (reply.status, reply.body["tags"]) == (200, {"a": "b"})
    assert "azure-asyncoperation" not in reply.headers
    assert cloud.read(cache)["tags"] != {"a": "b"}  # type: ignore[index]


def test_a_lost_response_hides_a_write_that_was_done(http: Any, cloud: Sandbox, account: str) -> None:
    cloud.faults.add("lostResponse")
    with pytest.raises((HTTPException, ConnectionResetError)):
        http("PATCH", account, {"tags": {"a": "b"}}, version=V)
    assert http("GET", account, version=V).body["tags"] == {"a": "b"}, "reads are answered"
    assert len(cloud.writes()) == 1


def _locked(cloud: Sandbox, name: str) -> bool:
    groups = {lock.partition("/providers/")[0] for lock in cloud.ids("Microsoft.Authorization/locks")}
    return name.partition("/providers/")[0] in groups


def test_a_shortened_list_hides_that_rows_are_missing(http: Any, cloud: Sandbox) -> None:
    whole = http("GET", "/subscriptions", version="2022-12-01").body["value"]
    cloud.faults.add("shortened", keep=0.5)
    found = http("GET", "/subscriptions", version="2022-12-01").body
    assert (len(found["value"]), found.get("nextLink")) == (len(whole) // 2, None)
    asked = {"query": "resources | project id", "options": {"$top": 10}}
    page = http("POST", "/providers/Microsoft.ResourceGraph/resources", asked, version="2021-03-01").body
    assert (page["count"], page["totalRecords"], len(page["data"]), page.get("$skipToken")) == (5, 5, 5, None)


def test_an_emptied_response_is_an_empty_object(http: Any, cloud: Sandbox) -> None:
    cloud.faults.add("emptied", times=1)
    assert http("GET", "/subscriptions", version="2022-12-01").body == {}


def test_the_page_of_a_proxy_is_html(http: Any, cloud: Sandbox) -> None:
    cloud.faults.add("html", times=1)
    with pytest.raises(json.JSONDecodeError):
        http("GET", "/subscriptions", version="2022-12-01")
