"""Tags are read and written as a resource of their own."""

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


BAD_TAGS = [
    ({f"t{at}": "" for at in range(51)}, "InvalidTags"),
    ({"n" * 513: ""}, "InvalidTagName"),
    ({"n": "v" * 257}, "InvalidTagValueLength"),
    ({"a/b": ""}, "InvalidTagNameCharacters"),
    ({"azure-x": ""}, "InvalidTagName"),
]


@pytest.mark.parametrize(("bad", "code"), BAD_TAGS)
def test_tags_beyond_the_limits_are_refused_by_every_way_to_write_them(
    http: Any, cloud: Sandbox, bad: dict[str, str], code: str
) -> None:
    group = cloud.ids("Microsoft.Storage/storageAccounts")[0].partition("/providers/")[0]
    known = http("GET", group, version=V).body
    place = f"{group}/providers/Microsoft.Resources/tags/default"
    replies = (
        http("PATCH", group, {"tags": bad}, version=V),
        http("PUT", group, {"location": known["location"], "tags": bad}, version=V),
        http("PUT", place, {"properties": {"tags": bad}}, version=V),
        http("PATCH", place, {"operation": "Merge", "properties": {"tags": bad}}, version=V),
    )
    assert [(each.status, each.error) for each in replies] == [(400, code)] * 4
    assert http("GET", group, version=V).body == known


def test_a_storage_account_has_shorter_tag_names(http: Any, cloud: Sandbox) -> None:
    account = cloud.ids("Microsoft.Storage/storageAccounts")[0]
    reply = http("PATCH", account, {"tags": {"n" * 129: ""}}, version="2025-06-01")
    assert (reply.status, reply.error) == (400, "InvalidTagName")
    assert "'128'" in reply.body["error"]["message"]


def test_fifty_tags_are_merged_to_no_more(http: Any, place: str) -> None:
    http("PUT", place, {"properties": {"tags": {f"t{at}": "" for at in range(50)}}}, version=V)
    merge = {"operation": "Merge", "properties": {"tags": {"T1": "x"}}}
    assert http("PATCH", place, merge, version=V).status == 200
    merge["properties"] = {"tags": {"more": ""}}
    assert http("PATCH", place, merge, version=V).error == "InvalidTags"
    assert len(tags(http, place)) == 50
