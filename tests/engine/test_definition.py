"""Definitions from text: duplicate keys, envelopes, misspellings, and what the errors carry."""

import json
import pickle
from typing import Any

import pytest

from shared.domain.decoding import decode
from shared.domain.error import InvalidInput
from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import AliasCatalog, InvalidDefinition, compile_definition, judge, load_definition

RULE: dict[str, Any] = {"if": {"field": "name", "equals": "a"}, "then": {"effect": "audit"}}


@pytest.mark.parametrize(
    ("text", "path", "key"),
    [
        ('{"a": 1, "a": 2}', "$", "a"),
        ('{"x": {"a": 1, "A": 2}}', "$.x", "A"),
        ('{"x": [0, {"y": {"k": 1, "k": 1}}]}', "$.x[1].y", "k"),
    ],
)
def test_duplicate_keys_are_refused_where_they_stand(text: str, path: str, key: str) -> None:
    with pytest.raises(InvalidDefinition, match="occurs twice") as refused:
        load_definition(text)
    assert (refused.value.path, refused.value.offending) == (path, key)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("NaN", "not JSON: NaN"),
        ("-Infinity", "not JSON: -Infinity"),
        ("1e999", "beyond what a double holds"),
        ("1" * 5_000, "beyond what a double holds"),
        ('"\\ud800"', "half a surrogate pair"),
        ("[" * 200 + "]" * 200, "nests deeper"),
    ],
)
def test_values_without_one_meaning_are_refused_where_they_stand(value: str, reason: str) -> None:
    rule = f'{{"if": {{"field": "name", "equals": {value}}}, "then": {{"effect": "audit"}}}}'
    with pytest.raises(InvalidDefinition, match=reason) as refused:
        load_definition(f'{{"properties": {{"policyRule": {rule}}}}}')
    assert (refused.value.path or "").startswith("$.properties.policyRule.if.equals")


def test_whole_numbers_beyond_64_bits_mean_the_same_in_rules_and_resources(catalog: AliasCatalog) -> None:
    rule = '{"if": {"field": "Test/a", "equals": 100000000000000000001}, "then": {"effect": "audit"}}'
    policy = compile_definition(load_definition(rule), aliases=catalog)
    body = decode(b'{"name": "x", "properties": {"a": 100000000000000000001}}')
    assert judge(policy, Resource(body)).state is State.NON_COMPLIANT


def test_broken_json_is_refused_with_its_position() -> None:
    with pytest.raises(InvalidDefinition, match="line 2 column 3"):
        load_definition('{"a":\n  }')


@pytest.mark.parametrize(
    "source",
    [
        RULE,
        {"policyRule": RULE},
        {"mode": "All", "policyRule": RULE, "displayName": "x", "parameters": None},
        {"properties": {"policyRule": RULE}},
        {"id": "/d", "name": "n", "type": "t", "properties": {"PolicyRule": RULE, "somethingNew": 1}, "systemData": {}},
    ],
)
def test_a_definition_may_come_in_several_envelopes(source: Any, catalog: AliasCatalog) -> None:
    policy = compile_definition(load_definition(json.dumps(source)), aliases=catalog)
    assert policy.effect == "audit"
    assert (policy.id, policy.name) in {("", ""), ("/d", "n")}


@pytest.mark.parametrize(
    ("source", "suggestion"),
    [
        ({"policyRules": RULE}, "policyRule"),
        ({"properties": {"policyRule": RULE, "paramters": {}}}, "parameters"),
        ({"policyRule": {**RULE, "than": 1}}, "then"),
    ],
)
def test_misspelled_keys_are_refused_with_a_suggestion(source: Any, suggestion: str, catalog: AliasCatalog) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        compile_definition(source, aliases=catalog)
    assert refused.value.suggestion == suggestion
    assert f"did you mean {suggestion!r}?" in str(refused.value)


def test_errors_are_invalid_input_and_survive_pickling() -> None:
    error = InvalidDefinition("wrong", path="$.x", offending="y", suggestion="z")
    assert isinstance(error, InvalidInput)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (str(copy), copy.path, copy.offending, copy.suggestion) == (str(error), "$.x", "y", "z")


@pytest.mark.parametrize(
    ("written", "suggestion"),
    [("audits", "audit"), ("auditIfNotExist", "auditIfNotExists"), ("dney", "deny"), ("zzzzz", None)],
)
def test_unknown_effects_are_refused_with_a_suggestion(
    written: str, suggestion: str | None, catalog: AliasCatalog
) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        compile_definition({"policyRule": {**RULE, "then": {"effect": written}}}, aliases=catalog)
    assert refused.value.suggestion == suggestion


def test_definitions_without_a_rule_are_refused(catalog: AliasCatalog) -> None:
    for source in ({}, {"properties": {}}, {"policyRule": None}, {"properties": 1}):
        with pytest.raises(InvalidDefinition):
            compile_definition(source, aliases=catalog)
