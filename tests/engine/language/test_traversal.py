"""The walks over rules and operands reach every part once, in the order of the rule."""

import pytest

from shared.engine.language.operand import parse_operand
from shared.engine.language.parser import parse_condition
from shared.engine.language.traversal import (
    condition_operands,
    function_calls,
    parameter_name,
    walk_conditions,
    walk_nodes,
    walk_operand,
)

RULE = {
    "allOf": [
        {"not": {"field": "[field('name')]", "equals": "a"}},
        {
            "count": {
                "value": "[parameters('list')]",
                "where": {"anyOf": [{"value": "[current()]", "like": "x*"}, {"field": "kind", "equals": "k"}]},
            },
            "greater": 0,
        },
        {"count": {"field": "T.One/a/rules[*]"}, "equals": 0},
    ]
}


def test_every_node_is_reached_in_the_order_of_the_rule() -> None:
    assert [each.path for each in walk_nodes(parse_condition(RULE, "$"))] == [
        "$",
        "$.allOf[0]",
        "$.allOf[0].not",
        "$.allOf[1]",
        "$.allOf[1].count.where",
        "$.allOf[1].count.where.anyOf[0]",
        "$.allOf[1].count.where.anyOf[1]",
        "$.allOf[2]",
    ]


def test_the_operands_of_a_condition_are_its_two_sides_with_their_paths() -> None:
    conditions = walk_conditions(parse_condition(RULE, "$"))
    found = [f"{each.path}.{side}" for each in conditions for side, _ in condition_operands(each)]
    assert found == [
        "$.allOf[0].not.field",
        "$.allOf[0].not.equals",
        "$.allOf[1].count.value",
        "$.allOf[1].greater",
        "$.allOf[1].count.where.anyOf[0].value",
        "$.allOf[1].count.where.anyOf[0].like",
        "$.allOf[1].count.where.anyOf[1].field",
        "$.allOf[1].count.where.anyOf[1].equals",
        "$.allOf[2].equals",
    ]


def test_the_parts_of_an_operand_come_outermost_first() -> None:
    operand = parse_operand(
        {"a": ["[concat(parameters('x'), field('name'))]"], "b": "[policy().id[toLower('K')]]"}, "$"
    )
    assert [each.name for each in function_calls(operand)] == [
        "concat",
        "parameters",
        "field",
        "policy",
        "toLower",
    ]
    assert [each.name for each in function_calls(operand, "field", "tolower")] == ["field", "toLower"]
    assert next(walk_operand(operand)) is operand


@pytest.mark.parametrize(
    ("written", "name"),
    [("[parameters('Effect')]", "effect"), ("[parameters(concat('a', 'b'))]", None), ("audit", None)],
)
def test_only_a_plain_parameter_has_a_name(written: str, name: str | None) -> None:
    assert parameter_name(parse_operand(written, "$")) == name
