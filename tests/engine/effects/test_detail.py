"""The details of an effect for one resource: what is computed, and what cannot be."""

from typing import Any

import pytest

from shared.domain.resource import Resource, Unread
from shared.engine import (
    AliasCatalog,
    EffectDetails,
    EvaluationError,
    InvalidDefinition,
    compile_definition,
    effect_details,
)
from shared.engine.effects.detail import EffectOperation

BODY = {"name": "n", "type": "T.One/a", "properties": {"a": "x"}}


def resolved(then: Any, catalog: AliasCatalog, body: Any = BODY, **read: Any) -> EffectDetails:
    rule = {"if": {"field": "name", "equals": "n"}, "then": then}
    policy = compile_definition({"name": "p", "properties": {"policyRule": rule}}, aliases=catalog)
    return effect_details(policy, Resource(body, **read))


def modify(catalog: AliasCatalog, *operations: Any, **read: Any) -> tuple[EffectOperation, ...]:
    then = {"effect": "modify", "details": {"roleDefinitionIds": ["/r"], "operations": list(operations)}}
    return resolved(then, catalog, **read).operations


def test_an_effect_without_details_has_none(catalog: AliasCatalog) -> None:
    assert resolved({"effect": "audit"}, catalog) == EffectDetails("audit")


def test_details_of_other_effects_are_computed(catalog: AliasCatalog) -> None:
    details = {"networkManagerId": "[concat('/nm/', field('name'))]"}
    found = resolved({"effect": "addToNetworkGroup", "details": details}, catalog)
    assert found == EffectDetails("addToNetworkGroup", details={"networkManagerId": "/nm/n"})


def test_a_manual_effect_has_a_default_state(catalog: AliasCatalog) -> None:
    found = resolved({"effect": "manual", "details": {"defaultState": "Compliant"}}, catalog)
    assert found == EffectDetails("manual", default_state="Compliant", details={"defaultState": "Compliant"})


def test_a_lookup_is_computed(catalog: AliasCatalog) -> None:
    condition = {"field": "Test/state", "equals": "on"}
    details = {
        "type": "T.One/a/parts",
        "name": "[concat(field('name'), '/p')]",
        "resourceGroupName": "[toLower('RG')]",
        "existenceScope": "Subscription",
        "existenceCondition": condition,
        "evaluationDelay": "AfterProvisioning",
    }
    found = resolved({"effect": "auditIfNotExists", "details": details}, catalog)
    assert found == EffectDetails(
        "auditIfNotExists",
        related={
            "type": "T.One/a/parts",
            "name": "n/p",
            "resourceGroupName": "rg",
            "existenceScope": "Subscription",
        },
        existence=condition,
        delay="AfterProvisioning",
    )


def test_a_deployment_is_computed_and_its_template_stays(catalog: AliasCatalog) -> None:
    template = {"resources": [{"name": "[parameters('name')]"}]}
    parameters = {"name": {"value": "[field('name')]"}, "plain": "[toUpper('b')]"}
    details = {
        "type": "T.One/a/parts",
        "roleDefinitionIds": ["/r"],
        "deploymentScope": "Subscription",
        "deployment": {
            "location": "[concat('west', 'us')]",
            "properties": {"mode": "incremental", "template": template, "parameters": parameters},
        },
    }
    found = resolved({"effect": "deployIfNotExists", "details": details}, catalog)
    assert found == EffectDetails(
        "deployIfNotExists",
        roles=("/r",),
        scope="Subscription",
        related={"type": "T.One/a/parts", "existenceScope": "ResourceGroup"},
        deployment={
            "location": "westus",
            "properties": {
                "mode": "incremental",
                "template": template,
                "parameters": {"name": {"value": "n"}, "plain": {"value": "B"}},
            },
        },
    )


def test_deployments_are_made_in_the_resource_group_by_default(catalog: AliasCatalog) -> None:
    details = {"type": "T/x", "deployment": {"properties": {"template": {}}}}
    found = resolved({"effect": "deployIfNotExists", "details": details}, catalog)
    assert (found.scope, found.delay, found.details) == ("resourceGroup", None, None)
    assert found.deployment == {"properties": {"template": {}, "parameters": {}}}


def test_a_wrong_expression_in_a_deployment_is_refused_where_it_stands(catalog: AliasCatalog) -> None:
    properties = {"template": {}, "parameters": {"a": {"value": "[nothing()]"}}}
    details = {"type": "T/x", "deployment": {"properties": properties}}
    with pytest.raises(InvalidDefinition) as refused:
        resolved({"effect": "deployIfNotExists", "details": details}, catalog)
    assert str(refused.value.path).startswith("$.policyRule.then.details")


@pytest.mark.parametrize(
    ("condition", "applies"),
    [
        ("[equals(field('name'), 'n')]", True),
        ("[equals(field('name'), 'other')]", False),
        ("[string('True')]", True),
        ("[string('no')]", False),
        (True, True),
        (False, False),
    ],
)
def test_operations_have_conditions(condition: Any, applies: bool, catalog: AliasCatalog) -> None:  # noqa: FBT001 - a table
    value = 1 if applies else "[div(1, 0)]"  # the value of an operation that does not apply is not computed
    name = "Test/a" if applies else "Test.Else/slots/a"  # nor is its field looked for, which may be of another type
    operation = {"operation": "add", "field": name, "value": value, "condition": condition}
    steps = ("properties", "a") if applies else ()
    assert modify(catalog, operation) == (EffectOperation("add", name, steps, 1 if applies else None, applies=applies),)


def test_a_condition_is_a_boolean(catalog: AliasCatalog) -> None:
    with pytest.raises(EvaluationError, match="expected a boolean"):
        modify(catalog, {"operation": "add", "field": "Test/a", "value": 1, "condition": 1})


def test_the_path_of_an_alias_is_that_of_the_type_and_version(catalog: AliasCatalog) -> None:
    by_type = {"operation": "add", "field": "Test/byType", "value": 1}
    assert modify(catalog, by_type)[0].steps == ("properties", "one")
    assert modify(catalog, by_type, body={**BODY, "type": "T.Two/b"})[0].steps == ("properties", "two")
    by_version = {"operation": "add", "field": "Test/byVersion", "value": 1}
    assert modify(catalog, by_version, api_version="2019-01-01")[0].steps == ("properties", "old")
    assert modify(catalog, by_version, api_version="2022-01-01")[0].steps == ("properties", "new")


def test_tags_are_one_step_in_every_spelling(catalog: AliasCatalog) -> None:
    for field in ("tags.a", "tags['a']", "tags[a]", "[concat('tags[', 'a', ']')]"):
        assert modify(catalog, {"operation": "remove", "field": field})[0].steps == ("tags", "a")


@pytest.mark.parametrize(
    ("field", "body", "message"),
    [
        ("Test/byType", {**BODY, "type": "T.Three/c"}, "'Test/byType' is not an alias of T.Three/c"),
        ("Nowhere/x", {"name": "n"}, "'Nowhere/x' is not an alias of this resource"),
    ],
)
def test_an_alias_of_another_type_is_an_error(field: str, body: Any, message: str, catalog: AliasCatalog) -> None:
    with pytest.raises(EvaluationError) as failed:
        modify(catalog, {"operation": "add", "field": field, "value": 1}, body=body)
    assert str(failed.value) == message


def test_a_value_that_was_not_read_is_an_error(catalog: AliasCatalog) -> None:
    operation = {"operation": "add", "field": "Test/b", "value": "[field('Test/hidden')]"}
    with pytest.raises(EvaluationError) as failed:
        modify(catalog, operation, unread={"properties.hidden": Unread("forbidden")})
    assert str(failed.value) == "properties.hidden was not read (forbidden)"


@pytest.mark.parametrize("value", [{"inner": "[field('Test/gone')]"}, ["x", {"deep": "[field('Test/gone')]"}]])
def test_a_value_is_refused_where_a_part_deep_in_it_is_unknown(value: Any, catalog: AliasCatalog) -> None:
    change = {"operation": "addOrReplace", "field": "tags.x", "value": value}
    with pytest.raises(EvaluationError, match=r"alias Test/gone was not read \(unknownAlias\)"):
        modify(catalog, change)
