"""Containers as Resource Graph shows them: subscriptions, resource groups and management groups."""

from local.cloud.arm import hierarchy
from local.cloud.arm.listing import management_group_of
from local.cloud.cloud import Cloud
from shared.domain.resource import Json

_SUBSCRIPTION = "microsoft.resources/subscriptions"
_MANAGEMENT_GROUP = "microsoft.management/managementgroups"


def container_row(cloud: Cloud, kind: str, body: dict[str, Json]) -> dict[str, Json]:
    """Return the body of a row. Containers look different in Resource Graph than in Resource Manager."""
    if kind == _SUBSCRIPTION:
        ancestors = _ancestors(cloud, management_group_of(cloud, body["subscriptionId"]))
        names = ("managedByTenants", "subscriptionPolicies", "state")
        properties = {
            "managementGroupAncestorsChain": ancestors,
            **{name: body[name] for name in names if name in body},
        }
        return {**body, "name": body["displayName"], "properties": properties}
    if kind == _MANAGEMENT_GROUP:
        details = dict(body["properties"].get("details") or {})
        parent = str((details.get("parent") or {}).get("id", "")).lower()
        details["managementGroupAncestorsChain"] = _ancestors(cloud, parent)
        return {
            **body,
            "tenantId": cloud.tenant,
            "properties": {**body["properties"], "details": details},
        }
    body.setdefault("tenantId", cloud.tenant)
    return body


def _ancestors(cloud: Cloud, key: str) -> list[dict[str, str]]:
    rows = (row.document() for row in hierarchy.chain(cloud, key))
    return [{"displayName": row["properties"].get("displayName", row["name"]), "name": row["name"]} for row in rows]
