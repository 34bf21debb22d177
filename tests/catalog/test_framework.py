"""Frameworks: whole families, no control twice, and an honest count of what no policy shows."""

from collections import Counter

import pytest

from shared.adapters.local.catalog import PackagedCatalog
from shared.domain.framework import Responsibility
from tests.catalog.conftest import FRAMEWORKS

SIZES = {"nist-800-53-r5": 300, "iso-27001-2022": 93, "soc-2": 61}
"""Controls that the publishers count: base controls not withdrawn, Annex A, criteria of all five categories.

NIST: 298 of September 2020, IA-13 of Release 5.1.1 and SA-24 of Release 5.2.0.
"""
NIST_CONTROLS = 1007 + 4 + 3
"""Controls and enhancements not withdrawn: of September 2020, added by Release 5.1.1 (IA-13 with three enhancements),
and by Release 5.2.0 (SA-15(13), SA-24, SI-2(7)). Source: NIST SP 800-53, control catalog and release notes."""
NIST_BASELINES = {"low": 149, "moderate": 287, "high": 370}
"""Source: NIST SP 800-53B, the controls of each security baseline."""


def test_there_are_six_frameworks(catalog: PackagedCatalog) -> None:
    assert tuple(each.id for each in catalog.frameworks()) == FRAMEWORKS


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_no_control_is_listed_twice(framework: str, catalog: PackagedCatalog) -> None:
    controls = next(each.controls for each in catalog.frameworks() if each.id == framework)
    assert [control for control, number in Counter(each.id for each in controls).items() if number > 1] == []


@pytest.mark.parametrize(("framework", "size"), SIZES.items())
def test_lists_are_complete_where_they_say_so(framework: str, size: int, catalog: PackagedCatalog) -> None:
    controls = next(each.controls for each in catalog.frameworks() if each.id == framework)
    assert sum("(" not in each.id for each in controls) == size


def test_the_catalog_of_nist_has_all_enhancements_and_baselines(catalog: PackagedCatalog) -> None:
    nist = next(each for each in catalog.frameworks() if each.id == "nist-800-53-r5")
    assert len(nist.controls) == NIST_CONTROLS
    assert Counter(name for each in nist.controls for name in each.baselines) == NIST_BASELINES
    low, moderate, high = ({each.id for each in nist.within(name).controls} for name in NIST_BASELINES)
    assert low < moderate < high


def test_every_framework_has_controls_that_no_policy_can_show(catalog: PackagedCatalog) -> None:
    for framework in catalog.frameworks():
        kinds = Counter(each.responsibility for each in framework.controls)
        assert kinds[Responsibility.MANUAL] > 0
        assert kinds[Responsibility.AUTOMATED] > 0


def test_controls_that_nothing_shows_are_not_hidden(catalog: PackagedCatalog) -> None:
    mapped = {
        (name, control) for entry in catalog.policies() for name, ids in entry.controls.items() for control in ids
    }
    automated = {
        (framework.id, each.id)
        for framework in catalog.frameworks()
        for each in framework.controls
        if each.responsibility == Responsibility.AUTOMATED
    }
    assert mapped < automated


@pytest.mark.parametrize(
    ("framework", "control"),
    [
        ("gdpr", "Art.30"),  # tags are no record of processing
        ("pci-dss-4.0.1", "12.10.3"),  # an address for alerts is nobody on duty
        ("pci-dss-4.0.1", "12.10.1"),
        ("hipaa", "164.316(b)(2)(i)"),  # logs of some months are no documentation of six years
        ("hipaa", "164.310(d)(2)(iii)"),
    ],
)
def test_what_no_setting_shows_is_attested_by_a_person(framework: str, control: str, catalog: PackagedCatalog) -> None:
    controls = next(each.controls for each in catalog.frameworks() if each.id == framework)
    assert next(each for each in controls if each.id == control).responsibility == Responsibility.MANUAL


@pytest.mark.parametrize(
    ("framework", "control", "policy"),
    [
        ("pci-dss-4.0.1", "6.4.2", "vnet-ddos-protection"),
        ("pci-dss-4.0.1", "5.2.1", "sql-threat-detection"),
        ("pci-dss-4.0.1", "12.5.1", "resource-owner-tag"),  # a tag is no inventory
        ("pci-dss-4.0.1", "1.3.1", "synapse-data-exfiltration"),  # it is about what goes out
        ("pci-dss-4.0.1", "3.6.1", "key-vault-purge-protection"),  # lost keys are not disclosed ones
        ("soc-2", "CC8.1", "aks-automatic-upgrade"),  # nobody approves an automatic upgrade
        ("gdpr", "Art.33", "security-contact"),  # an address notifies no authority
        ("nist-800-53-r5", "SC-5", "app-plan-zone-redundant"),
        ("nist-800-53-r5", "CP-10", "app-plan-zone-redundant"),  # nothing is recovered where nothing fails
        ("soc-2", "CC6.1", "disk-attached"),  # a disk in no use is a cost, not an access
    ],
)
def test_a_policy_does_not_show_what_it_is_not_about(
    framework: str, control: str, policy: str, catalog: PackagedCatalog
) -> None:
    entry = next(each for each in catalog.policies() if each.name == policy)
    assert control not in entry.controls[framework]


@pytest.mark.parametrize(
    "policy",
    ["vm-encryption-at-host", "vmss-encryption-at-host", "storage-double-encryption", "data-explorer-disk-encryption"],
)
def test_encrypted_disks_do_not_show_that_they_are_not_the_only_protection(
    policy: str, catalog: PackagedCatalog
) -> None:
    controls = next(each for each in catalog.policies() if each.name == policy).controls["pci-dss-4.0.1"]
    assert not {"3.5.1", "3.5.1.2"} & set(controls)


def test_an_encrypted_database_is_more_than_encrypted_disks_and_still_decrypts_by_itself(
    catalog: PackagedCatalog,
) -> None:
    entry = next(each for each in catalog.policies() if each.name == "sql-encryption-at-rest")
    assert "3.5.1.2" in entry.controls["pci-dss-4.0.1"]
    assert "3.5.1" not in entry.controls["pci-dss-4.0.1"]


@pytest.mark.parametrize(
    "policy", ["sql-firewall-any", "cosmos-network", "disk-no-public-export", "redis-public-network"]
)
def test_stores_that_are_open_to_the_internet_may_show_card_data(policy: str, catalog: PackagedCatalog) -> None:
    assert "1.4.4" in next(each for each in catalog.policies() if each.name == policy).controls["pci-dss-4.0.1"]
