"""Resource Graph: what it shows, page by page, and what it keeps to itself."""

from typing import Any

import pytest

from local.cloud import Sandbox

PATH = "/providers/Microsoft.ResourceGraph/resources"
STORAGE = "microsoft.storage/storageaccounts"


def ask(http: Any, query: str, version: str = "2024-04-01", **body: Any) -> Any:
    return http("POST", PATH, {"query": query, **body}, version=version)


def rows(http: Any, query: str, **body: Any) -> list[dict[str, Any]]:
    reply = ask(http, query, **body)
    assert reply.status == 200, reply.body
    found: list[dict[str, Any]] = reply.body["data"]
    return found


def test_a_row_looks_as_resource_graph_shows_it(look: Any, still: Sandbox) -> None:
    site = next(name for name in still.ids("Microsoft.Web/sites"))
    (row,) = rows(look, f"resources | where id =~ '{site}'")
    assert list(row) == [
        "id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "managedBy",
        "sku", "plan", "properties", "tags", "identity", "zones", "extendedLocation",
    ]  # fmt: skip
    stored = still.read(site)
    assert stored
    assert (row["id"], row["type"]) == (site, "microsoft.web/sites")
    assert row["location"] == stored["location"].replace(" ", "").lower()
    assert row["resourceGroup"] == site.split("/")[4].lower()
    assert row["properties"] == stored["properties"]
    assert row["tenantId"]


def test_a_row_of_a_virtual_machine_has_its_power_state(look: Any, still: Sandbox) -> None:
    machine = next(name for name in still.ids("Microsoft.Compute/virtualMachines"))
    (row,) = rows(look, f"resources | where id =~ '{machine}' | project id, properties")
    stored = still.read(machine)
    assert stored
    extended = row["properties"].pop("extended")
    assert extended["instanceView"]["powerState"]["code"] == "PowerState/running"
    assert row["properties"] == stored["properties"]


def test_an_envelope_tells_counts_and_truncation(look: Any, still: Sandbox) -> None:
    reply = ask(look, "resources", options={"$top": 10})
    assert reply.body["totalRecords"] == still.count()
    assert (reply.body["count"], len(reply.body["data"]), reply.body["resultTruncated"]) == (10, 10, "false")
    assert reply.body["facets"] == []
    assert int(reply.headers["x-ms-user-quota-remaining"]) > 0
    assert reply.headers["x-ms-user-quota-resets-after"].startswith("00:00:0")


def pages(http: Any, query: str, top: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token = None
    while True:
        options = {"$top": top, **({"$skipToken": token} if token else {})}
        body = ask(http, query, options=options).body
        found += body["data"]
        token = body.get("$skipToken")
        if token is None:
            return found


@pytest.mark.parametrize(
    "query",
    [
        "resources",
        "resources | order by id asc",
        "resources | order by tolower(id) asc",
        "resources | order by type desc, id asc",
    ],
)
def test_pages_lose_and_repeat_nothing(look: Any, still: Sandbox, query: str) -> None:
    found = [row["id"] for row in pages(look, query, 67)]
    assert len(found) == len(set(found)) == still.count()


def test_order_is_as_asked(look: Any) -> None:
    ascending = [row["id"].lower() for row in pages(look, "resources | project id | order by id asc", 100)]
    kinds = [row["type"] for row in pages(look, "resources | project type | order by type desc", 100)]
    assert ascending == sorted(ascending)
    assert kinds == sorted(kinds, reverse=True)


def test_paging_goes_on_where_it_was_when_rows_go(http: Any, cloud: Sandbox) -> None:
    all_of_it = [row["id"] for row in rows(http, "resources | order by id asc")]
    first = ask(http, "resources | order by id asc", options={"$top": 150}).body
    gone = next(row["id"] for row in first["data"] if row["type"] == STORAGE)
    assert http("DELETE", gone, version="2025-06-01").status == 200
    rest = ask(http, "resources | order by id asc", options={"$top": 1000, "$skipToken": first["$skipToken"]}).body
    assert [row["id"] for row in first["data"] + rest["data"]] == all_of_it
    assert cloud.count() == len(all_of_it) - 1


def test_a_limit_ends_the_answer(look: Any) -> None:
    small = ask(look, "resources | take 5").body
    large = ask(look, "resources | limit 90", options={"$top": 30}).body
    assert (small["count"], small["totalRecords"], small["resultTruncated"]) == (5, 5, "false")
    assert (large["count"], large["resultTruncated"], "$skipToken" in large) == (30, "true", False)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (f"type =~ '{STORAGE.upper()}'", lambda row: row["type"] == STORAGE),
        (f"type == '{STORAGE}'", lambda row: row["type"] == STORAGE),
        (f"type in~ ('{STORAGE.upper()}', 'x')", lambda row: row["type"] == STORAGE),
        (f"type !in~ ('{STORAGE}')", lambda row: row["type"] != STORAGE),
        (f"type !~ '{STORAGE.upper()}'", lambda row: row["type"] != STORAGE),
        ("type startswith 'Microsoft.Network/'", lambda row: row["type"].startswith("microsoft.network/")),
        ("name contains 'PROD'", lambda row: "prod" in row["name"].lower()),
        ("location == 'westeurope'", lambda row: row["location"] == "westeurope"),
        ("tags.environment == 'prod'", lambda row: row["tags"]["environment"] == "prod"),
        ("properties.allowBlobPublicAccess == true", lambda row: row["properties"]["allowBlobPublicAccess"] is True),
        ("properties.diskSizeGB >= 30", lambda row: row["properties"]["diskSizeGB"] >= 30),
        ("isempty(kind)", lambda row: row["kind"] == ""),
        ("isnotempty(tags['owner'])", lambda row: row["tags"]["owner"]),
    ],
)
def test_conditions_keep_what_matches(look: Any, still: Sandbox, condition: str, holds: Any) -> None:
    found = rows(look, f"resources | where {condition}")
    assert 0 < len(found) < still.count()
    assert all(holds(row) for row in found)


def test_equality_heeds_the_case_of_types(look: Any) -> None:
    assert rows(look, "resources | where type == 'Microsoft.Storage/storageAccounts'") == []


def test_projects_columns_and_members(look: Any) -> None:
    columns = "id, tls = properties.minimumTlsVersion, sku.name, tags['none']"
    row = rows(look, f"resources | where type =~ '{STORAGE}' | project {columns}")[0]
    assert list(row) == ["id", "tls", "sku_name", "tags_none"]
    assert row["tls"].startswith("TLS1_")
    assert row["tags_none"] is None


def test_counts_by_columns(look: Any, still: Sandbox) -> None:
    by_type = {row["type"]: row["count_"] for row in rows(look, "resources | summarize count() by type")}
    assert sum(by_type.values()) == still.count()
    assert by_type[STORAGE] == len(still.ids(STORAGE))
    assert rows(look, "resources | count") == [{"Count": still.count()}]


def test_scopes_limit_what_is_seen(look: Any, still: Sandbox) -> None:
    subscriptions = sorted({name.split("/")[2] for name in still.ids(STORAGE)})
    one = rows(look, "resources", subscriptions=[subscriptions[0]])
    two = rows(look, "resources", subscriptions=[subscriptions[0], subscriptions[-1].upper()])
    platform = rows(look, "resources", managementGroups=["platform"])
    everything = rows(look, "resources", managementGroups=["northwind"])
    assert {row["subscriptionId"] for row in one} == {subscriptions[0]}
    assert {row["subscriptionId"] for row in two} == {subscriptions[0], subscriptions[-1]}
    assert len(platform) > 0
    assert len(everything) == still.count()
    assert rows(look, "resources", subscriptions=["nobody"]) == []


def test_containers_are_told_with_their_ancestors(look: Any) -> None:
    found = rows(look, "resourcecontainers")
    kinds = {row["type"] for row in found}
    assert kinds == {
        "microsoft.resources/subscriptions",
        "microsoft.resources/subscriptions/resourcegroups",
        "microsoft.management/managementgroups",
    }
    subscription = next(row for row in found if row["type"] == "microsoft.resources/subscriptions")
    chain = [each["name"] for each in subscription["properties"]["managementGroupAncestorsChain"]]
    assert chain[-2:] == ["northwind", subscription["tenantId"]]
    assert subscription["name"] != subscription["subscriptionId"]


def test_children_are_found_by_their_owner(look: Any, still: Sandbox) -> None:
    kind = "Microsoft.Compute/virtualMachines/extensions"
    owner = still.ids(kind)[0].rpartition("/extensions/")[0]
    parent = "extend parent = tolower(substring(id, 0, indexof(id, '/extensions/')))"
    found = rows(look, f"resources | where type =~ '{kind}' | {parent} | where parent in~ ('{owner.upper()}', '/x')")
    assert {row["id"] for row in found} == {each for each in still.ids(kind) if each.startswith(f"{owner}/")}


def test_lacks_what_resource_graph_lacks(look: Any, still: Sandbox) -> None:
    for kind in (
        "Microsoft.Insights/diagnosticSettings",
        "Microsoft.Sql/servers/auditingSettings",
        "Microsoft.Storage/storageAccounts/blobServices",
        "Microsoft.Security/pricings",
        "Microsoft.Authorization/roleAssignments",
        "Microsoft.Sql/servers/databases/transparentDataEncryption",
    ):
        assert still.ids(kind)
        assert rows(look, f"resources | where type =~ '{kind}'") == []
    assert rows(look, "securityresources | where type =~ 'microsoft.security/pricings'")
    assert rows(look, "authorizationresources | where type =~ 'microsoft.authorization/roleassignments'")


def test_bad_queries_are_refused_with_details(look: Any) -> None:
    reply = ask(look, "resources | mv-expand zones")
    assert (reply.status, reply.error) == (400, "BadRequest")
    assert [each["code"] for each in reply.body["error"]["details"]] == ["InvalidQuery", "ParserFailure"]
    assert "mv-expand" in reply.body["error"]["details"][1]["message"]
    assert ask(look, "resources", options={"$skipToken": "%%"}).status == 400
    assert ask(look, "resources", options={"$top": "x"}).status == 400
    assert ask(look, "resources", options={"$top": 0}).status == 400
    assert ask(look, "resources", version="2010-01-01").error == "InvalidApiVersionParameter"


def test_a_table_that_is_not_there_is_refused_as_resource_graph_does(look: Any) -> None:
    reply = ask(look, "spaceresources | take 1")
    assert (reply.status, reply.error) == (400, "BadRequest")
    message = "Table spaceresources is invalid, unsupported or disallowed."
    assert reply.body["error"]["details"] == [{"code": "DisallowedLogicalTableName", "message": message}]


def test_what_is_written_is_seen(http: Any, cloud: Sandbox) -> None:
    account = cloud.ids(STORAGE)[0]
    http("PATCH", account, {"tags": {"seen": "yes"}}, version="2025-06-01")
    assert [row["id"] for row in rows(http, "resources | where tags.seen == 'yes'")] == [account]


def test_a_skip_token_belongs_to_its_query(look: Any) -> None:
    token = ask(look, "resources | order by id asc", options={"$top": 5}).body["$skipToken"]
    asked = {"$top": 9, "$skipToken": token}
    assert ask(look, "resources | order by id asc", options=asked).body["count"] == 9
    assert ask(look, "resources | project id | order by id asc", options=asked).status == 400


def test_columns_without_an_order_have_no_further_pages(look: Any) -> None:
    found = ask(look, "resources | project tags, properties", options={"$top": 5}).body
    assert (found["count"], found["resultTruncated"], "$skipToken" in found) == (5, "true", False)
