"""Administration: faults, drift, tokens, writes and counts over HTTP."""

from typing import Any

import pytest

from local.cloud import Sandbox


def test_health_needs_no_token(look: Any) -> None:
    reply = look("GET", "/admin/health", version=None, Authorization="")
    assert (reply.status, reply.body) == (200, {"status": "ok", "seed": 7, "count": 300, "step": 0})


@pytest.mark.parametrize("path", ["counts", "faults", "writes", "drift", "tokens", "nothing"])
def test_everything_but_health_needs_a_token(look: Any, path: str) -> None:
    assert look("GET", f"/admin/{path}", version=None, Authorization="").status == 401


def test_counts_by_table_and_type(look: Any, still: Sandbox) -> None:
    body = look("GET", "/admin/counts", version=None).body
    assert body["tables"]["resources"] == still.count() == 300
    assert body["types"]["microsoft.storage/storageaccounts"] == len(still.ids("Microsoft.Storage/storageAccounts"))


def test_faults_are_added_listed_and_removed(http: Any, cloud: Sandbox) -> None:
    added = http(
        "POST", "/admin/faults", {"kind": "throttled", "path": "/subscriptions$", "retryAfter": 3}, version=None
    )
    assert (added.status, added.body["retryAfter"], added.body["injected"]) == (201, 3, 0)
    assert http("GET", "/subscriptions", version="2022-12-01").headers["retry-after"] == "3"
    (listed,) = http("GET", "/admin/faults", version=None).body["value"]
    assert (listed["id"], listed["injected"]) == (added.body["id"], 1)
    assert http("DELETE", f"/admin/faults/{listed['id']}", version=None).status == 204
    assert http("DELETE", f"/admin/faults/{listed['id']}", version=None).status == 404
    http("POST", "/admin/faults", {"kind": "slow"}, version=None)
    assert http("DELETE", "/admin/faults", version=None).status == 204
    assert cloud.faults.records() == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "flood"},
        {"kind": "slow", "delay": "long"},
        {"kind": "slow", "colour": 1},
        {"kind": "slow", "path": "["},
    ],
)
def test_an_invalid_fault_is_refused(http: Any, cloud: Sandbox, body: Any) -> None:
    reply = http("POST", "/admin/faults", body, version=None)
    assert (reply.status, reply.error) == (400, "InvalidFault")
    assert cloud.faults.records() == []


def test_drift_is_applied_on_request(http: Any, cloud: Sandbox) -> None:
    first = http("POST", "/admin/drift", {"steps": 2}, version=None).body
    second = http("POST", "/admin/drift", {}, version=None).body
    assert (first["step"], second["step"]) == (2, 3)
    assert first["changed"] + second["changed"] == [write["id"] for write in cloud.writes()]
    assert {write["source"] for write in cloud.writes()} == {"drift"}
    assert http("POST", "/admin/drift", {"steps": -1}, version=None).status == 400
    assert http("POST", "/admin/drift", {"steps": "many"}, version=None).status == 400


def test_writes_are_listed_in_order(http: Any, cloud: Sandbox) -> None:
    account = cloud.ids("Microsoft.Storage/storageAccounts")[0]
    for number in range(3):
        http("PATCH", account, {"tags": {"n": str(number)}}, version="2025-06-01")
    rows = http("GET", "/admin/writes?after=1&top=1", version=None).body["value"]
    assert [(row["sequence"], row["method"], row["id"]) for row in rows] == [(2, "PATCH", account)]
    assert http("GET", "/admin/writes?after=x", version=None).status == 400


def test_a_new_token_is_returned(http: Any) -> None:
    made = http("POST", "/admin/tokens", {"expiresIn": 60}, version=None).body
    ended = http("POST", "/admin/tokens", {"expiresIn": -60}, version=None).body
    assert http("GET", "/tenants", version="2022-12-01", Authorization=f"Bearer {made['access_token']}").status == 200
    assert http("GET", "/tenants", version="2022-12-01", Authorization=f"Bearer {ended['access_token']}").status == 401
    assert http("POST", "/admin/tokens", {"expiresIn": "x"}, version=None).status == 400
    assert http("GET", "/admin/nothing", version=None).status == 404
