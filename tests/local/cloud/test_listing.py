"""Lists: paging, filters, children, what is inherited."""

from typing import Any

import pytest

from local.cloud import Sandbox

STORAGE = "Microsoft.Storage/storageAccounts"


def every(http: Any, path: str, version: str = "2021-04-01") -> list[dict[str, Any]]:
    """All pages of a list."""
    reply = http("GET", path, version=version)
    rows = reply.body["value"]
    while link := reply.body.get("nextLink"):
        reply = http("GET", link, version=None)
        rows += reply.body["value"]
    return rows


def largest(cloud: Sandbox) -> str:
    ids = [name.split("/")[2] for name in cloud.ids("Microsoft.Network/networkSecurityGroups")]
    return f"/subscriptions/{max(ids, key=ids.count)}"


def test_pages_hold_what_was_asked_for_and_lose_nothing(look: Any, still: Sandbox) -> None:
    scope = largest(still)
    first = look("GET", f"{scope}/resources?$top=9", version="2021-04-01").body
    rows = every(look, f"{scope}/resources?$top=9")
    assert len(first["value"]) == 9
    assert "api-version=2021-04-01" in first["nextLink"]
    assert [row["id"] for row in rows] == [row["id"] for row in every(look, f"{scope}/resources")]
    assert len(rows) > 30
    assert not {"properties", "etag", "systemData"} & {name for row in rows for name in row}


def test_the_last_full_page_has_no_link(look: Any, still: Sandbox) -> None:
    scope = largest(still)
    total = len(every(look, f"{scope}/resources"))
    assert "nextLink" not in look("GET", f"{scope}/resources?$top={total}", version="2021-04-01").body


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        (f"resourceType eq '{STORAGE}'", lambda row: row["type"] == STORAGE),
        ("location eq 'westeurope'", lambda row: row["location"].replace(" ", "").lower() == "westeurope"),
        ("tagName eq 'environment' and tagValue eq 'prod'", lambda row: row["tags"]["environment"].lower() == "prod"),
        (f"resourceType eq '{STORAGE}' and location eq 'WestEurope'", lambda row: row["type"] == STORAGE),
    ],
)
def test_filters_keep_what_matches(look: Any, still: Sandbox, query: str, holds: Any) -> None:
    scope = largest(still)
    rows = every(look, f"{scope}/resources?$filter={query.replace(' ', '%20')}")
    assert rows
    assert all(holds(row) for row in rows)
    assert len(rows) < len(every(look, f"{scope}/resources"))


def test_bad_filters_tops_and_tokens_are_refused(look: Any, still: Sandbox) -> None:
    scope = largest(still)
    for query, code in (
        ("$filter=substringof('x',name)", "InvalidFilterInQueryString"),
        ("$filter=owner%20eq%20'ada'", "InvalidFilterInQueryString"),
        ("$top=0", "InvalidTopInQueryString"),
        ("$top=x", "InvalidTopInQueryString"),
        ("$skiptoken=%21", "InvalidSkipToken"),
        ("$skiptoken=w7w", "InvalidSkipToken"),
    ):
        reply = look("GET", f"{scope}/resources?{query}", version="2021-04-01")
        assert (reply.status, reply.error) == (400, code), query


def test_lists_of_what_does_not_exist_are_not_found(look: Any, still: Sandbox) -> None:
    scope = largest(still)
    assert look("GET", "/subscriptions/nobody/resources").error == "SubscriptionNotFound"
    assert look("GET", "/subscriptions/nobody/resourceGroups").error == "SubscriptionNotFound"
    assert look("GET", f"{scope}/resourceGroups/none/resources").error == "ResourceGroupNotFound"
    path = f"{scope}/resourceGroups/none/providers/{STORAGE}"
    assert look("GET", path, version="2025-06-01").error == "ResourceGroupNotFound"


def test_a_type_is_listed_in_a_group_and_in_a_subscription(look: Any, still: Sandbox) -> None:
    account = still.ids(STORAGE)[0]
    group, scope = account.partition("/providers/")[0], account[: len("/subscriptions/") + 36]
    within = every(look, f"{group}/providers/{STORAGE}", "2025-06-01")
    all_of_it = every(look, f"{scope}/providers/{STORAGE}", "2025-06-01")
    assert account in [row["id"] for row in within]
    assert {row["id"] for row in within} < {row["id"] for row in all_of_it}
    assert all(row["properties"]["primaryEndpoints"] for row in all_of_it), "a provider lists whole bodies"


def test_children_are_listed_under_their_parent(look: Any, still: Sandbox) -> None:
    server = still.ids("Microsoft.Sql/servers")[0]
    settings = every(look, f"{server}/auditingSettings", "2023-08-01")
    databases = every(look, f"{server}/databases", "2023-08-01")
    assert [row["name"] for row in settings] == ["Default"]
    assert databases
    assert all(row["type"] == "Microsoft.Sql/servers/databases" for row in databases)


def test_defender_plans_and_diagnostic_settings_are_listed_at_their_scope_only(look: Any, still: Sandbox) -> None:
    scope = largest(still)
    plans = every(look, f"{scope}/providers/Microsoft.Security/pricings", "2024-01-01")
    settings = every(look, f"{scope}/providers/Microsoft.Insights/diagnosticSettings", "2021-05-01-preview")
    assert {"VirtualMachines", "StorageAccounts", "KeyVaults"} <= {row["name"] for row in plans}
    assert all(row["id"].count("/providers/") == 1 for row in settings)


def test_role_assignments_show_what_is_below_and_what_is_inherited(look: Any, still: Sandbox) -> None:
    path = "providers/Microsoft.Authorization/roleAssignments"
    group = still.ids(STORAGE)[0].partition("/providers/")[0]
    scope = "/".join(group.split("/")[:3])
    at_group = {row["id"] for row in every(look, f"{group}/{path}", "2022-04-01")}
    at_subscription = {row["id"] for row in every(look, f"{scope}/{path}", "2022-04-01")}
    only_above = {row["id"] for row in every(look, f"{scope}/{path}?$filter=atScope()", "2022-04-01")}
    assert any(name.startswith(group) for name in at_group)
    assert only_above <= at_group, "a group inherits from its subscription"
    assert at_group <= at_subscription
    assert all(name.count("/providers/") == 1 for name in only_above)


def test_tenants_and_locations(look: Any, still: Sandbox) -> None:
    scope = largest(still)
    tenant = look("GET", "/tenants", version="2022-12-01").body["value"][0]
    regions = look("GET", f"{scope}/locations", version="2022-12-01").body["value"]
    assert tenant["id"] == f"/tenants/{tenant['tenantId']}"
    assert {"name": "westeurope", "displayName": "West Europe"}.items() <= regions[0].items()
