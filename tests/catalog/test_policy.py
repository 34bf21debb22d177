"""What every policy of the catalog has to bring."""

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.adapters.local.catalog import PackagedCatalog
from shared.domain.framework import Responsibility
from shared.domain.policy import PolicyEntry
from tests.catalog.conftest import FOLDER, FRAMEWORKS, NAMES, fixture_of

BUILT_IN = Path(os.environ.get("CORTEX_TEST_DATA", FOLDER.parents[1] / "shared")) / "azure-policy"
FIX_OF_ITS_OWN = {"modify", "append", "deployIfNotExists"}


@pytest.fixture
def entry(name: str, catalog: PackagedCatalog) -> PolicyEntry:
    return next(each for each in catalog.policies() if each.name == name)


def default_effect(entry: PolicyEntry) -> str:
    return str(entry.definition["properties"]["parameters"]["effect"]["defaultValue"])


def test_the_catalog_covers_enough_types_and_all_effects(catalog: PackagedCatalog) -> None:
    entries = catalog.policies()
    types = {fixture_of(each.name)["fail"]["body"]["type"].lower() for each in entries}
    assert len(entries) >= 50
    assert len(types) >= 30
    assert {"audit", "deny", "modify", "append", "auditIfNotExists", "deployIfNotExists"} == {
        default_effect(each) for each in entries
    }


def test_titles_are_unique(catalog: PackagedCatalog) -> None:
    titles = Counter(title for each in catalog.policies() for title in (each.display_name, each.finding_title))
    assert [title for title, number in titles.items() if number > 1] == []


@pytest.mark.parametrize("name", NAMES)
def test_says_what_is_wished_and_what_is_wrong(entry: PolicyEntry) -> None:
    assert entry.definition["properties"]["displayName"] == entry.display_name
    assert entry.definition["properties"]["metadata"]["findingTitle"] == entry.finding_title
    for title in (entry.display_name, entry.finding_title):
        assert title[0].isupper()
        assert not title.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_maps_to_controls_that_exist_and_that_a_policy_can_show(entry: PolicyEntry, catalog: PackagedCatalog) -> None:
    known = {each.id: {control.id: control for control in each.controls} for each in catalog.frameworks()}
    assert sorted(entry.controls) == sorted(FRAMEWORKS)
    assert entry.controls["nist-800-53-r5"]
    for framework, ids in entry.controls.items():
        assert len(set(ids)) == len(ids)
        for control in ids:
            assert known[framework][control].responsibility == Responsibility.AUTOMATED


@pytest.mark.parametrize("name", NAMES)
def test_its_effect_is_a_parameter_that_can_be_disabled(entry: PolicyEntry) -> None:
    properties = entry.definition["properties"]
    effect = properties["parameters"]["effect"]
    assert properties["policyRule"]["then"]["effect"] == "[parameters('effect')]"
    assert effect["defaultValue"] in effect["allowedValues"]
    assert "disabled" in effect["allowedValues"]
    assert properties["policyType"] == "Custom"
    assert properties["mode"] in {"All", "Indexed"}


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_explained_and_has_a_default(entry: PolicyEntry) -> None:
    for parameter in entry.definition["properties"]["parameters"].values():
        assert parameter["metadata"]["displayName"]
        assert parameter["metadata"]["description"].endswith(".")
        assert "defaultValue" in parameter


@pytest.mark.parametrize("name", NAMES)
def test_has_one_way_to_be_fixed_at_most(entry: PolicyEntry) -> None:
    details = entry.definition["properties"]["policyRule"]["then"].get("details")
    if default_effect(entry) in FIX_OF_ITS_OWN:
        assert entry.remediation is None
        assert isinstance(details, list) or all(
            role.startswith("/providers/Microsoft.Authorization/roleDefinitions/")
            for role in details["roleDefinitionIds"]
        )
    if entry.remediation:
        assert entry.remediation.patch
        assert entry.remediation.api_version == fixture_of(entry.name)["fail"]["apiVersion"]


@pytest.mark.parametrize("name", NAMES)
def test_whoever_approves_its_fix_is_told_what_it_does(entry: PolicyEntry) -> None:
    assert (entry.change is not None) == (entry.remediation is not None or default_effect(entry) in FIX_OF_ITS_OWN)


@pytest.mark.parametrize("name", NAMES)
def test_reads_like_prose(entry: PolicyEntry) -> None:
    told = entry.change
    notes = (told.impact, told.rollback, told.cost) if told else ()
    for text in (entry.description, entry.rationale, *notes):
        assert text.endswith(".")
        assert text[0].isupper()


def test_is_in_our_own_words(catalog: PackagedCatalog) -> None:
    if not BUILT_IN.exists():
        pytest.skip("no Azure built-in definitions next to the project; set CORTEX_TEST_DATA")
    theirs = set(built_in_texts())
    ours = {text for each in catalog.policies() for text in texts(each)}
    assert {text for text in ours if text.lower() in theirs} == set()


def texts(entry: PolicyEntry) -> tuple[str, ...]:
    return (entry.display_name, entry.finding_title, entry.description, entry.rationale)


def built_in_texts() -> Iterator[str]:
    with gzip.open(BUILT_IN / "policyDefinitions.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            properties = json.loads(line)["definition"]["properties"]
            yield str(properties.get("displayName", "")).lower()
            yield str(properties.get("description", "")).lower()
