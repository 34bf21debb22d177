"""Comments and trailing commas are taken wherever JSON takes white space, and nowhere else."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain import jsonc
from shared.domain.json_text import Unreadable
from shared.domain.resource import Resource
from shared.importing import buffer
from shared.importing.inventory_reader import read_resources
from shared.importing.record_scanner import RecordScanner
from shared.importing.record_text import RecordText

COMMENTS = ["// one\n", "/* two */", "/* *** // \n */", "//\n", "/**/", '// [{"]}\n', '/* "[{ */', "// don't\n"]
TEXTS = st.text(max_size=6) | st.text(alphabet='{}[]":,\\/*', max_size=6)
VALUES = st.recursive(
    st.none() | st.integers(-(2**63), 2**64 - 1) | TEXTS,  # larger ones are read as doubles
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def _split(text: str, size: int = 1 << 20) -> list[RecordText]:
    raw = text.encode()
    return list(RecordScanner(iter([raw[at : at + size] for at in range(0, len(raw), size)])))


def _commented(value: Any, draw: Any) -> str:
    """Return JSON text with comments between its tokens and commas behind its last members."""

    def note() -> str:
        return draw(st.sampled_from(["", "", " ", *COMMENTS]))

    def text(node: Any) -> str:
        if isinstance(node, list):
            parts = [note() + text(each) + note() for each in node]
            return "[" + ",".join(parts) + (draw(st.sampled_from(["", ","])) if parts else "") + note() + "]"
        if isinstance(node, dict):
            parts = [
                note() + json.dumps(key) + note() + ":" + note() + text(each) + note() for key, each in node.items()
            ]
            return "{" + ",".join(parts) + (draw(st.sampled_from(["", ","])) if parts else "") + note() + "}"
        return json.dumps(node)

    return note() + text(value) + note()


@given(st.lists(st.dictionaries(TEXTS, VALUES, max_size=3), max_size=4), st.data())
@settings(max_examples=200, deadline=None)
def test_records_have_the_values_that_they_have_without_comments(values: list[Any], data: st.DataObject) -> None:
    text = _commented(values, data.draw)
    pieces = _split(text, data.draw(st.sampled_from([1, 3, 1 << 20])))
    assert [jsonc.read_record(piece.text) for piece in pieces] == values
    assert all(not piece.reason for piece in pieces)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "// no comment /* none */", "b": "https://a/b"}',
        '{"a": "quote \\" // still"}',
        '{"a": ",]"}',
    ],
)
def test_what_looks_like_a_comment_in_a_text_is_none(text: str) -> None:
    assert jsonc.read_record(f"/* x */ {text}".encode()) == json.loads(text)


@pytest.mark.parametrize("text", ['{"a": "x /*\t*/ y"}', '{"a": /}', '{"a": 1,,}', '{"a" 1}', '{"a": 1 /* }'])
def test_other_breaks_stay_breaks(text: str) -> None:
    with pytest.raises(Unreadable):
        jsonc.read_record(text.encode())


def test_an_error_is_where_it_is_in_the_file() -> None:
    with pytest.raises(Unreadable, match="line 3 column"):
        jsonc.read_record(b'{ // note\n"a": 1, /* b */\n"c": oops}')


@pytest.mark.parametrize("name", ["data", "value", "resources"])
def test_pages_and_templates_may_have_comments_before_their_records(name: str) -> None:
    text = (
        f'// head\n{{/* a */ "{name}" // b\n: /* c */ [ // d\n {{"x": 1}}, /* e */ {{"x": 2}}, // f\n ] // g\n}} // h'
    )
    for size in (1, 1 << 20):
        assert [jsonc.read_record(piece.text) for piece in _split(text, size)] == [{"x": 1}, {"x": 2}]


def test_a_comment_that_is_not_closed_is_reported() -> None:
    *records, last = _split('[{"a": 1}]\n/* {"b": 2}\n[{"c": 3}]')
    assert [piece.text for piece in records] == [b'{"a": 1}']
    assert "a comment begins here and is not closed" in last.reason
    assert last.line in (1, 2)


def test_a_comment_longer_than_a_record_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "RECORD_BYTES", 1000)
    pieces = _split('[{"a": 1}, /* ' + "x" * 5000 + " */ 2]", 100)
    assert pieces[0].text == b'{"a": 1}'
    assert pieces[-1].reason


def test_a_commented_template_is_read() -> None:
    text = """// for the storage team
    {
      "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", // version
      "parameters": { "sku": { "type": "string", /* cheap */ "defaultValue": "Standard_LRS", }, },
      "resources": [ // one only
        { "type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-05-01", "name": "[variables('n')]",
          "sku": { "name": "[parameters('sku')]" }, /* https://x */ "properties": { "a": "// kept" }, },
      ],
      "variables": { "n": "st01", /* last */ },
    }
    """
    (found,) = read_resources([text.encode()], subscription="s", resource_group="g")
    assert isinstance(found, Resource)
    assert (found.body["name"], found.body["sku"]) == ("st01", {"name": "Standard_LRS"})
    assert found.body["properties"] == {"a": "// kept"}
