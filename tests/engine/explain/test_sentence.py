"""Values, conditions, places and expressions in words."""

from typing import Any

import pytest

from shared.engine.explain.place import member_paths, named_place, path_steps
from shared.engine.explain.sentence import and_text, condition_words, observed_text, value_text
from shared.engine.language.expression_text import operand_text
from shared.engine.language.operand import parse_operand

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
ID = "/subscriptions/s/resourceGroups/a-group-with-a-name/providers/Microsoft.Network/publicIPAddresses/pip-1"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ("x", '"x"'),
        ('a"b', '"a\\"b"'),
        ("é", '"é"'),
        (1.5, "1.5"),
        ([], "[]"),
        ({}, "{}"),
        (list(range(7)), "[0, 1, 2, 3, 4, 5, 6]"),
        (list(range(23)), "[0, 1, 2, 3, 4, 5, … and 17 more]"),
        ({"a": [1, None]}, '{"a": [1, null]}'),
        ({"a": {"b": {"c": 1}}}, '{"a": {"b": {…}}}'),
        (LONG, '"one two three four five six seven eight nine ten eleven twelve thirteen…"'),
        (ID, '"…/publicIPAddresses/pip-1"'),
    ],
)
def test_values_are_spelled_as_json_and_what_is_cut_is_marked(value: Any, text: str) -> None:
    assert value_text(value) == text


def test_a_value_of_any_depth_is_shown() -> None:
    deep: Any = "x"
    for _ in range(50_000):
        deep = [deep]
    assert value_text(deep) == "[[[…]]]"


@pytest.mark.parametrize(
    ("operator", "expected", "words"),
    [
        ("in", ["a"], '"a"'),
        ("notIn", ["a", "b"], 'none of "a", "b"'),
        ("notEquals", "", "not empty"),
        ("greaterOrEquals", 90, "at least 90"),
        ("exists", "false", "not set"),
        ("notContains", "@", 'not containing "@"'),
    ],
)
def test_conditions_in_words(operator: str, expected: Any, words: str) -> None:
    assert condition_words(operator, expected) == words


@pytest.mark.parametrize(
    ("observed", "operator", "expected", "text"),
    [
        (None, "notEquals", True, "p is not set (not true)"),
        (None, "exists", False, "p is not set"),
        (None, "less", 5, "p is not set"),
        ("Allow", "equals", "allow", 'p is "Allow"'),
        (False, "equals", "false", "p is false"),
        (False, "notEquals", "true", "p is false (not true)"),
        (30, "less", 90, "p is 30 (less than 90)"),
        ("", "notContains", "@", 'p is "" (not containing "@")'),
    ],
)
def test_what_was_seen_and_what_holds_of_it(observed: Any, operator: str, expected: Any, text: str) -> None:
    assert observed_text("p", observed, operator, expected) == text


@pytest.mark.parametrize(("number", "text"), [(1, "a"), (2, "a and b"), (3, "a, b and c")])
def test_lists_in_a_sentence(number: int, text: str) -> None:
    assert and_text(list("abc")[:number]) == text


BODY = {
    "properties": {
        "rules": [{"name": "ssh", "properties": {"ports": ["22"]}}, {"access": "Allow"}],
        "subnets": [{"id": ID, "ranges": [{"name": "inner", "x": 1}]}],
    }
}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("properties.rules", "properties.rules"),
        ("properties.rules[0].properties.access", 'properties.access of "ssh" in properties.rules'),
        ("properties.rules[0]", '"ssh" in properties.rules'),
        ("properties.rules[1].access", "properties.rules[1].access"),
        ("properties.rules[0].properties.ports[0]", 'properties.ports[0] of "ssh" in properties.rules'),
        ("properties.subnets[0].ranges[0].x", 'x of "inner" in ranges of "pip-1" in properties.subnets'),
    ],
)
def test_members_are_called_by_their_names(path: str, text: str) -> None:
    assert named_place(BODY, path) == text


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a.b[2].c", ["a", "b", 2, "c"]),
        ("tags['cost.center']", ["tags", "cost.center"]),
        ("a['b.c'].d", ["a", "b.c", "d"]),
        ("a[*].b", None),
    ],
)
def test_steps_of_a_path(path: str, steps: Any) -> None:
    assert path_steps(path) == steps


def test_members_of_arrays_in_arrays_in_the_order_of_the_rule() -> None:
    body = {"a": [{"b": [1, 2]}, {}, {"b": [3]}]}
    assert list(member_paths(body, "a[*].b[*]")) == ["a[0].b[0]", "a[0].b[1]", "a[2].b[0]"]


@pytest.mark.parametrize(
    "text",
    [
        "[field('tags')]",
        "[concat('it''s ', string(1), parameters('x').y, resourceGroup().tags['a b'])]",
        "[split(field('name'), '-')[0]]",
        "[if(empty(field('name')), 'x', current('range'))]",
    ],
)
def test_an_expression_is_written_as_it_was(text: str) -> None:
    assert operand_text(parse_operand(text, "$")) == text


def test_lists_and_objects_with_expressions_are_written_too() -> None:
    assert operand_text(parse_operand(["a", "[field('name')]"], "$")) == "[\"a\", [field('name')]]"
    assert operand_text(parse_operand({"a": "[field('name')]"}, "$")) == "{\"a\": [field('name')]}"
    assert operand_text(parse_operand("x", "$")) == '"x"'
