"""Policy files are read in the forms in which people keep them: lists, pages, templates, escaped, with comments."""

import json
from typing import Any

import pytest

from shared.authoring.filed_policy import FiledPolicy
from shared.authoring.formatter import format_text
from shared.authoring.lint import lint_text
from shared.authoring.lint.subject import LintFacts
from shared.authoring.policy_file import has_policy, part_stem, read_json, read_policies, with_parameters
from shared.authoring.source_location import SourceLocations
from shared.domain.lint import LintLevel
from shared.engine import AliasCatalog, InvalidDefinition

TYPE = "Microsoft.Authorization/policyDefinitions"
RULE = {"if": {"field": "location", "notIn": "[parameters('locations')]"}, "then": {"effect": "[parameters('effect')]"}}
PARAMETERS = {
    "effect": {"type": "String", "defaultValue": "Audit", "allowedValues": ["Audit", "Disabled"]},
    "locations": {"type": "Array", "defaultValue": ["westeurope"]},
}
PLAIN = {"name": "placed", "properties": {"mode": "All", "parameters": PARAMETERS, "policyRule": RULE}}
MEMBER = {"policyDefinitionId": f"/providers/{TYPE}/placed", "policyDefinitionReferenceId": "where"}
SCHEMA = "https://schema.management.azure.com/schemas/2019-08-01/managementGroupDeploymentTemplate.json#"
FACTS = LintFacts(AliasCatalog.from_rows([]))


def escaped(value: Any) -> Any:
    return json.loads(json.dumps(value).replace('"[', '"[['))


def template(*resources: Any, **sections: Any) -> dict[str, Any]:
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", **sections, "resources": list(resources)}


def read(value: Any) -> tuple[FiledPolicy, ...]:
    return read_policies(json.dumps(value))


def errors(value: Any) -> list[str]:
    found = lint_text(json.dumps(value), FACTS)
    return [f"{each.path}: {each.message}" for each in found if each.level is LintLevel.ERROR]


def resource(**parts: Any) -> dict[str, Any]:
    return {"type": TYPE, "apiVersion": "2023-04-01", **escaped(PLAIN), **parts}


def test_a_definition_written_for_a_template_is_read_as_it_will_be_and_that_is_said_once() -> None:
    (found,) = read(escaped(PLAIN))
    assert (found.source, found.escaped) == (PLAIN, True)
    remarks = lint_text(json.dumps(escaped(PLAIN)), FACTS)
    assert [each.rule for each in remarks].count("expressions-escaped") == 1
    assert not errors(escaped(PLAIN))


def test_a_note_is_made_once_for_a_file() -> None:
    remarks = lint_text(json.dumps([escaped(PLAIN), {**escaped(PLAIN), "name": "other"}]), FACTS)
    notes = [each for each in remarks if each.level is LintLevel.NOTE]
    assert len(notes) == len({each.rule for each in notes})
    (note,) = [each for each in notes if each.rule == "expressions-escaped"]
    assert note.message.endswith("; 1 more like this")


def test_one_bracket_too_many_among_others_is_not_taken_for_a_template() -> None:
    value = {**RULE, "if": {"field": "name", "equals": "[[literal]"}}
    (found,) = read({"policyRule": value})
    assert (found.source["policyRule"], found.escaped) == (value, False)


def test_an_escaped_effect_decides_where_the_template_fills_in_some_expressions() -> None:
    filled = {"field": "name", "equals": "[format('{0}', 'x')]"}
    (found,) = read({**PLAIN, "properties": {"policyRule": {**escaped(RULE), "if": filled}}})
    assert found.escaped
    assert found.source["properties"]["policyRule"] == {"if": filled, "then": RULE["then"]}


def test_expressions_of_the_template_that_a_definition_deploys_do_not_decide() -> None:
    nested = {"properties": {"template": {"outputs": {"a": {"value": "[[text]"}}}}}
    plain = {"if": {"field": "name", "exists": True}, "then": {"effect": "audit", "details": {"deployment": nested}}}
    assert not read({"policyRule": plain})[0].escaped


@pytest.mark.parametrize(
    ("value", "places"),
    [
        ([PLAIN, {**PLAIN, "name": "other"}], ["$[0]", "$[1]"]),
        ({"value": [PLAIN], "nextLink": None}, ["$.value[0]"]),
        ({"Value": [{"x": 1}, PLAIN]}, ["$.Value[1]"]),
        (template({"type": "Microsoft.Web/sites", "name": "[odd("}, resource()), ["$.resources[1]"]),
    ],
)
def test_lists_pages_and_templates_have_several_policies(value: Any, places: list[str]) -> None:
    found = read(value)
    assert [each.at for each in found] == places
    assert all(each.source["properties"] == PLAIN["properties"] for each in found)
    assert has_policy(read_json(json.dumps(value)))
    assert not errors(value)


def test_remarks_on_one_of_several_name_its_place_in_the_file() -> None:
    wrong = {"properties": {"policyRule": {"if": {"field": "name", "equal": 1}, "then": {"effect": "audit"}}}}
    assert errors([PLAIN, wrong]) == ["$[1].properties.policyRule.if: unknown key 'equal'"]


def test_copies_and_parameters_of_a_template_are_followed_as_far_as_they_are_static() -> None:
    loaded = {"names": ["one", "two"], "rule": RULE}
    copied = {
        "type": TYPE,
        "apiVersion": "2023-04-01",
        "name": "[concat(parameters('prefix'), variables('all').names[copyIndex()])]",
        "copy": {"name": "each", "count": "[length(variables('all').names)]"},
        "properties": {"parameters": escaped(PARAMETERS), "policyRule": "[variables('all').rule]"},
    }
    prefix = {"prefix": {"type": "string", "defaultValue": "p-"}}
    found = read(template(copied, parameters=prefix, variables={"all": escaped(loaded)}))
    assert [(each.source["name"], each.unknown) for each in found] == [("p-one", ""), ("p-two", "")]
    assert all(each.source["properties"]["policyRule"] == RULE for each in found)


def test_a_template_that_forgets_to_escape_is_an_error_at_its_resource() -> None:
    (found,) = errors(template({"type": "Microsoft.Web/sites"}, resource(properties=PLAIN["properties"])))
    assert found.startswith("$.resources[1]: the template cannot be evaluated: $.resources[1].properties.policyRule")


def test_a_resource_that_cannot_be_evaluated_leaves_the_others_alone() -> None:
    broken = resource(name="[concat('a']")
    good = resource(name="[concat('pla', 'ced')]")
    first, second = read(template(broken, good))
    assert "cannot be evaluated: $.resources[0].name" in first.problem
    assert (second.source["name"], second.problem) == ("placed", "")
    assert len(errors(template(broken, good))) == 1


def test_a_template_that_fails_with_its_defaults_alone_may_be_deployed_with_other_values() -> None:
    named = resource(name="[parameters('names')[0]]")
    (found,) = read(template(named, parameters={"names": {"type": "array", "defaultValue": []}}))
    assert ("outside an array of 0" in found.unknown, found.problem) == (True, "")


def test_policies_of_a_template_are_those_that_it_deploys_to_the_public_cloud() -> None:
    by_cloud = {"AzureCloud": "public", "AzureChinaCloud": "china"}
    named = resource(name="[variables('names')[environment().name]]")
    (found,) = read(template(named, variables={"names": by_cloud}))
    assert (found.source["name"], found.unknown) == ("public", "")


def test_comments_and_strings_over_several_lines_stand_in_one_template() -> None:
    text = json.dumps(template(resource(), variables={"a": "one // @two"}), indent=1).replace("@", "\n\t")
    text = text.replace('"variables"', '// don\'t "change\n"variables"') + "/* end */"
    assert [each.source["properties"] for each in read_policies(text)] == [PLAIN["properties"]]
    assert SourceLocations(text).find("$.resources[0].type").line > SourceLocations(text).find("$.variables").line


def test_what_only_a_deployment_knows_is_a_note() -> None:
    value = template(resource(properties={"policyRule": "[reference('other').rule]"}))
    (remark,) = lint_text(json.dumps(value), FACTS)
    assert (remark.rule, remark.level, remark.path) == ("template-open", LintLevel.NOTE, "$.resources[0]")


def test_definitions_of_a_nested_deployment_are_found() -> None:
    inner = {"template": template(resource()), "mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"}}
    nested = {"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "d", "properties": inner}
    (found,) = read(template(nested))
    assert (found.source["properties"], found.at) == (PLAIN["properties"], "$.resources[0]")


def test_what_else_a_nested_deployment_deploys_is_no_concern_of_its_policies() -> None:
    linked = {"type": "Microsoft.Resources/deployments", "name": "l", "properties": {"templateLink": {"uri": "u"}}}
    failing = {"type": "Microsoft.Web/sites", "name": "[odd(]"}
    inner = {"template": template(linked, failing, resource()), "mode": "Incremental"}
    nested = {"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "d", "properties": inner}
    (found,) = read(template(nested))
    assert (found.source["properties"], found.problem) == (PLAIN["properties"], "")


def test_a_policy_that_a_template_reads_as_text_is_escaped_too() -> None:
    texts = {"rule": json.dumps(escaped(PLAIN))}
    loaded = {
        "type": TYPE,
        "apiVersion": "2023-04-01",
        "name": "p",
        "properties": "[json(variables('rule')).properties]",
    }
    (found,) = read(template(loaded, variables=texts))
    assert (found.source["properties"], found.escaped) == (PLAIN["properties"], False)


def test_bare_members_are_an_initiative() -> None:
    (found,) = read([MEMBER])
    assert found.source == {"policyDefinitions": [MEMBER]}
    assert found.place("$.policyDefinitions[0].parameters") == "$[0].parameters"


def test_members_that_name_a_definition_alone_refer_to_it_by_name() -> None:
    named = {"policyDefinitionName": "placed", "policyDefinitionReferenceId": "where"}
    (found,) = read({"name": "i", "properties": {"policyDefinitions": [named]}})
    assert found.source["properties"]["policyDefinitions"] == [MEMBER]


def test_assignments_in_a_list_are_not_taken_for_members() -> None:
    assigned = {"name": "a", "properties": {"policyDefinitionId": MEMBER["policyDefinitionId"]}}
    flat = {"name": "a", "id": "/a", "policyDefinitionId": MEMBER["policyDefinitionId"]}
    assert [each.source for each in read([assigned, flat])] == [assigned, flat]


def test_comments_and_trailing_commas_are_taken() -> None:
    text = f'// team policy\n{{"name": "placed", /* "x": */ "properties": {json.dumps(PLAIN["properties"])},}}\n'
    assert read_policies(text)[0].source == PLAIN


@pytest.mark.parametrize("text", ["[]", '[{"a": 1}]', "1", '{"a": 1, "A": 2}', '{"a": '])
def test_a_file_without_a_policy_is_refused(text: str) -> None:
    with pytest.raises(InvalidDefinition):
        read_policies(text)


def test_formatting_arranges_the_policies_and_keeps_what_is_around_them() -> None:
    unordered = {"policyRule": {"then": escaped(RULE)["then"], "if": escaped(RULE)["if"]}, "mode": "All"}
    formatted = json.loads(format_text(json.dumps(template(resource(properties=unordered)))))
    assert list(formatted) == ["$schema", "contentVersion", "resources"]
    properties = formatted["resources"][0]["properties"]
    assert (list(properties), list(properties["policyRule"])) == (["mode", "policyRule"], ["if", "then"])
    assert properties["policyRule"]["then"] == escaped(RULE)["then"]


def test_a_bare_rule_is_the_part_of_a_definition_and_nobody_asks_for_its_texts() -> None:
    (found,) = read({"if": {"field": "location", "exists": False}, "then": {"effect": "audit"}})
    assert found.place("$.policyRule.then.effect") == "$.then.effect"
    assert [each.path for each in lint_text(json.dumps(found.source["policyRule"]), FACTS)] == ["$.then.effect"]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("rules.json", ""),
        ("policy_rules.json", "policy_"),
        ("policyRule.json", ""),
        ("azurepolicy.rules.json", "azurepolicy."),
        ("azurepolicyset.definitions.json", "azurepolicyset."),
        ("azurepolicy.json", None),
        ("azurepolicy.parameters.json", None),
    ],
)
def test_parts_of_a_policy_are_recognized_by_their_names(name: str, stem: str | None) -> None:
    assert part_stem(name) == stem


@pytest.mark.parametrize("value", [PARAMETERS, {"parameters": PARAMETERS}])
def test_a_rule_gets_the_parameters_of_another_file(value: Any) -> None:
    (found,) = read(RULE)
    assert with_parameters(found, value).source == {"mode": "All", "policyRule": RULE, "parameters": PARAMETERS}


def test_strings_over_several_lines_are_taken_as_templates_write_them() -> None:
    text = json.dumps(template(resource(), variables={"a": "one@two"})).replace("@", "\n\t")
    assert [each.source["properties"] for each in read_policies(text)] == [PLAIN["properties"]]


def test_a_line_end_that_closes_no_string_is_still_broken_json() -> None:
    with pytest.raises(InvalidDefinition, match="not JSON"):
        read_policies('{"properties": {"displayName": "cut\n')


EXEMPTED = {"exemptionCategory": "Waiver", "policyAssignmentId": "/a", "scope": "/subscriptions/s"}


@pytest.mark.parametrize(
    "value",
    [
        {"exemptions": [{"name": "x", **EXEMPTED}]},
        [{"name": "x", **EXEMPTED}],
        {"value": [{"type": "Microsoft.Authorization/policyExemptions", "properties": EXEMPTED}]},
        {"name": "x", "properties": EXEMPTED},
    ],
    ids=["file", "list", "page", "one"],
)
def test_exemptions_are_told_to_be_no_policies(value: Any) -> None:
    (remark,) = lint_text(json.dumps(value), FACTS)
    assert remark.message == (
        "these are policy exemptions, and no definition, initiative or assignment: nothing in them is checked"
    )
    assert not has_policy(value)
