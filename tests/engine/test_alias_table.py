"""The packed alias table: everything comes back as it was packed, and nothing is read that nobody asks for."""

import functools
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

from shared.engine import AliasCatalog
from shared.engine.alias import Alias
from shared.engine.alias_table import AliasTable, Capability, pack

THINGS = "Contoso.Test/things"
ROWS: list[dict[str, Any]] = [
    {"name": f"{THINGS}/size", "path": "properties.size", "types": [THINGS], "modifiable": True},
    {"name": f"{THINGS}/sku.name", "path": "sku.name", "types": [THINGS], "modifiable": False},
    {"name": f"{THINGS}/list[*].name", "path": "properties.list[*].properties.name", "types": [THINGS]},
    {"name": f"{THINGS}/parts/kind", "path": "properties.kind", "types": [f"{THINGS}/parts"]},
    {"name": "Contoso.Test/publisher", "path": "properties.image.publisher", "types": [THINGS, "Contoso.Test/others"]},
    {"name": "Contoso.Test/publisher", "path": "properties.publisher", "types": ["Contoso.Test/third"]},
    {"name": "Fabrikam.Test/old/name", "path": "properties.name", "types": []},
    {
        "name": f"{THINGS}/moved",
        "path": "properties.moved",
        "types": [THINGS],
        "paths": [
            {"path": "properties.first", "apiVersions": ["2018-01-01", "2019-01-01"]},
            {"path": "properties.second=x", "apiVersions": ["2020-01-01"]},
        ],
    },
]
FACTS: list[dict[str, Any]] = [
    {"type": THINGS, "supportsTags": True, "hasLocations": True, "kind": "Default"},
    {"type": f"{THINGS}/parts", "supportsTags": False},
    {"type": "Contoso.Bare/x", "hasLocations": False, "kind": "Extension"},
]
SOURCE = AliasCatalog.from_rows(ROWS, FACTS)
NAMES = [row["name"] for row in ROWS]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "table.zip"
    path.write_bytes(SOURCE.pack(as_of="2026-08-22"))
    return path


@pytest.fixture
def catalog(file: Path) -> AliasCatalog:
    """A catalog that has nothing but the table."""
    return AliasCatalog({}, table=AliasTable(file.read_bytes))


def found(alias: Alias | None) -> Any:
    return alias and (alias.name, alias.path, alias.types, dict(alias.versions), alias.modifiable)


@pytest.mark.parametrize(
    "name", [*NAMES, f"{THINGS}/list[*]", f"{THINGS}/SIZE", f"{THINGS}/none", "Contoso.None/x/y", "x"]
)
def test_every_row_comes_back(catalog: AliasCatalog, name: str) -> None:
    assert list(map(found, catalog.rows(name))) == list(map(found, SOURCE.rows(name)))
    assert (name in catalog) == (name in SOURCE)
    assert catalog.versions(name) == SOURCE.versions(name)
    assert catalog.newest_without(name) == SOURCE.newest_without(name)
    for kind in (THINGS.lower(), "contoso.test/others", "contoso.test/third", "contoso.test/fourth", ""):
        assert found(catalog.find(name, kind)) == found(SOURCE.find(name, kind))


def test_facts_on_types_come_back(catalog: AliasCatalog) -> None:
    assert catalog.capability(THINGS.lower()) == Capability(tags=True, location=True, kind="Default")
    assert catalog.capability(f"{THINGS}/parts".lower()) == Capability(tags=False)
    assert catalog.capability("contoso.bare/x") == Capability(location=False, kind="Extension")
    assert catalog.capability("contoso.none/x") == catalog.capability("contoso.test/x") == Capability()
    assert catalog.as_of == "2026-08-22"


def test_an_array_is_known_by_the_alias_of_its_members() -> None:
    rows = [{"name": f"{THINGS}/list[*]", "path": "properties.list[*]", "types": [THINGS]}]
    table = AliasCatalog.from_rows(rows).pack(as_of="2026-08-22")
    catalog = AliasCatalog({}, table=AliasTable(lambda: table))
    assert [row.path for row in catalog.rows(f"{THINGS}/list")] == ["properties.list"]


def test_unknown_names_leave_nothing_behind(file: Path) -> None:
    table = AliasTable(file.read_bytes)
    assert table.rows("contoso.test/things/size")
    before = pickle.dumps(table._opened)
    for at in range(100):
        for name in (f"contoso.unknown{at}/x/y", f"contoso.test/unknown{at}/y", f"{THINGS}/unknown{at}".lower()):
            assert table.rows(name) == ()
    assert pickle.dumps(table._opened) == before


def test_the_same_facts_give_the_same_bytes(file: Path) -> None:
    again = AliasCatalog.from_rows(reversed(ROWS[:4]), FACTS).pack(as_of="2026-08-22")
    assert again == AliasCatalog.from_rows(ROWS[:4], reversed(FACTS)).pack(as_of="2026-08-22")
    assert pack((), {}, as_of="2026-08-22") == pack((), {}, as_of="2026-08-22")
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["contoso.bare", "contoso.test", "fabrikam.test"]


def test_own_rows_and_facts_come_first_and_read_nothing() -> None:
    def refuse() -> bytes:
        raise AssertionError("the table was read")

    own = AliasCatalog.from_rows(ROWS, FACTS[:1], table=AliasTable(refuse))
    listing = AliasCatalog.from_rows([{"name": f"{THINGS}/size", "path": "properties.other", "types": [THINGS]}])
    both = own.merge(listing)
    assert [row.path for row in both.rows(f"{THINGS}/size")] == ["properties.other"]
    assert both.find(f"{THINGS}/sku.name", THINGS.lower()) == SOURCE.find(f"{THINGS}/sku.name", THINGS.lower())
    assert both.capability(THINGS.lower()).tags is True
    for name in ("location", "tags.x", "tags['cost/center']"):
        assert name not in both
    with pytest.raises(AssertionError, match="the table was read"):
        both.rows(f"{THINGS}/none")


def test_what_own_facts_leave_open_the_table_answers(file: Path) -> None:
    own = AliasCatalog.from_rows([], [{"type": THINGS, "supportsTags": False}], table=AliasTable(file.read_bytes))
    assert own.capability(THINGS.lower()) == Capability(tags=False, location=True, kind="Default")


def test_a_newer_listing_dates_the_catalog(catalog: AliasCatalog) -> None:
    listing = AliasCatalog.from_providers([], as_of="2026-11-30")
    assert catalog.merge(listing).as_of == "2026-11-30"
    assert AliasCatalog({}).as_of == ""


def test_a_catalog_is_pickled_without_what_its_table_holds(file: Path) -> None:
    catalog = AliasCatalog({}, table=AliasTable(functools.partial(Path.read_bytes, file)))
    assert NAMES[0] in catalog
    pickled = pickle.dumps(catalog)
    assert len(pickled) < 1000
    assert NAMES[0] in pickle.loads(pickled)  # noqa: S301 - our own bytes
    part = catalog.only([NAMES[0], NAMES[3]], [THINGS.lower()])
    file.unlink()
    again = pickle.loads(pickle.dumps(part))  # noqa: S301 - our own bytes
    assert len(again) == 2
    assert again.capability(THINGS.lower()).tags is True


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (f"{THINGS}/sizes", f"{THINGS}/size"),
        (f"{THINGS}/sku.nam", f"{THINGS}/sku.name"),
        ("Contoso.Test/thing/size", f"{THINGS}/size"),
        (f"{THINGS}/weight", None),
        (f"{THINGS}/kind", None),
        ("Contoso.Test/others/size", None),
        ("Contoso.None/things/size", None),
        ("zzz", None),
    ],
)
def test_near_spellings_alone_are_suggested(catalog: AliasCatalog, written: str, meant: str | None) -> None:
    assert catalog.suggest(written) == meant
    assert SOURCE.suggest(written) == meant
