"""Frameworks: whole families, no control twice, and an honest count of what no policy shows."""

from collections import Counter

import pytest

from shared.adapters.local.catalog import PackagedCatalog
from shared.domain.policy import Responsibility

from .conftest import FRAMEWORKS

SIZES = {"nist-800-53-r5": 298, "iso-27001-2022": 93, "soc-2": 61}
"""Controls that the publishers count: base controls not withdrawn, Annex A, criteria of all five categories."""


def test_there_are_six(catalog: PackagedCatalog) -> None:
    assert tuple(each.id for each in catalog.frameworks()) == FRAMEWORKS


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_no_control_is_listed_twice(framework: str, catalog: PackagedCatalog) -> None:
    controls = next(each.controls for each in catalog.frameworks() if each.id == framework)
    assert [control for control, number in Counter(each.id for each in controls).items() if number > 1] == []


@pytest.mark.parametrize(("framework", "size"), SIZES.items())
def test_lists_are_complete_where_they_say_so(framework: str, size: int, catalog: PackagedCatalog) -> None:
    controls = next(each.controls for each in catalog.frameworks() if each.id == framework)
    assert sum("(" not in each.id for each in controls) == size


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
