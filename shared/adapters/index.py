"""The fields of each kind that are filtered, ordered and counted by: what every document store indexes."""

from collections.abc import Mapping, Sequence

INDEXES: Mapping[str, Sequence[str]] = {
    "change": ("resource", "at"),
    "exemption": ("status", "endedAt", "applied"),
    "finding": (
        "rank",
        "open",
        "state",
        "status",
        "severity",
        "policy",
        "assignment",
        "reference",
        "initiative",
        "resource",
        "subscription",
        "resourceGroup",
        "resourceType",
        "owner",
        "environment",
        "category",
        "remediable",
        "text",
        "openedAt",
        "changedAt",
    ),
    "idempotency": ("expiresAt",),
    "import": ("status", "requestedAt", "endedAt"),
    "poison": ("at",),
    "estate": ("scan",),
    "remediation": ("status", "requestedAt", "endedAt"),
    "remediation-item": ("remediation", "outcome", "due", "resource"),
    "resource": (
        "subscription",
        "gone",
        "type",
        "parent",
        "resourceGroup",
        "owner",
        "environment",
        "name",
        "location",
        "changedAt",
    ),
    "scan": ("status", "requestedAt", "endedAt"),
    "scan-subscription": ("scan", "unfinished", "due", "asOf", "at"),
}
"""Top-level fields by kind. A field may be added at any time: stores bring themselves up to date when opened."""

PROJECTED_KINDS = frozenset(
    {
        "aliases",
        "change",
        "exemption",
        "finding",
        "gap",
        "import",
        "poison",
        "estate",
        "remediation",
        "remediation-item",
        "resource",
        "retention",
        "scan",
        "scan-subscription",
        "summary",
    }
)
"""The kinds that follow from events alone: a rebuild makes them again, in a generation of their own."""
