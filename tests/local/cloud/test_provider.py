"""Aliases against Azure's own names, where the listing of them is at hand."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from local.cloud.kind import kinds
from local.cloud.provider import aliases

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("CORTEX_TEST_DATA", ROOT.parent / "shared")) / "azure-policy"


def test_a_provider_tells_its_types(look: Any) -> None:
    reply = look("GET", "/providers/Microsoft.KeyVault", version="2021-04-01")
    vault = next(each for each in reply.body["resourceTypes"] if each["resourceType"] == "vaults")
    assert reply.body["registrationState"] == "Registered"
    assert vault["capabilities"] == "SupportsTags, SupportsLocation"
    assert "aliases" not in vault
    assert look("GET", "/providers/Microsoft.Nothing", version="2021-04-01").error == "InvalidResourceNamespace"
    assert len(look("GET", "/providers", version="2021-04-01").body["value"]) > 30


def test_aliases_tell_path_type_and_whether_policy_may_modify_them() -> None:
    found = {alias["name"]: alias for alias in aliases("Microsoft.Network/networkSecurityGroups")}
    rule = found["Microsoft.Network/networkSecurityGroups/securityRules[*].access"]
    assert rule["defaultPath"] == "properties.securityRules[*].properties.access"
    vault = {alias["name"]: alias for alias in aliases("Microsoft.KeyVault/vaults")}
    modifiable = {name for name, alias in vault.items() if alias["defaultMetadata"]["attributes"] == "Modifiable"}
    assert modifiable == {"Microsoft.KeyVault/vaults/networkAcls.defaultAction"}
    assert vault["Microsoft.KeyVault/vaults/enablePurgeProtection"]["defaultMetadata"]["type"] == "Boolean"


def test_names_are_those_that_azure_uses() -> None:
    if not DATA.exists():
        pytest.skip(f"the listing of Azure's aliases is not at {DATA}")
    real: dict[tuple[str, str], set[str]] = {}
    for name in ("aliases", "aliases-supplement"):
        with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                for kind in row["types"]:
                    real.setdefault((kind, row["path"].lower()), set()).add(row["name"].lower())
    ours = [(key, alias) for key, kind in kinds().items() if kind.body for alias in aliases(kind.type)]
    known = [
        (real[key, alias["defaultPath"].lower()], alias["name"].lower())
        for key, alias in ours
        if (key, alias["defaultPath"].lower()) in real
    ]
    right = sum(name in names for names, name in known)
    assert len(known) > 2000
    assert right / len(known) > 0.97
