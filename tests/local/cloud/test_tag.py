from typing import Any

import pytest

from local.cloud import Sandbox

V = "2021-04-01"


@pytest.fixture(params=[9, 5, 3], ids=["resource", "group", "subscription"])
def place(request: pytest.FixtureRequest, cloud: Sandbox) -> str:
    account = cloud.ids("Microsoft.Storage/storageAccounts")[0]
    return "/".join(account.split("/")[: request.param]) + "/providers/Microsoft.Resources/tags/default"


def tags(http: Any, place: str) -> dict[str, str]:
    found: dict[str, str] = http("GET", place, version=V).body["properties"]["tags"]
    return found


def test_tags_are_replaced_merged_and_removed_at_any_scope(http: Any, cloud: Sandbox, place: str) -> None:
    assert http("PUT", place, {"properties": {"tags": {"a": "1", "B": "2"}}}, version=V).status == 200
    http("PATCH", place, {"operation": "Merge", "properties": {"tags": {"b": "3", "c": "4"}}}, version=V)
    merged = tags(http, place)
    http("PATCH", place, {"operation": "Delete", "properties": {"tags": {"A": ""}}}, version=V)
    left = tags(http, place)
    http("DELETE", place, version=V)
    assert (merged, left, tags(http, place)) == ({"a": "1", "b": "3", "c": "4"}, {"b": "3", "c": "4"}, {})
    assert {write["id"] for write in cloud.writes()} == {place}


def test_bad_changes_are_refused(http: Any, cloud: Sandbox, place: str) -> None:
    assert http("PATCH", place, {"operation": "Add", "properties": {"tags": {}}}, version=V).status == 400
    assert http("PATCH", place, {"operation": "Merge", "properties": {"tags": [1]}}, version=V).status == 400
    assert http("POST", place, {}, version=V).status == 405
    assert http("GET", place, version="2001-01-01").status == 400
    assert http("GET", place.replace("/subscriptions/", "/subscriptions/x"), version=V).status == 404
    assert cloud.writes() == []
