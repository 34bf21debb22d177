"""Facts on resource types: enough of them, consistent, and there for all that the policies and fixtures name."""

import re
from collections import Counter

from shared.adapters.local.catalog import PackagedCatalog
from shared.domain.resource import Resource
from tests.catalog.conftest import NAMES, fixture_of

VERSION = re.compile(r"^\d{4}-\d{2}-\d{2}(-preview)?$")
PREVIEW_ONLY = {
    "Microsoft.Insights/diagnosticSettings",
    "Microsoft.Security/autoProvisioningSettings",
    "Microsoft.Security/securityContacts",
}
LISTED_CHILDREN = frozenset({
    "microsoft.cdn/profiles/afdendpoints", "microsoft.cdn/profiles/endpoints",
    "microsoft.compute/virtualmachines/extensions", "microsoft.network/networkwatchers/flowlogs",
    "microsoft.sql/servers/databases", "microsoft.sql/servers/elasticpools", "microsoft.web/sites/slots",
})  # fmt: skip
"""The children of the catalog that the table `resources` has. Source: Azure Resource Graph table and resource type
reference, read on 2026-11-30."""


def test_types_are_many_and_unique(catalog: PackagedCatalog) -> None:
    names = Counter(row["type"].lower() for row in catalog.resource_types())
    assert len(names) >= 60
    assert set(names.values()) == {1}


def test_versions_are_stable_where_there_is_a_stable_one(catalog: PackagedCatalog) -> None:
    for row in catalog.resource_types():
        assert VERSION.match(row["apiVersion"])
        assert ("preview" not in row["apiVersion"]) or row["type"] in PREVIEW_ONLY


def test_permissions_read_the_type(catalog: PackagedCatalog) -> None:
    for row in catalog.resource_types():
        assert row["permission"] == f"{row['type']}/read"
        assert row["role"] in {"Reader", "Monitoring Reader", "Security Reader"}


def test_what_resource_graph_does_not_list_says_where_it_is_listed(catalog: PackagedCatalog) -> None:
    for row in catalog.resource_types():
        assert row["resourceGraph"] or row["list"].startswith("/"), row["type"]


def test_fixtures_use_known_types_read_with_the_version_of_the_table(catalog: PackagedCatalog) -> None:
    versions = {row["type"].lower(): row["apiVersion"] for row in catalog.resource_types()}
    for name in NAMES:
        for record in fixture_of(name).values():
            resource = Resource.from_record(record)
            assert resource.api_version == versions.get(resource.type.lower()), name
            for kind, found in resource.related.items():
                assert kind in versions, name
                if isinstance(found, tuple):
                    assert {each.type.lower() for each in found} <= {kind}, name


def test_types_that_policies_look_up_are_known(catalog: PackagedCatalog) -> None:
    known = {row["type"].lower() for row in catalog.resource_types()}
    for entry in catalog.policies():
        details = entry.definition["properties"]["policyRule"]["then"].get("details")
        if isinstance(details, dict) and "type" in details:
            assert details["type"].lower() in known, entry.name


def test_children_are_read_from_resource_graph_where_its_reference_has_them(catalog: PackagedCatalog) -> None:
    rows = [row for row in catalog.resource_types() if row["type"].count("/") > 1]
    listed = {row["type"].lower() for row in rows if row["resourceGraph"]}
    assert listed - {"microsoft.resources/subscriptions/resourcegroups"} == LISTED_CHILDREN
