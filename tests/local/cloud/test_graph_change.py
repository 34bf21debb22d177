"""Changes in Resource Graph: what was created, updated or deleted in the last fourteen days, told with a delay.

Source: Azure Resource Graph, "Get resource changes".
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Sandbox, sandbox
from tests.fakes.sandbox import Clock, Http
from tests.local.cloud.test_graph import STORAGE, ask, pages, rows

VERSION = "2025-06-01"
CHANGES = (
    "resourcechanges | extend changed = todatetime(properties.changeAttributes.timestamp),"
    " target = tostring(properties.targetResourceId), kind_of = tostring(properties.changeType)"
)
LATEST = f"{CHANGES} | project id, type, target, kind_of | order by id asc"


@pytest.fixture
def told(http: Any) -> Any:
    """The kind and the target of each change in a table."""

    def ask_all(table: str = "resourcechanges") -> list[tuple[str, str]]:
        query = LATEST.replace("resourcechanges", table, 1)
        return [(row["kind_of"], row["target"]) for row in pages(http, query, 100)]

    return ask_all


def test_a_new_estate_has_no_changes(told: Any) -> None:
    assert told() == []
    assert told("resourcecontainerchanges") == []


def test_creation_update_and_deletion_are_told_with_their_targets(http: Any, cloud: Sandbox, told: Any) -> None:
    account = cloud.ids(STORAGE)[0]
    new = f"{account}x"
    stored = cloud.read(account)
    assert stored
    body = {name: stored[name] for name in ("location", "sku", "kind", "properties")}
    assert http("PUT", new, body, version=VERSION).status == 201
    assert http("PATCH", account, {"tags": {"seen": "yes"}}, version=VERSION).status == 200
    assert http("DELETE", new, version=VERSION).status == 200
    assert sorted(told()) == sorted([("Create", new), ("Update", account), ("Delete", new)])


def test_an_update_says_what_was_there_before(http: Any, cloud: Sandbox) -> None:
    account = cloud.ids(STORAGE)[0]
    http("PATCH", account, {"tags": {"seen": "yes"}}, version=VERSION)
    (row,) = rows(http, "resourcechanges")
    found = row["properties"]
    assert row["type"] == "microsoft.resources/changes"
    assert row["id"].lower().startswith(f"{account.lower()}/providers/microsoft.resources/changes/")
    assert (row["subscriptionId"], row["resourceGroup"]) == (account.split("/")[2], account.split("/")[4].lower())
    assert (found["targetResourceId"], found["targetResourceType"]) == (account, STORAGE)
    assert found["changes"]["tags.seen"] == {"previousValue": "null", "newValue": "yes"}
    assert found["changeAttributes"]["changesCount"] == len(found["changes"])
    assert found["changeAttributes"]["timestamp"].endswith("+00:00")


def test_what_is_created_or_deleted_lists_no_properties(http: Any, cloud: Sandbox) -> None:
    http("DELETE", cloud.ids(STORAGE)[0], version=VERSION)
    found = rows(http, "resourcechanges")
    assert {row["properties"]["changeType"] for row in found} == {"Delete"}
    assert all("changes" not in row["properties"] for row in found)
    assert all(row["properties"]["changeAttributes"]["changesCount"] == 0 for row in found)


def test_a_write_that_changes_nothing_is_no_change(http: Any, cloud: Sandbox, told: Any) -> None:
    account = cloud.ids(STORAGE)[0]
    http("PATCH", account, {"tags": {"seen": "yes"}}, version=VERSION)
    http("PATCH", account, {"tags": {"seen": "yes"}}, version=VERSION)
    assert told() == [("Update", account)]


def test_children_that_resource_graph_lacks_have_no_changes(http: Any, cloud: Sandbox, told: Any) -> None:
    service = cloud.ids("Microsoft.Storage/storageAccounts/blobServices")[0]
    body = {"properties": {"isVersioningEnabled": True}}
    assert http("PUT", service, body, version=VERSION).status == 200
    assert told() == []


def test_containers_have_a_table_of_their_own(http: Any, cloud: Sandbox, told: Any) -> None:
    group = cloud.ids("microsoft.resources/subscriptions/resourcegroups")[0]
    inside = [name for name in cloud.ids(STORAGE) if name.lower().startswith(f"{group.lower()}/")]
    assert http("PATCH", group, {"tags": {"seen": "yes"}}).status == 200
    assert told("resourcecontainerchanges") == [("Update", group)]
    assert told() == []
    assert http("DELETE", group).status == 200
    assert ("Delete", group) in told("resourcecontainerchanges")
    assert {("Delete", name) for name in inside} <= set(told())


def test_drift_is_told_as_any_other_change(cloud: Sandbox, told: Any) -> None:
    listed = {name.lower() for name in cloud.drift(40)}
    assert {target.lower() for _, target in told()} <= listed


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def late(tmp_path: Path, clock: Clock) -> Iterator[Sandbox]:
    """A cloud whose Resource Graph tells of changes five minutes later."""
    with sandbox(tmp_path / "cloud.db", clock=clock, graph_delay_seconds=300.0) as running:
        yield running


def test_a_change_is_told_after_the_delay_and_for_fourteen_days(late: Sandbox, clock: Clock) -> None:
    http = Http(late)
    http("PATCH", late.ids(STORAGE)[0], {"tags": {"seen": "yes"}}, version=VERSION)
    told = [len(rows(http, LATEST))]
    for step in (timedelta(seconds=299), timedelta(seconds=1), timedelta(days=13, hours=23), timedelta(hours=1)):
        clock.at += step
        told.append(len(rows(http, LATEST)))
    assert told == [0, 0, 1, 1, 0]


def test_changes_are_chosen_by_their_time(late: Sandbox, clock: Clock) -> None:
    http = Http(late)
    for number, account in enumerate(late.ids(STORAGE)[:2]):
        http("PATCH", account, {"tags": {"seen": str(number)}}, version=VERSION)
        clock.at += timedelta(minutes=10)
    since = (clock.at - timedelta(minutes=10)).isoformat()
    found = rows(http, f"{CHANGES} | where changed >= datetime({since}) | project id, target")
    assert [row["target"] for row in found] == late.ids(STORAGE)[1:2]


@pytest.mark.parametrize(
    "query",
    [
        f"{CHANGES} | where changed >= '2026-11-24'",
        "resourcechanges | where id >= datetime(2026-11-24)",
        f"{CHANGES} | where changed >= datetime(yesterday)",
        f"{CHANGES} | where changed > ago(1d)",
        "resourcechanges | extend changed = todatetime(nothing.timestamp)",
        "resourcechanges | extend tostring(properties.targetResourceId)",
        "resourcechanges | extend changed = parse_json(properties)",
        "resources | where target == 'x'",
    ],
)
def test_what_the_language_lacks_is_refused(look: Any, query: str) -> None:
    assert ask(look, query).status == 400
