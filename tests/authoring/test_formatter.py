"""The canonical format: one order and spelling, stable when applied again, and never another meaning."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import bootstrap
from shared.authoring import formatter
from shared.domain.error import InvalidInput
from shared.domain.resource import Resource
from shared.engine import AliasCatalog, compile_definition, judge
from tests.fakes import alias, generator

ROOT = Path(__file__).parents[2]
PUBLIC = Path(os.environ.get("CORTEX_TEST_DATA", ROOT.parent / "shared")) / "azure-policy"
RULE = '{"if": {"field": "name", "equals": 1}, "then": {"effect": "audit"}}'
CATALOG: AliasCatalog = alias.read_catalog()


def disordered(random: Random, value: Any, *, keep: bool = False) -> Any:
    """The same JSON with its keys in another order, those of the language in another case."""
    if isinstance(value, list):
        return [disordered(random, each, keep=keep) for each in value]
    if not isinstance(value, dict):
        return value
    keys = list(value)
    random.shuffle(keys)
    spelled = (lambda key: key) if keep else (lambda key: random.choice([key, key.lower(), key.upper()]))
    # an object on the right side of an operator is data: its keys are the policy's own
    return {spelled(key): disordered(random, value[key], keep=key in {"equals", "notEquals"}) for key in keys}


def policy(seed: int) -> dict[str, Any]:
    return {
        "name": "p",
        "properties": {
            "displayName": "P",
            "mode": "All",
            "policyRule": {"if": generator.rule(generator.seeded(seed)), "then": {"effect": "audit"}},
        },
    }


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**9))
def test_the_meaning_and_the_outcome_stay(seed: int) -> None:
    random = generator.seeded(seed)
    wild = disordered(random, policy(seed))
    arranged = formatter.format_policy(wild)
    assert formatter.format_policy(arranged) == arranged
    assert formatter.format_text(formatter.write_json(arranged)) == formatter.write_json(arranged)
    assert formatter.write_json(arranged) == formatter.write_json(formatter.format_policy(policy(seed)))
    before, after = (compile_definition(each, aliases=CATALOG) for each in (wild, arranged))
    for _ in range(3):
        resource = Resource(generator.body(random))
        assert judge(before, resource).state is judge(after, resource).state


def test_order_and_spelling_are_those_of_the_documentation() -> None:
    wild = """
    {"other": 1, "PolicyRule": {"then": {"Details": {"RoleDefinitionIds": ["/r"],
      "ExistenceCondition": {"EQUALS": 1, "field": "a/b"}, "zzz": {"b": 1, "a": 2}, "TYPE": "T/x"},
      "effect": "AUDITIFNOTEXISTS"},
      "IF": {"AllOf": [{"NotEquals": 1, "Value": 2}, {"greater": 0, "count": {"Where": {"less": 2, "field": "a/c[*]"},
      "Field": "a/c[*]"}}, {"Not": {"like": "*", "field": "kind"}}]}},
     "parameters": {"pB": {"defaultvalue": 1, "Type": "Integer"}, "pA": {"type": "String"}},
     "metadata": {"b": 1, "a": 2}, "DisplayName": "\\u00e9"}
    """
    text = formatter.format_text(wild)
    assert json.loads(text) == {
        "displayName": "é",
        "metadata": {"b": 1, "a": 2},
        "parameters": {"pB": {"type": "Integer", "defaultValue": 1}, "pA": {"type": "String"}},
        "policyRule": {
            "if": {
                "allOf": [
                    {"value": 2, "notEquals": 1},
                    {"count": {"field": "a/c[*]", "where": {"field": "a/c[*]", "less": 2}}, "greater": 0},
                    {"not": {"field": "kind", "like": "*"}},
                ]
            },
            "then": {
                "effect": "auditIfNotExists",
                "details": {
                    "type": "T/x",
                    "existenceCondition": {"field": "a/b", "equals": 1},
                    "roleDefinitionIds": ["/r"],
                    "zzz": {"b": 1, "a": 2},
                },
            },
        },
        "other": 1,
    }
    assert list(json.loads(text)) == ["displayName", "metadata", "parameters", "policyRule", "other"]
    assert text.endswith("}\n")
    assert '"é"' in text
    text.encode()


def test_operations_are_arranged_and_the_details_of_data_planes_left_alone() -> None:
    then = {"effect": "modify", "details": {"Operations": [{"VALUE": 1, "field": "tags.a", "operation": "add"}]}}
    rule = {"then": then, "if": {"field": "name", "equals": "x"}}
    arranged = formatter.format_policy(rule)
    assert list(arranged["then"]["details"]["operations"][0]) == ["operation", "field", "value"]
    listed = {**rule, "then": {"effect": "append", "details": [{"VALUE": 1, "field": "tags.a"}]}}
    assert formatter.format_policy(listed)["then"]["details"] == [{"field": "tags.a", "value": 1}]
    data = {"mode": "Microsoft.Kubernetes.Data", "policyRule": rule}
    assert formatter.format_policy(data)["policyRule"]["then"]["details"] == then["details"]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"if": 1, "then": {"effect": "audit"}}',
        '{"if": {"field": "name", "equals": 1e999}, "then": {"effect": "audit"}}',
        '{"if": {"field": "name", "equals": ' + "9" * 5000 + '}, "then": {"effect": "audit"}}',
        '{"metadata": ' + "[" * 5000 + "]" * 5000 + ', "policyRule": ' + RULE + "}",
    ],
    ids=["broken", "list", "empty", "no rule", "infinite", "long", "deep"],
)
def test_what_is_no_definition_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        formatter.format_text(text)


def test_the_catalog_is_in_canonical_layout() -> None:
    assert bootstrap.catalog().policies()
    odd = [
        path.name
        for path in (ROOT / "catalog").glob("policies/*/*.json")
        if formatter.format_text(path.read_bytes()) != path.read_text("utf-8")
    ]
    assert odd == [], "run `cortex policy fmt catalog/policies`"


def public() -> Iterator[Any]:
    with gzip.open(PUBLIC / "policyDefinitions.jsonl.gz", "rb") as file:
        for line in file:
            yield json.loads(line)["definition"]


def test_public_definitions_keep_their_values() -> None:
    if not PUBLIC.exists():
        pytest.skip("no public definitions next to the project; set CORTEX_TEST_DATA")
    for definition in list(public())[::7]:
        arranged = formatter.format_policy(definition)
        assert lowered(arranged) == lowered(definition)
        assert formatter.write_json(formatter.format_policy(arranged)) == formatter.write_json(arranged)


def lowered(value: Any) -> Any:
    """Without spelling: keys and texts in lower case."""
    if isinstance(value, dict):
        return {key.lower(): lowered(each) for key, each in value.items()}
    if isinstance(value, list):
        return list(map(lowered, value))
    return value.lower() if isinstance(value, str) else value


WILD_INITIATIVE = """
{"NAME": "i", "properties": {"policydefinitions": [
    {"GroupNames": ["b", "a"], "parameters": {"zB": {"VALUE": "[parameters('x')]"}, "A": {"value": {"b": 1, "a": 2}}},
     "POLICYDEFINITIONID": "/d", "effectiveX": 1, "policyDefinitionReferenceId": "R"}],
  "parameters": {"x": {"defaultvalue": 1, "Type": "Integer"}}, "metadata": {"b": 1, "a": 2}, "zzz": 1,
  "policyDefinitionGroups": [{"category": "c", "NAME": "b"}], "displayName": "I"}, "id": "/i"}
"""
WILD_ASSIGNMENT = """
{"overrides": [{"selectors": [{"notin": ["R"], "KIND": "policyDefinitionReferenceId"}], "value": "Audit"}],
 "Parameters": {"b": {"value": 1}, "a": {"Value": 2}}, "policydefinitionid": "/i", "notScopes": ["/b", "/a"],
 "identity": {"type": "None"}, "displayName": "A"}
"""


@pytest.mark.parametrize(
    ("wild", "order"),
    [
        (
            WILD_INITIATIVE,
            [
                *("name", "id", "properties", "displayName", "metadata", "b", "a", "policyDefinitionGroups", "name"),
                *("category", "parameters", "x", "type", "defaultValue", "policyDefinitions"),
                *("policyDefinitionReferenceId", "policyDefinitionId", "parameters", "zB", "value", "A", "value"),
                *("b", "a", "groupNames", "effectiveX", "zzz"),
            ],
        ),
        (
            WILD_ASSIGNMENT,
            [
                *("identity", "type", "displayName", "notScopes", "policyDefinitionId", "parameters", "b", "value"),
                *("a", "value", "overrides", "value", "selectors", "kind", "notIn"),
            ],
        ),
    ],
    ids=["initiative", "assignment"],
)
def test_initiatives_and_assignments_are_arranged(wild: str, order: list[str]) -> None:
    text = formatter.format_text(wild)
    assert list(keys(json.loads(text))) == order
    assert formatter.format_text(text) == text
    assert lowered(json.loads(text)) == lowered(json.loads(wild))


def keys(value: Any) -> Iterator[str]:
    """Every key in the order of the text."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(key, str):
            yield key
        yield from keys(each)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"policyDefinitions": [{}]}', "$.policyDefinitions[0]: the member has no policyDefinitionId"),
        ('{"properties": {"policyDefinitions": 1}}', "$.policyDefinitions: expected an array, found number"),
        (
            '{"policyDefinitionId": "/d", "notScope": []}',
            "$.notScope: unknown key 'notScope'; did you mean 'notScopes'?",
        ),
    ],
)
def test_what_is_neither_is_refused_with_the_place(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        formatter.format_text(text)
    assert refused.value.message == message


def test_public_initiatives_keep_their_values() -> None:
    if not PUBLIC.exists():
        pytest.skip("no public initiatives next to the project; set CORTEX_TEST_DATA")
    with gzip.open(PUBLIC / "policySetDefinitions.jsonl.gz", "rb") as file:
        initiatives = [json.loads(line)["definition"] for line in file]
    assert len(initiatives) > 200
    for each in initiatives[::3]:
        arranged = formatter.format_policy(each)
        assert lowered(arranged) == lowered(each)
        assert formatter.write_json(formatter.format_policy(arranged)) == formatter.write_json(arranged)


def test_a_policy_of_a_template_whose_properties_are_an_expression_keeps_it() -> None:
    inner = {"properties": {"policyRule": {"then": {"effect": "audit"}, "if": {"field": "name", "equals": "x"}}}}
    resource = {
        "properties": "[variables('all')[copyIndex()].properties]",
        "copy": {"count": 1, "name": "each"},
        "name": "[concat('p', copyIndex())]",
        "type": "Microsoft.Authorization/policyDefinitions",
        "apiVersion": "2021-06-01",
    }
    schema = "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#"
    template = {"$schema": schema, "contentVersion": "1.0.0.0", "variables": {"all": [inner]}, "resources": [resource]}
    once = formatter.format_text(json.dumps(template))
    assert json.loads(once) == template
    assert formatter.format_text(once) == once
