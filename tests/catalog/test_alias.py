"""The alias table holds what the policies use, no more and no less, and agrees with what is publicly known."""

import gzip
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.local.catalog import PackagedCatalog

from .conftest import FOLDER

PUBLIC = Path(os.environ.get("CORTEX_TEST_DATA", FOLDER.parents[1] / "shared")) / "azure-policy"
IN_EXPRESSION = re.compile(r"(?:current|field)\('(Microsoft\.[^']+)'\)", re.IGNORECASE)


def aliases_in(part: Any) -> Iterator[str]:
    """The aliases that a part of a rule names, lower case."""
    if isinstance(part, dict):
        name = part.get("field")
        if isinstance(name, str) and name.lower().startswith("microsoft."):
            yield name.lower()
        for each in part.values():
            yield from aliases_in(each)
    elif isinstance(part, list):
        for each in part:
            yield from aliases_in(each)
    elif isinstance(part, str) and part.startswith("["):
        yield from (name.lower() for name in IN_EXPRESSION.findall(part))


def test_holds_exactly_the_aliases_in_use(catalog: PackagedCatalog) -> None:
    rules = [entry.definition["properties"]["policyRule"] for entry in catalog.policies()]
    assert {row["name"].lower() for row in catalog.aliases()} == set(aliases_in(rules))


def test_types_are_lower_case_and_present(catalog: PackagedCatalog) -> None:
    known = {row["type"].lower() for row in catalog.resource_types()}
    for row in catalog.aliases():
        assert row["types"]
        assert row["types"] == [kind.lower() for kind in row["types"]]
        assert known & set(row["types"]), row["name"]


def test_modify_changes_only_modifiable_aliases(catalog: PackagedCatalog) -> None:
    modifiable = {row["name"].lower() for row in catalog.aliases() if row["modifiable"]}
    for entry in catalog.policies():
        properties = entry.definition["properties"]
        if properties["parameters"]["effect"]["defaultValue"] != "modify":
            continue
        operations = properties["policyRule"]["then"]["details"]["operations"]
        assert set(aliases_in(operations)) <= modifiable, entry.name


def test_agrees_with_the_public_tables(catalog: PackagedCatalog) -> None:
    if not PUBLIC.exists():
        pytest.skip("no public alias tables beside the project; set CORTEX_TEST_DATA")
    paths: dict[str, set[str]] = defaultdict(set)
    for name in ("aliases.jsonl.gz", "aliases-supplement.jsonl.gz"):
        with gzip.open(PUBLIC / name, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                paths[row["name"].lower()].add(row["path"])
    strange = [row["name"] for row in catalog.aliases() if row["path"] not in paths[row["name"].lower()]]
    assert strange == []
