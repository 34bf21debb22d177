import json
from collections import Counter
from pathlib import Path

import pytest

from local.template import RESERVED, Record, Template, load, templates

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
def template(tmp_path: Path) -> Template:
    path = tmp_path / "box.json"
    path.write_text(json.dumps(ROW), encoding="utf-8")
    return load(path)


def render(template: Template, draws: bytes) -> list[Record]:
    return template.render("/groups/g/box-01", {"location": "westeurope", "tags": '{"owner":"ada"}'}, draws)


def body(record: Record) -> dict:
    return json.loads(record.text)


def test_renders_slots_picks_and_children(template: Template) -> None:
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


def test_the_last_byte_leads_to_the_wrong_values(template: Template) -> None:
    box, setting = render(template, bytes([255]) * template.draws)
    assert body(box)["properties"] == {
        "locked": False,
        "share": "100 %",
        "lid": None,
        "twin": "/groups/g/box-01/lids/one",
    }
    assert setting.template.type == "Microsoft.Insights/diagnosticSettings"


def test_picks_with_one_name_decide_alike(template: Template) -> None:
    for byte in range(256):
        records = render(template, bytes([byte]) * template.draws)
        assert ("size" in body(records[0])["properties"]) == (len(records) == 3)


def test_shares_are_those_that_were_asked_for(template: Template) -> None:
    seen = Counter(
        body(render(template, bytes([byte]) * template.draws)[0])["properties"]["locked"] for byte in range(256)
    )
    assert seen == {True: 192, False: 64}


def test_one_byte_decides_one_thing(template: Template) -> None:
    draws = bytearray(template.draws)
    before = body(render(template, bytes(draws))[0])
    draws[RESERVED] = 255
    after = body(render(template, bytes(draws))[0])
    assert {name for name in before["properties"] if before["properties"][name] != after["properties"].get(name)} == {
        "locked"
    }


def test_refuses_an_object_that_may_begin_with_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    row = {**ROW, "body": {"properties": {"first": {"$pick": [1, "$absent"]}}}}
    path.write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(ValueError, match="first member"):
        load(path)


def test_children_take_their_parents_api_versions(template: Template) -> None:
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
