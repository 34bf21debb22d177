"""Get and list the policies of the catalog, which are the same for every tenant."""

from collections.abc import Mapping
from functools import lru_cache

from shared.domain.error import NotFound
from shared.domain.page import Page, page_of
from shared.domain.policy import ListedPolicy, PolicyEntry, PolicyListing
from shared.ports.catalog import Catalog
from shared.services.near_name import near_hint


def get(name: str, *, catalog: Catalog) -> PolicyEntry:
    """Find a policy, with its definition; NotFound."""
    found = _entries(catalog).get(name)
    if found is None:
        raise NotFound(f"the catalog has no policy {name[:80]}{near_hint(name, _entries(catalog))}", path="name")
    return found


def list_(asked: PolicyListing, *, catalog: Catalog) -> Page[ListedPolicy]:
    """List policies by name, without their definitions; the cursor is the last name of the page before."""
    matching = [each for each in _entries(catalog).values() if asked.has(each)]
    return page_of(
        matching,
        asked,
        key=lambda each: each.name,
        show=lambda each: ListedPolicy.model_validate(dict(each), extra="ignore"),
    )


@lru_cache(maxsize=4)
def _entries(catalog: Catalog) -> Mapping[str, PolicyEntry]:
    return {each.name: each for each in catalog.policies()}
