"""Which fields of each kind are filtered, ordered and counted by: what every document store indexes."""

from collections.abc import Mapping, Sequence

INDEXES: Mapping[str, Sequence[str]] = {
    "exemption": ("status", "policyId", "scope", "expiresAt"),
    "finding": (
        "status",
        "state",
        "severity",
        "policyId",
        "resourceId",
        "resourceType",
        "subscriptionId",
        "owner",
        "category",
        "openedAt",
        "scanId",
    ),
    "import": ("status", "createdAt"),
    "policy": ("category", "severity"),
    "remediation": ("status", "requestedBy", "createdAt"),
    "resource": ("type", "subscriptionId", "resourceGroup", "location", "owner", "name", "scanId"),
    "scan": ("status", "createdAt"),
}
"""Top-level fields by kind. A field may be added at any time: stores bring themselves up to date when opened."""
