"""Exported templates are read at the scope they are for, and what they do not say counts as unread."""

import json
from typing import Any

import pytest

from shared.domain.inventory import RecordError
from shared.domain.resource import Resource, Unread
from shared.importing import record_scanner
from shared.importing.inventory_reader import RecordReader, read_resources, scan_records

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
STORAGE = "Microsoft.Storage/storageAccounts"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
ORIGIN = {"subscription": SUBSCRIPTION, "resource_group": "rg"}
SCHEMAS = "https://schema.management.azure.com/schemas"


def not_collected(why: str) -> Unread:
    return Unread("notCollected", detail=why)


def _template(*resources: Any, schema: str = "2019-04-01/deploymentTemplate", **sections: Any) -> dict[str, Any]:
    return {
        "$schema": f"{SCHEMAS}/{schema}.json#",
        "contentVersion": "1.0.0.0",
        **sections,
        "resources": list(resources),
    }


def _read(template: Any, **origin: Any) -> list[Resource | RecordError]:
    return list(read_resources([json.dumps(template).encode()], **{**ORIGIN, **origin}))


def _account(**members: Any) -> dict[str, Any]:
    return {"type": STORAGE, "apiVersion": "2023-05-01", "name": "a", "properties": {"x": 1}, **members}


def _one(template: Any, **origin: Any) -> Resource:
    (found,) = _read(template, **origin)
    assert isinstance(found, Resource), found
    return found


@pytest.mark.parametrize("member", ["tags", "identity", "sku", "location", "properties"])
@pytest.mark.parametrize("value", ["[parameters('unknown')]", "[createObject(parameters('unknown'), 'yes')]"])
def test_a_member_that_is_not_known_costs_itself_alone(member: str, value: str) -> None:
    found = _one(_template(_account(**{member: value}), parameters={"unknown": {"type": "string"}}))
    assert found.unread == {member: not_collected("not known here: parameters('unknown')")}
    assert found.body == {
        "id": f"{GROUP}/providers/{STORAGE}/a",
        **{name: each for name, each in _account().items() if name not in ("apiVersion", member)},
    }


@pytest.mark.parametrize("function", ["weird", "contoso.f"])
@pytest.mark.parametrize("member", ["tags", "identity", "sku", "properties"])
def test_a_function_that_is_not_known_costs_its_part_alone_and_says_so(member: str, function: str) -> None:
    found = _one(_template(_account(**{member: {"known": 1, "new": f"[{function}('x')]"}})))
    assert found.body[member] == {"known": 1}
    why = f"unknown function '{function}': {function}('x')"
    assert found.unread == {f"{member}.new": not_collected(why)}


def test_a_function_that_is_not_known_says_not_whether_there_is_a_resource() -> None:
    for member in ("name", "type", "condition"):
        (bad,) = _read(_template(_account(**{member: "[weird()]"})))
        assert isinstance(bad, RecordError)
        assert bad.reason == f"{member} is unknown function 'weird': weird()"


def test_of_tags_with_a_dot_the_others_stay_known() -> None:
    tags = {"cost.center": "[parameters('p')]", "env": "dev", "a.b": "known"}
    found = _one(_template(_account(tags=tags), parameters={"p": {"type": "string"}}))
    assert found.unread == {"tags": not_collected("not known here: parameters('p')")}
    assert found.body["tags"] == {"env": "dev", "a.b": "known"}


def test_a_template_for_a_subscription_needs_no_resource_group() -> None:
    group = {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2022-09-01", "name": "new"}
    template = _template(group, schema="2018-05-01/subscriptionDeploymentTemplate")
    for resource_group in ("rg", None):
        found = _one(template, resource_group=resource_group)
        assert found.id == f"/subscriptions/{SUBSCRIPTION}/resourceGroups/new"
        assert found.type == "Microsoft.Resources/subscriptions/resourceGroups"


def test_a_template_for_a_management_group() -> None:
    definition = {"type": "Microsoft.Authorization/policyDefinitions", "apiVersion": "2023-04-01", "name": "p"}
    template = _template(definition, schema="2019-08-01/managementGroupDeploymentTemplate")
    found = _one(template, management_group="platform")
    above = "/providers/Microsoft.Management/managementGroups/platform"
    assert found.id == f"{above}/providers/Microsoft.Authorization/policyDefinitions/p"
    (bad,) = _read(template)
    assert isinstance(bad, RecordError)
    assert "name the management group" in bad.reason


def test_a_template_for_a_tenant() -> None:
    group = {"type": "Microsoft.Management/managementGroups", "apiVersion": "2023-04-01", "name": "top"}
    found = _one(_template(group, schema="2019-08-01/tenantDeploymentTemplate"))
    assert found.id == "/providers/Microsoft.Management/managementGroups/top"


def test_without_its_resource_group_a_template_is_not_taken_for_one_of_the_subscription() -> None:
    (bad,) = _read(_template(_account()), resource_group=None)
    assert isinstance(bad, RecordError)
    assert "name the subscription and resource group" in bad.reason


def test_extensions_in_the_old_spelling_have_the_type_that_azure_knows() -> None:
    logs = {"type": f"{STORAGE}/providers/diagnosticSettings", "apiVersion": "1", "name": "a/Microsoft.Insights/logs"}
    found = _one(_template(logs))
    assert found.id == f"{GROUP}/providers/{STORAGE}/a/providers/Microsoft.Insights/diagnosticSettings/logs"
    assert (found.type, found.body["name"]) == ("Microsoft.Insights/diagnosticSettings", "logs")


def test_an_array_may_be_a_part_of_what_is_allowed() -> None:
    zones = {"type": "array", "allowedValues": ["1", "2", "3"], "defaultValue": ["1", "3"]}
    assert _one(_template(_account(zones="[parameters('zones')]"), parameters={"zones": zones})).body["zones"] == [
        "1",
        "3",
    ]


def test_functions_of_the_template_are_computed() -> None:
    output = {"type": "string", "value": "[concat('st', parameters('n'))]"}
    functions = [
        {"namespace": "own", "members": {"name": {"parameters": [{"name": "n", "type": "string"}], "output": output}}}
    ]
    assert _one(_template(_account(name="[own.name('x')]"), functions=functions)).body["name"] == "stx"


@pytest.mark.parametrize("order", [sorted, lambda names: sorted(names, reverse=True)])
def test_sections_stand_in_any_order(order: Any) -> None:
    sections = {
        "parameters": {"zone": {"type": "string", "defaultValue": "1"}},
        "variables": {"account": "st01"},
        "outputs": {},
    }
    template = _template(_account(name="[variables('account')]", zones=["[parameters('zone')]"]), **sections)
    found = _one({name: template[name] for name in order(template)})
    assert (found.body["name"], found.body["zones"]) == ("st01", ["1"])


def test_resources_that_stand_first_have_their_own_place() -> None:
    resources = '{"type": "A.B/c", "name": 7},\n{"type": "A.B/c", "name": "[variables(\'n\')]"}'
    text = f'{{"resources": [\n{resources}],\n"variables": {{"n": "x"}}}}'
    bad, good = read_resources([text.encode()], **ORIGIN)
    assert isinstance(bad, RecordError)
    assert (bad.position, bad.line) == (1, 2)
    assert isinstance(good, Resource)
    assert good.body["name"] == "x"


def test_a_template_that_breaks_off_keeps_the_resources_before_the_break() -> None:
    text = json.dumps(_template(_account(), _account(name="b")))
    first, last = read_resources([text[:-30].encode()], **ORIGIN)
    assert isinstance(first, Resource)
    assert isinstance(last, RecordError)


def test_a_template_larger_than_azure_takes_is_read_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_scanner, "_TEMPLATE_BYTES", 300)
    template = _template(*(_account(name=f"st{number}") for number in range(20)), variables={"behind": 1})
    assert [each.body["name"] for each in _read(template) if isinstance(each, Resource)] == [
        f"st{number}" for number in range(20)
    ]


def _values(parameters: Any, declared: Any) -> list[Any]:
    resource = _account(properties={name: f"[parameters('{name}')]" for name in declared})
    (found,) = _read(_template(resource, parameters=declared), parameters=parameters)
    return list(found.body["properties"].values()) if isinstance(found, Resource) else [found.reason]


def test_parameters_get_the_values_of_a_parameter_file() -> None:
    assert _values({"a": {"value": [1]}, "B": {"value": "x"}}, {"a": {"type": "array"}, "b": {"type": "string"}}) == [
        [1],
        "x",
    ]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", "7", 7),
        ("Bool", "true", True),
        ("array", '["1"]', ["1"]),
        ("object", '{"a": 1}', {"a": 1}),
        ("string", "7", "7"),
        ("secureString", "true", "true"),
    ],
)
def test_a_value_that_comes_as_text_has_the_declared_type(kind: str, text: str, value: Any) -> None:
    assert _values({"p": text}, {"p": {"type": kind}}) == [value]


@pytest.mark.parametrize(
    ("given", "reason"),
    [({"q": "1"}, "none that is called 'q'"), ({"p": "seven"}, "expected a value of type int, found string")],
)
def test_a_value_that_the_template_does_not_take_is_reported(given: Any, reason: str) -> None:
    (found,) = _values(given, {"p": {"type": "int"}})
    assert reason in found


def test_the_location_is_that_of_the_resource_group_and_of_the_deployment() -> None:
    resource = _account(location="[resourceGroup().location]", tags={"at": "[deployment().location]"})
    found = _one(_template(resource), location="westeurope")
    assert (found.body["location"], found.body["tags"], found.unread) == ("westeurope", {"at": "westeurope"}, {})
    assert _one(_template(resource)).unread == {
        "location": not_collected("not known here: resourceGroup().location"),
        "tags.at": not_collected("known after deployment: deployment().location"),
    }


def test_an_api_version_is_that_of_bodies_which_name_none() -> None:
    body = {"id": f"{GROUP}/providers/{STORAGE}/b", "type": STORAGE}
    assert _one(body, api_version="2022-09-01").api_version == "2022-09-01"
    assert _one(_template(_account()), api_version="2022-09-01").api_version == "2023-05-01"


def test_a_name_that_needs_a_parameter_says_how_to_give_it() -> None:
    template = _template(_account(name="[parameters('account')]"), parameters={"account": {"type": "string"}})
    (bad,) = _read(template)
    assert isinstance(bad, RecordError)
    assert bad.reason == ("name is not known here: parameters('account'): give it with `--parameter account=VALUE`")
    assert _one(template, parameters={"account": "st01"}).body["name"] == "st01"


def test_strings_go_over_several_lines() -> None:
    command = "if (a > 1) {\n\tb; // [not] a comment\r\n}"
    account = _account(tags={"given": "[variables('command')]", "written": "MARK"})
    text = json.dumps(_template(account, variables={"command": "MARK"}), indent=1).replace("MARK", command)
    (found,) = read_resources([text.encode()], **ORIGIN)
    assert isinstance(found, Resource)
    assert found.body["tags"] == {"given": command, "written": command}


def test_a_child_may_have_its_whole_type_and_name() -> None:
    child = {"type": f"{STORAGE}/blobServices", "name": "a/default", "apiVersion": "2023-05-01"}
    found = _read(_template(_account(resources=[child])))
    ids = [each.id.rpartition("/providers/")[2] for each in found if isinstance(each, Resource)]
    assert ids == [f"{STORAGE}/a", f"{STORAGE}/a/blobServices/default"]


@pytest.mark.parametrize("name", ["[parameters('x')]", "[newGuid()]", "[concat(parameters('x'), 'st')]"])
def test_what_is_still_to_be_made_needs_no_name(name: str) -> None:
    template = _template(_account(name=name), parameters={"x": {"type": "string"}})
    reader = RecordReader(draft=True)
    (found,) = (each for record in scan_records([json.dumps(template).encode()]) for each in reader.read(record))
    assert isinstance(found, Resource)
    assert ("name" in found.body, set(found.unread)) == (False, {"name"})


def test_a_scope_that_needs_a_parameter_says_how_to_give_it() -> None:
    lock = {"type": "Microsoft.Authorization/locks", "apiVersion": "2016-09-01", "name": "l", "properties": {}}
    scope = "[resourceId('Microsoft.Storage/storageAccounts', parameters('account'))]"
    (bad,) = _read(_template({**lock, "scope": scope}, parameters={"account": {"type": "string"}}))
    assert isinstance(bad, RecordError)
    assert "give it with `--parameter account=VALUE`" in bad.reason
    (found,) = _read(
        _template({**lock, "scope": scope}, parameters={"account": {"type": "string"}}), parameters={"account": "a"}
    )
    assert isinstance(found, Resource)


@pytest.mark.parametrize("member", ["extension", "import"])
def test_what_another_api_deploys_is_no_resource(member: str) -> None:
    user = {member: "kubernetes", "type": "core/Service@v1", "properties": {"metadata": {"name": "x"}}}
    assert _read(_template(user, _account())) == _read(_template(_account()))
