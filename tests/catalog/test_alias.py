"""The alias table holds all that is publicly known, and its extract what the policies use, no more and no less."""

import gzip
import json
import os
import re
from collections.abc import Iterator
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.local.catalog import PackagedCatalog
from shared.engine.alias import Alias, AliasCatalog
from shared.engine.alias_table import AliasTable
from tests.catalog.conftest import FOLDER

PUBLIC = Path(os.environ.get("CORTEX_TEST_DATA", FOLDER.parents[1] / "shared")) / "azure-policy"
IN_EXPRESSION = re.compile(r"(?:current|field)\('(Microsoft\.[^']+)'\)", re.IGNORECASE)


@pytest.fixture(scope="module")
def table(catalog: PackagedCatalog) -> AliasTable:
    return AliasTable(catalog.alias_table())


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


def test_the_extract_has_exactly_the_aliases_in_use(catalog: PackagedCatalog) -> None:
    rules = [entry.definition["properties"]["policyRule"] for entry in catalog.policies()]
    assert {row["name"].lower() for row in catalog.aliases()} == set(aliases_in(rules))


def test_the_extract_is_what_the_table_says(catalog: PackagedCatalog, table: AliasTable) -> None:
    """It is written by `python scripts/aliases.py`."""
    for row in catalog.aliases():
        said = AliasCatalog({}, table=table).find(row["name"], row["types"][0])
        versions = {version: each["path"] for each in row.get("paths", ()) for version in each["apiVersions"]}
        assert said == Alias(row["name"], row["path"], frozenset(row["types"]), versions, row["modifiable"])


def test_the_table_does_not_contradict_the_facts_on_types(catalog: PackagedCatalog, table: AliasTable) -> None:
    for row in catalog.resource_types():
        said = table.capability(row["type"].lower())
        assert said.tags in {None, row["supportsTags"]}, row["type"]
        assert said.location in {None, row["supportsLocation"]}, row["type"]


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


def test_the_table_is_small_and_has_a_date(table: AliasTable) -> None:
    assert (FOLDER / "aliases.zip").stat().st_size < 1_000_000
    assert date.fromisoformat(table.as_of) >= date(2026, 8, 22)


def test_the_table_has_every_public_alias_and_fact(table: AliasTable) -> None:
    if not PUBLIC.exists():
        pytest.skip("no public alias tables next to the project; set CORTEX_TEST_DATA")
    for row in chain(lines("aliases"), lines("aliases-supplement")):
        paths = {path for _, path, types, *_ in table.rows(row["name"].lower()) if types == "|".join(row["types"])}
        assert row["path"] in paths, row["name"]
    for row in lines("resourceTypes"):
        assert table.capability(row["type"].lower()).tags == row.get("supportsTags"), row["type"]


def lines(name: str) -> Iterator[Any]:
    with gzip.open(PUBLIC / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)
