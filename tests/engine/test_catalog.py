"""Alias catalogs: rows, provider listings, types, versions, suggestions."""

import pickle
from typing import Any

from shared.engine import AliasCatalog
from shared.engine.alias import Capability

LISTING = {
    "value": [
        {
            "namespace": "Microsoft.Test",
            "resourceTypes": [
                {
                    "resourceType": "things",
                    "capabilities": "SupportsTags, SupportsLocation",
                    "aliases": [
                        {
                            "name": "Microsoft.Test/things/size",
                            "defaultPath": "properties.size",
                            "defaultMetadata": {"type": "String", "attributes": "Modifiable"},
                            "paths": [{"path": "properties.oldSize", "apiVersions": ["2019-01-01"]}],
                        },
                        {
                            "name": "Microsoft.Test/things/state",
                            "defaultPath": "properties.state",
                            "defaultMetadata": {"attributes": "None"},
                            "paths": [],
                        },
                        {
                            "name": "Microsoft.Test/things/plain",
                            "paths": [{"path": "properties.plain", "apiVersions": []}],
                        },
                    ],
                },
                {"resourceType": "things/parts", "capabilities": "None", "aliases": None},
            ],
        }
    ]
}


def test_a_provider_listing_gives_paths_versions_and_whether_they_may_be_modified() -> None:
    catalog = AliasCatalog.from_providers(LISTING)
    size = catalog.find("microsoft.test/THINGS/size", "microsoft.test/things")
    assert size is not None
    assert (size.at(None), size.at("2019-01-01"), size.at("2030-01-01")) == (
        "properties.size",
        "properties.oldSize",
        "properties.size",
    )
    assert size.modifiable is True
    assert [row.modifiable for row in catalog.rows("Microsoft.Test/things/state")] == [False]
    assert [(row.path, row.modifiable) for row in catalog.rows("Microsoft.Test/things/plain")] == [
        ("properties.plain", None)
    ]


def test_a_provider_listing_may_come_without_its_envelope() -> None:
    assert len(AliasCatalog.from_providers(LISTING["value"])) == len(AliasCatalog.from_providers(LISTING)) == 3
    assert len(AliasCatalog.from_providers(LISTING["value"][0])) == 3


def test_capabilities_are_known_unknown_or_denied() -> None:
    catalog = AliasCatalog.from_providers(LISTING)
    assert catalog.capability("microsoft.test/things").tags is True
    assert catalog.capability("microsoft.test/things/parts").location is False
    assert catalog.capability("microsoft.other/x").tags is None


def test_what_a_listing_does_not_tell_of_a_type_leaves_known_facts_alone() -> None:
    fact = {"type": "Microsoft.Test/things", "supportsTags": True, "hasLocations": True}
    known = AliasCatalog.from_rows([], [fact])
    kinds: list[dict[str, Any]] = [
        {"resourceType": "things"},
        {"resourceType": "things", "capabilities": None},
        {"resourceType": "things", "capabilities": ""},
    ]
    for kind in kinds:
        silent = AliasCatalog.from_providers([{"namespace": "Microsoft.Test", "resourceTypes": [kind]}])
        assert silent.capability("microsoft.test/things") == Capability()
        for merged in (known.merge(silent), silent.merge(known)):
            assert merged.capability("microsoft.test/things") == Capability(tags=True, location=True)


def test_facts_on_a_type_are_merged_one_by_one() -> None:
    one = AliasCatalog.from_rows([], [{"type": "T/x", "supportsTags": True, "hasLocations": False}])
    two = AliasCatalog.from_rows([], [{"type": "t/X", "supportsTags": False}])
    assert one.merge(two).capability("t/x") == Capability(tags=False, location=False)
    assert two.merge(one).capability("t/x") == Capability(tags=True, location=False)


def test_one_name_can_have_a_path_for_each_type() -> None:
    rows = [
        {"name": "X/sku", "path": "properties.one", "types": ["X.Y/a"]},
        {"name": "X/SKU", "path": "properties.two", "types": ["x.y/B"]},
    ]
    catalog = AliasCatalog.from_rows(rows)
    found = {kind: catalog.find("x/sku", kind) for kind in ("x.y/a", "x.y/b", "x.y/c", "")}
    paths = {kind: alias.path if alias else None for kind, alias in found.items()}
    assert paths == {"x.y/a": "properties.one", "x.y/b": "properties.two", "x.y/c": None, "": "properties.one"}


def test_an_array_is_known_by_the_alias_of_its_members() -> None:
    catalog = AliasCatalog.from_rows([{"name": "X/list[*]", "path": "properties.list[*]", "types": []}])
    assert "X/list" in catalog
    assert [row.path for row in catalog.rows("X/list")] == ["properties.list"]
    assert "X/lis" not in catalog


def test_merging_lets_the_other_win() -> None:
    one = AliasCatalog.from_rows([{"name": "a", "path": "1", "types": []}, {"name": "b", "path": "1", "types": []}])
    two = AliasCatalog.from_rows([{"name": "B", "path": "2", "types": []}], [{"type": "T/x", "supportsTags": False}])
    merged = one.merge(two)
    assert [merged.rows(name)[0].path for name in "ab"] == ["1", "2"]
    assert merged.capability("t/x").tags is False
    assert len(one) == 2


def test_near_misses_are_suggested_in_their_own_spelling() -> None:
    catalog = AliasCatalog.from_providers(LISTING)
    assert catalog.suggest("Microsoft.Test/things/sizes") == "Microsoft.Test/things/size"
    assert catalog.suggest("zzz") is None


def test_a_catalog_survives_pickling_and_a_part_of_it_holds_what_was_asked_for() -> None:
    catalog = pickle.loads(pickle.dumps(AliasCatalog.from_providers(LISTING)))  # noqa: S301 - our own bytes
    assert len(catalog) == 3
    part = catalog.only(["MICROSOFT.TEST/things/size", "unknown"])
    assert len(part) == 1
    assert part.capability("microsoft.test/things").tags is True
    assert catalog.versions("microsoft.test/things/size") == {"2019-01-01"}
    assert not catalog.versions("microsoft.test/things/state")


def test_a_listing_does_not_take_away_which_versions_lack_a_property() -> None:
    known = {
        "name": "Microsoft.Test/things/size",
        "path": "properties.size",
        "types": ["microsoft.test/things"],
        "paths": [{"path": "", "apiVersions": ["2019-12-01"]}],
    }
    size = AliasCatalog.from_rows([known]).merge(AliasCatalog.from_providers(LISTING)).rows(known["name"])[0]
    asked = ("2018-01-01", "2019-01-01", "2019-12-01", "2020-01-01", None)
    assert [size.lacks(version) for version in asked] == [True, False, True, False, False]
    assert [size.at(version) for version in asked[:2]] == ["properties.size", "properties.oldSize"]
