"""Bodies that were read with an api-version from before a property existed are no violation: they do not say."""

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
