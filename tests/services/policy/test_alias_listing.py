"""The alias listing: read, kept by content, in force for its tenant alone, seen by every process in time."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.error import Damaged, Throttled
from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import judge
from shared.eventstore.store import Store
from shared.services.policy import alias_listing, effective_policy
from tests.fakes.caller import caller
from tests.fakes.catalog import SmallCatalog
from tests.fakes.clock import Clock
from tests.fakes.inventory import STORAGE, account
from tests.fakes.provider import Listing, aliased, provider
from tests.fakes.rebuilt import rebuilt

HTTPS = f"{STORAGE}/supportsHttpsTrafficOnly"


@pytest.fixture
def catalog() -> SmallCatalog:
    return SmallCatalog()


def verdict(store: Store, catalog: SmallCatalog, **properties: Any) -> State:
    """The state of an account under the policy that reads the alias."""
    (https,) = [
        each.policy
        for each in effective_policy.in_force(store, catalog).compiled.policies
        if each.reference == "https-only"
    ]
    return judge(https, Resource({**account("a"), "properties": properties})).state


def test_a_listing_is_kept_by_its_content(store: Store) -> None:
    cloud = Listing(provider(aliased(HTTPS, "properties.secure")), {"namespace": "Microsoft.Empty"})
    first = alias_listing.refresh(store=store, inventory=cloud)  # type: ignore[arg-type]
    cloud.found = tuple(reversed(cloud.found))
    again = alias_listing.refresh(store=store, inventory=cloud)  # type: ignore[arg-type]
    assert (first.names, first.providers, first.sequence) == (1, 2, 1)
    assert again == first == alias_listing.current(store)
    facts = alias_listing.open_(first, store)
    assert facts.kinds == {HTTPS.lower(): "boolean"}
    found = facts.aliases.find(HTTPS, STORAGE.lower())
    assert found is not None
    assert (found.path, found.modifiable, found.versions) == ("properties.secure", False, {})


def test_paths_of_versions_are_kept_where_they_differ(store: Store) -> None:
    paths = [
        {"path": "properties.new", "apiVersions": ["2024-01-01"]},
        {"path": "properties.old", "apiVersions": ["2019-01-01", "2018-01-01"]},
        {"path": None, "apiVersions": ["2017-01-01"]},
    ]
    cloud = Listing(provider({"name": HTTPS, "paths": paths}))
    facts = alias_listing.open_(alias_listing.refresh(store=store, inventory=cloud), store)  # type: ignore[arg-type]
    found = facts.aliases.find(HTTPS, STORAGE.lower())
    assert found is not None
    assert [found.at(version) for version in ("2024-01-01", "2019-01-01", None)] == [
        "properties.new",
        "properties.old",
        "properties.new",
    ]
    assert found.modifiable is None


def test_every_version_that_an_event_names_is_kept(store: Store) -> None:
    cloud = Listing()
    versions = []
    for at in range(4):
        cloud.found = (provider(aliased(HTTPS, f"properties.p{at}")),)
        versions.append(alias_listing.refresh(store=store, inventory=cloud))  # type: ignore[arg-type]
    assert [each.sequence for each in versions] == [1, 2, 3, 4]
    names = store.blobs.names(tenant=store.tenant, prefix="aliases/")
    assert sorted(names) == sorted(f"aliases/{each.hash}.json.gz" for each in versions)


def test_a_listing_that_breaks_off_changes_nothing(store: Store) -> None:
    cloud = Listing(provider(aliased(HTTPS, "properties.secure")))
    before = alias_listing.refresh(store=store, inventory=cloud)  # type: ignore[arg-type]
    cloud.found, cloud.error = (), Throttled("wait", retry_after=3)
    with pytest.raises(Throttled):
        alias_listing.refresh(store=store, inventory=cloud)  # type: ignore[arg-type]
    assert alias_listing.current(store) == before


def test_the_tenant_s_aliases_win_over_the_packaged_ones(store: Store, catalog: SmallCatalog) -> None:
    assert verdict(store, catalog, supportsHttpsTrafficOnly=True) is State.COMPLIANT
    cloud = Listing(provider(aliased(HTTPS, "properties.secure"), aliased(f"{STORAGE}/own", "properties.own")))
    alias_listing.refresh(store=store, inventory=cloud)  # type: ignore[arg-type]
    effective_policy.forget(store)
    assert verdict(store, catalog, supportsHttpsTrafficOnly=True) is State.NON_COMPLIANT
    assert verdict(store, catalog, secure=True) is State.COMPLIANT
    policies = effective_policy.in_force(store, catalog)
    assert f"{STORAGE}/own" in policies.facts.aliases
    assert effective_policy.in_force(store, catalog) is policies


def test_other_tenants_keep_their_own_aliases(store: Store, catalog: SmallCatalog) -> None:
    cloud = Listing(provider(aliased(HTTPS, "properties.secure")))
    alias_listing.refresh(store=store, inventory=cloud)  # type: ignore[arg-type]
    other = replace(store, caller=caller(tenant="fabrikam"))
    assert verdict(other, catalog, supportsHttpsTrafficOnly=True) is State.COMPLIANT
    assert alias_listing.current(other) is None
    assert effective_policy.in_force(other, catalog) is effective_policy.packaged(catalog)


def test_another_process_sees_a_new_version_in_time(store: Store, catalog: SmallCatalog, clock: Clock) -> None:
    assert verdict(store, catalog, secure=True) is State.NON_COMPLIANT
    alias_listing.refresh(store=store, inventory=Listing(provider(aliased(HTTPS, "properties.secure"))))  # type: ignore[arg-type]
    assert verdict(store, catalog, secure=True) is State.NON_COMPLIANT
    clock.at += effective_policy.REFRESH_AFTER - timedelta(seconds=1)
    assert verdict(store, catalog, secure=True) is State.NON_COMPLIANT
    clock.at += timedelta(seconds=1)
    assert verdict(store, catalog, secure=True) is State.COMPLIANT


@pytest.mark.parametrize("data", [None, b"", b"\x1f\x8b\x08torn"])
def test_a_lost_version_is_damage_until_the_next_refresh(
    store: Store, catalog: SmallCatalog, data: bytes | None
) -> None:
    cloud = Listing(provider(aliased(HTTPS, "properties.secure")))
    name = f"aliases/{alias_listing.refresh(store=store, inventory=cloud).hash}.json.gz"  # type: ignore[arg-type]
    store.blobs.delete(tenant=store.tenant, name=name)
    if data is not None:
        store.blobs.put(tenant=store.tenant, name=name, data=data)
    effective_policy.forget(store)
    with pytest.raises(Damaged, match="aliases/"):
        verdict(store, catalog, secure=True)
    alias_listing.refresh(store=store, inventory=cloud)  # type: ignore[arg-type]
    assert verdict(store, catalog, secure=True) is State.COMPLIANT


def test_a_policy_that_the_tenant_s_aliases_do_not_fit_is_compiled_with_the_packaged_ones(store: Store) -> None:
    class Fixing(SmallCatalog):
        def policies(self) -> Any:
            (first, *_) = super().policies()
            operation = {"operation": "addOrReplace", "field": HTTPS, "value": True}
            details = {"roleDefinitionIds": ["/r"], "operations": [operation]}
            definition = {**first.definition, "properties": {**first.definition["properties"]}}
            rule = definition["properties"]["policyRule"]
            definition["properties"]["policyRule"] = {**rule, "then": {"effect": "modify", "details": details}}
            return (first.model_copy(update={"definition": definition}),)

    catalog = Fixing()
    alias_listing.refresh(store=store, inventory=Listing(provider(aliased(HTTPS, "properties.secure"))))  # type: ignore[arg-type]
    assert verdict(store, catalog, supportsHttpsTrafficOnly=True) is State.COMPLIANT


def test_what_is_in_force_is_rebuilt_from_the_stream(store: Store, catalog: SmallCatalog) -> None:
    found = alias_listing.refresh(store=store, inventory=Listing(provider(aliased(HTTPS, "properties.secure"))))  # type: ignore[arg-type]
    assert alias_listing.current(rebuilt(store, effective_policy.packaged(catalog))) == found
