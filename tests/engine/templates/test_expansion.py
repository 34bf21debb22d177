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
    effect_details,
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


@pytest.mark.parametrize("scope", ["[resourceId('A.B/c', 'd')]", "A.B/c/d", f"{GROUP}/providers/A.B/c/d/"])
def test_an_extension_resource_stands_under_its_scope(scope: str) -> None:
    assert expand(resource(scope=scope))[0]["id"] == f"{GROUP}/providers/A.B/c/d/providers/X.Y/a/n"


def test_a_resource_group_stands_under_its_subscription() -> None:
    context = Context(subscription=WHERE.subscription)
    found = expand({"type": "Microsoft.Resources/resourceGroups", "name": "new"}, context=context)
    assert found[0]["id"] == "/subscriptions/s/resourceGroups/new"


def test_children_of_what_is_left_out_are_deployed() -> None:
    found = expand(resource(condition=False, resources=[{"type": "b", "name": "c"}]))
    assert [each["name"] for each in found] == ["n/c"]


def test_names_of_properties_may_be_expressions() -> None:
    found = expand(resource(tags={"[concat('a', 'b')]": 1, "[[c]": 2}))
    assert found[0]["body"]["tags"] == {"ab": 1, "[c]": 2}


def test_symbolic_names_stand_for_resources_and_existing_ones_are_not_deployed() -> None:
    resources = {
        "second": resource(name="b", dependsOn=["first", "there"]),
        "there": resource(name="c", existing=True),
        "first": resource(name="a"),
    }
    found = expand_template({"languageVersion": "2.0", "resources": resources}, None, WHERE)
    assert [each["name"] for each in found] == ["a", "b"]


def test_resources_are_copied_as_often_as_their_loop_says() -> None:
    found = expand_template(
        {
            "parameters": {"names": {"type": "array"}},
            "resources": [
                resource(
                    name="[format('n{0}-{1}', copyIndex(), copyIndex('rounds', 5))]",
                    copy={"name": "Rounds", "count": "[length(parameters('names'))]", "mode": "serial", "batchSize": 1},
                    condition="[not(equals(copyIndex(), 1))]",
                    properties={"x": "[parameters('names')[copyIndex()]]", "y": "[copyIndex(10)]"},
                )
            ],
        },
        {"names": ["p", "q", "r"]},
        WHERE,
    )
    assert [(each["name"], each["body"]["properties"]) for each in found] == [
        ("n0-5", {"x": "p", "y": 10}),
        ("n2-7", {"x": "r", "y": 12}),
    ]
    assert "copy" not in found[0]["body"]


def test_nested_deployments_are_copied_with_what_they_see() -> None:
    inner = {"resources": [resource(name="[concat('n', copyIndex())]")]}
    found = expand(nested(inner, name="[concat('d', copyIndex())]", copy={"name": "c", "count": 2}))
    assert [each["name"] for each in found] == ["n0", "n1"]


def test_child_resources_are_not_copied() -> None:
    child = {"type": "b", "name": "[concat('c', copyIndex())]", "copy": {"name": "l", "count": 2}}
    with pytest.raises(InvalidDefinition, match="outside of its parent") as caught:
        expand(resource(resources=[child]))
    assert caught.value.path == "$.resources[0].resources[0].copy"


@pytest.mark.parametrize("count", [-1, 801, "two", None, True])
def test_loops_run_up_to_800_times(count: Any) -> None:
    with pytest.raises(EvaluationError, match=r"\$.resources\[0\].copy.count"):
        expand(resource(name="[concat('n', copyIndex())]", copy={"name": "c", "count": count}))


def test_a_loop_may_run_not_at_all() -> None:
    assert expand(resource(copy={"name": "c", "count": 0})) == []


def test_what_only_a_deployment_knows_is_named_and_all_else_computed() -> None:
    found = expand(
        resource(
            name="known",
            location="[resourceGroup().location]",
            properties={
                "keys": ["[listKeys(resourceId('A.B/c', 'd'), '1').keys[0].value]", 1],
                "id": "[concat('x', reference('r').outputs.id.value)]",
                "made": "[createObject('a', reference('r', '1', 'Full'), 'b', 2)]",
                "plain": "[concat('x', 'y')]",
                "[concat('a', '.', 'b')]": "[newGuid()]",
            },
        )
    )
    key = f"known after deployment: listKeys('{GROUP}/providers/A.B/c/d', '1').keys[0].value"
    assert found[0]["body"]["properties"] == {
        "keys": [key, 1],
        "id": "known after deployment: reference('r').outputs.id.value",
        "made": {"a": "known after deployment: reference('r', '1', 'Full')", "b": 2},
        "plain": "xy",
        "a.b": "known after deployment: newGuid()",
    }
    assert found[0]["unknown"] == {
        "properties.keys[0]": key,
        "properties.id": "known after deployment: reference('r').outputs.id.value",
        "properties.made.a": "known after deployment: reference('r', '1', 'Full')",
        "properties['a.b']": "known after deployment: newGuid()",
    }
    assert found[0]["id"] == f"{GROUP}/providers/X.Y/a/known"


@pytest.mark.parametrize(
    ("members", "part", "text"),
    [
        ({"name": "[deployment().name]"}, "name", "deployment().name"),
        ({"type": "[reference('x').type]"}, "type", "reference('x').type"),
        ({"scope": "[reference('x').id]"}, "scope", "reference('x').id"),
        ({"condition": "[empty(reference('x').errors)]"}, "condition", "reference('x').errors"),
        ({"copy": {"name": "c", "count": "[length(reference('x').y)]"}}, "copy.count", "reference('x').y"),
    ],
)  # fmt: skip
def test_it_may_be_unknown_whether_and_where_a_resource_is_deployed(members: Any, part: str, text: str) -> None:
    found = expand(resource(**members))
    assert found[0]["unknown"] == {part: f"known after deployment: {text}"}
    assert ("id" in found[0]) == (part in {"condition", "copy.count"})


def test_an_unknown_reaches_what_is_nested() -> None:
    inner = {
        "parameters": {"p": {"type": "object"}, "q": {"type": "string"}},
        "resources": [resource(name="[parameters('q')]", properties={"p": "[parameters('p').a]"})],
    }
    found = expand(
        nested(
            inner,
            "inner",
            condition="[reference('c').on]",
            properties={"parameters": {"p": {"value": "[reference('x')]"}, "q": {"value": "n"}}},
        )
    )
    assert found[0]["name"] == "n"
    assert found[0]["unknown"] == {
        "condition": "known after deployment: reference('c').on",
        "properties.p": "known after deployment: reference('x').a",
    }


def test_what_is_given_of_the_deployment_is_known() -> None:
    template = {"resources": [resource(location="[deployment().location]", name="[deployment().name]")]}
    found = expand_template(template, None, WHERE, {"location": "westus", "name": "d"})
    assert (found[0]["name"], found[0]["body"]["location"], "unknown" in found[0]) == ("d", "westus", False)


def nested(template: Any, evaluation: str | None = None, **members: Any) -> dict[str, Any]:
    options = {"expressionEvaluationOptions": {"scope": evaluation}} if evaluation else {}
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


def test_nested_deployments_see_what_is_around_them_by_default() -> None:
    inner = {
        "variables": {"v": "inner"},
        "resources": [resource(name="[concat(variables('v'), '-', resourceGroup().name)]")],
    }
    found = expand(nested(inner, resourceGroup="other"), variables={"v": "outer"})
    assert found[0]["id"] == "/subscriptions/s/resourceGroups/other/providers/X.Y/a/outer-rg"


@pytest.mark.parametrize(
    ("members", "scope"),
    [
        ({}, GROUP),
        ({"resourceGroup": "g2"}, "/subscriptions/s/resourceGroups/g2"),
        ({"subscriptionId": "s2", "resourceGroup": "g2"}, "/subscriptions/s2/resourceGroups/g2"),
        ({"subscriptionId": "s2"}, "/subscriptions/s2/resourceGroups/rg"),
        ({"subscriptionId": "s2", "location": "westus"}, "/subscriptions/s2"),
        ({"scope": "/"}, ""),
        ({"scope": "/subscriptions/s3"}, "/subscriptions/s3"),
        ({"scope": "Microsoft.Management/managementGroups/m"}, "/providers/Microsoft.Management/managementGroups/m"),
    ],
)
@pytest.mark.parametrize("evaluation", ["inner", "outer"])
def test_nested_deployments_deploy_to_their_scope(members: Any, scope: str, evaluation: str) -> None:
    assert expand(nested({"resources": [resource()]}, evaluation, **members))[0]["id"] == f"{scope}/providers/X.Y/a/n"


@pytest.mark.parametrize(
    ("members", "expression", "value"),
    [
        ({"resourceGroup": "RG"}, "resourceGroup().location", "eastus"),
        ({"resourceGroup": "g2"}, "resourceGroup().name", "g2"),
        ({"resourceGroup": "g2"}, "resourceGroup().location", "not known here: resourceGroup().location"),
        ({"subscriptionId": "s2", "resourceGroup": "rg"}, "resourceGroup().id", "/subscriptions/s2/resourceGroups/rg"),
        ({"resourceGroup": "g2"}, "resourceId('A.B/c', 'd')", "/subscriptions/s/resourceGroups/g2/providers/A.B/c/d"),
        ({"subscriptionId": "s2", "location": "x"}, "resourceId('A.B/c', 'd')", "/subscriptions/s2/providers/A.B/c/d"),
    ],
)  # fmt: skip
def test_the_inner_surroundings_are_those_of_the_target(members: Any, expression: str, value: str) -> None:
    found = expand(nested({"resources": [resource(properties={"x": f"[{expression}]"})]}, "inner", **members))
    assert found[0]["body"]["properties"]["x"] == value


def test_deployments_nest_five_levels() -> None:
    deployment = nested({"resources": [resource()]})
    for _ in range(4):
        deployment = nested({"resources": [deployment]})
    assert len(expand(deployment)) == 1
    with pytest.raises(NotSupported, match="more than 5 levels"):
        expand(nested({"resources": [deployment]}))


def test_a_secret_for_a_nested_deployment_is_unknown() -> None:
    inner = {
        "parameters": {"p": {"type": "secureString"}},
        "resources": [resource(properties={"p": "[parameters('p')]"})],
    }
    secret = {"reference": {"keyVault": {"id": "/v"}, "secretName": "s"}}
    found = expand(nested(inner, "inner", properties={"parameters": {"p": secret}}))
    assert found[0]["unknown"] == {"properties.p": "known after deployment: the secret for parameters('p')"}


@pytest.mark.parametrize(
    "template",
    [
        {"resources": [{"type": "Microsoft.Resources/deployments", "name": "d", "properties": {"templateLink": {}}}]},
        {"resources": [resource(name=f"n{at}") for at in range(801)]},
        {"resources": [resource(name="[concat('n', copyIndex())]", copy={"name": "c", "count": 401})] * 2},
    ],
)
def test_links_and_floods_are_refused(template: Any) -> None:
    with pytest.raises(NotSupported, match=r"linked templates|more than 800 resources"):
        expand_template(template, None, WHERE)


def test_circles_end_in_an_error() -> None:
    with pytest.raises(EvaluationError, match="circle"):
        expand(resource(name="[variables('a')]"), variables={"a": "[variables('b')]", "b": "[variables('a')]"})


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ({"resources": "x"}, "$.resources"),
        ({"resources": ["x"]}, "$.resources[0]"),
        ({"parameters": [1], "resources": []}, "$.parameters"),
        ({"variables": "x", "resources": []}, "$.variables"),
        ({"functions": {"a": 1}, "resources": []}, "$.functions"),
        ({"resources": [resource(resources=1)]}, "$.resources[0].resources"),
        ({"resources": [resource(dependsOn="x")]}, "$.resources[0].dependsOn"),
        ({"resources": [resource(copy={"count": 2})]}, "$.resources[0].copy"),
        ({"resources": [resource(properties={"x": "[concat(]"})]}, "$.resources[0].properties.x"),
    ],
)
def test_shapes_that_no_template_has_are_refused(template: Any, path: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        expand_template(template)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ({"type": None}, r"\$.resources\[0\].type: the resource has no type"),
        ({"name": 7}, r"\$.resources\[0\].name: expected a string, found number 7"),
        ({"name": "a/b"}, r"\$.resources\[0\]: the type X.Y/a needs 1 names, found 2"),
        ({"name": ""}, "a name of the X.Y/a is empty"),
        ({"type": "X.Y"}, "no resource type"),
        ({"condition": 7}, r"\$.resources\[0\].condition: expected a boolean"),
        ({"properties": {"x": "[split(1)]"}}, r"\$.resources\[0\].properties.x: split\(\) takes 2 arguments, found 1"),
        ({"properties": {"x": "[first(1)]"}}, r"\$.resources\[0\].properties.x: first\(\): expected an array"),
    ],
)
def test_what_fails_says_where(member: Any, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        expand(resource(**member))


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
    found = effect_details(policy, Resource({"name": "srv", "type": "T.One/a"}), WHERE)
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
