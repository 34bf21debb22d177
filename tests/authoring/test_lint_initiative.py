"""Initiatives and assignments are linted with what they refer to: each rule finds its subject, and nothing else."""

import copy
import gzip
import json
import os
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from shared.authoring import lint
from shared.authoring.library import Library, build_library
from shared.authoring.lint.subject import LintFacts
from shared.services.policy import alias

ROOT = Path(__file__).parents[2]
PUBLIC = Path(os.environ.get("CORTEX_TEST_DATA", ROOT.parent / "shared")) / "azure-policy"
PREFIX = "/providers/Microsoft.Authorization"
TLS = f"{PREFIX}/policyDefinitions/tls"
GUID = f"{PREFIX}/policyDefinitions/00000000-0000-0000-0000-000000000001"
Json = Any


def declared(*allowed: str, **parts: Json) -> Json:
    words = {"displayName": "A", "description": "B."}
    choices = {"allowedValues": list(allowed)} if allowed else {}
    return {"type": "String", "metadata": words, "defaultValue": allowed[0] if allowed else "x"} | choices | parts


def definition(name: str, **changes: Json) -> Json:
    rule = {"if": {"field": "name", "equals": "x"}, "then": {"effect": "[parameters('effect')]"}}
    parameters = {"effect": declared("Audit", "Deny", "Disabled"), **changes.pop("declared", {})}
    return {"name": name, "properties": {"version": "2.1.0", "parameters": parameters, "policyRule": rule, **changes}}


LIBRARY = build_library(
    ("", each)
    for each in (
        definition("tls"),
        definition("sized", declared={"size": {"type": "Integer"}, "tier": declared("Hot", "Cool")}),
        definition("listed", declared={"kinds": declared("a", "b", type="Array", defaultValue=[])}),
        definition("old", metadata={"deprecated": True, "supersededBy": "new"}),
        definition("fixing", declared={"effect": declared("Modify", "Disabled")}),
        {"name": "broken", "properties": {"policyRule": {}}},
        {
            "name": "base",
            "properties": {
                "parameters": {"effect": declared("Audit", "Modify")},
                "policyDefinitions": [
                    {"policyDefinitionId": TLS, "policyDefinitionReferenceId": "tls"},
                    {
                        "policyDefinitionId": f"{PREFIX}/policyDefinitions/fixing",
                        "policyDefinitionReferenceId": "fix",
                        "parameters": {"effect": {"value": "[parameters('effect')]"}},
                    },
                ],
            },
        },
    )
)


def member(name: str = "tls", effect: Json = "[parameters('effect')]", **changes: Json) -> Json:
    passed = {"effect": {"value": effect}} if effect is not None else {}
    values = {key: {"value": each} for key, each in changes.pop("given", {}).items()}
    identity = name if "/" in name else f"{PREFIX}/policyDefinitions/{name}"
    whole = {
        "policyDefinitionReferenceId": f"{name}1",
        "policyDefinitionId": identity,
        "parameters": passed | values,
        "groupNames": ["A"],
    } | changes
    return {key: each for key, each in whole.items() if each is not None}


def initiative(*members: Json, **changes: Json) -> Json:
    """An initiative without fault, with other members or other parts."""
    whole = {
        "displayName": "An initiative",
        "description": "Says something.",
        "metadata": {"version": "1.0.0", "category": "Storage"},
        "parameters": {"effect": declared("Audit", "Deny", "Disabled"), **changes.pop("declared", {})},
        "policyDefinitions": list(members) or [member()],
        "policyDefinitionGroups": [{"name": "A"}],
    }
    return {"name": "i", "properties": {key: each for key, each in (whole | changes).items() if each is not None}}


def assignment(**changes: Json) -> Json:
    """An assignment without fault, with other parts."""
    outer = {"identity": changes.pop("identity", None)}
    whole = {
        "displayName": "An assignment",
        "description": "Says something.",
        "policyDefinitionId": f"{PREFIX}/policySetDefinitions/base",
        "scope": "/subscriptions/s",
    }
    return {"name": "a", "properties": whole | changes, **{key: each for key, each in outer.items() if each}}


def override(value: str, *names: str) -> Json:
    selectors = [{"kind": "policyDefinitionReferenceId", "in": list(names)}] if names else []
    return {"kind": "policyEffect", "value": value, "selectors": selectors}


def values(**given: Json) -> Json:
    return {name: {"value": each} for name, each in given.items()}


FIRST = "policyDefinitions[0]"
# rule -> (a file in which it finds something, the path it reports below properties, one in which it does not)
CASES: dict[str, list[tuple[Json, str, Json]]] = {
    "reference-malformed": [
        (initiative(member(policyDefinitionId="tls")), f"{FIRST}.policyDefinitionId", initiative()),
        (
            initiative(member(policyDefinitionId=f"{PREFIX}/policySetDefinitions/base")),
            f"{FIRST}.policyDefinitionId",
            initiative(member("/providers/Microsoft.Management/managementGroups/m" + TLS)),
        ),
        (assignment(policyDefinitionId="x/base"), "policyDefinitionId", assignment()),
    ],
    "reference-unknown": [
        (initiative(member("tlss")), f"{FIRST}.policyDefinitionId", initiative(member("/subscriptions/s" + TLS))),
        (
            assignment(policyDefinitionId=f"{PREFIX}/policySetDefinitions/tls"),
            "policyDefinitionId",
            assignment(policyDefinitionId=TLS + "/versions/2.1.0"),
        ),
    ],
    "reference-unchecked": [
        (initiative(member(GUID)), f"{FIRST}.policyDefinitionId", initiative(member("/subscriptions/s" + GUID)))
    ],
    "reference-broken": [(initiative(member("broken")), f"{FIRST}.policyDefinitionId", initiative(member("nothing")))],
    "reference-deprecated": [(initiative(member("old")), FIRST, initiative())],
    "version-malformed": [
        (
            initiative(member(definitionVersion="2.1")),
            f"{FIRST}.definitionVersion",
            initiative(member(definitionVersion="2.1.*")),
        ),
        (assignment(definitionVersion="*"), "definitionVersion", assignment(definitionVersion="1.0.0-preview")),
    ],
    "version-other": [
        (
            initiative(member(definitionVersion="1.*.*")),
            f"{FIRST}.definitionVersion",
            initiative(member(definitionVersion="2.*.*")),
        )
    ],
    "argument-unknown": [
        (
            initiative(member(given={"effekt": "Audit"})),
            f"{FIRST}.parameters.effekt",
            initiative(member(given={"effekt": "Audit"}, definitionVersion="1.*.*")),
        ),
        (assignment(parameters=values(size=1)), "parameters.size", assignment(parameters=values(EFFECT="Audit"))),
    ],
    "argument-missing": [
        (initiative(member("sized")), f"{FIRST}.parameters", initiative(member("sized", given={"SIZE": 1}))),
        (
            assignment(policyDefinitionId=f"{PREFIX}/policyDefinitions/sized"),
            "parameters",
            assignment(policyDefinitionId=f"{PREFIX}/policyDefinitions/sized", parameters=values(size=1)),
        ),
    ],
    "argument-unfit": [
        (initiative(member(effect="deny it")), f"{FIRST}.parameters.effect", initiative(member(effect="DENY"))),
        (
            initiative(member("sized", given={"size": "1"})),
            f"{FIRST}.parameters.size",
            initiative(member("sized", given={"size": 1})),
        ),
        (
            initiative(declared={"effect": declared("Append", "Audit")}),
            f"{FIRST}.parameters.effect",
            initiative(declared={"effect": declared("Audit", "Append")}),
        ),
        (
            initiative(member(effect="[if(equals(parameters('effect'), 'Audit'), 'x', 'Deny')]")),
            f"{FIRST}.parameters.effect",
            initiative(member(effect="[if(equals(parameters('effect'), 'Deny'), 'x', 'Deny')]")),
        ),
        (
            assignment(parameters=values(effect="[x]")),
            "parameters.effect",
            assignment(parameters=values(effect="audit")),
        ),
    ],
    "argument-uncomputable": [
        (
            initiative(member(effect="[field('name')]")),
            f"{FIRST}.parameters.effect",
            initiative(member(effect="[[field('name')]")),
        )
    ],
    "argument-type": [
        (
            initiative(member("sized", given={"size": "[parameters('effect')]"})),
            f"{FIRST}.parameters.size",
            initiative(member("sized", given={"size": "[parameters('n')]"}), declared={"n": {"type": "integer"}}),
        )
    ],
    "argument-unrestricted": [
        (
            initiative(declared={"effect": declared(defaultValue="Audit")}),
            f"{FIRST}.parameters.effect",
            initiative(),
        )
    ],
    "argument-wider": [
        (
            initiative(declared={"effect": declared("Audit", "Append")}),
            f"{FIRST}.parameters.effect",
            initiative(declared={"effect": declared("AUDIT", "disabled")}),
        ),
        (
            initiative(
                member("listed", given={"kinds": "[parameters('k')]"}),
                declared={"k": declared("a", "c", type="array", defaultValue=["a"])},
            ),
            f"{FIRST}.parameters.kinds",
            initiative(
                member("listed", given={"kinds": "[parameters('k')]"}),
                declared={"k": declared("a", "b", type="array", defaultValue=["a"])},
            ),
        ),
    ],
    "initiative-empty": [(initiative(policyDefinitions=[]), "policyDefinitions", initiative())],
    "initiative-large": [
        (
            initiative(*(member(policyDefinitionReferenceId=str(at)) for at in range(1_001))),
            "policyDefinitions",
            initiative(*(member(policyDefinitionReferenceId=str(at)) for at in range(1_000))),
        ),
        (
            initiative(declared={f"p{at}": declared() for at in range(400)}),
            "parameters",
            initiative(declared={f"p{at}": declared() for at in range(399)}),
        ),
    ],
    "member-unnamed": [(initiative(member(policyDefinitionReferenceId=None)), FIRST, initiative())],
    "member-name-repeated": [
        (
            initiative(member(), member("old", policyDefinitionReferenceId="TLS1")),
            "policyDefinitions[1].policyDefinitionReferenceId",
            initiative(member(), member("old")),
        )
    ],
    "member-repeated": [
        (
            initiative(member(), member(policyDefinitionReferenceId="b")),
            "policyDefinitions[1]",
            initiative(member(), member(effect="Deny", policyDefinitionReferenceId="b")),
        )
    ],
    "member-effect-fixed": [
        (initiative(member(effect="Audit")), FIRST, initiative()),
        (initiative(member(effect=None)), FIRST, initiative(member("[parameters('x')]", effect=None))),
    ],
    "initiative-parameter-unused": [
        (
            initiative(declared={"n": declared()}),
            "parameters.n",
            initiative(member(effect="[concat(parameters('N'), parameters('effect'))]"), declared={"n": declared()}),
        )
    ],
    "initiative-parameter-undeclared": [
        (
            initiative(member(effect="[if(true(), parameters('efect'), 'Audit')]")),
            f"{FIRST}.parameters.effect",
            initiative(member(effect="[parameters('EFFECT')]")),
        )
    ],
    "group-undeclared": [
        (initiative(member(groupNames=["A", "B"])), f"{FIRST}.groupNames[1]", initiative(member(groupNames=["a"]))),
        (
            initiative(member(groupNames=["A", "B"]), importPolicyDefinitionGroups=[]),
            f"{FIRST}.groupNames[1]",
            initiative(
                member(groupNames=["A", "B"]), importPolicyDefinitionGroups=[f"{PREFIX}/policySetDefinitions/x"]
            ),
        ),
    ],
    "group-unused": [
        (
            initiative(policyDefinitionGroups=[{"name": "A"}, {"name": "B"}]),
            "policyDefinitionGroups[1]",
            initiative(member(groupNames=["B", "A"]), policyDefinitionGroups=[{"name": "A"}, {"name": "B"}]),
        )
    ],
    "group-repeated": [
        (
            initiative(policyDefinitionGroups=[{"name": "A"}, {"name": "a"}]),
            "policyDefinitionGroups[1].name",
            initiative(),
        ),
        (initiative(member(groupNames=["A", "a"])), f"{FIRST}.groupNames", initiative()),
    ],
    "exclusions-many": [
        (
            assignment(notScopes=[f"/subscriptions/s/resourceGroups/{at}" for at in range(401)]),
            "notScopes",
            assignment(notScopes=[f"/subscriptions/s/resourceGroups/{at}" for at in range(400)]),
        )
    ],
    "exclusion-idle": [
        (
            assignment(notScopes=["/subscriptions/s/resourceGroups/a", "/subscriptions/t"]),
            "notScopes[1]",
            assignment(notScopes=["/subscriptions/t"], scope="/providers/Microsoft.Management/managementGroups/m"),
        )
    ],
    "enforcement-unknown": [
        (assignment(enforcementMode="DoNotEnforced"), "enforcementMode", assignment(enforcementMode="donotenforce"))
    ],
    "member-unknown": [
        (
            assignment(overrides=[override("Audit", "tls", "tsl")]),
            "overrides[0].selectors[0]",
            assignment(overrides=[override("Audit", "TLS")]),
        ),
        (
            assignment(nonComplianceMessages=[{"message": "no", "policyDefinitionReferenceId": "x"}]),
            "nonComplianceMessages[0].policyDefinitionReferenceId",
            assignment(nonComplianceMessages=[{"message": "no"}]),
        ),
        (
            assignment(policyDefinitionId=TLS, overrides=[override("Audit", "tls")]),
            "overrides[0].selectors[0]",
            assignment(policyDefinitionId=GUID, overrides=[override("Audit", "tls")]),
        ),
    ],
    "override-unknown": [
        (assignment(overrides=[override("Audti")]), "overrides[0].value", assignment(overrides=[override("audit")])),
        (
            assignment(overrides=[override("1.*.*")]),
            "overrides[0].value",
            assignment(overrides=[{"kind": "definitionVersion", "value": "1.*.*"}]),
        ),
    ],
    "override-unfit": [
        (
            assignment(overrides=[override("Modify", "tls")]),
            "overrides[0].value",
            assignment(overrides=[override("Deny", "tls")]),
        )
    ],
    "identity-missing": [
        (assignment(parameters=values(effect="Modify")), "", assignment(parameters=values(effect="Audit"))),
        (
            assignment(overrides=[override("Modify", "fix")]),
            "",
            assignment(overrides=[override("Modify", "fix")], identity={"type": "SystemAssigned"}),
        ),
        (
            assignment(policyDefinitionId=f"{PREFIX}/policyDefinitions/fixing"),
            "",
            assignment(policyDefinitionId=f"{PREFIX}/policyDefinitions/fixing", enforcementMode="DoNotEnforce"),
        ),
    ],
}


@pytest.fixture(scope="module")
def facts() -> LintFacts:
    return alias.facts([])


@pytest.mark.parametrize(("rule", "at"), [(rule, at) for rule, cases in CASES.items() for at in range(len(cases))])
def test_every_rule_finds_what_it_is_about_and_nothing_else(rule: str, at: int, facts: LintFacts) -> None:
    wrong, path, right = CASES[rule][at]
    found = [each for each in lint.lint(wrong, facts, LIBRARY) if each.rule == rule]
    assert [each.path for each in found][:1] == [f"$.properties.{path}" if path else "$"]
    assert all(each.message and each.message[-1] not in ".;" for each in found)
    assert [each.rule for each in lint.lint(right, facts, LIBRARY) if each.rule == rule] == []


def test_what_is_without_fault_has_no_remarks(facts: LintFacts) -> None:
    assert lint.lint(initiative(), facts, LIBRARY) == ()
    assert lint.lint(assignment(), facts, LIBRARY) == ()


@pytest.mark.parametrize(
    ("wrong", "rule", "suggestion"),
    [
        (initiative(member("listd")), "reference-unknown", "use 'listed'"),
        (
            assignment(policyDefinitionId=f"{PREFIX}/policySetDefinitions/tls"),
            "reference-unknown",
            "it is a definition: use …/policyDefinitions/tls",
        ),
        (initiative(member("zebra")), "reference-unknown", "lint it together with the file of the definition"),
        (initiative(member(given={"efect": "Audit"})), "argument-unknown", "use 'effect'"),
        (initiative(member(given={"zebra": "Audit"})), "argument-unknown", "it has effect"),
        (initiative(member(effect="[parameters('efect')]")), "initiative-parameter-undeclared", "use 'effect'"),
        (
            initiative(member(groupNames=["Strage"]), policyDefinitionGroups=[{"name": "Storage"}]),
            "group-undeclared",
            "use 'Storage'",
        ),
        (initiative(member("old")), "reference-deprecated", "use new"),
        (assignment(enforcementMode="DoNotEnforced"), "enforcement-unknown", "use 'DoNotEnforce'"),
        (assignment(overrides=[override("Audit", "tls1")]), "member-unknown", "use 'tls'"),
        (assignment(overrides=[override("Audti")]), "override-unknown", "use 'audit'"),
    ],
)
def test_near_misses_are_suggested(wrong: Json, rule: str, suggestion: str, facts: LintFacts) -> None:
    (remark,) = [each for each in lint.lint(wrong, facts, LIBRARY) if each.rule == rule]
    assert remark.suggestion == suggestion


@pytest.mark.parametrize(
    ("wrong", "path", "message", "suggestion"),
    [
        (initiative(policyDefinitions={}), "policyDefinitions", "expected an array, found object", None),
        (initiative({}), FIRST, "the member has no policyDefinitionId", None),
        (initiative({"policyDefinitionID": 1}), f"{FIRST}.policyDefinitionId", "expected a string, found number", None),
        (initiative(member(groupNames=[1])), f"{FIRST}.groupNames[0]", "expected a string, found number", None),
        (initiative(member(groupName=["A"])), f"{FIRST}.groupName", "unknown key 'groupName'", "use 'groupNames'"),
        (initiative(parametres={}), "parametres", "unknown key 'parametres'", "use 'parameters'"),
        (
            initiative(member(parameters={"effect": "Audit"})),
            f"{FIRST}.parameters.effect",
            'a parameter value is written as {"value": …}',
            None,
        ),
        (
            initiative(member(effect="[conct()]")),
            f"{FIRST}.parameters.effect",
            "unknown function 'conct'",
            "use 'concat'",
        ),
        (initiative(policyDefinitionGroups=[{}]), "policyDefinitionGroups[0]", "the group has no name", None),
        (initiative(declared={"n": {"type": "text"}}), "parameters.n.type", "unknown parameter type 'text'", None),
        (
            assignment(parameters={"effect": "Audit"}),
            "parameters.effect",
            'a parameter value is written as {"value": …}',
            None,
        ),
        (assignment(notScope=[]), "notScope", "unknown key 'notScope'", "use 'notScopes'"),
        (
            assignment(resourceSelectors=[{"selectors": [{"kind": "resourceLocations", "in": ["x"]}]}]),
            "resourceSelectors[0].selectors[0]",
            "unknown selector kind 'resourceLocations'",
            "use 'resourceLocation'",
        ),
        (
            assignment(overrides=[{"kind": "policyEfect", "value": "Audit"}]),
            "overrides[0].kind",
            "unknown override kind 'policyEfect'",
            "use 'policyEffect'",
        ),
    ],
)
def test_what_has_not_the_form_is_a_remark(
    wrong: Json, path: str, message: str, suggestion: str | None, facts: LintFacts
) -> None:
    (remark,) = lint.lint(wrong, facts, LIBRARY)
    found = (remark.rule, remark.path, remark.message, remark.suggestion)
    assert found == (lint.INVALID, f"$.properties.{path}".removesuffix("."), message, suggestion)


def test_bare_properties_are_linted(facts: LintFacts) -> None:
    bare = initiative(member("tsl"))["properties"]
    assert lint.lint(bare, facts, LIBRARY)[0].path == f"$.{FIRST}.policyDefinitionId"
    spelled = json.loads(json.dumps(bare).replace('policyDefinitions"', 'POLICYDEFINITIONS"'))
    assert lint.lint(spelled, facts, LIBRARY) == lint.lint(bare, facts, LIBRARY)


def test_linting_changes_nothing(facts: LintFacts) -> None:
    for wrong, _, right in chain.from_iterable(CASES.values()):
        for each in (wrong, right):
            before = copy.deepcopy(each)
            lint.lint(each, facts, LIBRARY)
            assert each == before


def test_an_id_goes_before_a_name_and_a_folder_before_the_catalog() -> None:
    one = {**definition("same"), "id": "/subscriptions/a/providers/Microsoft.Authorization/policyDefinitions/same"}
    two = {**definition("same"), "id": "/subscriptions/b/providers/Microsoft.Authorization/policyDefinitions/same"}
    outer = build_library([("", one), ("", definition("only"))])
    both: Library = build_library([("stem", two), ("stem", {"properties": one["properties"]})], outer)
    from shared.authoring.library import DocumentShape  # noqa: PLC0415 - next to its only use

    def found(reference: str) -> Json:
        entry = both.find(reference, DocumentShape.DEFINITION)
        return entry.source if entry else None

    assert found(one["id"].upper()) == two  # the folder's own, by name
    assert found(two["id"] + "/versions/1.0.0") == two
    assert found("SAME") == two
    assert found("stem") == {"properties": one["properties"]}
    assert found("/subscriptions/c/providers/Microsoft.Authorization/policyDefinitions/only") == definition("only")
    assert found("/subscriptions/c/providers/Microsoft.Authorization/policySetDefinitions/only") is None


def test_public_initiatives_are_linted_without_a_crash(facts: LintFacts) -> None:
    if not PUBLIC.exists():
        pytest.skip("no public initiatives next to the project; set CORTEX_TEST_DATA")
    clouds: dict[str, list[Json]] = {}
    for row in rows("policyDefinitions"):
        clouds.setdefault(row["cloud"], []).append(row["definition"])
    common = build_library(("", each) for each in clouds["AzureCloud"])
    shelves = {cloud: build_library((("", each) for each in found), common) for cloud, found in clouds.items()}
    initiatives = rows("policySetDefinitions")
    found = [each for row in initiatives for each in lint.lint(row["definition"], facts, shelves[row["cloud"]])]
    assert len(initiatives) > 200
    # six initiatives of Azure's own pass "Administrator" to a parameter that takes "Administrators" only
    assert {each.rule for each in found if each.level == "error"} <= {
        "text-long",
        "parameter-default-unfit",
        "argument-unfit",
    }
    assert {each.rule for each in found} >= {"version-other", "member-repeated", "argument-wider", "group-unused"}


def rows(name: str) -> list[Any]:
    with gzip.open(PUBLIC / f"{name}.jsonl.gz", "rb") as file:
        return [json.loads(line) for line in file]
