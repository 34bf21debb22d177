"""Templates are compiled and rendered from bytes that decide their choices."""

import json
from collections import Counter
from pathlib import Path

import pytest

from local.resource_template import RESERVED_DRAWS, EstateRecord, ResourceTemplate, load, templates

ROW = {
    "type": "Microsoft.Example/boxes",
    "apiVersions": ["2025-01-01"],
    "name": "box-{n}",
    "body": {
        "location": "{location}",
        "tags": "{tags}",
        "properties": {
            "locked": {"$pick": [True, False], "$right": 75},
            "size": {"$pick": ["small", "$absent"], "$right": 50, "$with": "size"},
            "share": "100 %",
            "lid": {"$pick": [{"fits": {"$pick": ["well", "badly"]}}, None], "$right": 60},
            "twin": "{id}/lids/one",
        },
    },
    "children": [
        {"type": "Microsoft.Example/boxes/lids", "name": "one", "present": 50, "presentWith": "size", "body": {}},
        {"type": "Microsoft.Insights/diagnosticSettings", "name": "of-{parent}", "body": {"home": "{parentId}"}},
    ],
}


@pytest.fixture
def template(tmp_path: Path) -> ResourceTemplate:
    path = tmp_path / "box.json"
    path.write_text(json.dumps(ROW), encoding="utf-8")
    return load(path)


def render(template: ResourceTemplate, draws: bytes) -> list[EstateRecord]:
    return template.render("/groups/g/box-01", {"location": "westeurope", "tags": '{"owner":"ada"}'}, draws)


def body(record: EstateRecord) -> dict:
    return json.loads(record.text)


def test_slots_picks_and_children_are_rendered(template: ResourceTemplate) -> None:
    box, lid, setting = render(template, bytes(template.draws))
    assert body(box) == {
        "id": "/groups/g/box-01",
        "name": "box-01",
        "type": "Microsoft.Example/boxes",
        "location": "westeurope",
        "tags": {"owner": "ada"},
        "properties": {
            "locked": True,
            "size": "small",
            "share": "100 %",
            "lid": {"fits": "well"},
            "twin": "/groups/g/box-01/lids/one",
        },
    }
    assert (lid.id, lid.template.graph) == ("/groups/g/box-01/lids/one", None)
    assert setting.id == "/groups/g/box-01/providers/Microsoft.Insights/diagnosticSettings/of-box-01"
    assert body(setting)["home"] == "/groups/g/box-01"


def test_the_highest_bytes_choose_the_wrong_values(template: ResourceTemplate) -> None:
    box, setting = render(template, bytes([255]) * template.draws)
    assert body(box)["properties"] == {
        "locked": False,
        "share": "100 %",
        "lid": None,
        "twin": "/groups/g/box-01/lids/one",
    }
    assert setting.template.type == "Microsoft.Insights/diagnosticSettings"


def test_picks_with_the_same_with_choose_alike(template: ResourceTemplate) -> None:
    for byte in range(256):
        records = render(template, bytes([byte]) * template.draws)
        assert ("size" in body(records[0])["properties"]) == (len(records) == 3)


def test_choices_have_their_shares(template: ResourceTemplate) -> None:
    seen = Counter(
        body(render(template, bytes([byte]) * template.draws)[0])["properties"]["locked"] for byte in range(256)
    )
    assert seen == {True: 192, False: 64}


def test_one_byte_decides_one_pick(template: ResourceTemplate) -> None:
    draws = bytearray(template.draws)
    before = body(render(template, bytes(draws))[0])
    draws[RESERVED_DRAWS] = 255
    after = body(render(template, bytes(draws))[0])
    assert {name for name in before["properties"] if before["properties"][name] != after["properties"].get(name)} == {
        "locked"
    }


def test_the_first_member_of_an_object_cannot_be_absent(tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    row = {**ROW, "body": {"properties": {"first": {"$pick": [1, "$absent"]}}}}
    path.write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(ValueError, match="first member"):
        load(path)


def test_children_take_their_parents_api_versions(template: ResourceTemplate) -> None:
    assert [child.api_versions for child in template.family()] == [("2025-01-01",)] * 3


def test_every_template_of_the_estate_can_be_rendered_either_way() -> None:
    for key, template in templates().items():
        assert template.api_versions, key
        for byte in (0, 255):
            names: dict[str, str] = _Anything(tags="{}", home="null", permissions="[]")
            for record in template.render("/x/y", names, bytes([byte]) * template.draws):
                assert isinstance(json.loads(record.text), dict)


class _Anything(dict[str, str]):
    def __missing__(self, slot: str) -> str:
        return slot
