"""Canonical JSON: one value has one text, whoever wrote it in whatever order; distinct values have distinct ones."""

import json
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import json_text
from shared.domain.body import fingerprint, patch_between
from shared.domain.canonical import canonicalize, digest
from shared.domain.error import InvalidInput
from shared.domain.plan import PlanItem, PlannedPolicy, item_hash

INTEGERS = st.integers(-(2**63), 2**64 - 1)
NUMBERS = (
    INTEGERS
    | st.floats(allow_nan=False, allow_infinity=False)
    | INTEGERS.map(float)
    | st.integers(2**53 - 3, 2**53 + 3)
    | st.integers(2**53 - 3, 2**53 + 3).map(float)
)
NAMES = st.sampled_from(["a", "$integer", "$$integer", "integer"]) | st.text(max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | NUMBERS.map(str) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def same(left: Any, right: Any) -> bool:
    """Whether two JSON values are one: numbers by the decimals that they are written as, and true is no number."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if type(left) in (int, float) and type(right) in (int, float):
        return Decimal(repr(left)) == Decimal(repr(right))
    return type(left) is type(right) and bool(left == right)


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        (1.0, "1"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (0.000001, "0.000001"),
        (-0.0, "0"),
        ({"\ufb33": 1, "\U0001f600": 2}, '{"\U0001f600":2,"\ufb33":1}'),
        ("\u20ac$\x0f\n/", '"\u20ac$\\u000f\\n/"'),
    ],
)
def test_a_value_is_spelled_as_the_standard_says(value: Any, spelled: str) -> None:
    assert canonicalize(value).decode() == spelled


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (2.0**60, "1152921504606847000"),
        (1152921504606847000, "1152921504606847000"),
        (2**60, '{"$integer":"1152921504606846976"}'),
        (-(2**53), "-9007199254740992"),
        ([2**53 + 1], '[{"$integer":"9007199254740993"}]'),
        ({"$integer": "9007199254740993"}, '{"$$integer":"9007199254740993"}'),
        ({"$$integer": 2**53 + 1}, '{"$$$integer":{"$integer":"9007199254740993"}}'),
        (["$integer", {"integer": 1}], '["$integer",{"integer":1}]'),
    ],
)
def test_an_integer_that_no_double_is_written_as_is_tagged(value: Any, spelled: str) -> None:
    assert canonicalize(value).decode() == spelled


@pytest.mark.parametrize(
    "value",
    [
        "\ud800",
        {"\ud800": 1},
        {"\ud800": 2**53 + 1},
        {1: 2},
        {"a": object()},
        float("nan"),
        [float("inf")],
        2**64,
        [-(2**70)],
    ],
)
def test_what_is_not_json_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="no canonical JSON"):
        canonicalize(value)


@given(VALUES)
def test_a_value_has_the_same_digest_after_it_was_written_and_read(value: Any) -> None:
    for written in (orjson.dumps(value), json.dumps(value).encode()):
        assert digest(orjson.loads(written)) == digest(json_text.read(written)) == digest(value)


@given(VALUES)
def test_a_canonical_text_without_tags_is_that_of_the_value_it_is_read_as(value: Any) -> None:
    text = canonicalize(value)
    assert canonicalize(orjson.loads(text)) == text or b"$integer" in text


@given(st.tuples(VALUES, VALUES) | st.tuples(NUMBERS, NUMBERS) | INTEGERS.map(lambda number: (number, float(number))))
def test_values_have_one_text_when_they_are_one_value(pair: tuple[Any, Any]) -> None:
    left, right = pair
    assert (canonicalize(left) == canonicalize(right)) == same(left, right)


@pytest.mark.parametrize(("left", "right"), [(2**60, str(2**60)), (2**53, 2**53 + 1), (2**60, 1152921504606847000)])
def test_a_change_of_a_large_number_is_planned(left: Any, right: Any) -> None:
    assert fingerprint({"n": left}) != fingerprint({"n": right})
    assert patch_between({"n": left}, {"n": right}) == {"n": right}


def test_a_plan_has_the_same_hash_after_it_was_stored() -> None:
    item = PlanItem(
        resource_id="/r",
        policies=tuple(PlannedPolicy(key=each, name=each, digest="d") for each in ("\ufb33", "\U0001f600")),
    )
    stored = orjson.dumps(item.model_dump(mode="json"))
    assert item_hash(PlanItem.model_validate_json(stored)) == item_hash(item) == digest(item.model_dump(mode="json"))
