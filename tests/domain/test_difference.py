"""Differences: exact, in order, bounded."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.difference import Difference, differences

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=2)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)


def told(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    return [(each.path, each.before, each.after) for each in differences(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a", 1, 2)]),
        ({"a": True}, {"a": 1}, [("a", True, 1)]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, [("a.c", 2, 3)]),
        ({}, {"a": {"b": 1, "c": {"d": 2}}}, [("a.b", None, 1), ("a.c.d", None, 2)]),
        ({"a": {"b": 1}}, {}, [("a.b", 1, None)]),
        ({"a": [1, 2]}, {"a": [1, 3, 4]}, [("a[1]", 2, 3), ("a[2]", None, 4)]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, [("a[0].b", 1, 2)]),
        ({"a": {"b": 1}}, {"a": [1]}, [("a", {"b": 1}, [1])]),
        ({"tags": {}}, {"tags": {"cost.center": "1"}}, [("tags['cost.center']", None, "1")]),
        ({"tags": {"it's": 1}}, {"tags": {}}, [("tags['it''s']", 1, None)]),
        ({}, {"a": {}}, [("a", None, {})]),
        ({"a": None}, {}, []),
        (None, {"b": 1, "a": 2}, [("a", None, 2), ("b", None, 1)]),
        (1, 2, [("", 1, 2)]),
    ],
)
def test_differences_are_listed_by_path(before: Any, after: Any, expected: list[tuple[str, Any, Any]]) -> None:
    assert told(before, after) == expected


@given(values)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert differences(value, value) == []


@given(values, values)
def test_differences_in_reverse_have_before_and_after_swapped(before: Any, after: Any) -> None:
    assert told(after, before) == [(path, new, old) for path, old, new in told(before, after)]


def test_the_list_is_bounded() -> None:
    assert len(differences({}, {f"k{at:04}": at for at in range(1000)})) == 200
    assert [each.path for each in differences({}, {"b": 1, "a": 1, "c": 1}, limit=2)] == ["a", "b"]


def test_long_text_is_cut() -> None:
    (found,) = differences({}, {"a": "x" * 5000})
    assert len(found.after) < 2100
    assert found.after.endswith("(5,000 characters)")


def test_deeply_nested_values_are_compared() -> None:
    before: Any = 1
    after: Any = 2
    for _ in range(5_000):
        before, after = {"a": before}, {"a": after}
    (found,) = differences(before, after)
    assert found == Difference(path=found.path, before=1, after=2)
