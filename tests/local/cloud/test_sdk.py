"""Microsoft's own clients against the sandbox cloud, unchanged."""

from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

from local.cloud import Sandbox

STORAGE = "Microsoft.Storage/storageAccounts"
CACHE = "Microsoft.Cache/Redis"


def subscription(cloud: Sandbox, resource_type: str = STORAGE) -> tuple[str, str]:
    """A subscription with a resource of a type, and that resource's id; its group is not locked."""
    locked = {each.partition("/providers/")[0].lower() for each in cloud.ids("Microsoft.Authorization/locks")}
    found = next(each for each in cloud.ids(resource_type) if each.partition("/providers/")[0].lower() not in locked)
    return found.split("/")[2], found


def test_lists_and_gets_subscriptions(readers: Any, still: Sandbox) -> None:
    with readers.subscriptions() as client:
        found = list(client.subscriptions.list())
        one = client.subscriptions.get(found[0].subscription_id)
        tenants = list(client.tenants.list())
    names = [each.display_name for each in found]
    assert len(found) == still.count("resourcecontainers") - _other_containers(still)
    assert len(set(names)) < len(names), "two subscriptions share a display name on purpose"
    assert (one.id, one.state) == (f"/subscriptions/{found[0].subscription_id}", "Enabled")
    assert tenants[0].tenant_id == found[0].tenant_id


def _other_containers(cloud: Sandbox) -> int:
    groups = cloud.ids("microsoft.resources/subscriptions/resourcegroups")
    return len(groups) + len(cloud.ids("microsoft.management/managementgroups"))


def test_walks_the_management_groups(readers: Any) -> None:
    with readers.management_groups() as client:
        names = {each.name for each in client.management_groups.list()}
        root = next(name for name in names if "-" in name)
        tree = client.management_groups.get(root, expand="children", recurse=True)
        below = list(client.management_groups.get_descendants("landingzones"))
    top = tree.children[0]
    assert top.name == "northwind"
    assert {each.name for each in top.children} == {"platform", "landingzones", "sandbox", "decommissioned"}
    assert {each.name for each in below if each.type == "/managementGroups"} == {"corp", "online"}
    assert all(each.parent.id.endswith(("corp", "online")) for each in below if each.type == "/subscriptions")


def test_pages_through_resources_and_their_groups(readers: Any, still: Sandbox) -> None:
    scope, _ = subscription(still)
    with readers.resources(scope) as client:
        groups = [each.name for each in client.resource_groups.list(top=2)]
        found = list(client.resources.list(top=7, expand="createdTime,changedTime,provisioningState"))
        accounts = list(client.resources.list(filter=f"resourceType eq '{STORAGE}'"))
        within = list(client.resources.list_by_resource_group(groups[0], top=5))
    assert len(groups) == len(set(groups)) > 2
    assert len({each.id for each in found}) == len(found) > 14
    assert all(each.properties is None for each in found), "ARM lists headers only"
    assert all(each.created_time for each in found)
    assert {each.type for each in accounts} == {STORAGE}
    assert {each.id.split("/")[4] for each in within} == {groups[0]}


def test_changes_a_resource_by_id(clients: Any, cloud: Sandbox) -> None:
    scope, account = subscription(cloud)
    with clients.resources(scope) as client:
        before = client.resources.get_by_id(account, api_version="2025-06-01")
        patch = {"properties": {"minimumTlsVersion": "TLS1_3"}, "tags": {"owner": "ada"}}
        client.resources.begin_update_by_id(account, parameters=patch, api_version="2025-06-01").result()
        after = client.resources.get_by_id(account, api_version="2025-06-01")
        assert client.resources.check_existence_by_id(account, api_version="2025-06-01")
    assert after.properties == {**before.properties, "minimumTlsVersion": "TLS1_3"}
    assert after.tags == {"owner": "ada"}
    assert [write["method"] for write in cloud.writes()] == ["PATCH"]


def test_creates_and_deletes_with_polling(start: Callable[..., Sandbox], readers: Any) -> None:
    cloud = start(operation_seconds=0.05)
    clients = type(readers)(cloud)
    scope, cache = subscription(cloud, CACHE)
    twin = cache.rpartition("/")[0] + "/twin"
    with clients.resources(scope) as client:
        body = {"location": "westeurope", "properties": {"sku": {"name": "Basic", "family": "C", "capacity": 0}}}
        poller = client.resources.begin_create_or_update_by_id(twin, parameters=body, api_version="2024-11-01")
        assert poller.status() == "InProgress"
        made = poller.result()
        client.resources.begin_delete_by_id(twin, api_version="2024-11-01").result()
        with pytest.raises(ResourceNotFoundError):
            client.resources.get_by_id(twin, api_version="2024-11-01")
    assert (made.id, made.properties["provisioningState"]) == (twin, "Succeeded")
    assert [write["method"] for write in cloud.writes()] == ["PUT", "DELETE"]


def test_creates_and_deletes_a_resource_group(start: Callable[..., Sandbox], readers: Any) -> None:
    cloud = start(operation_seconds=0.05)
    clients = type(readers)(cloud)
    scope, _ = subscription(cloud)
    with clients.resources(scope) as client:
        made = client.resource_groups.create_or_update("rg-new", {"location": "westeurope", "tags": {"owner": "ada"}})
        assert client.resource_groups.check_existence("rg-new")
        client.resource_groups.begin_delete("rg-new").result()
        assert not client.resource_groups.check_existence("rg-new")
    assert (made.type, made.properties.provisioning_state) == ("Microsoft.Resources/resourceGroups", "Succeeded")


def test_refuses_a_stale_etag_as_the_clients_know_it(clients: Any, cloud: Sandbox) -> None:
    scope, group = subscription(cloud, "Microsoft.Network/networkSecurityGroups")
    with clients.resources(scope) as client:
        read = client.resources.get_by_id(group, api_version="2024-05-01", cls=lambda raw, body, _: (raw, body))
        etag = read[0].http_response.headers["ETag"]
        change = {"tags": {"seen": "yes"}}
        options: dict[str, Any] = {"api_version": "2024-05-01", "headers": {"If-Match": etag}}
        client.resources.begin_update_by_id(group, parameters=change, **options).result()
        with pytest.raises((ResourceModifiedError, HttpResponseError)) as refused:
            client.resources.begin_update_by_id(group, parameters=change, **options)
    assert (refused.value.status_code, refused.value.error.code) == (412, "PreconditionFailed")


def test_tells_providers_with_aliases(readers: Any, still: Sandbox) -> None:
    scope, _ = subscription(still)
    with readers.resources(scope) as client:
        provider = client.providers.get("Microsoft.Storage", expand="resourceTypes/aliases")
        names = [each.namespace for each in client.providers.list()]
    kind = next(each for each in provider.resource_types if each.resource_type == "storageAccounts")
    aliases = {each.name: each for each in kind.aliases}
    tls = aliases[f"{STORAGE}/minimumTlsVersion"]
    assert (tls.default_path, tls.default_metadata.attributes) == ("properties.minimumTlsVersion", "Modifiable")
    assert aliases[f"{STORAGE}/networkAcls.ipRules[*].value"].default_path == "properties.networkAcls.ipRules[*].value"
    assert "2025-06-01" in kind.api_versions
    assert {"Microsoft.Storage", "Microsoft.Compute"} <= set(names)


def test_changes_tags_at_a_scope(clients: Any, cloud: Sandbox) -> None:
    scope, account = subscription(cloud)
    with clients.resources(scope) as client:
        patch = {"operation": "Merge", "properties": {"tags": {"Owner": "ada", "new": "1"}}}
        client.tags.begin_update_at_scope(account, patch).result()
        client.tags.begin_update_at_scope(
            account, {"operation": "Delete", "properties": {"tags": {"NEW": ""}}}
        ).result()
        tags = client.tags.get_at_scope(account).properties.tags
    assert tags["Owner"] == "ada"
    assert {"new", "owner"}.isdisjoint(tags)


def test_queries_the_graph_page_by_page(readers: Any, still: Sandbox) -> None:
    with readers.graph() as client:
        rows, token = [], None
        while True:
            options = QueryRequestOptions(top=70, skip_token=token)
            page = client.resources(QueryRequest(query="resources | order by id asc", options=options))
            rows += page.data
            token = page.skip_token
            assert page.result_truncated == "false"
            if token is None:
                break
    assert len({row["id"] for row in rows}) == len(rows) == page.total_records == still.count()


def test_errors_are_those_the_clients_know(readers: Any, clients: Any, cloud: Sandbox) -> None:
    scope, account = subscription(cloud)
    with clients.resources(scope) as client, pytest.raises(ResourceNotFoundError) as absent:
        client.resources.get_by_id(account + "x", api_version="2025-06-01")
    cloud.faults.add("throttled", retry_after=7, times=1)
    with clients.resources(scope) as client, pytest.raises(HttpResponseError) as slow:
        client.resources.get_by_id(account, api_version="2025-06-01")
    with readers.graph() as client, pytest.raises(HttpResponseError) as query:
        client.resources(QueryRequest(query="resources | mv-expand zones"))
    assert absent.value.error.code == "ResourceNotFound"
    assert (slow.value.status_code, slow.value.response.headers["Retry-After"]) == (429, "7")
    assert query.value.error.code == "BadRequest"


def test_the_clients_wait_out_a_throttle(clients: Any, cloud: Sandbox) -> None:
    scope, account = subscription(cloud)
    cloud.faults.add("throttled", retry_after=0.01, times=2)
    with clients.resources(scope, retry_total=3, retry_backoff_factor=0) as client:
        assert client.resources.get_by_id(account, api_version="2025-06-01").id == account
    assert cloud.faults.records()[0]["injected"] == 2


def test_what_exists_is_not_made_again(clients: Any, cloud: Sandbox) -> None:
    scope, account = subscription(cloud)
    options: dict[str, Any] = {"api_version": "2025-06-01", "headers": {"If-None-Match": "*"}}
    with clients.resources(scope) as client, pytest.raises((ResourceExistsError, HttpResponseError)) as refused:
        client.resources.begin_create_or_update_by_id(account, parameters={"location": "westeurope"}, **options)
    assert refused.value.status_code == 412
