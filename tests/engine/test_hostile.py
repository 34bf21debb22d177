"""Hostile definitions and resources end in a named error, in bounded time; nothing but InvalidDefinition is raised."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import (
    AliasCatalog,
    EvaluationError,
    InvalidDefinition,
    NotSupported,
    compile_definition,
    compile_set,
    evaluate_expression,
    expand_template,
    explain,
    judge,
    load_definition,
)
from shared.engine.context import EVALUATION_STEPS
from shared.engine.language.expression import EXPRESSION_CHARACTERS, EXPRESSION_LEVELS
from shared.engine.language.parser import RULE_CONDITIONS, RULE_FIELD_COUNTS, RULE_VALUE_COUNTS
from shared.engine.value import RESULT_CHARACTERS
from tests.fakes import generator
from tests.fakes.alias import read_catalog

CATALOG = read_catalog()
LEAF = {"field": "name", "equals": "a"}


def compiled(rule: Any, catalog: AliasCatalog) -> Any:
    return compile_definition(
        {"name": "p", "properties": {"policyRule": {"if": rule, "then": {"effect": "audit"}}}}, aliases=catalog
    )


def nested(depth: int, wrap: Any) -> Any:
    rule: Any = LEAF
    for _ in range(depth):
        rule = wrap(rule)
    return rule


@pytest.mark.parametrize(
    "wrap",
    [lambda rule: {"not": rule}, lambda rule: {"allOf": [rule]}, lambda rule: {"anyOf": [LEAF, rule]}],
    ids=["not", "allOf", "anyOf"],
)
def test_rules_nest_to_a_limit(wrap: Any, catalog: AliasCatalog) -> None:
    assert judge(compiled(nested(60, wrap), catalog), Resource({"name": "a"})).state in {
        State.COMPLIANT,
        State.NON_COMPLIANT,
    }
    with pytest.raises(InvalidDefinition, match="nests more than"):
        compiled(nested(500, wrap), catalog)


def test_rules_have_a_limit_of_conditions(catalog: AliasCatalog) -> None:
    with pytest.raises(InvalidDefinition, match="more than"):
        compiled({"anyOf": [LEAF] * 30_000}, catalog)


def within(rule: Any, *counts: Any) -> Any:
    """The rule inside the counts, the first innermost."""
    for count in counts:
        rule = {"count": {**count, "where": rule}, "equals": 1}
    return rule


def test_counts_nest_to_a_limit(catalog: AliasCatalog) -> None:
    values = [{"value": [1], "name": f"n{at}"} for at in range(RULE_VALUE_COUNTS)]
    fields = [{"field": name} for name in ("Test/list[*]", "Test/items[*]") for _ in range(RULE_FIELD_COUNTS)]
    body = {"properties": {"list": [1], "items": [1]}}
    verdict = judge(compiled(within({"value": "[current()]", "equals": 1}, *values, *fields), catalog), Resource(body))
    assert verdict.state is State.ERROR
    assert "nest more than" in verdict.reason


@pytest.mark.parametrize(
    ("count", "most"), [({"value": [1]}, RULE_VALUE_COUNTS), ({"field": "Test/list[*]"}, RULE_FIELD_COUNTS)]
)
def test_a_rule_has_so_many_counts_at_most(count: Any, most: int, catalog: AliasCatalog) -> None:
    compiled({"anyOf": [{"count": count, "equals": at} for at in range(most)]}, catalog)
    with pytest.raises(InvalidDefinition, match=f"more than {most} counts of"):
        compiled({"anyOf": [{"count": count, "equals": at} for at in range(most + 1)]}, catalog)


def test_a_rule_has_so_many_conditions_at_most(catalog: AliasCatalog) -> None:
    compiled({"anyOf": [LEAF] * RULE_CONDITIONS}, catalog)
    with pytest.raises(InvalidDefinition, match=f"more than {RULE_CONDITIONS} conditions"):
        compiled({"anyOf": [LEAF] * (RULE_CONDITIONS + 1)}, catalog)


def test_an_existence_condition_has_fewer(catalog: AliasCatalog) -> None:
    details = {"type": "T.One/a", "existenceCondition": {"anyOf": [LEAF] * 129}}
    rule = {"if": LEAF, "then": {"effect": "auditIfNotExists", "details": details}}
    with pytest.raises(InvalidDefinition, match="more than 128 conditions") as refused:
        compile_definition(rule, aliases=catalog)
    assert refused.value.path == "$.policyRule.then.details.existenceCondition.anyOf[128]"


def test_a_function_takes_so_many_arguments_at_most(catalog: AliasCatalog) -> None:
    compiled({"value": f"[concat({','.join(['1'] * 128)})]", "equals": 1}, catalog)
    with pytest.raises(InvalidDefinition, match="more than 128 arguments"):
        compiled({"value": f"[concat({','.join(['1'] * 129)})]", "equals": 1}, catalog)


def test_a_function_gives_so_long_a_text_at_most() -> None:
    long = "x" * (RESULT_CHARACTERS // 2)
    whole = evaluate_expression("[concat(parameters('a'), parameters('a'))]", parameters={"a": long})
    assert len(whole) == RESULT_CHARACTERS
    with pytest.raises(EvaluationError, match=f"more than {RESULT_CHARACTERS} characters"):
        evaluate_expression("[concat(parameters('a'), parameters('a'), '.')]", parameters={"a": long})


@pytest.mark.parametrize(
    "text", ["[" + "concat(" * 500 + "'a'" + ")" * 500 + "]", "[" + "a" * (EXPRESSION_CHARACTERS + 1) + "]"]
)
def test_expressions_have_limits(text: str, catalog: AliasCatalog) -> None:
    with pytest.raises(InvalidDefinition, match=r"nests more than|at most"):
        compiled({"value": text, "equals": 1}, catalog)


def test_accesses_have_a_limit(catalog: AliasCatalog) -> None:
    with pytest.raises(InvalidDefinition, match=f"more than {EXPRESSION_LEVELS}"):
        compiled({"value": "[field('tags')" + ".a" * 200 + "]", "equals": 1}, catalog)


def test_values_nest_to_a_limit(catalog: AliasCatalog) -> None:
    value: Any = "a"
    for _ in range(300):
        value = [value]
    with pytest.raises(InvalidDefinition, match="nests more than"):
        compiled({"field": "name", "equals": value}, catalog)


def test_like_does_not_backtrack(catalog: AliasCatalog) -> None:
    policy = compiled({"field": "name", "like": "*a" * 5_000 + "b"}, catalog)
    assert judge(policy, Resource({"name": "a" * 1_000_000})).state is State.COMPLIANT


def test_long_strings_are_only_data(catalog: AliasCatalog) -> None:
    policy = compiled({"field": "name", "contains": "x" * 1_000_000}, catalog)
    assert judge(policy, Resource({"name": "y" * 10_000_000})).state is State.COMPLIANT


@pytest.mark.parametrize("levels", [2, 3])
def test_counts_over_lists_take_bounded_work(levels: int, catalog: AliasCatalog) -> None:
    rule: Any = {"value": 1, "equals": "[current('n0')]"}
    for at in range(levels):
        rule = {"count": {"value": "[range(2, 10000)]", "name": f"n{at}", "where": rule}, "greater": 0}
    verdict = judge(compiled(rule, catalog), Resource({"name": "a"}))
    assert verdict.state is State.ERROR
    assert f"more than {EVALUATION_STEPS} steps" in verdict.reason


def test_counts_over_arrays_of_the_resource_take_bounded_work(catalog: AliasCatalog) -> None:
    rule = {
        "count": {
            "field": "Test/list[*]",
            "where": {
                "count": {"field": "Test/items[*]", "where": {"field": "Test/items[*].name", "equals": "z"}},
                "equals": 1,
            },
        },
        "greater": 0,
    }
    body = {"name": "a", "properties": {"list": [1] * 3_000, "items": [{"name": "x"}] * 3_000}}
    assert judge(compiled(rule, catalog), Resource(body)).state is State.ERROR
    policies = compile_set([compiled(rule, catalog)])
    policies.count([{"name": "a"}] * 100)
    assert policies.count([body])[0][State.ERROR] == 1


def test_an_array_read_again_for_every_member_takes_bounded_work(catalog: AliasCatalog) -> None:
    where = {"allOf": [{"field": "Test/items[*].name", "equals": "x"}, {"value": 1, "equals": 2}]}
    rule = {"count": {"field": "Test/list[*]", "where": {"anyOf": [{"not": where["allOf"][0]}, LEAF]}}, "greater": 0}
    body = {"name": "b", "properties": {"list": [1] * 5_000, "items": [{"name": "x"}] * 5_000}}
    assert judge(compiled(rule, catalog), Resource(body)).state is State.ERROR


def test_strings_do_not_grow_without_end(catalog: AliasCatalog) -> None:
    text = "replace(" * 7 + "'aaaaaaaaaa'" + ", 'a', 'aaaaaaaaaa')" * 7
    verdict = judge(compiled({"value": f"[{text}]", "equals": "x"}, catalog), Resource({"name": "a"}))
    assert verdict.state is State.ERROR
    assert "characters" in verdict.reason


def test_deep_resources_are_judged_or_reported(catalog: AliasCatalog) -> None:
    deep: Any = "x"
    for _ in range(50_000):
        deep = [deep]
    policy = compiled({"field": "Test/a", "equals": [["x"]]}, catalog)
    resource = Resource({"name": "a", "properties": {"a": deep}})
    assert judge(policy, resource).state in {State.ERROR, State.COMPLIANT}
    assert compile_set([policy]).judge(resource)
    explain(policy, resource)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "null",
        '"x"',
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": 1e999}',
        '{"a": ' + "1" * 5_000 + "}",
        '{"a": "\\ud800"}',
        '{"a": {"\\ud800": 1}}',
        '{"a": ' + "[" * 500 + "]" * 500 + "}",
        '{"properties": {}, "Properties": {}}',
        '{"properties": {"policyRule": 1}}',
        '{"properties": []}',
        '{"policyRule": {"if": {}, "then": {}}, "surplus": 1}',
        "[" * 100_000,
        '{"a":' * 100_000,
        "\ud800",
    ],
)
def test_broken_definitions_are_refused(text: str, catalog: AliasCatalog) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        compile_definition(load_definition(text.encode("utf-8", "surrogatepass")), aliases=catalog)
    assert refused.value.path


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=25,
)
KEYS = st.sampled_from(
    [
        "allOf",
        "anyOf",
        "not",
        "field",
        "value",
        "count",
        "where",
        "equals",
        "in",
        "like",
        "exists",
        "less",
        "name",
        "match",
    ]
)
RULES = st.recursive(
    JSON,
    lambda inner: st.dictionaries(KEYS, inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=20,
)


@given(RULES)
@settings(max_examples=300, deadline=None)
def test_any_json_compiles_or_is_refused(rule: Any) -> None:
    catalog = AliasCatalog({})
    try:
        policy = compiled(rule, catalog)
    except InvalidDefinition:
        return
    assert judge(policy, Resource({"name": "a"})).state in State


PIECES = [
    "[",
    "]",
    "(",
    ")",
    "'",
    ",",
    ".",
    " ",
    "field",
    "concat",
    "parameters",
    "'a'",
    "1",
    "-2.5",
    "length",
    "''",
    "if",
    "\n",
    "é",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=60))
@settings(max_examples=800, deadline=None)
def test_any_text_reads_as_an_expression_or_is_refused(text: str) -> None:
    with suppress(InvalidDefinition, EvaluationError, NotSupported):
        evaluate_expression(f"[{text}]")


@given(st.integers(0, 10**9), JSON, JSON, JSON)
@settings(max_examples=200, deadline=None)
def test_any_body_is_judged(seed: int, one: Any, two: Any, three: Any) -> None:
    policy = compiled(generator.rule(generator.seeded(seed)), CATALOG)
    body = {"name": one, "properties": {"a": two, "list": three, "items": [one, two]}, "tags": three, "kind": two}
    verdict = judge(policy, Resource(body))
    assert verdict.state in State
    json.dumps(explain(policy, Resource(body)).to_json())


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_any_template_expands_or_is_refused(source: Any) -> None:
    with suppress(InvalidDefinition, EvaluationError, NotSupported):
        expand_template({"resources": [source], "variables": {"v": source}})
