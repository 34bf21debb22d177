"""What the api-version of a body tells: which properties it can have, and what holds where one is left out."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import Policy, judge
from tests.catalog.conftest import context_of, fixture_of


@pytest.mark.parametrize(
    ("policy", "path", "version"),
    [
        ("sql-minimum-tls", "properties.minimalTlsVersion", "2014-04-01"),
        ("sql-public-network", "properties.publicNetworkAccess", "2015-05-01-preview"),
        ("sql-entra-only", "properties.administrators", "2019-06-01-preview"),
        ("storage-no-public-blobs", "properties.allowBlobPublicAccess", "2018-11-01"),
        ("storage-minimum-tls", "properties.minimumTlsVersion", "2018-07-01"),
        ("postgresql-public-network", "properties.network", "2020-02-14-preview"),
        ("aks-no-local-accounts", "properties.disableLocalAccounts", "2020-12-01"),
        ("aks-azure-rbac", "properties.aadProfile.enableAzureRBAC", "2020-04-01"),
        ("aks-private-api", "properties.apiServerAccessProfile", "2019-06-01"),
        ("key-vault-network", "properties.networkAcls", "2016-10-01"),
        ("service-bus-minimum-tls", "properties.minimumTlsVersion", "2021-11-01"),
        ("redis-public-network", "properties.publicNetworkAccess", "2019-07-01"),
        ("disk-no-public-export", "properties.networkAccessPolicy", "2019-11-01"),
        ("role-owner-groups", "properties.principalType", "2015-07-01"),
    ],
)
def test_an_old_version_leaves_open_what_it_does_not_tell(
    policy: str, path: str, version: str, policies: Mapping[str, Policy]
) -> None:
    body = deepcopy(fixture_of(policy)["fail"]["body"])
    *outer, last = path.split(".")
    inner: dict[str, Any] = body
    for key in outer:
        inner = inner[key]
    inner.pop(last, None)
    old = Resource(body, version)
    verdict = judge(policies[policy], old, context_of(old))
    assert verdict.state is State.UNKNOWN
    assert f"api-version {version} does not have it" in str(verdict.missing)


VAULT = {"tenantId": "00000000-0000-0000-0000-000000000002", "sku": {"family": "A", "name": "standard"}}
EXISTING_VAULT = {**VAULT, "vaultUri": "https://kv-shop.vault.azure.net/"}
WORKSPACE = {"managedResourceGroupId": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-dbx"}


@pytest.mark.parametrize(
    ("policy", "properties", "version", "state"),
    [
        ("key-vault-rbac", VAULT, "2026-02-01", State.COMPLIANT),
        ("key-vault-rbac", VAULT, "2026-04-01-preview", State.COMPLIANT),
        ("key-vault-rbac", VAULT, "2025-05-01", State.NON_COMPLIANT),
        ("key-vault-rbac", VAULT, None, State.UNKNOWN),
        ("key-vault-rbac", {**VAULT, "enableRbacAuthorization": False}, "2026-02-01", State.NON_COMPLIANT),
        ("key-vault-rbac", EXISTING_VAULT, "2026-02-01", State.NON_COMPLIANT),
        ("key-vault-rbac", EXISTING_VAULT, None, State.NON_COMPLIANT),
        ("databricks-no-public-ip", WORKSPACE, "2024-05-01", State.COMPLIANT),
        ("databricks-no-public-ip", WORKSPACE, "2023-02-01", State.NON_COMPLIANT),
        ("databricks-no-public-ip", WORKSPACE, None, State.UNKNOWN),
    ],
)
def test_the_api_version_decides_what_holds_where_a_property_is_left_out(
    policy: str, properties: Mapping[str, Any], version: str | None, state: State, policies: Mapping[str, Policy]
) -> None:
    kind = fixture_of(policy)["fail"]["body"]["type"]
    created = Resource({"type": kind, "name": "shop", "location": "westeurope", "properties": properties}, version)
    assert judge(policies[policy], created).state is state
