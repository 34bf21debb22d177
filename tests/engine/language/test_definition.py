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


RELATED: dict[str, Any] = {"type": "Test/others"}
CHOSEN = "[parameters('effect')]"
WRONG_DETAILS: list[tuple[str, Any, str, str, str | None]] = [
    ("auditIfNotExists", {**RELATED, "existanceCondition": {}}, "", "existanceCondition", "existenceCondition"),
    ("deployIfNotExists", {**RELATED, "roleDefinitionId": []}, "", "roleDefinitionId", "roleDefinitionIds"),
    ("modify", {"operation": []}, "", "operation", "operations"),
    ("modify", {"operations": [{"operation": "remove", "feld": "tags.a"}]}, ".operations[0]", "feld", "field"),
    ("append", [{"field": "tags.a", "vlaue": 1}], "[0]", "vlaue", "value"),
    ("denyAction", {"actionName": ["delete"]}, "", "actionName", "actionNames"),
    ("manual", {"defaultStat": "Unknown"}, "", "defaultStat", "defaultState"),
    ("manual", {"defaultState": "Complaint"}, ".defaultState", "Complaint", "Compliant"),
    (CHOSEN, {**RELATED, "existanceCondition": {}}, "", "existanceCondition", "existenceCondition"),
    (CHOSEN, {"existenceScope": "Subscriptions"}, ".existenceScope", "Subscriptions", "Subscription"),
    (CHOSEN, {"existenceScope": 1}, ".existenceScope", "1", None),
    ("deployIfNotExists", {**RELATED, "deployment": "x"}, ".deployment", "x", None),
]


def with_details(effect: str, details: Any, mode: str = "All") -> dict[str, Any]:
    parameters = {"effect": {"type": "String", "defaultValue": "audit"}}
    rule = {"if": RULE["if"], "then": {"effect": effect, "details": details}}
    return {"mode": mode, "parameters": parameters, "policyRule": rule}


@pytest.mark.parametrize(("effect", "details", "place", "offending", "suggestion"), WRONG_DETAILS)
def test_details_are_refused_with_what_was_probably_meant(
    effect: str, details: Any, place: str, offending: str, suggestion: str | None, catalog: AliasCatalog
) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        compile_definition(with_details(effect, details), aliases=catalog)
    found = (refused.value.path, refused.value.offending, refused.value.suggestion)
    assert found == (f"$.policyRule.then.details{place}", offending, suggestion)


@pytest.mark.parametrize(
    ("effect", "details", "mode"),
    [
        ("AUDITIFNOTEXISTS", {"TYPE": "Test/others", "EXISTENCESCOPE": "subscription"}, "All"),
        (CHOSEN, {**RELATED, "operations": [], "defaultState": "non-compliant", "deployment": {}}, "NotSpecified"),
        (CHOSEN, {"templateInfo": {}}, "Microsoft.Kubernetes.Data"),
        ("mutate", {"mutationInfo": {}}, "All"),
        ("deny", {"anything": "that nothing reads"}, "All"),
        ("auditIfNotExists", {**RELATED, "deployment": {}, "roleDefinitionIds": []}, "All"),
    ],
)
def test_details_of_any_spelling_and_chosen_effects_compile(
    effect: str, details: Any, mode: str, catalog: AliasCatalog
) -> None:
    assert compile_definition(with_details(effect, details, mode), aliases=catalog).details.source == details


def test_an_unknown_mode_is_refused_unless_the_definition_is_static(catalog: AliasCatalog) -> None:
    definition = {"mode": "Indexd", "policyRule": RULE}
    with pytest.raises(InvalidDefinition) as refused:
        compile_definition(definition, aliases=catalog)
    assert (refused.value.path, refused.value.offending, refused.value.suggestion) == ("$.mode", "Indexd", "Indexed")
    assert compile_definition({**definition, "policyType": "Static"}, aliases=catalog).not_evaluable
