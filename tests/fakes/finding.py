"""Findings as they are stored."""

from typing import Any

from shared.domain.finding import Finding


def example(number: int, **more: Any) -> dict[str, Any]:
    """A finding as it is stored, every tenth of them resolved."""
    identity = f"{number:024x}.https-only"
    at = f"2026-02-{1 + number % 28:02}T00:00:00Z"
    body = {
        "id": identity,
        "policy": "https-only",
        "title": "HTTPS only",
        "effect": "audit",
        "resourceId": f"/subscriptions/s/resourceGroups/rg/providers/M.X/y/{number}",
        "resourceType": "M.X/y",
        "severity": ("critical", "high", "medium", "low")[number % 4],
        "category": "Test",
        "state": "nonCompliant",
        "status": "opened",
        "open": number % 10 != 0,
        "owner": f"owner{number % 3}",
        "subscription": f"s{number % 2}",
        "resource": f"{number:024x}",
        "evidence": [{"clause": "$", "field": "name", "operator": "equals"}],
        "missing": [],
        "openedAt": at,
        "changedAt": at,
        "sequence": 1,
        **more,
    }
    return {**Finding.model_validate(body, extra="ignore").model_dump(mode="json"), **more}
