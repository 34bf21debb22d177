"""Cases of initiatives and assignments: a verdict for each member, as the assignment has it."""

from collections.abc import Mapping
from typing import Any

import pytest

from shared.authoring import test_case
from shared.authoring.library import build_library
from shared.domain.error import InvalidInput
from shared.engine import AliasCatalog

PREFIX = "/providers/Microsoft.Authorization"
GROUP = "/subscriptions/s/resourceGroups/rg"
BODY = {"id": f"{GROUP}/providers/T.X/y/n", "name": "n", "type": "T.X/y", "location": "West Europe"}
ALIASES = AliasCatalog.from_rows([{"name": "T.X/y/a", "path": "properties.a", "types": ["t.x/y"], "modifiable": True}])
EFFECT = {"type": "String", "allowedValues": ["Audit", "Deny", "Disabled"], "defaultValue": "Audit"}
Json = Any


def definition(name: str, rule: Json, /, **declared: Json) -> Json:
    then = {"effect": "[parameters('effect')]"}
    return {
        "name": name,
        "properties": {"parameters": {"effect": EFFECT, **declared}, "policyRule": {"if": rule, "then": then}},
    }


def member(name: str, reference: str | None = None, /, **given: Json) -> Json:
    passed = {"effect": "[parameters('effect')]", **given}
    return {
        "policyDefinitionId": f"{PREFIX}/policyDefinitions/{name}",
        "policyDefinitionReferenceId": reference or name,
        "parameters": {key: {"value": value} for key, value in passed.items()},
    }


DEFINITIONS = [
    definition("named", {"field": "name", "equals": "[parameters('name')]"}, name={"type": "String"}),
    definition("placed", {"field": "location", "notIn": ["northeurope"]}),
    definition("identified", {"value": "[policy().assignmentId]", "equals": "/as"}),
    {
        "name": "set",
        "properties": {
            "policyRule": {
                "if": {"field": "type", "equals": "T.X/y"},
                "then": {
                    "effect": "modify",
                    "details": {
                        "roleDefinitionIds": ["/r"],
                        "operations": [{"operation": "addOrReplace", "field": "T.X/y/a", "value": 1}],
                    },
                },
            }
        },
    },
]
INITIATIVE = {
    "name": "base",
    "properties": {
        "parameters": {
            "effect": EFFECT,
            "names": {"type": "Array", "defaultValue": ["n", "m"]},
        },
        "policyDefinitions": [
            member("named", "first", name="[parameters('names')[0]]"),
            member("named", "second", name="[last(parameters('names'))]"),
            member("placed"),
            member("identified"),
        ],
    },
}
LIBRARY = build_library(("", each) for each in [*DEFINITIONS, INITIATIVE])


def nothing(name: str) -> Mapping[str, Json]:
    if name == "base":
        return INITIATIVE
    raise InvalidInput(f"there is no {name}")


def outcome(expect: Json, library: Any = LIBRARY, **case: Json) -> Any:
    whole = {"name": "c", "resource": BODY, **case, "expect": expect}
    (read,) = test_case.read_suite({"cases": [whole]}).test_cases()
    return test_case.run_case(read, aliases=ALIASES, find=nothing, definitions=library)


def assigned(target: str = "policySetDefinitions/base", **parts: Json) -> Json:
    return {"id": "/as", "name": "as", "properties": {"policyDefinitionId": f"{PREFIX}/{target}", **parts}}


def override(effect: str, *names: str, **location: Json) -> Json:
    selectors = [{"kind": "policyDefinitionReferenceId", "in": list(names)}] if names else []
    return {"kind": "policyEffect", "value": effect, "selectors": [*selectors, *location.get("more", [])]}


def states(found: Any) -> dict[str, str]:
    assert found.problems == ()
    return {name: each.value for name, each in found.members.items()}


def test_every_member_has_its_verdict_with_the_values_it_gets() -> None:
    found = outcome(
        {
            "state": "nonCompliant",
            "members": {
                "FIRST": {"state": "nonCompliant", "effect": "deny", "summary": 'name is "n"'},
                "second": "compliant",
            },
        },
        initiative="base",
        parameters={"Effect": "Deny"},
    )
    assert states(found) == {
        "first": "nonCompliant",
        "second": "compliant",
        "placed": "nonCompliant",
        "identified": "compliant",
    }
    assert found.state == "nonCompliant"


def test_definitions_may_stand_in_the_case() -> None:
    found = outcome(
        "compliant", None, initiative=INITIATIVE, definitions=DEFINITIONS, parameters={"effect": "Disabled"}
    )
    assert (found.passed, found.state) == (False, "notApplicable")
    assert found.problems[0].startswith("expected compliant, found notApplicable: first notApplicable, second")


@pytest.mark.parametrize(
    ("parts", "changed"),
    [
        ({}, {}),
        ({"scope": "/subscriptions/s"}, {}),
        ({"scope": "/subscriptions/t"}, dict.fromkeys(("first", "second", "placed", "identified"), "notApplicable")),
        ({"notScopes": [GROUP]}, dict.fromkeys(("first", "second", "placed", "identified"), "notApplicable")),
        (
            {"resourceSelectors": [{"selectors": [{"kind": "resourceLocation", "in": ["eastus"]}]}]},
            dict.fromkeys(("first", "second", "placed", "identified"), "notApplicable"),
        ),
        ({"resourceSelectors": [{"selectors": [{"kind": "resourceType", "in": ["t.x/Y"]}]}]}, {}),
        ({"overrides": [override("Disabled", "First")]}, {"first": "notApplicable"}),
        (
            {"resourceSelectors": [{"selectors": [{"kind": "resourceRolloutPercentage", "in": ["10"]}]}]},
            dict.fromkeys(("first", "second", "placed", "identified"), "unknown"),
        ),
        (
            {
                "overrides": [
                    {**override("2.*.*", "placed"), "kind": "definitionVersion"},
                    override("Disabled", "first"),
                ]
            },
            {"placed": "unknown", "first": "notApplicable"},
        ),
        ({"parameters": {"names": {"value": ["x", "N"]}}}, {"first": "compliant", "second": "nonCompliant"}),
        (
            {
                "overrides": [
                    override("Disabled", "placed", more=[{"kind": "resourceLocation", "notIn": ["westeurope"]}])
                ]
            },
            {},
        ),
    ],
)
def test_an_assignment_says_where_and_how(parts: Json, changed: dict[str, str]) -> None:
    usual = {"first": "nonCompliant", "second": "compliant", "placed": "nonCompliant", "identified": "nonCompliant"}
    assert states(outcome({"members": usual | changed}, assignment=assigned(**parts))) == usual | changed


def test_an_override_puts_another_effect_in_place() -> None:
    changed = assigned(overrides=[override("deny", "placed"), override("Disabled")])
    found = outcome({"members": {"placed": {"state": "nonCompliant", "effect": "deny"}}}, assignment=changed)
    assert states(found)["first"] == "notApplicable"


def test_what_is_undecided_is_explained_by_its_reason_and_no_rule() -> None:
    version = {**override("2.*.*", "placed"), "kind": "policyVersion"}
    wanted = {"state": "unknown", "summary": "an override asks for version 2.*.* of the definition"}
    assert outcome({"members": {"placed": wanted}}, assignment=assigned(overrides=[version])).problems == ()


def test_messages_and_enforcement_are_those_of_the_assignment() -> None:
    document = assigned(
        enforcementMode="DoNotEnforce",
        nonComplianceMessages=[
            {"message": "See the wiki"},
            {"message": "Use northeurope", "policyDefinitionReferenceId": "PLACED"},
        ],
    )
    members = {
        "first": {"message": "See the wiki", "enforced": False},
        "second": {"message": ""},
        "placed": {"message": "Use northeurope"},
    }
    assert outcome({"members": members}, assignment=document).problems == ()
    wrong = outcome({"members": {"first": {"message": "x", "enforced": True}}}, assignment=document)
    assert wrong.problems == (
        "first: expected the message 'x', found 'See the wiki'",
        "first: expected it to be enforced",
    )


def test_a_single_definition_may_be_assigned() -> None:
    document = assigned(
        "policyDefinitions/named", parameters={"name": {"value": "n"}}, nonComplianceMessages=[{"message": "no"}]
    )
    expect = {"state": "nonCompliant", "effect": "audit", "message": "no", "summary": 'name is "n"', "enforced": True}
    found = outcome(expect, assignment=document)
    assert (found.problems, found.members) == ((), {})
    assert "Not compliant" in found.summary
    other = outcome(
        {"state": "compliant", "effect": "Deny"}, assignment=document, parameters={"NAME": "m", "effect": "deny"}
    )
    assert other.problems == ()
    members = outcome({"members": {"x": "compliant"}}, assignment=document)
    assert members.problems == ("a single definition has no members",)


def test_details_of_a_member_are_compared() -> None:
    plain = {"policyDefinitions": [{"policyDefinitionId": "set", "policyDefinitionReferenceId": "s"}]}
    assert outcome({"members": {"s": {"body": {**BODY, "properties": {"a": 1}}}}}, initiative=plain).problems == ()
    wrong = outcome({"members": {"s": {"body": BODY}}}, initiative=plain)
    assert wrong.problems[0].startswith("s: expected the body")


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ({"members": {"frist": "compliant"}}, "there is no member 'frist'; did you mean 'first'?"),
        ({"members": {"zebra": "compliant"}}, "there is no member 'zebra'"),
        ({"effect": "audit"}, "say these under `members`, for each member: effect"),
        ({"members": {"first": "compliant"}}, "first: expected compliant, found nonCompliant: Not compliant: name is"),
        ({"refused": "$.parameters"}, "expected it to be refused at $.parameters, it was accepted"),
    ],
)
def test_what_does_not_hold_is_reported(expect: Json, problem: str) -> None:
    assert outcome(expect, initiative="base").problems[0].startswith(problem)


SET: Json = INITIATIVE["properties"]
ONLY = {"policyDefinitions": [member("named", name="x")], "parameters": {"effect": EFFECT}}
FIRST = "$.policyDefinitions[0]"


def only(**parts: Json) -> Json:
    return {**ONLY, "policyDefinitions": [{**ONLY["policyDefinitions"][0], **parts}]}  # type: ignore[index]


@pytest.mark.parametrize(
    ("case", "path", "message"),
    [
        (
            {"initiative": only(policyDefinitionId="namd")},
            f"{FIRST}.policyDefinitionId",
            "no definition 'namd'",
        ),
        ({"initiative": only(parameters={})}, f"{FIRST}.parameters", "'named' needs values for name"),
        (
            {"initiative": only(parameters={"nam": {"value": 1}})},
            f"{FIRST}.parameters.nam",
            "'named': no such parameter; did you mean 'name'?",
        ),
        (
            {"initiative": only(parameters={"name": {"value": "[field('name')]"}})},
            f"{FIRST}.parameters.name",
            "knows its parameters only, and no resource",
        ),
        (
            {"initiative": only(parameters={"name": {"value": "[last(1)]"}})},
            f"{FIRST}.parameters.name",
            "this cannot be computed",
        ),
        (
            {"initiative": {"policyDefinitions": [*ONLY["policyDefinitions"]] * 2, "parameters": ONLY["parameters"]}},
            "$.policyDefinitions[1].policyDefinitionReferenceId",
            "'named' names two members",
        ),
        (
            {"initiative": {**ONLY, "parameters": {"effect": {"type": "String"}}}},
            "$.parameters",
            "needs values for effect",
        ),
        (
            {"initiative": {"policyDefinitions": [{"policyDefinitionId": "named"}] * 1_001}},
            "$.policyDefinitions",
            "there are 1,001 members, 1,000 are allowed",
        ),
        ({"initiative": ONLY, "parameters": {"efect": 1}}, "$.parameters.efect", "no such parameter"),
        ({"initiative": {"policyDefinitions": 1}}, "$.policyDefinitions", "expected an array"),
        ({"assignment": assigned("policySetDefinitions/bas")}, "$.policyDefinitionId", "did you mean 'base'?"),
        ({"assignment": assigned("policyDefinitions/named")}, "$.parameters", "'as' needs values for name"),
        ({"assignment": assigned(overrides=[override("dney")])}, "$.overrides[0].value", "did you mean 'deny'?"),
        (
            {"assignment": assigned("policyDefinitions/set", overrides=[override("append")])},
            "$.overrides[0].value",
            "'set' cannot have it: $.policyRule.then.details",
        ),
        ({"assignment": assigned(enforcmentMode="Default")}, "$.enforcmentMode", "did you mean"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_place(case: Json, path: str, message: str) -> None:
    assert outcome({"refused": path}, **case).problems == ()
    (problem,) = outcome("compliant", **case).problems
    assert message in problem


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ({"initiative": "none"}, "there is no none"),
        ({"initiative": DEFINITIONS[0]}, "this is a policy definition, not an initiative"),
        ({"assignment": INITIATIVE}, "this is a policy initiative, not an assignment"),
    ],
)
def test_a_case_that_cannot_be_run_fails_with_the_reason(case: Json, message: str) -> None:
    found = outcome("compliant", **case)
    assert (found.passed, found.problems) == (False, (message,))


def test_a_case_has_one_subject_and_its_own_goes_before_that_of_the_table() -> None:
    rule = {"field": "name", "equals": "n"}
    with pytest.raises(InvalidInput, match="give one of initiative and if"):
        test_case.read_suite({"cases": [{"name": "a", "if": rule, "initiative": "base", "expect": "compliant"}]})
    table = test_case.read_suite(
        {
            "initiative": "base",
            "definitions": DEFINITIONS,
            "resource": BODY,
            "cases": [
                {"name": "the table's", "expect": {"members": {"second": "compliant"}}},
                {"name": "an assignment", "assignment": assigned(), "expect": "nonCompliant"},
                {"name": "a rule", "if": rule, "expect": {"state": "nonCompliant", "effect": "audit"}},
                {"name": "an expression", "expression": "[add(1, 1)]", "expect": {"value": 2}},
            ],
        }
    )
    found = [
        test_case.run_case(each, aliases=ALIASES, find=nothing, definitions=LIBRARY) for each in table.test_cases()
    ]
    assert [each.problems for each in found] == [()] * 4
