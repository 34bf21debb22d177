"""Small catalogs of policies, and where the packaged one is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared import bootstrap
from shared.domain.framework import Framework
from shared.domain.policy import PolicyEntry
from tests.fakes.assignment import Assigned
from tests.fakes.cloud import GROUP, SETTING, STORAGE, VAULT, VERSIONS

CATALOG = Path(__file__).parents[2] / "catalog"


def policy(name: str, rule: Mapping[str, Any], then: Mapping[str, Any] | None = None, **more: Any) -> PolicyEntry:
    metadata = {
        "category": "Test",
        "severity": "high",
        "findingTitle": "Something is wrong",
        "rationale": "because",
        "version": "1.0.0",
        "controls": {"nist-800-53-r5": ["SC-8"]},
        **more,
    }
    properties = {
        "displayName": name,
        "description": "A policy of the tests.",
        "mode": "All",
        "metadata": metadata,
        "policyRule": {"if": rule, "then": then or {"effect": "audit"}},
    }
    return PolicyEntry.from_definition({"name": name, "properties": properties})


def of(kind: str, **condition: Any) -> dict[str, Any]:
    return {"allOf": [{"field": "type", "equals": kind}, condition]}


def patched(kind: str, **properties: Any) -> dict[str, Any]:
    change = {"risk": "low", "impact": "Clients must follow.", "rollback": "At once.", "cost": "None."}
    return {"change": change, "remediation": {"kind": "patch", "apiVersion": VERSIONS[kind], "properties": properties}}


def alias(kind: str, path: str) -> dict[str, Any]:
    name = f"{kind}/{path.removeprefix('properties.')}"
    return {"name": name, "path": path, "types": [kind.lower()], "modifiable": True}


class FixingCatalog(Assigned):
    """Keeps the `Catalog` port with a policy for each kind of fix, and more assignments than the default one."""

    def __init__(
        self,
        *more: PolicyEntry,
        initiatives: Sequence[Mapping[str, Any]] = (),
        assignments: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._more = more
        self.more_initiatives, self.more_assignments = initiatives, assignments

    def policies(self) -> Sequence[PolicyEntry]:
        https = of(STORAGE, field=f"{STORAGE}/supportsHttpsTrafficOnly", notEquals=True)
        tls = of(STORAGE, field=f"{STORAGE}/minimumTlsVersion", notEquals="TLS1_2")
        purge = of(VAULT, field=f"{VAULT}/enablePurgeProtection", notEquals=True)
        found = (
            policy("https-only", https, **patched(STORAGE, supportsHttpsTrafficOnly=True)),
            policy("purge-protected", purge, **patched(VAULT, enablePurgeProtection=True)),
            policy("tls-1-2", tls, **patched(STORAGE, minimumTlsVersion="TLS1_2")),
            *self._more,
        )
        return tuple(sorted(found, key=lambda each: each.name))

    def frameworks(self) -> Sequence[Framework]:
        return bootstrap.catalog().frameworks()

    def aliases(self) -> Sequence[Mapping[str, Any]]:
        return (
            alias(STORAGE, "properties.supportsHttpsTrafficOnly"),
            alias(STORAGE, "properties.minimumTlsVersion"),
            alias(STORAGE, "properties.networkAcls.bypass"),
            alias(VAULT, "properties.enablePurgeProtection"),
            alias(GROUP, "properties.securityRules[*]"),
            alias(GROUP, "properties.securityRules[*].name"),
            alias(SETTING, "properties.workspaceId"),
        )

    def resource_types(self) -> Sequence[Mapping[str, Any]]:
        return tuple({"type": kind.lower(), "apiVersion": version} for kind, version in VERSIONS.items())


def entry(name: str, rule: Mapping[str, Any], **more: Any) -> PolicyEntry:
    return PolicyEntry.from_definition(
        {
            "name": name,
            "properties": {
                "displayName": name.replace("-", " "),
                "description": "A policy of the tests.",
                "mode": "All",
                "metadata": {
                    "category": "Test",
                    "severity": "high",
                    "findingTitle": "Something is wrong",
                    "rationale": "because",
                    "version": "1.0.0",
                    "controls": {"nist-800-53-r5": ["SC-8"]},
                    **more,
                },
                "policyRule": {"if": rule, "then": {"effect": "audit"}},
            },
        }
    )


class SmallCatalog(Assigned):
    """Keeps the `Catalog` port with two policies."""

    def policies(self) -> Sequence[PolicyEntry]:
        of_type = {"field": "type", "equals": STORAGE}
        https = {"field": f"{STORAGE}/supportsHttpsTrafficOnly", "notEquals": True}
        owner = {"field": "tags['owner']", "exists": False}
        return (entry("https-only", {"allOf": [of_type, https]}), entry("owned", {"allOf": [of_type, owner]}))

    def frameworks(self) -> Sequence[Framework]:
        return ()

    def aliases(self) -> Sequence[Mapping[str, Any]]:
        name = f"{STORAGE}/supportsHttpsTrafficOnly"
        return (
            {
                "name": name,
                "path": "properties.supportsHttpsTrafficOnly",
                "types": [STORAGE.lower()],
                "modifiable": True,
            },
        )

    def resource_types(self) -> Sequence[Mapping[str, Any]]:
        return ({"type": STORAGE.lower(), "apiVersion": "2023-05-01"},)
