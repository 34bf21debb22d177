"""The shipped catalog, compiled once for all its tests."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.local.catalog import PackagedCatalog
from shared.domain.resource import Resource
from shared.engine import AliasCatalog, Context, Policy, compile_definition
from shared.services.policy import alias

FOLDER = Path(__file__).parents[2] / "catalog"
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"
NAMES = sorted(path.stem for path in FOLDER.glob("policies/*/*.json"))
FRAMEWORKS = ("gdpr", "hipaa", "iso-27001-2022", "nist-800-53-r5", "pci-dss-4.0.1", "soc-2")


def fixture_of(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((FOLDER / "fixtures" / f"{name}.json").read_bytes())
    return found


def context_of(resource: Resource) -> Context:
    """What is around a fixture: its subscription and, for what stands in one, its resource group."""
    group = {
        "id": f"{SUBSCRIPTION}/resourceGroups/rg-orders",
        "name": "rg-orders",
        "tags": {"environment": "production"},
    }
    subscription = {"id": SUBSCRIPTION, "subscriptionId": SUBSCRIPTION.rpartition("/")[2]}
    return Context(resource_group=group if "/resourceGroups/" in resource.id else None, subscription=subscription)


@pytest.fixture(scope="session")
def catalog() -> PackagedCatalog:
    return PackagedCatalog(FOLDER)


@pytest.fixture(scope="session")
def aliases(catalog: PackagedCatalog) -> AliasCatalog:
    return alias.packaged(catalog).aliases


@pytest.fixture(scope="session")
def policies(catalog: PackagedCatalog, aliases: AliasCatalog) -> Mapping[str, Policy]:
    return {entry.name: compile_definition(entry.definition, aliases=aliases) for entry in catalog.policies()}
