"""The cheapest changes that turn the answer of a rule around, before any is tried."""

import json
from typing import Any

import pytest

from shared.domain.resource import Resource, Unread
from shared.engine import AliasCatalog, compile_definition
from shared.engine.context import EMPTY_CONTEXT, Frame
from shared.engine.explain.fix import CandidateFix
from shared.engine.explain.fix_search import FixSearch
from shared.engine.explain.rule_source import RuleSource
from shared.engine.unknown import Unknown

Rule = dict[str, Any]
Told = tuple[str, str, Any]


def told(fix: CandidateFix) -> Told:
    return fix.action, fix.path, fix.choices[0] if fix.choices else fix.words


def turned(rule: Rule, catalog: AliasCatalog, *, wanted: bool, unread: Any = None, **properties: Any) -> Any:
    """The cheapest set of changes; None where there is none."""
    source = {"policyRule": {"if": rule, "then": {"effect": "audit"}}}
    policy = compile_definition({"properties": source}, aliases=catalog)
    body = {"name": "n", "kind": "k", "properties": properties}
    frame = Frame(Resource(body, unread=unread or {}), EMPTY_CONTEXT)
    found = FixSearch(frame, RuleSource(policy)).options(policy.program(frame.type).rule, wanted=wanted)
    return sorted(map(told, found[0]), key=str) if found else None


A = {"field": "Test/a", "equals": "x"}
B = {"field": "Test/b", "equals": "x"}
NAME = {"field": "name", "equals": "m"}
READ = "[field('Test/a')]"
SET_A, SET_B, NOT_A = ("set", "properties.a", "x"), ("set", "properties.b", "x"), ("set", "properties.a", 'not "x"')


@pytest.mark.parametrize(
    ("rule", "wanted", "properties", "fixes"),
    [
        (A, True, {"a": "x"}, []),
        (A, True, {}, [SET_A]),
        (A, False, {"a": "x"}, [NOT_A]),
        ({"not": A}, False, {}, [SET_A]),
        ({"allOf": [A, B]}, True, {}, [SET_A, SET_B]),
        ({"allOf": [A, B]}, True, {"a": "x"}, [SET_B]),
        ({"allOf": [A, NAME]}, True, {}, None),
        ({"allOf": [A, A]}, True, {}, [SET_A]),
        ({"anyOf": [A, NAME]}, True, {}, [SET_A]),
        ({"anyOf": [NAME]}, True, {}, None),
        ({"anyOf": [{"allOf": [A, B]}, B]}, True, {}, [SET_B]),
        ({"anyOf": [{"field": "Test/a", "like": "y*"}, B]}, True, {}, [SET_B]),
        ({"allOf": [A, B]}, False, {"a": "x", "b": "x"}, [NOT_A]),
        ({"value": READ, "equals": "x"}, True, {}, [SET_A]),
        ({"value": f"[toLower({READ[1:-1]})]", "equals": "x"}, True, {}, [SET_A]),
        ({"value": "[length(field('tags'))]", "equals": "x"}, True, {}, None),
        ({"value": "[utcNow()]", "equals": "x"}, True, {}, None),
        ({"field": "Test/a", "equals": "[field('Test/b')]"}, True, {"a": 1, "b": 2}, [("set", "properties.a", 2)]),
        ({"field": "Nowhere/x", "equals": 1}, True, {}, None),
        ({"field": "kind", "equals": "x"}, True, {}, None),
    ],
)
def test_changes_are_as_few_as_turn_the_answer(
    rule: Rule, properties: Any, fixes: Any, catalog: AliasCatalog, *, wanted: bool
) -> None:
    assert turned(rule, catalog, wanted=wanted, **properties) == fixes


def test_where_two_changes_contradict_another_alternative_is_taken(catalog: AliasCatalog) -> None:
    x, y = ({"field": "Test/a", "equals": value} for value in "xy")
    rule = {"anyOf": [{"allOf": [x, y]}, {"allOf": [B, x]}]}
    assert turned(rule, catalog, wanted=True) == [SET_A, SET_B]
    assert turned({"allOf": [{"field": "Test/a", "exists": False}, x]}, catalog, wanted=True, a="z") is None


def test_an_open_change_is_dearer_than_one_with_a_value(catalog: AliasCatalog) -> None:
    guard = {"field": "Test/b", "exists": True}
    rule = {"allOf": [guard, {"field": "Test/a", "notEquals": True}]}
    assert turned(rule, catalog, wanted=False, b={"c": 1}) == [("set", "properties.a", True)]


def test_nothing_is_offered_where_the_right_side_was_not_read(catalog: AliasCatalog) -> None:
    unread = {"properties.b": Unread("forbidden")}
    assert turned({"field": "Test/a", "equals": "[field('Test/b')]"}, catalog, wanted=True, unread=unread, a=1) is None
    count = {"count": {"field": "Test/list[*]"}, "equals": "[field('Test/b')]"}
    assert turned(count, catalog, wanted=True, unread=unread, list=[1]) is None


EVERY = {"field": "Test/list[*]", "equals": "x"}
SOME = {"not": {"field": "Test/list[*]", "notEquals": "x"}}
TAGS = {"field": "Test/items[*].tags[*]", "equals": "x"}
ONE, OTHER = ("set", "properties.items[1].tags[1]", "x"), ("set", "properties.items[0].tags[0]", "x")


def member(index: int) -> Told:
    return ("set", f"properties.list[{index}]", "x")


@pytest.mark.parametrize(
    ("rule", "wanted", "properties", "fixes"),
    [
        (EVERY, True, {"list": ["y", "x", "z"]}, [member(0), member(2)]),
        (EVERY, True, {"list": ["x", "y"]}, [member(1)]),
        (EVERY, False, {"list": ["x", "X"]}, [("set", "properties.list[0]", 'not "x"')]),
        (EVERY, False, {"list": []}, [("add", "properties.list", 'where it is not "x"')]),
        (SOME, True, {"list": []}, [("add", "properties.list", "x")]),
        ({"field": "Test/list[*]", "equals": READ}, True, {"list": ["y", "x"], "a": "x"}, [member(0)]),
        (TAGS, True, {"items": [{"tags": ["y"]}, {"tags": ["x", "z"]}]}, [OTHER, ONE]),
        (TAGS, False, {"items": [{"tags": ["x"]}]}, [("set", "properties.items[0].tags[0]", 'not "x"')]),
    ],
)
def test_of_all_members_those_that_fail_are_changed_or_one_is(
    rule: Rule, properties: Any, fixes: Any, catalog: AliasCatalog, *, wanted: bool
) -> None:
    assert turned(rule, catalog, wanted=wanted, **properties) == fixes


def test_members_that_several_conditions_demand_are_all_added(catalog: AliasCatalog) -> None:
    rule = {"allOf": [{"not": {"field": "Test/list[*]", "notEquals": each}} for each in "xy"]}
    assert turned(rule, catalog, wanted=True, list=[]) == [
        ("add", "properties.list", "x"),
        ("add", "properties.list", "y"),
    ]


def count(where: Any = None, field: str = "Test/list[*]", **right: Any) -> Rule:
    return {"count": {"field": field, **({"where": where} if where else {})}, **right}


IS_X = {"value": "[current()]", "equals": "x"}
PORT = {"field": "Test/items[*].port", "equals": 80}
NOT_PORT = {"not": {"field": "Test/items[*].port", "notEquals": 80}}
NAMED = {"allOf": [PORT, {"field": "Test/items[*].name", "equals": "x"}]}


def port(index: int) -> Told:
    return ("set", f"properties.items[{index}].port", 80)


def other(index: int) -> Told:
    return ("set", f"properties.items[{index}].port", "not 80")


def removed(*indexes: int) -> list[Told]:
    return [("remove", f"properties.list[{index}]", "not set") for index in indexes]


def items(*ports: int) -> Any:
    return {"items": [{"port": each} for each in ports]}


MORE = ("add", "properties.items", {"port": 80})


@pytest.mark.parametrize(
    ("rule", "wanted", "properties", "fixes"),
    [
        (count(greater=2), False, {"list": [1, 2, 3, 4]}, removed(0, 1)),
        (count(equals=0), True, {"list": [1, 2]}, removed(0, 1)),
        (count(equals=0), False, {"list": []}, [("add", "properties.list", "")]),
        (count(IS_X, equals=0), True, {"list": ["x"]}, removed(0)),
        (count(PORT, "Test/items[*]", equals=0), True, items(80, 22, 80), [other(0), other(2)]),
        (count(PORT, "Test/items[*]", less=2), False, items(22, 443, 80), [port(0)]),
        (count(NOT_PORT, "Test/items[*]", less=2), False, items(22, 443, 80), [port(0)]),
        (count(PORT, "Test/items[*]", less=3), False, items(22, 443), [MORE, port(0), port(1)]),
        (count(PORT, "Test/items[*]", less=3), False, items(), [MORE] * 3),
        (count(NAMED, "Test/items[*]", less=1), False, {}, [("add", "properties.items", {"port": 80, "name": "x"})]),
        (count(PORT, "Test/items[*]", **{"in": [1, 5]}), True, items(80, 80), [other(0)]),
        (count(PORT, "Test/items[*]", **{"in": [0, 3]}), True, items(80, 80, 22), [port(2)]),
        (count(PORT, "Test/items[*]", notEquals=1), True, items(80, 22), [other(0)]),
        (count(PORT, "Test/items[*]", notEquals=0), True, items(22), [port(0)]),
        (count(PORT, "Test/items[*]", lessOrEquals=1), True, items(80, 80, 80), [other(0), other(1)]),
        (count(PORT, "Test/items[*]", greater=1), True, items(22, 22, 80), [port(0)]),
        (count(PORT, "Test/items[*]", less=0), True, items(22), None),
        (count(PORT, "Test/items[*]", equals="[field('Test/num')]"), True, {**items(80, 80), "num": 1}, [other(0)]),
        ({"count": {"value": [1, 2]}, "equals": 1}, True, {}, None),
        ({"count": {"value": [1, 2]}, "equals": 3}, True, {}, None),
        ({"count": {"field": "Nowhere/x[*]"}, "equals": 1}, True, {}, None),
    ],
)
def test_as_few_members_change_as_bring_the_count_to_a_number_that_answers(
    rule: Rule, properties: Any, fixes: Any, catalog: AliasCatalog, *, wanted: bool
) -> None:
    assert turned(rule, catalog, wanted=wanted, **properties) == fixes


def test_the_member_that_takes_the_fewest_changes_is_taken(catalog: AliasCatalog) -> None:
    listed = [{"port": 22, "name": "y"}, {"port": 22, "name": "x"}]
    assert turned(count(NAMED, "Test/items[*]", less=1), catalog, wanted=False, items=listed) == [port(1)]


def test_what_tells_members_apart_is_not_changed_where_one_can_be_added(catalog: AliasCatalog) -> None:
    where = {"field": "Test/items[*].name", "equals": "bots"}
    found = turned(count(where, "Test/items[*]", less=1), catalog, wanted=False, items=[{"name": "default"}])
    assert found == [("add", "properties.items", {"name": "bots"})]


def test_a_count_of_which_a_part_was_not_read_is_left_alone(catalog: AliasCatalog) -> None:
    rule = count(PORT, "Test/items[*]", greater=0)
    assert turned(rule, catalog, wanted=True, items=[Unknown("p", "forbidden")]) is None


OPEN = "a value for which [not(empty(field('Test/a')))] is not false"


@pytest.mark.parametrize(
    ("expression", "equals", "properties", "expected"),
    [
        ("empty(field('Test/a'))", "true", {}, ("set", "properties.a", "set")),
        ("empty(field('Test/a'))", "true", {"a": []}, ("set", "properties.a", "set")),
        ("not(empty(field('Test/a')))", "false", {}, ("set", "properties.a", OPEN)),
        ("startsWith(field('Test/a'), 'x')", "false", {"a": "y"}, ("set", "properties.a", "x")),
    ],
)
def test_what_has_members_is_not_set_to_a_flag(
    catalog: AliasCatalog, expression: str, equals: str, properties: Rule, expected: Told
) -> None:
    rule = {"value": f"[{expression}]", "equals": json.loads(equals)}
    assert turned(rule, catalog, wanted=False, **properties) == [expected]


def test_the_name_of_a_member_is_no_value(catalog: AliasCatalog) -> None:
    rule = {"value": "[contains(field('Test/a'), subscription().Id)]", "equals": True}
    source = {"policyRule": {"if": rule, "then": {"effect": "audit"}}}
    policy = compile_definition({"properties": source}, aliases=catalog)
    assert RuleSource(policy).literals("$.policyRule.if") == ()
