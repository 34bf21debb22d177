"""What is left of a rule for applicability, and which types it can be about."""

from typing import Any

import pytest

from shared import bootstrap
from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import AliasCatalog, InvalidDefinition, compile_definition
from shared.engine.compile.applicability import (
    applicability_fields,
    field_name,
    has_location_condition,
    known_value,
    may_match_type,
    possible_types,
    restrict_to_fields,
)
from shared.engine.compile.exempt_type import exemption_of
from shared.engine.judge.verdict import judge
from shared.engine.language.operand import parse_operand
from shared.engine.language.parser import parse_condition, parse_definition
from shared.engine.language.traversal import walk_conditions
from shared.engine.language.tree import AllOf, AnyOf, Condition, Node, Not

TYPE = {"field": "type", "equals": "T.One/a"}
OTHER_TYPE = {"field": "type", "equals": "T.Two/b"}
NAME = {"field": "name", "like": "a*"}
KIND = {"field": "kind", "equals": "web"}
ELSE = {"field": "Test/a", "equals": "x"}
COUNT = {"count": {"field": "Test/list[*]", "where": NAME}, "greater": 0}
Rule = dict[str, Any]


def every(*parts: Rule) -> Rule:
    return {"allOf": list(parts)}


def some(*parts: Rule) -> Rule:
    return {"anyOf": list(parts)}


def no(part: Rule) -> Rule:
    return {"not": part}


def parsed(rule: Rule) -> Node:
    return parse_condition(rule, "$")


def shape(node: Node | None) -> Any:
    match node:
        case AllOf() | AnyOf():
            return (node.__class__.__name__, node.path, *map(shape, node.parts))
        case Not():
            return ("Not", node.path, shape(node.part))
        case Condition():
            return (field_name(node), node.path)
        case _:
            return None


TYPES = frozenset({"type"})
FIRST, SECOND = ("type", "$.allOf[0]"), ("type", "$.allOf[1]")


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        (TYPE, ("type", "$")),
        (ELSE, None),
        (every(TYPE, ELSE), ("AllOf", "$", FIRST)),
        (every(TYPE, ELSE, TYPE), ("AllOf", "$", FIRST, ("type", "$.allOf[2]"))),
        (every(ELSE, ELSE), None),
        (some(TYPE, ELSE), None),
        (some(TYPE, OTHER_TYPE), ("AnyOf", "$", ("type", "$.anyOf[0]"), ("type", "$.anyOf[1]"))),
        (every(TYPE, some(TYPE, ELSE)), ("AllOf", "$", FIRST)),
        (no(TYPE), ("Not", "$", ("type", "$.not"))),
        (no(ELSE), None),
        (no(every(TYPE, ELSE)), None),
        (
            no(every(TYPE, TYPE)),
            ("Not", "$", ("AllOf", "$.not", ("type", "$.not.allOf[0]"), ("type", "$.not.allOf[1]"))),
        ),
        (no(some(TYPE, ELSE)), ("Not", "$", ("AnyOf", "$.not", ("type", "$.not.anyOf[0]")))),
        (no(some(ELSE, ELSE)), None),
        (no(some(ELSE, TYPE, no(ELSE))), ("Not", "$", ("AnyOf", "$.not", ("type", "$.not.anyOf[1]")))),
        (no(some(TYPE, every(TYPE, ELSE))), ("Not", "$", ("AnyOf", "$.not", ("type", "$.not.anyOf[0]")))),
        (no(no(TYPE)), ("Not", "$", ("Not", "$.not", ("type", "$.not.not")))),
        (
            no(no(every(TYPE, ELSE))),
            ("Not", "$", ("Not", "$.not", ("AllOf", "$.not.not", ("type", "$.not.not.allOf[0]")))),
        ),
        (no(no(some(TYPE, ELSE))), None),
        (no(no(ELSE)), None),
    ],
)
def test_conditions_that_do_not_count_are_taken_as_they_make_the_rule_true(rule: Rule, wanted: Any) -> None:
    assert shape(restrict_to_fields(parsed(rule), TYPES)) == wanted


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        (TYPE, {"type"}),
        (KIND, {"type"}),
        (NAME, {"type"}),
        (every(TYPE, KIND), {"type"}),
        (every(TYPE, no(NAME)), {"type"}),
        (every(TYPE, NAME, KIND), {"type", "name", "kind"}),
        (every(NAME, KIND), {"name", "kind"}),
        (every(TYPE, ELSE), {"type"}),
        (every(NAME, ELSE), {"name"}),
        (every(KIND, COUNT), {"name", "kind"}),
        (ELSE, set()),
        (every(KIND, {"value": "x", "equals": "x"}), {"kind"}),
    ],
)
def test_type_name_and_kind_decide_with_the_exceptions(rule: Rule, fields: set[str]) -> None:
    assert applicability_fields(parsed(rule)) == fields


def test_conditions_inside_counts_are_conditions_of_the_rule() -> None:
    found = list(walk_conditions(parsed(every(COUNT, no(some(TYPE, ELSE))))))
    assert [field_name(each) for each in found] == [None, "name", "type", "test/a"]


PARAMETERS = {"types": ["T.One/a", "T.Two/b"], "one": "T.One/a", "number": 1}


def by(name: str, operator: str = "equals") -> Rule:
    return {"field": "type", operator: f"[parameters('{name}')]"}


@pytest.mark.parametrize(
    ("rule", "types"),
    [
        (TYPE, {"t.one/a"}),
        ({"field": "type", "in": ["T.One/a", "T.Two/b"]}, {"t.one/a", "t.two/b"}),
        ({"field": "type", "in": []}, set()),
        ({"field": "type", "notEquals": "T.One/a"}, None),
        ({"field": "type", "like": "T.One/*"}, None),
        ({"field": "type", "equals": 1}, None),
        ({"field": "type", "in": ["T.One/a", 1]}, None),
        (by("one"), {"t.one/a"}),
        (by("ONE"), {"t.one/a"}),
        (by("types", "in"), {"t.one/a", "t.two/b"}),
        (by("number"), None),
        (by("missing"), None),
        ({"field": "type", "equals": "[concat('T.One', '/a')]"}, None),
        ({"field": "type", "equals": "[parameters(concat('o', 'ne'))]"}, None),
        (ELSE, None),
        (no(TYPE), None),
        (every(TYPE, ELSE), {"t.one/a"}),
        (every(ELSE), None),
        (every(TYPE, OTHER_TYPE), set()),
        (every(TYPE, some(TYPE, OTHER_TYPE)), {"t.one/a"}),
        (some(TYPE, OTHER_TYPE), {"t.one/a", "t.two/b"}),
        (some(TYPE, ELSE), None),
        (some(TYPE, every(OTHER_TYPE, ELSE)), {"t.one/a", "t.two/b"}),
    ],
)
def test_the_types_that_a_rule_names(rule: Rule, types: set[str] | None) -> None:
    assert possible_types(parsed(rule), PARAMETERS) == types


def test_nothing_is_left_of_a_rule_that_may_be_about_any_type() -> None:
    assert possible_types(None, {}) is None
    assert may_match_type(None, "t.one/a", {})


@pytest.mark.parametrize(
    ("rule", "one", "two"),
    [
        (TYPE, True, False),
        (no(TYPE), False, True),
        (ELSE, True, True),
        (no(ELSE), True, True),
        (every(TYPE, ELSE), True, False),
        (every(ELSE, TYPE), True, False),
        (no(every(TYPE, ELSE)), True, True),
        (no(every(TYPE, TYPE)), False, True),
        (no(every(OTHER_TYPE, ELSE)), True, True),
        (some(TYPE, OTHER_TYPE), True, True),
        (some(TYPE, TYPE), True, False),
        (some(OTHER_TYPE, ELSE), True, True),
        (no(some(TYPE, ELSE)), False, True),
        (no(some(OTHER_TYPE, ELSE)), True, False),
        (no(some(TYPE, TYPE)), False, True),
        ({"field": "type", "like": "T.One/*"}, True, False),
        ({"field": "type", "notIn": "[parameters('types')]"}, False, False),
        (every(by("types", "in"), by("one")), True, False),
        (some(by("one"), by("one")), True, False),
        (no(by("one")), False, True),
        (by("missing"), True, True),
        ({"field": "type", "in": "[parameters('one')]"}, True, True),
        ({"field": "type", "less": 1}, True, True),
    ],
)
def test_a_type_can_meet_a_rule(rule: Rule, *, one: bool, two: bool) -> None:
    node = parsed(rule)
    assert (may_match_type(node, "t.one/a", PARAMETERS), may_match_type(node, "t.two/b", PARAMETERS)) == (one, two)


def test_literals_and_plain_parameters_are_known_values() -> None:
    for source, value in (("a", "a"), ([1], [1]), ("[parameters('One')]", "T.One/a"), ("[toLower('one')]", None)):
        assert known_value(parse_operand(source, "$"), PARAMETERS) == value


@pytest.mark.parametrize(
    ("resource_type", "evaluated"),
    [
        ("t.one/a", True),
        ("microsoft.resources/subscriptions", True),
        ("microsoft.resources/subscriptions/resourcegroups", True),
        ("microsoft.resources/resourcegroups", True),
        ("microsoft.resources/deployments", False),
        ("microsoft.resources/templatespecs/versions", False),
        ("microsoft.resourcesx/a", True),
        ("microsoft.billing/billingaccounts", False),
        ("microsoft.capacity/reservationorders/reservations", False),
        ("microsoft.capacity/resourceproviders", True),
        ("microsoft.help/diagnostics", False),
        ("microsoft.diagnostics/apollo", False),
        ("microsoft.insights/diagnosticsettings", True),
        ("microsoft.web/sites/functions", False),
        ("microsoft.web/sites/functions/keys", True),
        ("microsoft.web/sites", True),
        ("microsoft.servicebus/namespaces/topics/subscriptions/rules", False),
        ("microsoft.servicebus/namespaces/queues", True),
        ("microsoft.automation/automationaccounts/jobs", False),
        ("microsoft.automation/automationaccounts/runbooks", True),
        ("microsoft.cdn/cdnwebapplicationfirewallmanagedrulesets", False),
        ("microsoft.cdn/edgenodes", False),
        ("microsoft.classicnetwork/expressroutecrossconnections", False),
        ("microsoft.compute/restorepointcollections/restorepoints", False),
        ("microsoft.compute/restorepointcollections", True),
        ("microsoft.databricks/workspaces/dbworkspaces", False),
        ("microsoft.documentdb/databaseaccounts/privateendpointconnectionproxies", False),
        ("microsoft.keyvault/vaults/secrets", False),
        ("microsoft.keyvault/vaults/keys", True),
        ("microsoft.keyvault.data/vaults/secrets", True),
        ("microsoft.kubernetesconfiguration/extensions", False),
        ("microsoft.maintenance/configurationassignments", False),
        ("microsoft.maintenance/applyupdates", False),
        ("microsoft.security/assessments", False),
        ("microsoft.securityinsights/incidents", False),
        ("microsoft.servicebus/namespaces/topics", False),
        ("microsoft.sql/servers/databases/recommendedsensitivitylabels", False),
    ],
)
def test_types_that_azure_policy_leaves_out_are_not_evaluated(resource_type: str, *, evaluated: bool) -> None:
    assert (exemption_of(resource_type) == "") is evaluated


def test_no_policy_of_the_catalog_is_about_a_type_that_azure_policy_leaves_out() -> None:
    types = {
        entry.name: possible_types(parse_definition(entry.definition).condition, {}) or ()
        for entry in bootstrap.catalog().policies()
    }
    assert {
        name: left for name, kinds in types.items() if (left := [each for each in kinds if exemption_of(each)])
    } == {}


def test_why_a_type_is_left_out_is_the_reason_of_the_verdict() -> None:
    rule = {"if": {"field": "name", "like": "*"}, "then": {"effect": "audit"}}
    policy = compile_definition({"mode": "All", "policyRule": rule}, aliases=AliasCatalog.from_rows([]))
    verdict = judge(policy, Resource({"type": "Microsoft.Billing/billingAccounts", "name": "b"}))
    assert (verdict.state, "exempt from policy evaluation" in verdict.reason) == (State.NOT_APPLICABLE, True)


def deployment(parameters: Any) -> Rule:
    return {"deployment": {"properties": {"parameters": parameters}}}


LOCATED = "[field('Location')]"


@pytest.mark.parametrize(
    ("rule", "details", "located"),
    [
        ({"field": "location", "equals": "eastus"}, None, True),
        ({"field": "Location", "equals": "eastus"}, None, True),
        (ELSE, None, False),
        (every(ELSE, no({"field": "location", "equals": "x"})), None, True),
        ({"value": LOCATED, "equals": "x"}, None, True),
        ({"value": "[field('name')]", "equals": "x"}, None, False),
        ({"value": "[toLower('location')]", "equals": "x"}, None, False),
        ({"field": "name", "equals": LOCATED}, None, True),
        ({"field": "[concat('tags.', field('location'))]", "equals": "x"}, None, True),
        ({"count": {"value": "[createArray(field('location'))]", "where": ELSE}, "equals": 1}, None, True),
        ({"count": {"field": "Test/list[*]", "where": {"field": "location", "equals": "x"}}, "equals": 1}, None, True),
        (ELSE, deployment({"where": {"value": LOCATED}}), True),
        (ELSE, deployment({"where": {"value": "[field('name')]"}}), False),
        (ELSE, deployment(None), False),
        (ELSE, {"deployment": {"properties": None}}, False),
        (ELSE, {"deployment": None}, False),
        (ELSE, [], False),
    ],
)
def test_a_rule_or_its_deployment_looks_at_locations(rule: Rule, details: Any, *, located: bool) -> None:
    assert has_location_condition(parsed(rule), details) is located


def test_a_wrong_expression_of_a_deployment_is_refused_where_it_stands() -> None:
    with pytest.raises(InvalidDefinition) as refused:
        has_location_condition(parsed(ELSE), deployment({"x": {"value": "[nothing()]"}}))
    assert refused.value.path == "$.policyRule.then.details.deployment.properties.parameters.x.value"
