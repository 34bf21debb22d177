"""Policy entries: read from Azure Policy JSON, refused with the part that is wrong."""

from copy import deepcopy
from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.error import InvalidInput
from shared.domain.framework import Framework
from shared.domain.policy import PolicyEntry, PolicyRemediation, Risk, Severity

DEFINITION: dict[str, Any] = {
    "name": "vault-closed",
    "properties": {
        "displayName": "Vaults are closed",
        "description": "Requires vaults to be closed.",
        "metadata": {
            "version": "1.0.0",
            "category": "Key Vault",
            "findingTitle": "Vault is open",
            "severity": "high",
            "rationale": "Open vaults leak.",
            "controls": {"gdpr": ["Art.32(1)(b)"]},
            "change": {
                "risk": "high",
                "impact": "Callers lose access.",
                "rollback": "The rollback opens it.",
                "cost": "Free of charge.",
            },
            "remediation": {
                "kind": "patch",
                "apiVersion": "2023-07-01",
                "properties": {"publicNetworkAccess": "Disabled"},
            },
        },
        "policyRule": {"if": {"field": "type", "equals": "x"}, "then": {"effect": "audit"}},
    },
}


def test_a_definition_is_read_and_kept_whole() -> None:
    entry = PolicyEntry.from_definition(DEFINITION)
    assert (entry.name, entry.display_name, entry.category) == ("vault-closed", "Vaults are closed", "Key Vault")
    assert entry.severity is Severity.HIGH
    assert entry.controls == {"gdpr": ("Art.32(1)(b)",)}
    assert entry.definition == DEFINITION
    assert entry.remediation is not None
    assert entry.change is not None
    assert entry.change.risk is Risk.HIGH
    assert entry.change.note == "High risk. Callers lose access. The rollback opens it. Free of charge."


def test_a_patch_holds_only_the_parts_that_change() -> None:
    entry = PolicyEntry.from_definition(DEFINITION)
    assert entry.remediation is not None
    assert entry.remediation.patch == {"properties": {"publicNetworkAccess": "Disabled"}}
    identity = PolicyRemediation(kind="patch", api_version="1", identity={"type": "SystemAssigned"})
    assert identity.patch == {"identity": {"type": "SystemAssigned"}}


def test_what_a_person_sees_cannot_be_overridden_by_metadata() -> None:
    definition = deepcopy(DEFINITION)
    definition["properties"]["metadata"]["name"] = "other"
    assert PolicyEntry.from_definition(definition).name == "vault-closed"


@pytest.mark.parametrize("key", ["displayName", "description", "metadata"])
def test_a_missing_property_is_named(key: str) -> None:
    definition = deepcopy(DEFINITION)
    del definition["properties"][key]
    with pytest.raises(InvalidInput, match=f"'{key}' is missing") as refused:
        PolicyEntry.from_definition(definition)
    assert refused.value.path == f"$..{key}"


@pytest.mark.parametrize("properties", [None, [], "text", {**DEFINITION["properties"], "metadata": "text"}])
def test_what_is_not_a_definition_is_rejected(properties: Any) -> None:
    with pytest.raises(InvalidInput):
        PolicyEntry.from_definition({"name": "x", "properties": properties})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("severity", "urgent"),
        ("version", "1.0"),
        ("preview", True),
        ("controls", None),
        ("remediation", {"kind": "run"}),
    ],
)
def test_metadata_is_checked(key: str, value: Any) -> None:
    definition = deepcopy(DEFINITION)
    definition["properties"]["metadata"][key] = value
    with pytest.raises(ValidationError, match=key):
        PolicyEntry.from_definition(definition)


def test_a_policy_name_is_a_slug() -> None:
    with pytest.raises(ValidationError, match="name"):
        PolicyEntry.from_definition({**DEFINITION, "name": "Vault Closed"})


def test_a_framework_links_to_its_publisher_safely() -> None:
    with pytest.raises(ValidationError, match="url"):
        Framework(id="x", title="X", version="1", url="http://example.com", controls=())
