"""The alias listing: read, kept by content, in force for its tenant alone, seen by every process in time."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.index import INDEXES
from shared.adapters.local.documents import SqliteDocuments
from shared.domain.error import NotFound, Throttled
from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import judge
from shared.services import listing, policy, rebuild
from shared.services.estate import Store
from tests.conftest import Clock

from .conftest import STORAGE, SmallCatalog, account

HTTPS = f"{STORAGE}/supportsHttpsTrafficOnly"


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


@pytest.fixture
def catalog() -> SmallCatalog:
    return SmallCatalog()


def verdict(store: Store, catalog: SmallCatalog, **properties: Any) -> State:
    """The state of an account under the policy that reads the alias."""
    (https,) = [each for each in policy.book_for(store, catalog).compiled.policies if each.name == "https-only"]
    return judge(https, Resource({**account("a"), "properties": properties})).state


def test_a_listing_is_kept_by_its_content(store: Store) -> None:
    cloud = Listing(provider(aliased(HTTPS, "properties.secure")), {"namespace": "Microsoft.Empty"})
    first = listing.refresh(store=store, inventory=cloud)  # type: ignore[arg-type]
    cloud.found = tuple(reversed(cloud.found))
    again = listing.refresh(store=store, inventory=cloud)  # type: ignore[arg-type]
    assert (first.names, first.providers, first.sequence) == (1, 2, 1)
    assert again == first == listing.current(store)
    facts = listing.open_(first, store)
    assert facts.kinds == {HTTPS.lower(): "boolean"}
    assert facts.groups == {STORAGE.lower()}
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
    facts = listing.open_(listing.refresh(store=store, inventory=cloud), store)  # type: ignore[arg-type]
    found = facts.aliases.find(HTTPS, STORAGE.lower())
    assert found is not None
    assert [found.at(version) for version in ("2024-01-01", "2019-01-01", None)] == [
        "properties.new",
        "properties.old",
        "properties.new",
    ]
    assert found.modifiable is None


def test_two_versions_stay_and_older_ones_go(store: Store) -> None:
    cloud = Listing()
    versions = []
    for at in range(4):
        cloud.found = (provider(aliased(HTTPS, f"properties.p{at}")),)
        versions.append(listing.refresh(store=store, inventory=cloud))  # type: ignore[arg-type]
    assert [each.sequence for each in versions] == [1, 2, 3, 4]
    names = store.blobs.names(tenant=store.tenant, prefix="aliases/")
    assert sorted(names) == sorted(f"aliases/{each.hash}.json.gz" for each in versions[2:])


def test_a_listing_that_breaks_off_changes_nothing(store: Store) -> None:
    cloud = Listing(provider(aliased(HTTPS, "properties.secure")))
    before = listing.refresh(store=store, inventory=cloud)  # type: ignore[arg-type]
    cloud.found, cloud.error = (), Throttled("wait", retry_after=3)
    with pytest.raises(Throttled):
        listing.refresh(store=store, inventory=cloud)  # type: ignore[arg-type]
    assert listing.current(store) == before


def test_the_tenant_s_aliases_win_over_the_packaged_ones(store: Store, catalog: SmallCatalog) -> None:
    assert verdict(store, catalog, supportsHttpsTrafficOnly=True) is State.COMPLIANT
    cloud = Listing(provider(aliased(HTTPS, "properties.secure"), aliased(f"{STORAGE}/own", "properties.own")))
    listing.refresh(store=store, inventory=cloud)  # type: ignore[arg-type]
    policy.look_again(store)
    assert verdict(store, catalog, supportsHttpsTrafficOnly=True) is State.NON_COMPLIANT
    assert verdict(store, catalog, secure=True) is State.COMPLIANT
    book = policy.book_for(store, catalog)
    assert f"{STORAGE}/own" in book.facts.aliases
    assert policy.book_for(store, catalog) is book


def test_other_tenants_keep_their_own(store: Store, catalog: SmallCatalog) -> None:
    cloud = Listing(provider(aliased(HTTPS, "properties.secure")))
    listing.refresh(store=store, inventory=cloud)  # type: ignore[arg-type]
    other = replace(store, tenant="fabrikam")
    assert verdict(other, catalog, supportsHttpsTrafficOnly=True) is State.COMPLIANT
    assert listing.current(other) is None
    assert policy.book_for(other, catalog) is policy.book(catalog)


def test_another_process_sees_a_new_version_in_time(store: Store, catalog: SmallCatalog, clock: Clock) -> None:
    assert verdict(store, catalog, secure=True) is State.NON_COMPLIANT
    listing.refresh(store=store, inventory=Listing(provider(aliased(HTTPS, "properties.secure"))))  # type: ignore[arg-type]
    assert verdict(store, catalog, secure=True) is State.NON_COMPLIANT
    clock.at += policy.PATIENCE - timedelta(seconds=1)
    assert verdict(store, catalog, secure=True) is State.NON_COMPLIANT
    clock.at += timedelta(seconds=1)
    assert verdict(store, catalog, secure=True) is State.COMPLIANT


def test_a_version_that_is_gone_is_looked_for_again(store: Store, catalog: SmallCatalog) -> None:
    found = listing.refresh(store=store, inventory=Listing(provider(aliased(HTTPS, "properties.secure"))))  # type: ignore[arg-type]
    store.blobs.delete(tenant=store.tenant, name=f"aliases/{found.hash}.json.gz")
    policy.look_again(store)
    assert verdict(store, catalog, supportsHttpsTrafficOnly=True) is State.COMPLIANT
    with pytest.raises(NotFound):
        listing.open_(found, store)


def test_facts_that_do_not_fit_a_policy_leave_it_as_packaged(store: Store) -> None:
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
    listing.refresh(store=store, inventory=Listing(provider(aliased(HTTPS, "properties.secure"))))  # type: ignore[arg-type]
    assert verdict(store, catalog, supportsHttpsTrafficOnly=True) is State.COMPLIANT


def test_what_is_in_force_is_rebuilt_from_the_stream(store: Store, tmp_path: Path, catalog: SmallCatalog) -> None:
    found = listing.refresh(store=store, inventory=Listing(provider(aliased(HTTPS, "properties.secure"))))  # type: ignore[arg-type]
    with SqliteDocuments(tmp_path / "other.db", indexes=INDEXES) as documents:
        target = replace(store, documents=documents)
        rebuild.rebuild(source=store, target=target, book=policy.book(catalog))
        assert listing.current(target) == found
