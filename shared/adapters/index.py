"""Which fields of each kind are filtered, ordered and counted by: what every document store indexes."""

from collections.abc import Mapping, Sequence

INDEXES: Mapping[str, Sequence[str]] = {
    "change": ("resource", "at"),
    "exemption": ("status",),
    "finding": (
        "open",
        "state",
        "life",
        "severity",
        "policy",
        "resource",
        "subscription",
        "owner",
        "category",
        "openedAt",
        "changedAt",
    ),
    "idempotency": ("expiresAt",),
    "import": ("status", "requestedAt"),
    "remediation": ("status", "requestedAt"),
    "resource": ("subscription", "gone", "type", "parent", "resourceGroup", "owner", "name", "location"),
    "scan": ("status", "requestedAt", "endedAt"),
}
"""Top-level fields by kind. A field may be added at any time: stores bring themselves up to date when opened."""
