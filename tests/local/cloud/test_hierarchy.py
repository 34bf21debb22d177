"""Management groups are listed with their children and descendants."""

from typing import Any

V = "2023-04-01"
ROOT = "/providers/Microsoft.Management/managementGroups"


def test_a_group_is_shown_with_its_children_when_asked(look: Any) -> None:
    plain = look("GET", f"{ROOT}/landingzones", version=V).body
    children = look("GET", f"{ROOT}/landingzones?$expand=children", version=V).body["properties"]["children"]
    assert "children" not in plain["properties"]
    assert plain["properties"]["details"]["parent"]["name"] == "northwind"
    assert [child["name"] for child in children] == ["corp", "online"]
    assert all("children" not in child for child in children)
    deep = look("GET", f"{ROOT}/landingzones?$expand=children&$recurse=true", version=V).body["properties"]["children"]
    assert {each["type"] for child in deep for each in child["children"]} == {"/subscriptions"}


def test_descendants_come_in_pages(look: Any) -> None:
    whole = look("GET", f"{ROOT}/northwind/descendants", version=V).body["value"]
    rows: list[Any] = []
    reply = look("GET", f"{ROOT}/northwind/descendants?$top=4", version=V)
    while True:
        rows += reply.body["value"]
        if "nextLink" not in reply.body:
            break
        reply = look("GET", reply.body["nextLink"], version=None)
    assert rows == whole
    assert {row["type"] for row in rows} == {"/managementGroups", "/subscriptions"}


def test_unknown_groups_are_not_found(look: Any) -> None:
    for path in (f"{ROOT}/nothing", f"{ROOT}/nothing/descendants"):
        reply = look("GET", path, version=V)
        assert (reply.status, reply.error) == (404, "NotFound")
    assert look("GET", ROOT, version="2001-01-01").error == "InvalidApiVersionParameter"


def test_subscriptions_are_found_under_their_group(look: Any) -> None:
    (first, *_) = look("GET", f"{ROOT}/corp/subscriptions", version=V).body["value"]
    one = look("GET", f"{ROOT}/corp/subscriptions/{first['name']}", version=V).body
    assert one["properties"]["state"] == "Active"
