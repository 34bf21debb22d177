"""Parts: rules, subnets and routes are resources of their own, kept in the body of another."""

from typing import Any

import pytest

from local.cloud import Sandbox

V = "2024-05-01"
RULE = {"properties": {"access": "Deny", "direction": "Inbound", "priority": 150, "protocol": "Tcp"}}


@pytest.fixture
def group(cloud: Sandbox) -> str:
    return cloud.ids("Microsoft.Network/networkSecurityGroups")[0]


def rules(http: Any, group: str) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in http("GET", f"{group}/securityRules", version=V).body["value"]}


def test_children_are_listed_and_read(http: Any, cloud: Sandbox, group: str) -> None:
    whole = cloud.read(group)
    assert whole
    assert list(rules(http, group).values()) == whole["properties"]["securityRules"]
    one = http("GET", f"{group}/securityrules/ALLOW-HTTPS", version=V)
    assert one.body["name"] == "allow-https"
    assert one.headers["etag"] == whole["etag"]
    assert http("GET", f"{group}/securityRules/none", version=V).error == "ResourceNotFound"
    vnet = cloud.ids("Microsoft.Network/virtualNetworks")[0]
    assert http("GET", f"{vnet}/subnets/workload", version=V).body["properties"]["addressPrefix"] == "10.20.1.0/24"


def test_a_child_is_added_replaced_and_removed(http: Any, cloud: Sandbox, group: str) -> None:
    before = set(rules(http, group))
    added = http("PUT", f"{group}/securityRules/stop", RULE, version=V)
    again = http(
        "PUT", f"{group}/securityRules/Stop", {"properties": {**RULE["properties"], "priority": 160}}, version=V
    )
    after = rules(http, group)
    gone = http("DELETE", f"{group}/securityRules/stop", version=V)
    nothing = http("DELETE", f"{group}/securityRules/stop", version=V)
    assert [each.status for each in (added, again, gone, nothing)] == [201, 200, 200, 204]
    assert added.body["id"] == f"{group}/securityRules/stop"
    assert added.body["properties"]["provisioningState"] == "Succeeded"
    assert after["Stop"]["properties"]["priority"] == 160
    assert set(rules(http, group)) == before
    assert [write["method"] for write in cloud.writes()] == ["PUT", "PUT", "DELETE"]
    assert cloud.writes()[0]["id"] == f"{group}/securityRules/stop"


def test_writing_a_child_gives_its_parent_a_new_etag(http: Any, group: str) -> None:
    etag = http("GET", group, version=V).headers["etag"]
    stale = http("PUT", f"{group}/securityRules/stop", RULE, version=V, If_Match='W/"other"')
    good = http("PUT", f"{group}/securityRules/stop", RULE, version=V, If_Match=etag)
    assert (stale.status, good.status) == (412, 201)
    assert http("GET", group, version=V).headers["etag"] != etag


def test_a_child_needs_its_parent_and_has_no_patch(http: Any, group: str) -> None:
    assert http("PUT", f"{group}x/securityRules/stop", RULE, version=V).status == 404
    assert http("GET", f"{group}x/securityRules", version=V).status == 404
    assert http("PATCH", f"{group}/securityRules/allow-https", {}, version=V).status == 405
    assert http("GET", f"{group}/securityRules", version="2001-01-01").error == "NoRegisteredProviderFound"
