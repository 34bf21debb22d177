"""One resource by id: what is read, written, refused, and kept by the service."""

from collections.abc import Callable
from typing import Any

import pytest

from local.cloud import Sandbox
from shared.domain.body import comparable, writable
from shared.domain.canonical import canonicalize

STORAGE = "Microsoft.Storage/storageAccounts"
V = "2025-06-01"
NET = "2024-05-01"


@pytest.fixture
def account(cloud: Sandbox) -> str:
    return _unlocked(cloud, STORAGE)


def test_get_finds_a_resource_in_any_case(http: Any, cloud: Sandbox, account: str) -> None:
    reply = http("GET", account.upper().replace("/SUBSCRIPTIONS", "/subscriptions"), version=V)
    assert (reply.status, reply.body["id"]) == (200, account)
    assert reply.body == cloud.read(account)


def test_head_tells_whether_it_exists(http: Any, account: str) -> None:
    assert http("HEAD", account, version=V).status == 204
    assert http("HEAD", account + "x", version=V).status == 404


def test_the_api_version_is_checked(http: Any, account: str) -> None:
    missing = http("GET", account, version=None)
    unknown = http("GET", account, version="2010-01-01")
    group = http("GET", account.partition("/providers/")[0], version="2010-01-01")
    assert (missing.status, missing.error) == (400, "MissingApiVersionParameter")
    assert (unknown.status, unknown.error) == (400, "NoRegisteredProviderFound")
    assert "'2025-08-01, 2025-06-01" in unknown.body["error"]["message"]
    assert (group.status, group.error) == (400, "InvalidApiVersionParameter")


def test_an_absent_resource_tells_what_is_missing(http: Any, account: str) -> None:
    group = account.partition("/providers/")[0]
    other = "/subscriptions/00000000-0000-0000-0000-000000000000"
    assert http("GET", account + "x", version=V).error == "ResourceNotFound"
    assert http("GET", account.replace(group, group + "x"), version=V).error == "ResourceGroupNotFound"
    assert http("GET", group + "x").error == "ResourceGroupNotFound"
    assert http("GET", other + account[len(other) :], version=V).error == "SubscriptionNotFound"
    assert http("GET", f"{group}/providers/Microsoft.Nothing/x/y").error == "InvalidResourceNamespace"
    assert http("GET", f"{group}/providers/Microsoft.Storage/nothing/y").error == "InvalidResourceType"
    assert http("GET", "/nonsense/path").status == 404
    assert http("GET", f"{group}/providers/Microsoft.Storage").error == "InvalidRequestPath"


def test_every_answer_carries_the_headers_of_arm(http: Any, account: str) -> None:
    reply = http("GET", account, version=V, x_ms_correlation_request_id="c-1")
    assert reply.headers["x-ms-correlation-request-id"] == "c-1"
    assert len(reply.headers["x-ms-request-id"]) == 36
    assert int(reply.headers["x-ms-ratelimit-remaining-subscription-reads"]) > 0
    assert int(http("DELETE", account + "x", version=V).headers["x-ms-ratelimit-remaining-subscription-deletes"]) > 0


def test_put_creates_once_and_replaces_afterwards(http: Any, cloud: Sandbox, account: str) -> None:
    new = account + "new"
    body = {
        "location": "westeurope",
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
        "properties": {"minimumTlsVersion": "TLS1_2"},
    }
    first, second = http("PUT", new, body, version=V), http("PUT", new, {**body, "tags": {"a": "b"}}, version=V)
    assert (first.status, second.status) == (201, 200)
    assert second.body["tags"] == {"a": "b"}
    assert (first.body["type"], first.body["properties"]["provisioningState"]) == (STORAGE, "Succeeded")
    assert [(write["method"], write["id"]) for write in cloud.writes()] == [("PUT", new)] * 2


def test_put_brings_the_children_that_always_exist(http: Any, account: str) -> None:
    http("PUT", account + "new", {"location": "westeurope"}, version=V)
    child = http("GET", account + "new/blobServices/default", version=V)
    assert child.status == 200
    assert "isVersioningEnabled" in child.body["properties"]


def test_what_was_read_can_be_put_back_unchanged(http: Any, cloud: Sandbox) -> None:
    for kind, version in (
        (STORAGE, V),
        ("Microsoft.Network/networkSecurityGroups", NET),
        ("Microsoft.Web/sites", "2025-05-01"),
    ):
        before = cloud.read(cloud.ids(kind)[0])
        assert before
        changed = http("PUT", before["id"], {**writable(before), "properties": {}}, version=version)
        restored = http("PUT", before["id"], writable(before), version=version)
        assert changed.body["properties"] != before["properties"]
        assert restored.status == 200
        assert canonicalize(comparable(restored.body)) == canonicalize(comparable(before)), kind


def test_put_does_not_change_what_the_service_keeps(http: Any, cloud: Sandbox, account: str) -> None:
    before = cloud.read(account)
    assert before
    body = {
        "location": before["location"],
        "properties": {"primaryEndpoints": {"blob": "https://evil"}, "creationTime": "1999"},
    }
    after = http("PUT", account, body, version=V).body["properties"]
    assert after["primaryEndpoints"] == before["properties"]["primaryEndpoints"]
    assert after["creationTime"] == before["properties"]["creationTime"]
    assert "minimumTlsVersion" not in after, "a PUT without it takes it away"


def test_an_identity_gets_its_ids_from_the_service(http: Any, account: str) -> None:
    put = http("PUT", account + "new", {"location": "westeurope", "identity": {"type": "SystemAssigned"}}, version=V)
    patch = http("PATCH", account, {"identity": {"type": "SystemAssigned"}}, version=V)
    for reply in (put, patch):
        assert len(reply.body["identity"]["principalId"]) == 36


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "InvalidRequestContent"),
        (b"[1]", "InvalidRequestContent"),
        (b"\xff", "InvalidRequestContent"),
        ({"properties": 1}, "InvalidRequestContent"),
        ({"tags": [1]}, "InvalidRequestContent"),
        ({"tags": {"a": 1}}, "InvalidTagValue"),
    ],
)
def test_a_bad_body_is_refused(http: Any, cloud: Sandbox, account: str, body: Any, code: str) -> None:
    for method in ("PUT", "PATCH"):
        reply = http(method, account, body, version=V)
        assert (reply.status, reply.error) == (400, code)
    assert cloud.writes() == []


def test_location_is_needed_and_stays(http: Any, account: str) -> None:
    assert http("PUT", account + "new", {"properties": {}}, version=V).error == "LocationRequired"
    moved = http("PUT", account, {"location": "australiaeast"}, version=V)
    assert (moved.status, moved.error) == (409, "InvalidResourceLocation")


def test_the_parent_of_a_resource_must_exist(http: Any, account: str) -> None:
    group = account.partition("/providers/")[0]
    body = {"location": "westeurope"}
    assert http("PUT", account.replace(group, group + "x"), body, version=V).error == "ResourceGroupNotFound"
    assert http("PUT", account + "x/blobServices/default", {}, version=V).error == "ParentResourceNotFound"
    assert http("PUT", "/subscriptions/1/resourceGroups/x", body).error == "SubscriptionNotFound"


def test_patch_merges_where_the_type_merges(http: Any, cloud: Sandbox, account: str) -> None:
    before = cloud.read(account)
    assert before
    change = {"networkAcls": {"defaultAction": "Deny"}, "creationTime": "1999", "keyPolicy": None}
    after = http("PATCH", account, {"properties": change, "tags": {"only": "this"}}, version=V).body
    assert after["properties"]["networkAcls"] == {**before["properties"]["networkAcls"], "defaultAction": "Deny"}
    assert after["properties"]["creationTime"] == before["properties"]["creationTime"]
    assert "keyPolicy" not in after["properties"]
    assert after["tags"] == {"only": "this"}


def test_patch_ignores_properties_where_the_type_takes_tags_only(http: Any, cloud: Sandbox) -> None:
    found = cloud.ids("Microsoft.Network/publicIPAddresses")[0]
    before = cloud.read(found)
    reply = http("PATCH", found, {"tags": {"a": "b"}, "properties": {"idleTimeoutInMinutes": 30}}, version=NET)
    assert before
    assert (reply.status, reply.body["tags"]) == (200, {"a": "b"})
    assert reply.body["properties"] == before["properties"]


def test_patch_is_refused_where_the_type_has_none(http: Any, account: str) -> None:
    reply = http("PATCH", account + "/blobServices/default", {"properties": {}}, version=V)
    assert (reply.status, reply.error) == (405, "HttpMethodNotAllowed")
    assert http("PATCH", account + "x", {}, version=V).error == "ResourceNotFound"


def test_delete_takes_all_that_lies_in_it(http: Any, cloud: Sandbox) -> None:
    server = _unlocked(cloud, "Microsoft.Sql/servers")
    below = [
        name
        for kind in ("databases", "auditingSettings")
        for name in cloud.ids(f"Microsoft.Sql/servers/{kind}")
        if name.startswith(server)
    ]
    assert http("DELETE", server, version="2023-08-01").status == 200
    assert http("DELETE", server, version="2023-08-01").status == 204
    assert len(below) > 1
    assert [cloud.read(name) for name in [server, *below]] == [None] * (1 + len(below))


def test_what_always_exists_is_not_deleted(http: Any, account: str) -> None:
    assert http("DELETE", account + "/blobServices/default", version=V).status == 405
    assert http("DELETE", account[: len("/subscriptions/") + 36], version="2022-12-01").status == 405
    assert http("PUT", account[: len("/subscriptions/") + 36], {}, version="2022-12-01").status == 405
    assert http("POST", account, {}, version=V).status == 405
    assert http("PUT", account.rpartition("/")[0], {}, version=V).status == 405


def _unlocked(cloud: Sandbox, kind: str) -> str:
    locked = {name.partition("/providers/")[0] for name in cloud.ids("Microsoft.Authorization/locks")}
    return next(name for name in cloud.ids(kind) if name.partition("/providers/")[0] not in locked)


def test_etags_guard_writes(http: Any, cloud: Sandbox) -> None:
    group = cloud.ids("Microsoft.Network/networkSecurityGroups")[0]
    etag = http("GET", group, version=NET).headers["etag"]
    good = http("PATCH", group, {"tags": {"n": "1"}}, version=NET, If_Match=etag)
    stale = http("PATCH", group, {"tags": {"n": "2"}}, version=NET, If_Match=etag)
    gone = http("PUT", group + "x", {"location": "westeurope"}, version=NET, If_Match="*")
    taken = http("PUT", group, {"location": "westeurope"}, version=NET, If_None_Match="*")
    assert (good.status, good.headers["etag"]) == (200, good.body["etag"])
    assert good.headers["etag"] != etag
    assert [(each.status, each.error) for each in (stale, gone, taken)] == [(412, "PreconditionFailed")] * 3
    assert good.body["properties"]["securityRules"][0]["etag"] == good.body["etag"]
    assert len(cloud.writes()) == 1


def test_machines_show_their_etag_in_the_header_only(http: Any, cloud: Sandbox) -> None:
    reply = http("GET", cloud.ids("Microsoft.Compute/virtualMachines")[0], version="2025-04-01")
    assert reply.headers["etag"].startswith('"')
    assert "etag" not in reply.body


def test_extension_resources_can_belong_to_any_resource(http: Any, account: str) -> None:
    body = {"properties": {"workspaceId": "/w", "logs": [{"categoryGroup": "audit", "enabled": True}]}}
    version = "2021-05-01-preview"
    for scope in (account, account.partition("/providers/")[0], account[: len("/subscriptions/") + 36]):
        place = f"{scope}/providers/Microsoft.Insights/diagnosticSettings/extra"
        assert http("PUT", place, body, version=version).status == 201
        listed = http("GET", place.rpartition("/")[0], version=version).body["value"]
        assert place in [each["id"] for each in listed]
        assert http("DELETE", place, version=version).status == 200


def test_policies_can_be_stored_at_every_scope(http: Any, account: str) -> None:
    top = "/providers/Microsoft.Management/managementGroups/northwind"
    rule = {
        "properties": {
            "displayName": "d",
            "policyRule": {"if": {"field": "type", "equals": STORAGE}, "then": {"effect": "audit"}},
        }
    }
    definition = f"{top}/providers/Microsoft.Authorization/policyDefinitions/mine"
    assert http("PUT", definition, rule, version="2023-04-01").status == 201
    assignment = f"{top}/providers/Microsoft.Authorization/policyAssignments/mine"
    assert (
        http("PUT", assignment, {"properties": {"policyDefinitionId": definition}}, version="2023-04-01").status == 201
    )
    subscription = account[: len("/subscriptions/") + 36]
    exemption = f"{subscription}/providers/Microsoft.Authorization/policyExemptions/one"
    body = {"properties": {"policyAssignmentId": assignment, "exemptionCategory": "Waiver"}}
    assert http("PUT", exemption, body, version="2022-07-01-preview").status == 201
    below = http("GET", f"{subscription}/providers/Microsoft.Authorization/policyAssignments", version="2023-04-01")
    assert {"mine", "SecurityCenterBuiltIn"} <= {each["name"] for each in below.body["value"]}
    here = http("GET", f"{subscription}/providers/Microsoft.Authorization/policyDefinitions", version="2023-04-01")
    assert definition in [each["id"] for each in here.body["value"]]
    assert http("GET", exemption, version="2022-07-01-preview").body["properties"]["exemptionCategory"] == "Waiver"
    assert http("DELETE", definition, version="2023-04-01").status == 200


def test_built_in_roles_are_read_under_any_scope(http: Any, account: str) -> None:
    role = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    reply = http("GET", f"{account}/providers/Microsoft.Authorization/roleDefinitions/{role}", version="2022-04-01")
    assert reply.body["properties"]["roleName"] == "Reader"
    assert reply.body["properties"]["permissions"][0]["actions"] == ["*/read"]


def test_a_body_that_is_too_large_is_refused(http: Any, cloud: Sandbox, account: str) -> None:
    reply = http("PUT", account, b"x" * (4 * 1024 * 1024 + 1), version=V)
    assert (reply.status, reply.error) == (413, "RequestEntityTooLarge")
    assert cloud.writes() == []


def test_a_failure_of_the_sandbox_is_a_500(http: Any, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken: Callable[..., Any] = lambda *_: 1 / 0  # noqa: E731
    monkeypatch.setattr("local.cloud.app.route", broken)
    reply = http("GET", account, version=V)
    assert (reply.status, reply.error) == (500, "InternalServerError")
    assert "ZeroDivision" not in str(reply.body)
