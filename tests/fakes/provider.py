"""Resource providers with aliases, listed as Resource Manager lists them."""

from collections.abc import Iterator, Mapping
from typing import Any


def aliased(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "defaultPath": path,
        "defaultMetadata": {"type": "Boolean", "attributes": "None", "other": 1},
        "paths": [{"path": path, "apiVersions": ["2024-01-01"], "pattern": None}],
        **more,
    }


def provider(*aliases: Mapping[str, Any]) -> dict[str, Any]:
    kind = {
        "resourceType": "storageAccounts",
        "capabilities": "SupportsTags, SupportsLocation",
        "aliases": list(aliases),
        "locations": ["somewhere"] * 50,
    }
    return {"namespace": "Microsoft.Storage", "id": "/providers/x", "resourceTypes": [kind]}


class Listing:
    """The part of `Inventory` that lists providers."""

    def __init__(self, *providers: Mapping[str, Any]) -> None:
        self.found: tuple[Mapping[str, Any], ...] = providers
        self.error: Exception | None = None

    def providers(self, *, tenant: str) -> Iterator[Mapping[str, Any]]:
        assert tenant
        yield from self.found
        if self.error is not None:
            raise self.error
