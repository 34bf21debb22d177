"""Exact fixes carried out on a body."""

from typing import Any

import pytest

from shared.engine.explain.fix import Fix
from shared.engine.explain.fix_application import apply_fixes


@pytest.mark.parametrize(
    ("body", "fixes", "wanted"),
    [
        ({}, [Fix("set", "a.b.c", 1)], {"a": {"b": {"c": 1}}}),
        ({"A": {"B": 1}}, [Fix("set", "a.b", 2)], {"A": {"B": 2}}),
        ({"a": 1, "b": 2}, [Fix("remove", "a")], {"b": 2}),
        ({"b": 2}, [Fix("remove", "a")], {"b": 2}),
        ({}, [Fix("set", "tags['a.b']", "x")], {"tags": {"a.b": "x"}}),
        ({"r": [{"x": 1}, {"x": 1}]}, [Fix("set", "r[1].x", 2)], {"r": [{"x": 1}, {"x": 2}]}),
        ({"r": [1, 2, 3]}, [Fix("remove", "r[0]"), Fix("remove", "r[2]")], {"r": [2]}),
        ({"r": list(range(12))}, [Fix("remove", f"r[{at}]") for at in (2, 10)], {"r": [0, 1, 3, 4, 5, 6, 7, 8, 9, 11]}),
        ({"a": "text"}, [Fix("set", "a.b", 1)], {"a": {"b": 1}}),
        ({}, [Fix("add", "a.r", 1), Fix("add", "a.r", 2)], {"a": {"r": [1, 2]}}),
        ({"r": [1]}, [Fix("set", "r[1].x", 2), Fix("add", "r", 3)], {"r": [1, {"x": 2}, 3]}),
        ({}, [Fix("set", "a.b", 1), Fix("set", "a", {"c": 2})], {"a": {"c": 2, "b": 1}}),
        ({"r": [1, 2]}, [Fix("remove", "r[0]"), Fix("set", "r[1]", 5)], {"r": [5]}),
    ],
)
def test_exact_fixes_are_carried_out_and_the_body_stays(body: Any, fixes: Any, wanted: Any) -> None:
    before = repr(body)
    assert apply_fixes(body, fixes) == wanted
    assert repr(body) == before


@pytest.mark.parametrize("fix", [Fix("change", "a", text="x"), Fix("set", "r[*].x", 1)])
def test_open_fixes_are_not(fix: Fix) -> None:
    assert apply_fixes({}, [fix]) is None
