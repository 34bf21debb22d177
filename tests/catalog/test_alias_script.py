"""The script that packs the alias table: it takes listings and rows, and adds nothing that they do not say."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from shared.engine import AliasCatalog
from shared.engine.alias_table import AliasTable, Capability
from tests.deployment import script as load_script

THINGS = "Contoso.Test/things"
LISTING = [
    {
        "namespace": "Contoso.Test",
        "resourceTypes": [
            {
                "resourceType": "things",
                "routingType": "Default",
                "capabilities": "SupportsTags, SupportsLocation",
                "aliases": [
                    {
                        "name": f"{THINGS}/size",
                        "defaultPath": "properties.size",
                        "defaultMetadata": {"attributes": "None"},
                        "paths": [{"path": "properties.old", "apiVersions": ["2018-01-01"]}],
                    }
                ],
            },
            {"resourceType": "places", "capabilities": "SupportsLocation"},
        ],
    }
]
ROWS = [
    {"name": f"{THINGS}/SIZE", "path": "properties.other", "types": [THINGS.lower()], "sources": ["a"]},
    {"name": f"{THINGS}/color", "path": "properties.color", "types": [THINGS.lower()]},
]
FACTS = [
    {"type": "contoso.test/children", "supportsTags": False, "hasLocations": True},
    {"type": "contoso.test/retired", "supportsTags": True, "hasLocations": False},
    {"type": "contoso.test/tracked", "supportsTags": True, "hasLocations": True},
    {"type": "contoso.test/actions", "hasLocations": False},
]
THEN = {"details": {"operations": [{"operation": "addOrReplace", "field": f"{THINGS}/Color", "value": "red"}]}}
ABSENT = [{"name": f"{THINGS}/size", "types": [THINGS], "without": "2017-01-01"}]
DEFINITIONS = [{"path": "x", "definition": {"properties": {"policyRule": {"if": {}, "then": THEN}}}}]


@pytest.fixture(scope="module")
def script() -> Any:
    return load_script("aliases")


@pytest.fixture
def catalog(script: Any, tmp_path: Path) -> AliasCatalog:
    """What was packed from four files, read again."""
    written = {
        "rows.jsonl.gz": gzip.compress("\n".join(map(json.dumps, ROWS)).encode()),
        "facts.json": json.dumps(FACTS).encode(),
        "definitions.jsonl": "\n".join(map(json.dumps, DEFINITIONS * 2)).encode(),
        "listing.json": json.dumps({"value": LISTING}).encode(),
        "absent.json": json.dumps(ABSENT).encode(),
    }
    for name, content in written.items():
        (tmp_path / name).write_bytes(content)
    merged = script.merge(row for name in written for row in script.read(tmp_path / name))
    packed = merged.pack(as_of="2026-08-22")
    return AliasCatalog({}, table=AliasTable(lambda: packed))


def test_a_later_listing_is_right_about_a_path(catalog: AliasCatalog) -> None:
    (size,) = catalog.rows(f"{THINGS}/size")
    assert (size.path, dict(size.versions), size.modifiable) == (
        "properties.size",
        {"2018-01-01": "properties.old", "2017-01-01": ""},
        False,
    )


def test_a_packed_table_may_be_added_to(script: Any, tmp_path: Path) -> None:
    before = script.merge([*ROWS, *FACTS])
    (tmp_path / "before.zip").write_bytes(before.pack(as_of="2026-08-22"))
    (tmp_path / "more.json").write_text(json.dumps(ABSENT))
    after = script.merge(row for name in ("before.zip", "more.json") for row in script.read(tmp_path / name))
    assert after.newest_without(f"{THINGS}/size") == "2017-01-01"
    assert after.rows(f"{THINGS}/color") == before.rows(f"{THINGS}/color")
    assert after.capability("contoso.test/retired") == before.capability("contoso.test/retired")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (THINGS, Capability(tags=True, location=True, kind="Default")),
        ("contoso.test/children", Capability(tags=False)),
        ("contoso.test/retired", Capability(tags=True)),
        ("contoso.test/tracked", Capability(tags=True, location=True)),
        ("contoso.test/places", Capability(tags=False, location=True)),
        ("contoso.test/actions", Capability(location=False)),
    ],
)
def test_where_a_type_is_offered_says_only_sometimes_whether_it_has_a_location(
    catalog: AliasCatalog, kind: str, expected: Capability
) -> None:
    assert catalog.capability(kind.lower()) == expected


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_listing_may_come_without_its_envelope(script: Any, tmp_path: Path, *, wrapped: bool) -> None:
    path = tmp_path / "listing.json"
    path.write_text(json.dumps({"value": LISTING} if wrapped else LISTING))
    assert len(script.merge(script.read(path))) == 1


def test_the_extract_is_made_from_the_table(script: Any) -> None:
    table = AliasCatalog({}, table=AliasTable(script.TABLE.read_bytes))
    assert script.extract(table) == json.loads(script.EXTRACT.read_bytes())
