"""The change of one value that makes a condition answer as wanted, and two demands on one value."""

from typing import Any

import pytest

from shared.engine.explain.condition_fix import condition_fix
from shared.engine.explain.fix import CandidateFix, Fix, describes, merged


def test_a_fix_as_json_has_a_value_only_where_one_is_written() -> None:
    common = {"path": "properties.a", "text": "t", "resource": ""}
    assert Fix("set", "properties.a", value=False, text="t").to_json() == {"action": "set", "value": False, **common}
    assert Fix("remove", "properties.a", text="t").to_json() == {"action": "remove", **common}


def tried(fix: CandidateFix | None) -> tuple[str, list[Any], str] | None:
    return None if fix is None else (fix.action, list(fix.choices), fix.words)


@pytest.mark.parametrize(
    ("operator", "expected", "wanted", "fix"),
    [
        ("equals", True, True, ("set", [True], "true")),
        ("equals", "False", True, ("set", [False], '"False"')),
        ("equals", "x", True, ("set", ["x"], '"x"')),
        ("equals", None, True, ("remove", [], "not set")),
        ("equals", "", True, ("remove", [], "not set")),
        ("equals", "TRUE", False, ("set", [False], 'not "TRUE"')),
        ("equals", False, False, ("set", [True], "not false")),
        ("equals", "Allow", False, ("set", ["Deny"], 'not "Allow"')),
        ("notIn", ["Enabled"], True, ("set", ["Disabled"], 'not "Enabled"')),
        ("notEquals", "Public", True, ("set", ["Private"], 'not "Public"')),
        ("equals", "x", False, ("set", [], 'not "x"')),
        ("notEquals", 1, True, ("set", [], "not 1")),
        ("in", ["true"], True, ("set", [True], '"true"')),
        ("in", ["x", "y"], True, ("set", ["x", "y"], 'one of "x", "y"')),
        ("in", [], True, None),
        ("in", ["x"], False, ("set", [], 'not "x"')),
        ("like", "x", True, ("set", ["x"], 'like "x"')),
        ("like", "x*", True, ("set", [], 'like "x*"')),
        ("like", "*", False, ("remove", [], "not set")),
        ("match", "##", True, ("set", [], 'of the form "##"')),
        ("contains", "", False, ("remove", [], "not set")),
        ("contains", "@", True, ("set", [], 'containing "@"')),
        ("containsKey", "x", True, ("set", [], "set")),
        ("containsKey", "x", False, ("remove", [], "not set")),
        ("less", 5, True, ("set", [4], "less than 5")),
        ("less", 5, False, ("set", [5], "at least 5")),
        ("less", 1.5, True, ("set", [], "less than 1.5")),
        ("greater", 5, True, ("set", [6], "more than 5")),
        ("greaterOrEquals", 5, False, ("set", [4], "less than 5")),
        ("exists", True, True, ("set", [], "set")),
        ("exists", "True", False, ("remove", [], "not set")),
    ],
)
def test_the_change_of_one_value(operator: str, expected: Any, fix: Any, *, wanted: bool) -> None:
    found = condition_fix("p", operator, expected, wanted=wanted)
    assert tried(found) == fix
    assert found is None or found.action == "remove" or found.choices or found.probes


def test_of_several_values_the_nearest_to_what_is_there_comes_first() -> None:
    found = condition_fix("p", "in", ["WAF", "WAF_v2"], wanted=True, observed="Standard_v2")
    assert tried(found) == ("set", ["WAF_v2", "WAF"], 'one of "WAF", "WAF_v2"')


@pytest.mark.parametrize(("path", "inner"), [("tags", "tags['it''s']"), ("p.q", "p.q['it''s']")])
def test_a_demand_for_a_key_is_one_for_the_property(path: str, inner: str) -> None:
    found = condition_fix(path, "containsKey", "it's", wanted=True)
    assert found is not None
    assert found.path == inner


def test_nulls_and_type_names_are_never_offered() -> None:
    found = condition_fix("p", "in", [None, "", "x"], wanted=True)
    assert found is not None
    assert found.choices == ("x",)


@pytest.mark.parametrize("expected", ["true", True])
def test_a_value_for_a_tag_is_text(expected: Any) -> None:
    found = condition_fix("tags['a']", "equals", expected, wanted=True)
    assert found is not None
    assert found.choices == ("true",)


def both(one: tuple[str, Any], two: tuple[str, Any]) -> Any:
    fixes = [condition_fix("p", *each, wanted=True) for each in (one, two)]
    return tried(merged(*fixes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "two", "fix"),
    [
        (("equals", "x"), ("exists", True), ("set", ["x"], '"x"')),
        (("exists", True), ("like", "v*"), ("set", [], 'like "v*"')),
        (("like", "v*"), ("contains", "2"), ("set", [], 'like "v*" and containing "2"')),
        (("in", ["a", "b"]), ("in", ["b", "c"]), ("set", ["b"], 'one of "a", "b" and one of "b", "c"')),
        (("greaterOrEquals", 5), ("less", 9), ("set", [5, 8], "at least 5 and less than 9")),
        (("exists", False), ("notEquals", "x"), ("remove", [], "not set")),
        (("exists", False), ("equals", "x"), None),
        (("equals", "x"), ("equals", "y"), None),
        (("greater", 9), ("less", 5), None),
    ],
)
def test_two_demands_on_one_value_are_met_together_or_not_at_all(one: Any, two: Any, fix: Any) -> None:
    assert both(one, two) == fix


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("sku.name", True),
        ("tags['environment']", True),
        ("properties.rules[2].ruleSetType", True),
        ("properties.rules[2].action", False),
        ("properties.networkType", False),
    ],
)
def test_some_properties_say_what_a_resource_is(path: str, *, says: bool) -> None:
    assert describes(path) is says
