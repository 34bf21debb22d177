"""The fewest changes that turn an answer around, condition by condition."""

from typing import Any

import pytest

from shared.domain.resource import Resource, Unread
from shared.engine import AliasCatalog
from shared.engine.compiler import compile_node
from shared.engine.context import EMPTY, Frame
from shared.engine.fix import Fix, Fixes, change, turn
from shared.engine.parser import parse_condition
from shared.engine.scope import Scope
from shared.engine.unknown import Unknown

Rule = dict[str, Any]


def turned(rule: Rule, catalog: AliasCatalog, *, wanted: bool, unread: Any = None, **properties: Any) -> Fixes | None:
    clause = compile_node(parse_condition(rule, "$"), Scope(catalog, {}))
    body = {"name": "n", "kind": "k", "properties": properties}
    return turn(clause, Frame(Resource(body, unread=unread or {}), EMPTY), wanted=wanted)


def test_a_fix_as_json() -> None:
    fix = Fix("set", "properties.a", value=1, text="1")
    assert fix.to_json() == {"action": "set", "path": "properties.a", "value": 1, "text": "1"}


NINE = list(range(9))


@pytest.mark.parametrize(
    ("operator", "expected", "wanted", "fix"),
    [
        ("equals", True, True, Fix("set", "p", value=True, text="true")),
        ("equals", "False", True, Fix("set", "p", value=False, text="false")),
        ("equals", "x", True, Fix("set", "p", "x", "x")),
        ("equals", None, True, Fix("change", "p", text="None")),
        ("equals", "TRUE", False, Fix("set", "p", value=False, text="false")),
        ("equals", False, False, Fix("set", "p", value=True, text="true")),
        ("equals", "x", False, Fix("change", "p", text="anything but x")),
        ("notEquals", "x", False, Fix("set", "p", "x", "x")),
        ("notEquals", 1, True, Fix("change", "p", text="anything but 1")),
        ("in", ["true"], True, Fix("set", "p", value=True, text="true")),
        ("in", ["x", "y"], True, Fix("change", "p", text="one of x, y")),
        ("in", NINE, True, Fix("change", "p", text="one of 0, 1, 2, 3, 4, 5, 6, 7")),
        ("in", ["x"], False, Fix("change", "p", text="none of x")),
        ("notIn", ["x"], False, Fix("set", "p", "x", "x")),
        ("like", "x", True, Fix("set", "p", "x", "x")),
        ("like", "x*", True, Fix("change", "p", text="text like x*")),
        ("like", "x", False, Fix("change", "p", text="text not like x")),
        ("match", "#", True, Fix("change", "p", text="text that matches #")),
        ("match", "#", False, Fix("change", "p", text="text that does not match #")),
        ("matchInsensitively", "#", True, Fix("change", "p", text="text that matches #")),
        ("matchInsensitively", "#", False, Fix("change", "p", text="text that does not match #")),
        ("contains", "x", True, Fix("change", "p", text="something that contains x")),
        ("contains", "x", False, Fix("change", "p", text="something without x")),
        ("containsKey", "x", True, Fix("change", "p", text="an object with the key x")),
        ("notContainsKey", "x", True, Fix("change", "p", text="an object without the key x")),
        ("less", 5, True, Fix("set", "p", 4, "4")),
        ("less", 5, False, Fix("set", "p", 5, "5")),
        ("less", "b", True, Fix("change", "p", text="less than b")),
        ("less", "b", False, Fix("set", "p", "b", "b")),
        ("less", 1.5, True, Fix("change", "p", text="less than 1.5")),
        ("lessOrEquals", 5, True, Fix("set", "p", 5, "5")),
        ("lessOrEquals", 5, False, Fix("set", "p", 6, "6")),
        ("greater", 5, True, Fix("set", "p", 6, "6")),
        ("greater", True, True, Fix("change", "p", text="more than true")),
        ("greater", 5, False, Fix("set", "p", 5, "5")),
        ("greaterOrEquals", 5, False, Fix("set", "p", 4, "4")),
        ("equals", "", False, Fix("change", "p", text="anything but ''")),
        ("in", ["", "x"], True, Fix("change", "p", text="one of '', x")),
        ("in", [], True, None),
        ("like", "*", False, Fix("remove", "p", text="nothing")),
        ("notLike", "*", True, Fix("remove", "p", text="nothing")),
        ("contains", "", False, Fix("remove", "p", text="nothing")),
        ("exists", True, True, Fix("change", "p", text="any value")),
        ("exists", "True", False, Fix("remove", "p", text="nothing")),
        ("exists", False, True, Fix("remove", "p", text="nothing")),
        ("exists", "false", False, Fix("change", "p", text="any value")),
    ],
)
def test_the_change_of_one_value(operator: str, expected: Any, fix: Fix | None, *, wanted: bool) -> None:
    assert change("p", operator, expected, wanted=wanted) == fix


@pytest.mark.parametrize(
    ("operator", "expected", "wanted", "fix"),
    [
        ("equals", "true", True, Fix("set", "tags['a']", "true", "true")),
        ("equals", True, True, Fix("set", "tags['a']", "true", "true")),
        ("in", ["True"], True, Fix("set", "tags['a']", "True", "True")),
        ("equals", "true", False, Fix("change", "tags['a']", text="anything but true")),
    ],
)
def test_a_value_for_a_tag_is_text(operator: str, expected: Any, fix: Fix, *, wanted: bool) -> None:
    assert change("tags['a']", operator, expected, wanted=wanted) == fix


THERE, GONE = {"field": "Test/a", "exists": True}, {"field": "Test/a", "exists": False}
LIKE = {"field": "Test/a", "like": "v*"}


@pytest.mark.parametrize(
    ("parts", "fixes"),
    [
        ([{"field": "Test/a", "equals": "x"}, THERE], (Fix("set", "properties.a", "x", "x"),)),
        ([THERE, {"field": "Test/A", "equals": "x"}], (Fix("set", "properties.a", "x", "x"),)),
        ([THERE, LIKE], (Fix("change", "properties.a", text="text like v*"),)),
        (
            [THERE, LIKE, {"field": "Test/a", "contains": "2"}, LIKE],
            (Fix("change", "properties.a", text="text like v* and something that contains 2"),),
        ),
        ([{"field": "Test/a", "equals": "x"}, {"field": "Test/a", "equals": "y"}], None),
        ([LIKE, {"field": "Test/a", "equals": "x"}], None),
    ],
)
def test_one_path_is_changed_once(parts: Any, fixes: Fixes | None, catalog: AliasCatalog) -> None:
    assert turned({"allOf": parts}, catalog, wanted=True) == fixes


def test_where_two_changes_contradict_another_alternative_is_taken(catalog: AliasCatalog) -> None:
    x, y = ({"field": "Test/a", "equals": value} for value in "xy")
    rule = {"anyOf": [{"allOf": [x, y]}, {"allOf": [{"field": "Test/b", "equals": "x"}, x]}]}
    assert turned(rule, catalog, wanted=True) == (Fix("set", "properties.b", "x", "x"), SET_A)
    assert turned({"allOf": [GONE, LIKE]}, catalog, wanted=True, a="x") is None


A = {"field": "Test/a", "equals": "x"}
B = {"field": "Test/b", "equals": "x"}
NAME = {"field": "name", "equals": "m"}
SET_A, SET_B = Fix("set", "properties.a", "x", "x"), Fix("set", "properties.b", "x", "x")
NOT_A = Fix("change", "properties.a", text="anything but x")


@pytest.mark.parametrize(
    ("rule", "wanted", "properties", "fixes"),
    [
        (A, True, {"a": "x"}, ()),
        (A, True, {}, (SET_A,)),
        (A, False, {"a": "x"}, (NOT_A,)),
        ({"not": A}, False, {}, (SET_A,)),
        ({"allOf": [A, B]}, True, {}, (SET_A, SET_B)),
        ({"allOf": [A, B]}, True, {"a": "x"}, (SET_B,)),
        ({"allOf": [A, NAME]}, True, {}, None),
        ({"allOf": [A, A]}, True, {}, (SET_A,)),
        ({"anyOf": [A, NAME]}, True, {}, (SET_A,)),
        ({"anyOf": [NAME]}, True, {}, None),
        ({"anyOf": [{"allOf": [A, B]}, B]}, True, {}, (SET_B,)),
        ({"anyOf": [{"field": "Test/a", "like": "y*"}, B]}, True, {}, (SET_B,)),
        ({"allOf": [A, B]}, False, {"a": "x", "b": "x"}, (NOT_A,)),
        ({"value": "[field('Test/a')]", "equals": "x"}, True, {}, None),
        (
            {"field": "Test/a", "equals": "[field('Test/b')]"},
            True,
            {"a": 1, "b": 2},
            (Fix("set", "properties.a", 2, "2"),),
        ),
        ({"field": "Nowhere/x", "equals": 1}, True, {}, None),
        ({"field": "kind", "equals": "x"}, True, {}, None),
    ],
)
def test_changes_are_as_few_as_turn_the_answer(
    rule: Rule, properties: Any, fixes: Fixes | None, catalog: AliasCatalog, *, wanted: bool
) -> None:
    assert turned(rule, catalog, wanted=wanted, **properties) == fixes


def test_nothing_is_offered_where_the_right_side_was_not_read(catalog: AliasCatalog) -> None:
    unread = {"properties.b": Unread("forbidden")}
    assert turned({"field": "Test/a", "equals": "[field('Test/b')]"}, catalog, wanted=True, unread=unread, a=1) is None
    count = {"count": {"field": "Test/list[*]"}, "equals": "[field('Test/b')]"}
    assert turned(count, catalog, wanted=True, unread=unread, list=[1]) is None


EVERY = {"field": "Test/list[*]", "equals": "x"}
TAGS = {"field": "Test/items[*].tags[*]", "equals": "x"}


def member(index: int) -> Fix:
    return Fix("set", f"properties.list[{index}]", "x", "x")


@pytest.mark.parametrize(
    ("rule", "wanted", "properties", "fixes"),
    [
        (EVERY, True, {"list": ["y", "x", "z"]}, (member(0), member(2))),
        (EVERY, True, {"list": ["x", "y"]}, (member(1),)),
        (EVERY, False, {"list": ["x", "X"]}, (Fix("change", "properties.list[0]", text="anything but x"),)),
        (EVERY, False, {"list": []}, None),
        ({"field": "Test/list[*]", "equals": "[field('Test/a')]"}, True, {"list": ["y", "x"], "a": "x"}, (member(0),)),
        (
            TAGS,
            True,
            {"items": [{"tags": ["y"]}, {"tags": ["x", "z"]}]},
            (Fix("set", "properties.items[*].tags[*]", "x", "x"),),
        ),
        (
            TAGS,
            False,
            {"items": [{"tags": ["x"]}]},
            (Fix("change", "properties.items[*].tags[*]", text="anything but x"),),
        ),
    ],
)
def test_of_all_members_those_that_fail_are_changed_or_one_is(
    rule: Rule, properties: Any, fixes: Fixes | None, catalog: AliasCatalog, *, wanted: bool
) -> None:
    assert turned(rule, catalog, wanted=wanted, **properties) == fixes


def count(where: Any = None, field: str = "Test/list[*]", **right: Any) -> Rule:
    return {"count": {"field": field, **({"where": where} if where else {})}, **right}


IS_X = {"value": "[current()]", "equals": "x"}
PORT = {"field": "Test/items[*].port", "equals": 80}
NOT_PORT = {"not": {"field": "Test/items[*].port", "notEquals": 80}}


def port(index: int) -> Fix:
    return Fix("set", f"properties.items[{index}].port", 80, "80")


def other(index: int) -> Fix:
    return Fix("change", f"properties.items[{index}].port", text="anything but 80")


def removed(*indexes: int) -> Fixes:
    return tuple(Fix("remove", f"properties.list[{index}]", text="nothing") for index in indexes)


def items(*ports: int) -> Any:
    return {"items": [{"port": each} for each in ports]}


MORE = Fix("change", "properties.items[*]", text="at least 3 matching members")


@pytest.mark.parametrize(
    ("rule", "wanted", "properties", "fixes"),
    [
        (count(greater=2), False, {"list": [1, 2, 3, 4]}, removed(0, 1)),
        (count(equals=0), True, {"list": [1, 2]}, removed(0, 1)),
        (
            count(equals=0),
            False,
            {"list": []},
            (Fix("change", "properties.list[*]", text="at least 1 matching members"),),
        ),
        (
            count(less=2),
            False,
            {"list": [1]},
            (Fix("change", "properties.list[*]", text="at least 2 matching members"),),
        ),
        (count(IS_X, equals=0), True, {"list": ["x"]}, None),
        (count(PORT, "Test/items[*]", equals=0), True, items(80, 22, 80), (other(0), other(2))),
        (count(PORT, "Test/items[*]", less=2), False, items(22, 443, 80), (port(0),)),
        (count(NOT_PORT, "Test/items[*]", less=2), False, items(22, 443, 80), (port(0),)),
        (count(PORT, "Test/items[*]", less=3), False, items(22, 443), (port(0), port(1), MORE)),
        (count(PORT, "Test/items[*]", less=3), False, items(), (MORE,)),
        (count(PORT, "Test/items[*]", **{"in": [1, 5]}), True, items(80, 80), (other(0),)),
        (count(PORT, "Test/items[*]", **{"in": [0, 3]}), True, items(80, 80, 22), (port(2),)),
        (count(PORT, "Test/items[*]", notEquals=1), True, items(80, 22), (other(0),)),
        (count(PORT, "Test/items[*]", notEquals=0), True, items(22), (port(0),)),
        (count(PORT, "Test/items[*]", lessOrEquals=1), True, items(80, 80, 80), (other(0), other(1))),
        (count(PORT, "Test/items[*]", greater=1), True, items(22, 22, 80), (port(0),)),
        (count(PORT, "Test/items[*]", less=0), True, items(22), None),
        (count(PORT, "Test/items[*]", equals="[field('Test/num')]"), True, {**items(80, 80), "num": 1}, (other(0),)),
        ({"count": {"value": [1, 2]}, "equals": 1}, True, {}, None),
        ({"count": {"value": [1, 2]}, "equals": 3}, True, {}, None),
        ({"count": {"field": "Nowhere/x[*]"}, "equals": 1}, True, {}, None),
    ],
)
def test_as_few_members_change_as_bring_the_count_to_a_number_that_answers(
    rule: Rule, properties: Any, fixes: Fixes | None, catalog: AliasCatalog, *, wanted: bool
) -> None:
    assert turned(rule, catalog, wanted=wanted, **properties) == fixes


def test_the_member_that_takes_the_fewest_changes_is_taken(catalog: AliasCatalog) -> None:
    where = {"allOf": [PORT, {"field": "Test/items[*].name", "equals": "x"}]}
    listed = [{"port": 22, "name": "y"}, {"port": 22, "name": "x"}]
    assert turned(count(where, "Test/items[*]", less=1), catalog, wanted=False, items=listed) == (port(1),)


def test_a_count_of_which_a_part_was_not_read_is_left_alone(catalog: AliasCatalog) -> None:
    rule = count(PORT, "Test/items[*]", greater=0)
    assert turned(rule, catalog, wanted=True, items=[Unknown("p", "forbidden")]) is None
