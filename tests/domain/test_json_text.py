"""JSON text has one meaning, or is refused with the place; the fast reader and the careful one agree."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.decoding import decode
from shared.domain.error import InvalidInput
from shared.domain.json_text import NESTING_LEVELS, Unreadable, read

DIGITS = "1" * 5_000
# a text, the path that the refusal names, and a part of its reason
REFUSED: list[tuple[str, str, str]] = [
    ('{"a":\n  }', "$", "at line 2 column 3"),
    ("", "$", "not JSON"),
    ("{} {}", "$", "not JSON"),
    ('{"a": [1, {"b": NaN}]}', "$.a[1].b", "not JSON: NaN"),
    ('{"a": -Infinity}', "$.a", "not JSON: -Infinity"),
    ("NaN", "$", "not JSON: NaN"),
    ('{"a": [1e999]}', "$.a[0]", "1e999 is beyond what a double holds"),
    (f'{{"a": {{"b": {DIGITS}}}}}', "$.a.b", "1111 is beyond what a double holds"),
    (f"[-{DIGITS}]", "$[0]", "-1111"),
    ('{"a": "x\\ud800"}', "$.a", "half a surrogate pair"),
    ('["\\udc00\\ud800"]', "$[0]", "half a surrogate pair"),
    ('{"a": {"\\uD800": 1}}', "$.a", "half a surrogate pair in a key"),
    ('"\\ud800"', "$", "half a surrogate pair"),
    ('{"x": [0, {"y": {"k": 1, "k": 1}}]}', "$.x[1].y", "the key 'k' occurs twice in one object"),
    ('{"k": {"a": 1}, "k": {"a": 1}}', "$", "the key 'k' occurs twice"),
    ('{"k": 1, "\\u006b": 2}', "$", "the key 'k' occurs twice"),
    ('[{"k": 1, "k": 2, "c": "\\u003a"}]', "$[0]", "the key 'k' occurs twice"),
    ("[" * 100_000, "$", "nests"),
    ('{"a":' * 100_000, "$", "nests"),
    ("[" * 500 + "]" * 500, "$" + "[0]" * 100, "nests"),
    ('{"a": "\t"}', "$", "not JSON"),
    ("\ud800", "$", "surrogate"),
]


@pytest.mark.parametrize(("text", "path", "reason"), REFUSED, ids=[text[:24] for text, _, _ in REFUSED])
def test_an_error_names_the_place_and_the_reason(text: str, path: str, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(text)
    error = refused.value
    assert error.path is not None
    assert (error.path.removesuffix("…"), error.path in error.message) == (path[:300], True)
    assert reason in error.reason
    assert len(error.message) < 700
    error.message.encode()
    error.offending.encode()


@pytest.mark.parametrize("text", [text for text, _, _ in REFUSED], ids=[text[:24] for text, _, _ in REFUSED])
def test_bulk_data_is_read_as_strictly(text: str) -> None:
    with pytest.raises(InvalidInput):
        decode(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("bad", [b"\xff", b'{"a": "\xe2\x82"}', '{"a": 1}'.encode("utf-16"), b"\x1f\x8b\x08"])
@pytest.mark.parametrize("reader", [read, decode])
def test_bytes_that_are_not_utf_8_are_refused(bad: bytes, reader: Any) -> None:
    with pytest.raises(Unreadable, match="not JSON"):
        reader(bad)


def test_bulk_data_says_where_a_name_comes_twice_and_where_the_text_breaks() -> None:
    with pytest.raises(Unreadable, match=r"\$\.a\[1\]: the key 'b' occurs twice"):
        decode(b'{"a": [{"b": ":"}, {"b": 1, "b": 2}]}')
    with pytest.raises(Unreadable, match="line 2 column 3"):
        decode(b'{"a":\n  }')


def test_names_are_compared_without_case_when_asked() -> None:
    assert read('{"a": 1, "A": 2}') == {"a": 1, "A": 2}
    with pytest.raises(Unreadable, match=r"\$\.x: the key 'A' occurs twice"):
        read('{"x": {"a": 1, "A": 2}}', fold=True)


def test_a_name_may_come_again_when_asked() -> None:
    assert read('[{"a": 1, "a": 2}]', repeats=True) == [{"a": 2}]


@pytest.mark.parametrize("reader", [read, decode])
def test_numbers_are_those_of_64_bits_or_doubles(reader: Any) -> None:
    written = b"[18446744073709551615, -9223372036854775808, 18446744073709551616, -9223372036854775809, 1e-999, 1E2]"
    found = reader(written)
    assert found == [2**64 - 1, -(2**63), 2.0**64, -(2.0**63), 0.0, 100.0]
    assert [type(each) for each in found] == [int, int, float, float, float, float]
    assert reader(b"[" + b"9" * 300 + b"]") == [float("9" * 300)]


def test_unusual_but_valid_json_is_read() -> None:
    assert read('\ufeff{"a": "\\ud83d\\ude00"}') == {"a": "😀"}
    assert read(b"\xef\xbb\xbf[]") == []
    assert read("[" * NESTING_LEVELS + "]" * NESTING_LEVELS)
    assert decode(b'{"\\u003a": "::", "a": "\\u003A"}') == {":": "::", "a": ":"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.booleans(), st.sampled_from([None, 2]))
@settings(max_examples=300, deadline=None)
def test_both_readers_agree_on_what_can_be_read(value: Any, ascii_only: bool, indent: int | None) -> None:  # noqa: FBT001 - hypothesis passes it
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert read(text) == decode(text.encode()) == read(text.encode(), repeats=True)


MEMBERS = st.lists(
    st.tuples(st.sampled_from(["a", "b", ":", "\\u003a", "\\u0061"]), st.sampled_from(['":"', '"\\u003A"', "{}", "1"]))
)


@given(MEMBERS)
@settings(max_examples=300, deadline=None)
def test_every_duplicate_name_is_found(members: list[tuple[str, str]]) -> None:
    text = "{" + ", ".join(f'"{name}": {value}' for name, value in members) + "}"
    names = [json.loads(f'"{name}"') for name, _ in members]
    if len(set(names)) == len(names):
        assert list(decode(text.encode())) == list(read(text)) == names
        return
    for reader in (decode, read):
        with pytest.raises(Unreadable, match="occurs twice"):
            reader(text.encode())
