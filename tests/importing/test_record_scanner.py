"""Records are found in JSON text that arrives in pieces."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.importing import buffer
from shared.importing.record_scanner import RecordScanner
from shared.importing.record_text import RecordFormat, RecordText

TEXTS = st.text(max_size=6) | st.text(alphabet='{}[]":,\\\n', max_size=6)
SCALARS = st.none() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=3)


def _chunks(text: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield text[at : at + size]
        at += size
    yield text[at:]


def _split(text: bytes | str, sizes: list[int] | None = None) -> list[RecordText]:
    return list(RecordScanner(_chunks(text if isinstance(text, bytes) else text.encode(), sizes or [])))


@given(
    st.lists(VALUES, max_size=5),
    st.lists(st.integers(0, 40), max_size=8),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_a_list_has_the_values_that_json_says(values: list[Any], sizes: list[int], indent: Any, plain: Any) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=plain)
    pieces = _split(text.encode("utf-8", "surrogatepass"), sizes)
    assert len(pieces) == len(values)
    for piece, value in zip(pieces, values, strict=True):
        if isinstance(value, list | dict):
            assert json.loads(piece.text.decode("utf-8", "surrogatepass")) == value
        else:
            assert piece.reason == "not an object"


@given(
    st.lists(OBJECTS, min_size=1, max_size=4),
    st.lists(st.integers(0, 40), max_size=8),
    st.sampled_from(["\n", "", " ", "\r\n", "\x1e", ","]),
)
@settings(max_examples=60, deadline=None)
def test_documents_may_follow_one_another(documents: list[Any], sizes: list[int], between: str) -> None:
    pieces = _split(between.join(json.dumps(each) for each in documents), sizes)
    assert [json.loads(piece.text) for piece in pieces] == documents
    assert {piece.format for piece in pieces} == {RecordFormat.OBJECT}


@given(
    st.binary(max_size=300) | st.text(alphabet='{}[]":,\\\n ab0', max_size=60).map(str.encode),
    st.lists(st.integers(0, 9)),
)
@settings(max_examples=600, deadline=None)
def test_no_bytes_crash_it_or_hold_it_up(text: bytes, sizes: list[int]) -> None:
    pieces = _split(text, sizes)
    assert len(pieces) <= len(text)
    assert all(0 <= piece.offset <= len(text) for piece in pieces)
    assert pieces == _split(text)


@given(st.lists(OBJECTS, min_size=1, max_size=4), st.data())
@settings(max_examples=60, deadline=None)
def test_what_stands_before_a_break_is_kept(documents: list[Any], data: st.DataObject) -> None:
    texts = [json.dumps(each) for each in documents]
    whole = "[" + ",".join(texts) + "]"
    cut = data.draw(st.integers(0, len(whole) - 1))
    pieces = _split(whole[:cut])
    complete = [piece for piece in pieces if not piece.reason]
    assert [json.loads(piece.text) for piece in complete] == documents[: len(complete)]
    assert len(complete) >= sum(len(",".join(texts[: at + 1])) + 1 <= cut for at in range(len(texts)))
    assert cut == 0 or pieces[-1].reason


@pytest.mark.parametrize(
    ("text", "formats", "records"),
    [
        (
            '{"count": 2, "data": [{"a": 1}, {"b": 2}], "skip_token": null}',
            {RecordFormat.GRAPH_PAGE},
            [{"a": 1}, {"b": 2}],
        ),
        ('{"value": [{"a": 1}], "nextLink": "x"}', {RecordFormat.ARM_PAGE}, [{"a": 1}]),
        ('{"value": []}', set(), []),
        ('{"id": "x", "value": [{"a": 1}]}', {RecordFormat.OBJECT}, [{"id": "x", "value": [{"a": 1}]}]),
        (
            '{"ResourceId": "x", "resources": [{"Name": "child"}]}',
            {RecordFormat.OBJECT},
            [{"ResourceId": "x", "resources": [{"Name": "child"}]}],
        ),
        ('{"properties": {"value": [1]}}', {RecordFormat.OBJECT}, [{"properties": {"value": [1]}}]),
        ('{"$schema": "s", "resources": [{"type": "t"}], "outputs": {}}', {RecordFormat.TEMPLATE}, [{"type": "t"}]),
        (
            '{"resources": {"a": {"type": "t"}, "b": {"type": "u"}}}',
            {RecordFormat.TEMPLATE},
            [{"type": "t"}, {"type": "u"}],
        ),
        ('{"data": {"columns": [{"name": "id"}], "rows": [["x"], ["y"]]}}', {RecordFormat.GRAPH_TABLE}, [["x"], ["y"]]),
        ('{"data": {"a": {"rows": [1]}}}', {RecordFormat.OBJECT}, [{"data": {"a": {"rows": [1]}}}]),
    ],
)
def test_containers_are_known_by_their_members(text: str, formats: set[RecordFormat], records: list[Any]) -> None:
    for sizes in ([], [1] * len(text)):
        pieces = _split(text, sizes)
        assert {piece.format for piece in pieces} == formats
        assert [json.loads(piece.text) for piece in pieces] == records


def test_a_mixture_of_documents() -> None:
    text = '{"data": [{"a": 1}]}\n{"id": "x"}\n[{"b": 2}]\n{"value": [{"c": 3}]}{"data": [{"d": 4}]}'
    pieces = _split(text)
    kinds = [
        RecordFormat.GRAPH_PAGE,
        RecordFormat.OBJECT,
        RecordFormat.LIST,
        RecordFormat.ARM_PAGE,
        RecordFormat.GRAPH_PAGE,
    ]
    assert [piece.format for piece in pieces] == kinds
    assert pieces[1].offset == text.index('{"id"')


def test_a_container_says_what_comes_before_its_records() -> None:
    piece = _split('{"$schema": "s", "parameters": {"p": {"defaultValue": "v"}}, "resources": [{}]}')[0]
    assert piece.head["parameters"] == {"p": {"defaultValue": "v"}}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"a": "unclosed', "closing quote"),
        ('{"a": [1', "missing"),
        ("plain words", "neither"),
        ('{"a": 1]', "closes nothing"),
    ],
)
def test_a_broken_line_costs_only_itself(line: str, reason: str) -> None:
    pieces = _split(f'{{"id": 1}}\n{line}\n{{"id": 2}}\n{{"id": 3}}\n')
    assert [json.loads(piece.text) for piece in pieces if not piece.reason] == [{"id": 1}, {"id": 2}, {"id": 3}]
    broken = [piece for piece in pieces if piece.reason]
    assert len(broken) == 1
    assert reason in broken[0].reason


@pytest.mark.parametrize("line", ['{"a": {"b": 1}', '{"a": "unclosed}', '{"a": [1}', "{}}"])
def test_a_line_that_looks_like_a_record_is_given_whole(line: str) -> None:
    pieces = _split(f'{{"id": 1}}\n{line}\r\n{{"id": 2}}\n')
    assert [piece.text for piece in pieces] == [b'{"id": 1}', line.encode(), b'{"id": 2}']


def test_lines_that_hold_more_than_a_record_are_followed() -> None:
    text = '{"id": 1} {"id": 2}\n{"data": [{"a": 1}, {"a": 2}]}\n{"id": 3}\n'
    assert [json.loads(piece.text) for piece in _split(text)] == [{"id": 1}, {"id": 2}, {"a": 1}, {"a": 2}, {"id": 3}]


def test_a_break_within_a_list_ends_it_and_says_where() -> None:
    text = '[{"a": 1}, {"b": [}, {"c": 3}]'
    pieces = _split(text)
    assert [piece.text for piece in pieces if not piece.reason] == [b'{"a": 1}']
    assert pieces[-1].offset == text.index('}, {"c')


def test_a_record_too_long_is_left_out_and_the_rest_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "RECORD_BYTES", 5000)
    long = {"a": [{"b": "x" * 90} for _ in range(200)]}
    pieces = _split(json.dumps([{"a": 1}, long, {"c": 3}]), [1000] * 50)
    assert [piece.text for piece in pieces if not piece.reason] == [b'{"a": 1}', b'{"c": 3}']
    assert "longer than 5000 bytes" in pieces[1].reason
    alone = _split(json.dumps(long) + json.dumps({"c": 3}), [1000] * 50)
    assert [bool(piece.reason) for piece in alone] == [True, False]


def test_a_text_too_long_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "RECORD_BYTES", 5000)
    pieces = _split(json.dumps([{"a": 1}, {"b": "x" * 50_000}, {"c": 3}]), [1000] * 60)
    assert [piece.text for piece in pieces if not piece.reason] == [b'{"a": 1}']
    assert "longer than 5000 bytes" in pieces[-1].reason


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_is_bounded(opening: str) -> None:
    closing = {"[": "]", '{"a":': "}"}[opening]
    pieces = _split(f'[{opening * 1000}1{closing * 1000}, {{"a": 1}}]')
    assert "deeper" in pieces[0].reason
    assert pieces[1].text == b'{"a": 1}'
    endless = _split(opening * 50_000)
    assert len(endless) == 1
    assert "deeper" in endless[0].reason


def test_a_long_nothing_is_no_inventory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "RECORD_BYTES", 1 << 20)
    pieces = _split("," * (3 << 20), [1 << 20, 1 << 20])
    assert len(pieces) == 1
    assert "longer" in pieces[0].reason


def test_any_cut_of_the_chunks_gives_the_same() -> None:
    rnd = random.Random(5)  # noqa: S311 - seeded data, not secrets
    records = [{"id": f"r{n}", "p": {"q": [{"r": '"]}\\'}] * (n % 4)}, "t": "é\n\\" * (n % 3)} for n in range(60)]
    text = json.dumps({"count": 60, "data": records}, indent=2, ensure_ascii=False).encode()
    expected = _split(text)
    assert [json.loads(piece.text) for piece in expected] == records
    for _ in range(30):
        assert _split(text, [rnd.randrange(60) for _ in range(200)]) == expected


GOOD = ['{"id": 1}', '{"a": [1, {"b": "}{"}]}', '{"a": "\\n"}']
BAD = ["oops", "a;b;c", "NaN,", "{]", '{"a": [1, {"b": 2]}', '{"a": "no end', "true", '{"a": }']
UNFINISHED = [*BAD, '{"a": 1', '{"a": {"b": 1}', '{"a":', '{"a": 1,', "{", '{"a": [']
"""What could go on in another line, where that is no closing bracket, quote or indented."""
LATE = [*BAD, "  oops, indented", '  {"indented": oops}', "}", "]", '"half": 1}']
LINES = st.lists(st.sampled_from([*GOOD, *UNFINISHED]), max_size=12) | st.lists(
    st.sampled_from([*GOOD, *LATE]), max_size=12
)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@given(LINES, st.lists(st.integers(0, 30)), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=400, deadline=None)
def test_each_line_that_cannot_be_read_is_reported_once_and_costs_itself_alone(
    lines: list[str], sizes: list[int], end: str
) -> None:
    lines = [GOOD[0], *lines]  # a file that begins otherwise is told as a whole
    pieces = _split("".join(line + end for line in lines), sizes)
    assert [piece.line for piece in pieces] == list(range(1, len(lines) + 1))
    kept = {piece.line: piece.text.decode() for piece in pieces if not piece.reason and _is_json(piece.text)}
    assert kept == {number: line for number, line in enumerate(lines, 1) if line in GOOD}


@given(
    st.lists(OBJECTS, max_size=6),
    st.lists(st.integers(0, 40)),
    st.sampled_from([None, 1]),
    st.sampled_from(["\n", "\n\n"]),
)
@settings(max_examples=60, deadline=None)
def test_a_record_has_the_line_that_it_begins_in(documents: list[Any], sizes: list[int], indent: Any, end: str) -> None:
    texts = [json.dumps(each, indent=indent) for each in documents]
    expected = [1 + sum(each.count("\n") + len(end) for each in texts[:at]) for at in range(len(texts))]
    assert [piece.line for piece in _split(end.join(texts), sizes)] == expected


def test_the_elements_of_a_list_have_their_lines() -> None:
    assert [piece.line for piece in _split('[\n{"a": 1},\n\n{"b":\n2}, 3\n]')] == [2, 4, 5]


@pytest.mark.parametrize("ending", ["", "oops\n", '  "b": "no end\n}\n', "  ]\n}\n", '  "b": [1,\n  2\n}\n'])
def test_a_broken_document_of_several_lines_is_reported_once(ending: str) -> None:
    text = '{\n  "a": 1,\n' + ending
    first, *rest = _split(text + '{"c": 1}\n')
    assert (first.line, bool(first.reason)) == (1, True)
    assert [(piece.text, piece.line) for piece in rest if not piece.reason] == [(b'{"c": 1}', text.count("\n") + 1)]
    assert [piece.line for piece in rest if piece.reason] == ([3] if ending == "oops\n" else [])


def test_what_follows_a_text_without_end_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "RECORD_BYTES", 1000)
    text = '{"a": 1}\n{"b": "' + "x" * 5000 + '"}\noops\n{"c": 1}\n'
    assert [(piece.line, bool(piece.reason)) for piece in _split(text, [100] * 60)] == [
        (1, False),
        (2, True),
        (3, True),
        (4, False),
    ]
