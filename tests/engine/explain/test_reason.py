"""Reasons: Azure's code, plain words, members by their names, and what is left out."""

from typing import Any

import pytest

from shared.domain.resource import Resource
from shared.engine import AliasCatalog, Explanation, compile_definition, explain
from shared.engine.explain.reason import azure_reason

RULES = [
    {"name": "ssh", "port": 22, "tags": ["open"]},
    {"name": "web", "port": 443},
    {"port": 22},
]


def explained(rule: Any, catalog: AliasCatalog, metadata: Any = None, **properties: Any) -> Explanation:
    source = {"metadata": metadata or {}, "policyRule": {"if": rule, "then": {"effect": "audit"}}}
    policy = compile_definition({"name": "p", "properties": {"displayName": "Wished", **source}}, aliases=catalog)
    return explain(policy, Resource({"name": "n", "type": "T.One/a", "properties": properties}))


@pytest.mark.parametrize(
    ("operator", "expected", "code"),
    [
        ("equals", 1, "Current value must be equal to the target value."),
        ("notEquals", 1, "Current value must not be equal to the target value."),
        ("notIn", [1], "Current value must not be in the target value."),
        ("lessOrEquals", 1, "Current value must be less than or equal to the target value."),
        ("notContainsKey", "x", "Current value must not contain the target value as a key."),
        ("notMatchInsensitively", "x", "Current value must not case-insensitive match the target value."),
        ("exists", "true", "Current value must exist."),
        ("exists", False, "Current value must not exist."),
    ],
)
def test_the_codes_are_those_of_azure(operator: str, expected: Any, code: str) -> None:
    assert azure_reason(operator, expected) == code


def test_a_reason_says_what_has_to_hold(catalog: AliasCatalog) -> None:
    (reason,) = explained({"field": "Test/a", "notEquals": True}, catalog, a=False).reasons
    assert reason.to_json() == {
        "code": "Current value must be equal to the target value.",
        "text": "properties.a is false (not true)",
        "where": "properties.a",
        "path": "properties.a",
        "field": "Test/a",
        "operator": "equals",
        "expected": True,
        "observed": False,
        "clause": "$.policyRule.if",
    }


def texts(found: Explanation) -> list[str]:
    return [each.text for each in found.reasons]


PORT = {"field": "Test/items[*].port", "equals": 22}


@pytest.mark.parametrize(
    ("rule", "properties", "wanted"),
    [
        (
            {"count": {"field": "Test/items[*]", "where": PORT}, "greater": 0},
            {"items": RULES},
            ['properties.items "ssh": port is 22', "properties.items[2].port is 22"],
        ),
        (
            {"count": {"field": "Test/items[*]", "where": PORT}, "less": 1},
            {"items": RULES[1:2]},
            ["properties.items has no member where port is 22"],
        ),
        (
            {"count": {"field": "Test/items[*]", "where": PORT}, "less": 3},
            {"items": RULES},
            ["properties.items has 2 members where port is 22 (less than 3)"],
        ),
        (
            {"not": {"field": "Test/items[*].port", "notEquals": 22}},
            {"items": RULES},
            ['port of "ssh" in properties.items is 22', "properties.items[2].port is 22"],
        ),
        # A member behind the first that fails is not compared, nor can it be: it is of another type.
        (
            {"not": {"field": "Test/list[*]", "less": "m"}},
            {"list": ["z", 2]},
            ['properties.list[0] is "z" (at least "m")'],
        ),
        ({"field": "Test/list[*]", "notEquals": "x"}, {"list": ["y"]}, ['every member of properties.list is not "x"']),
        ({"value": "[field('Test/a')]", "notEquals": "x"}, {"a": "y"}, ['[field(\'Test/a\')] is "y" (not "x")']),
        (
            {
                "count": {
                    "value": "[field('Test/list')]",
                    "name": "it",
                    "where": {"value": "[current('it')]", "equals": 1},
                },
                "greater": 0,
            },
            {"list": [1]},
            ["it is 1"],
        ),
    ],
)
def test_conditions_in_words(rule: Any, properties: Any, wanted: Any, catalog: AliasCatalog) -> None:
    found = explained(rule, catalog, **properties)
    assert found.verdict.state.value == "nonCompliant"
    assert texts(found) == wanted


def test_what_was_seen_once_is_said_once(catalog: AliasCatalog) -> None:
    parts = [{"field": "Test/a", "notIn": ["x", "y"]}, {"field": "Test/a", "notEquals": "z"}]
    found = explained({"allOf": [*parts, {"field": "Test/a", "exists": True}]}, catalog, a="w")
    assert found.summary().startswith('Not compliant: properties.a is "w" (none of "x", "y"; not "z"); to comply, ')


def test_what_only_says_which_resources_a_policy_is_about_is_left_to_the_tree(catalog: AliasCatalog) -> None:
    about = [{"field": "type", "equals": "T.One/a"}, {"field": "name", "notEquals": "master"}]
    found = explained({"allOf": [*about, {"field": "Test/a", "equals": "x"}]}, catalog, a="x")
    assert texts(found) == ['properties.a is "x"']
    assert texts(explained({"allOf": about}, catalog)) == ['name is "n" (not "master")']
    assert texts(explained(about[0], catalog)) == ['type is "T.One/a"']


def test_more_members_than_are_shown_are_counted(catalog: AliasCatalog) -> None:
    rule = {"count": {"field": "Test/items[*]", "where": PORT}, "greater": 0}
    found = explained(rule, catalog, items=[{"port": 22}] * 22)
    assert len(found.reasons) == 5
    assert texts(found)[-1] == "properties.items[4].port is 22, … and 17 more members"


def test_what_people_are_told_of_the_policy(catalog: AliasCatalog) -> None:
    rule, known = {"field": "Test/a", "equals": "x"}, {"rationale": "because", "controls": {"soc-2": ["CC6.1"]}}
    found = explained(rule, catalog, {**known, "findingTitle": "Wrong"}, a="x")
    assert (found.title, found.rationale, found.controls) == ("Wrong", "because", {"soc-2": ["CC6.1"]})
    assert explained(rule, catalog, a="x").title == "Not met: Wished"
    assert explained(rule, catalog, a="y").title == "Wished"


PARAMETERS = {"p": {"type": "String"}}


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"field": "name", "equals": "n"}, "the name of a resource cannot be changed after its creation"),
        ({"value": "[field('name')]", "equals": "n"}, "the expressions do not depend on a property that can be set"),
        ({"field": "Test/a", "like": "*"}, ""),
        (
            {"allOf": [{"field": "Test/a", "exists": True}, {"not": {"field": "Test/a", "exists": True}}]},
            "",
        ),
    ],
)
def test_where_nothing_can_be_changed_the_explanation_says_why(rule: Any, why: str, catalog: AliasCatalog) -> None:
    found = explained(rule, catalog, a="x")
    assert found.unfixable == (f"no change is offered: {why}" if why else "")


VALUES = {"value": ["n6", "n7"], "name": "part"}
CURRENT = {**VALUES, "where": {"value": "[current('part')]", "equals": "n7"}}
NAMED = {**VALUES, "where": {"field": "name", "like": "[concat(current('part'), '*')]"}}


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ({"count": CURRENT, "equals": 1}, 'part is "n7"'),
        ({"count": NAMED, "equals": 0}, f'["n6", "n7"] has no member where name is like {NAMED["where"]["like"]}'),
        ({"count": {**VALUES, "where": {"value": "[current()]", "equals": "x"}}, "less": 1}, None),
        ({"field": "[concat('Test/', 'a')]", "exists": False}, "properties.a is not set"),
        ({"field": "[concat('tags.', field('name'))]", "exists": False}, "[concat('tags.', field('name'))] is not set"),
    ],
)  # fmt: skip
def test_what_a_count_stands_at_is_called_by_its_name(rule: Any, wanted: str | None, catalog: AliasCatalog) -> None:
    assert texts(explained(rule, catalog, n=1, b=1)) == [wanted or '["n6", "n7"] has no member where it is "x"']
