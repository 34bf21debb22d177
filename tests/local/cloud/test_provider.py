"""Aliases against Azure's own names, where the listing of them is at hand."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from local.cloud.arm.provider import aliases
from local.cloud.arm.resource_type import resource_types

ROOT = Path(__file__).parents[3]


def data() -> Path:
    """The folder with Azure's own listings; a test that needs it skips where it is absent."""
    folder = Path(os.environ.get("CORTEX_TEST_DATA", ROOT.parent / "shared")) / "azure-policy"
    if not folder.exists():
        pytest.skip(f"Azure's own listings are not at {folder}")
    return folder


def test_a_provider_tells_its_types(look: Any) -> None:
    reply = look("GET", "/providers/Microsoft.KeyVault", version="2021-04-01")
    vault = next(each for each in reply.body["resourceTypes"] if each["resourceType"] == "vaults")
    assert reply.body["registrationState"] == "Registered"
    assert vault["capabilities"] == "SupportsTags, SupportsLocation"
    assert "aliases" not in vault
    assert look("GET", "/providers/Microsoft.Nothing", version="2021-04-01").error == "InvalidResourceNamespace"
    assert len(look("GET", "/providers", version="2021-04-01").body["value"]) > 30


@pytest.mark.parametrize(
    ("resource_type", "capabilities"),
    [
        ("Microsoft.Insights/diagnosticSettings", "None"),
        ("Microsoft.Web/sites/config", "None"),
        ("Microsoft.Web/sites", "SupportsTags, SupportsLocation"),
        ("Microsoft.EventHub/namespaces/networkRuleSets", "None"),
        ("Microsoft.Sql/servers/databases", "SupportsTags, SupportsLocation"),
        ("Microsoft.KeyVault/vaults/secrets", "SupportsTags, SupportsLocation"),
        ("Microsoft.Resources/subscriptions", "SupportsTags"),
        ("Microsoft.Network/networkSecurityGroups/securityRules", "None"),
    ],
)
def test_a_type_supports_what_it_supports_in_azure(look: Any, resource_type: str, capabilities: str) -> None:
    namespace, _, name = resource_type.partition("/")
    reply = look("GET", f"/providers/{namespace}", version="2021-04-01")
    found = {each["resourceType"].lower(): each["capabilities"] for each in reply.body["resourceTypes"]}
    assert found[name.lower()] == capabilities


def supported(look: Any) -> dict[str, tuple[bool, bool]]:
    """Whether each type supports tags and location, by its name in lower case."""
    return {
        f"{each['namespace']}/{kind['resourceType']}".lower(): (
            "SupportsTags" in kind["capabilities"],
            "SupportsLocation" in kind["capabilities"],
        )
        for each in look("GET", "/providers", version="2021-04-01").body["value"]
        for kind in each["resourceTypes"]
    }


def test_types_support_what_the_catalog_says(look: Any) -> None:
    ours = supported(look)
    table = json.loads((ROOT / "catalog" / "resourceTypes.json").read_text("utf-8"))
    found = {row["type"].lower(): (row["supportsTags"], row["supportsLocation"]) for row in table}
    both = ours.keys() & found.keys()
    assert len(both) > 60
    assert {key: ours[key] for key in both} == {key: found[key] for key in both}


def test_types_support_tags_where_azure_does(look: Any) -> None:
    ours = supported(look)
    with gzip.open(data() / "resourceTypes.jsonl.gz", "rt", encoding="utf-8") as lines:
        found = {row["type"]: row["supportsTags"] for row in map(json.loads, lines) if "supportsTags" in row}
    both = ours.keys() & found.keys()
    assert len(both) > 60
    assert {key for key in both if ours[key][0] != found[key]} == set()


def test_aliases_tell_path_type_and_whether_policy_may_modify_them() -> None:
    found = {alias["name"]: alias for alias in aliases("Microsoft.Network/networkSecurityGroups")}
    rule = found["Microsoft.Network/networkSecurityGroups/securityRules[*].access"]
    assert rule["defaultPath"] == "properties.securityRules[*].properties.access"
    vault = {alias["name"]: alias for alias in aliases("Microsoft.KeyVault/vaults")}
    modifiable = {name for name, alias in vault.items() if alias["defaultMetadata"]["attributes"] == "Modifiable"}
    assert modifiable == {"Microsoft.KeyVault/vaults/networkAcls.defaultAction"}
    assert vault["Microsoft.KeyVault/vaults/enablePurgeProtection"]["defaultMetadata"]["type"] == "Boolean"


def test_names_are_those_that_azure_uses() -> None:
    folder = data()
    real: dict[tuple[str, str], set[str]] = {}
    for name in ("aliases", "aliases-supplement"):
        with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                for kind in row["types"]:
                    real.setdefault((kind, row["path"].lower()), set()).add(row["name"].lower())
    ours = [(key, alias) for key, kind in resource_types().items() if kind.body for alias in aliases(kind.type)]
    known = [
        (real[key, alias["defaultPath"].lower()], alias["name"].lower())
        for key, alias in ours
        if (key, alias["defaultPath"].lower()) in real
    ]
    right = sum(name in names for names, name in known)
    assert len(known) > 2000
    assert right / len(known) > 0.97
