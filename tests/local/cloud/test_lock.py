"""Locks forbid writes at their scope and below."""

from typing import Any

import pytest

from local.cloud import Sandbox

V = "2025-06-01"


@pytest.fixture
def account(cloud: Sandbox) -> str:
    locked = {name.partition("/providers/")[0] for name in cloud.ids("Microsoft.Authorization/locks")}
    accounts = cloud.ids("Microsoft.Storage/storageAccounts")
    return next(name for name in accounts if name.partition("/providers/")[0] not in locked)


@pytest.mark.parametrize("depth", [3, 5, 9])
def test_a_lock_protects_all_that_lies_below_it(http: Any, cloud: Sandbox, account: str, depth: int) -> None:
    scope = "/".join(account.split("/")[:depth])
    lock = f"{scope}/providers/Microsoft.Authorization/locks/keep"
    assert http("PUT", lock, {"properties": {"level": "CanNotDelete"}}, version="2020-05-01").status == 201
    reply = http("DELETE", account, version=V)
    assert (reply.status, reply.error) == (409, "ScopeLocked")
    assert http("PATCH", account, {"tags": {}}, version=V).status == 200
    assert http("DELETE", lock, version="2020-05-01").status == 200
    assert http("DELETE", account, version=V).status == 200
    assert cloud.read(account) is None


def test_a_read_only_lock_stops_every_write(http: Any, account: str) -> None:
    lock = f"{account}/providers/Microsoft.Authorization/locks/keep"
    http("PUT", lock, {"properties": {"level": "ReadOnly"}}, version="2020-05-01")
    for method, operation in (("PUT", "write"), ("PATCH", "write"), ("DELETE", "delete")):
        reply = http(method, account, {"location": "westeurope"}, version=V)
        assert reply.error == "ScopeLocked"
        assert f"cannot perform {operation} operation" in reply.body["error"]["message"]
    assert http("GET", account, version=V).status == 200


def test_a_subscription_lists_the_locks_of_all_scopes_in_it(http: Any, account: str) -> None:
    scopes = ["/".join(account.split("/")[:depth]) for depth in (3, 5, 9)]
    locks = [f"{scope}/providers/Microsoft.Authorization/locks/mine" for scope in scopes]
    for lock in locks:
        http("PUT", lock, {"properties": {"level": "ReadOnly"}}, version="2020-05-01")
    listed = http("GET", f"{scopes[0]}/providers/Microsoft.Authorization/locks", version="2020-05-01").body["value"]
    assert sorted(each["id"] for each in listed if each["name"] == "mine") == sorted(locks)
