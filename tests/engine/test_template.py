"""Deployment templates: expanded to resources, or refused by name."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.resource import Resource
from shared.engine import (
    AliasCatalog,
    Context,
    EvaluationError,
    InvalidDefinition,
    NotSupported,
    compile_definition,
    effects,
    evaluate_expression,
    expand_template,
)

WHERE = Context(
    resource_group={"name": "rg", "location": "eastus", "id": "/subscriptions/s/resourceGroups/rg"},
    subscription={"subscriptionId": "s", "id": "/subscriptions/s"},
    now=datetime(2024, 6, 1, tzinfo=UTC),
    tenant="t",
)
GROUP = "/subscriptions/s/resourceGroups/rg"


def resource(**members: Any) -> dict[str, Any]:
    return {"type": "X.Y/a", "apiVersion": "2020-01-01", "name": "n", **members}


def expand(*resources: Any, parameters: Any = None, context: Context = WHERE, **template: Any) -> list[dict[str, Any]]:
    return expand_template({"resources": list(resources), **template}, parameters, context)


def test_expressions_parameters_and_variables_are_computed() -> None:
    found = expand_template(
        {
            "parameters": {
                "prefix": {"type": "string", "defaultValue": "[toLower('AB')]"},
                "place": {"type": "string", "defaultValue": "[resourceGroup().location]"},
                "n": {"type": "int"},
            },
            "variables": {"name": "[concat(parameters('prefix'), '-', parameters('n'))]"},
            "resources": [
                resource(
                    name="[variables('name')]",
                    location="[parameters('place')]",
                    dependsOn=["x"],
                    properties={"list": ["[parameters('n')]"], "plain": "[[x]"},
                )
            ],
        },
        {"N": {"value": 3}},
        WHERE,
    )
    assert found == [
        {
            "id": f"{GROUP}/providers/X.Y/a/ab-3",
            "type": "X.Y/a",
            "name": "ab-3",
            "apiVersion": "2020-01-01",
            "body": {
                "type": "X.Y/a",
                "name": "ab-3",
                "location": "eastus",
                "properties": {"list": [3], "plain": "[x]"},
            },
        }
    ]


def test_given_values_are_data_never_expressions() -> None:
    found = expand_template(
        {"parameters": {"p": {"type": "string"}}, "resources": [resource(properties={"p": "[parameters('p')]"})]},
        {"p": "[concat('a', 'b')]"},
        WHERE,
    )
    assert found[0]["body"]["properties"]["p"] == "[concat('a', 'b')]"


@pytest.mark.parametrize(
    ("condition", "number"), [(True, 1), (False, 0), ("[equals(1, 2)]", 0), ("[equals(1, 1)]", 1), ("false", 0)]
)
def test_conditions_leave_resources_out(condition: Any, number: int) -> None:
    assert len(expand(resource(condition=condition))) == number


def test_child_resources_get_the_names_and_types_of_their_parents() -> None:
    child = {"type": "b", "apiVersion": "1", "name": "c", "resources": [{"type": "d", "apiVersion": "1", "name": "e"}]}
    found = expand(resource(resources=[child]))
    assert [(each["type"], each["name"]) for each in found] == [
        ("X.Y/a", "n"),
        ("X.Y/a/b", "n/c"),
        ("X.Y/a/b/d", "n/c/e"),
    ]
    assert found[2]["id"] == f"{GROUP}/providers/X.Y/a/n/b/c/d/e"
    assert "resources" not in found[0]["body"]


def test_an_extension_resource_stands_under_its_scope() -> None:
    found = expand(resource(scope="[resourceId('A.B/c', 'd')]"))
    assert found[0]["id"] == f"{GROUP}/providers/A.B/c/d/providers/X.Y/a/n"


def nested(template: Any, scope: str | None = None, **members: Any) -> dict[str, Any]:
    options = {"expressionEvaluationOptions": {"scope": scope}} if scope else {}
    properties = {"mode": "Incremental", "template": template, **options, **members.pop("properties", {})}
    return {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "1",
        "name": "inner",
        **members,
        "properties": properties,
    }


def test_nested_deployments_are_flattened_in_their_own_scope() -> None:
    inner = {
        "parameters": {"q": {"type": "string"}},
        "resources": [resource(name="[parameters('q')]", properties={"d": "[deployment().name]"})],
    }
    deployment = nested(
        inner, "inner", resourceGroup="other", properties={"parameters": {"q": {"value": "[resourceGroup().name]"}}}
    )
    found = expand(deployment)
    assert found[0]["id"] == "/subscriptions/s/resourceGroups/other/providers/X.Y/a/rg"
    assert found[0]["body"]["properties"]["d"] == "inner"


def test_nested_deployments_see_the_outer_variables_by_default() -> None:
    found = expand(
        nested({"resources": [resource(name="[variables('v')]")]}, subscriptionId="s2"), variables={"v": "outer"}
    )
    assert found[0]["name"] == "outer"
    assert found[0]["id"] == "/subscriptions/s2/resourceGroups/rg/providers/X.Y/a/outer"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("resourceId('X.Y/a/b', 'n', 'm')", f"{GROUP}/providers/X.Y/a/n/b/m"),
        ("resourceId('other', 'X.Y/a', 'n')", "/subscriptions/s/resourceGroups/other/providers/X.Y/a/n"),
        ("resourceId('s2', 'other', 'X.Y/a', 'n')", "/subscriptions/s2/resourceGroups/other/providers/X.Y/a/n"),
        ("subscriptionResourceId('X.Y/a', 'n')", "/subscriptions/s/providers/X.Y/a/n"),
        ("subscriptionResourceId('s2', 'X.Y/a', 'n')", "/subscriptions/s2/providers/X.Y/a/n"),
        ("tenantResourceId('X.Y/a', 'n')", "/providers/X.Y/a/n"),
        ("extensionResourceId('/r', 'X.Y/a', 'n')", "/r/providers/X.Y/a/n"),
        ("tenant().tenantId", "t"),
        ("utcNow('yyyy-MM-dd')", "2024-06-01"),
        ("utcNow()", "20240601T000000Z"),
        ("if(equals(1, 1), 'a', reference('x'))", "a"),
        ("deployment().name", "policy-deployment"),
        ("subscription().subscriptionId", "s"),
    ],
)
def test_functions_that_compute_names_and_ids(expression: str, value: str) -> None:
    assert evaluate_expression(f"[{expression}]", context=WHERE) == value


@pytest.mark.parametrize(
    "name", ["reference('x')", "listKeys('x', '1')", "copyIndex()", "newGuid()", "pickZones('a','b','c')"]
)
def test_what_needs_the_cloud_is_refused_by_name(name: str) -> None:
    with pytest.raises(NotSupported, match=name.partition("(")[0]):
        expand(resource(properties={"x": f"[{name}]"}))


@pytest.mark.parametrize(
    "template",
    [
        {"resources": [resource(copy={"name": "c", "count": 2})]},
        {"resources": [], "variables": {"copy": []}},
        {"resources": [{"type": "Microsoft.Resources/deployments", "name": "d", "properties": {"templateLink": {}}}]},
        {"resources": [resource()] * 801},
    ],
)
def test_loops_links_and_floods_are_refused(template: Any) -> None:
    with pytest.raises(NotSupported):
        expand_template(template, None, WHERE)


def test_circles_end_in_an_error() -> None:
    with pytest.raises(EvaluationError, match="circle"):
        expand(resource(name="[variables('a')]"), variables={"a": "[variables('b')]", "b": "[variables('a')]"})


@pytest.mark.parametrize("template", [{"resources": "x"}, {"resources": ["x"]}, {"parameters": [], "resources": []}])
def test_shapes_that_no_template_has_are_refused(template: Any) -> None:
    with pytest.raises(InvalidDefinition):
        expand_template(template)


def test_without_a_scope_there_is_no_id() -> None:
    assert "id" not in expand(resource(), context=Context())[0]


def test_a_deployment_of_a_policy_expands_to_what_it_would_deploy(catalog: AliasCatalog) -> None:
    template = {
        "parameters": {"server": {"type": "string"}, "days": {"type": "int"}},
        "resources": [
            resource(
                type="T.One/a/parts",
                name="[concat(parameters('server'), '/default')]",
                properties={"days": "[parameters('days')]"},
            )
        ],
    }
    details = {
        "type": "T.One/a/parts",
        "name": "default",
        "roleDefinitionIds": ["/role"],
        "evaluationDelay": "AfterProvisioning",
        "deployment": {
            "properties": {
                "mode": "incremental",
                "template": template,
                "parameters": {"server": {"value": "[field('name')]"}, "days": {"value": "[parameters('d')]"}},
            }
        },
    }
    rule = {"if": {"field": "type", "equals": "T.One/a"}, "then": {"effect": "deployIfNotExists", "details": details}}
    definition = {"parameters": {"d": {"type": "Integer"}}, "policyRule": rule}
    policy = compile_definition(definition, aliases=catalog, parameters={"d": 30})
    found = effects(policy, Resource({"name": "srv", "type": "T.One/a"}), WHERE)
    assert found.roles == ("/role",)
    assert (found.related, found.delay) == (
        {"type": "T.One/a/parts", "name": "default", "existenceScope": "ResourceGroup"},
        "AfterProvisioning",
    )
    assert found.deployment is not None
    properties = found.deployment["properties"]
    assert properties["parameters"] == {"server": {"value": "srv"}, "days": {"value": 30}}
    expanded = expand_template(properties["template"], properties["parameters"], WHERE)
    assert [(each["id"], each["body"]["properties"]) for each in expanded] == [
        (f"{GROUP}/providers/T.One/a/srv/parts/default", {"days": 30})
    ]


@pytest.mark.parametrize("text", ["[parameters()]", "[variables()]", "[extensionResourceId('/s')]"])
def test_functions_of_the_surroundings_need_their_arguments(text: str) -> None:
    with pytest.raises(EvaluationError, match="arguments or more"):
        evaluate_expression(text)
