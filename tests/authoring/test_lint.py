"""Every lint rule is shown to find what it is about, and nothing else."""

import copy
import gzip
import json
import os
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from cli.lint import guide
from shared import bootstrap
from shared.authoring import lint
from shared.authoring.lint.subject import LintFacts
from shared.services.policy import alias
from tests.authoring import test_lint_initiative

ROOT = Path(__file__).parents[2]
PUBLIC = Path(os.environ.get("CORTEX_TEST_DATA", ROOT.parent / "shared")) / "azure-policy"
STORE = "Microsoft.Storage/storageAccounts"
TYPE = {"field": "type", "equals": STORE}
ROLE = "/providers/Microsoft.Authorization/roleDefinitions/00000000-0000-0000-0000-000000000001"
Json = Any
ON, OFF = True, False


@pytest.fixture(scope="module")
def facts() -> LintFacts:
    rows = [
        {"name": f"{STORE}/https", "path": "properties.https", "types": [STORE.lower()], "kind": "Boolean"},
        {"name": f"{STORE}/size", "path": "properties.size", "types": [STORE.lower()], "kind": "Integer"},
        {"name": f"{STORE}/tier", "path": "properties.tier", "types": [STORE.lower()], "kind": "String"},
        {"name": f"{STORE}/fixed", "path": "properties.fixed", "types": [STORE.lower()], "modifiable": False},
        {"name": f"{STORE}/rules[*]", "path": "properties.rules[*]", "types": [STORE.lower()]},
        {"name": f"{STORE}/rules[*].ip", "path": "properties.rules[*].ip", "types": [STORE.lower()]},
        {"name": "Microsoft.Sql/servers/tls", "path": "properties.tls", "types": ["microsoft.sql/servers"]},
    ]
    return alias.facts(rows, [{"type": "T.X/plain", "supportsTags": False}])


def definition(rule: Json = None, **changes: Json) -> Json:
    """A definition without fault, with another rule or other parts."""
    parameters = {
        "effect": {
            "type": "String",
            "metadata": {"displayName": "Effect", "description": "What happens."},
            "allowedValues": ["audit", "deny", "disabled"],
            "defaultValue": "audit",
        }
    }
    whole = {
        "displayName": "A policy",
        "description": "Says something.",
        "mode": "Indexed",
        "metadata": {"version": "1.0.0", "category": "Storage"},
        "parameters": {**parameters, **changes.pop("declared", {})},
        "policyRule": {
            "if": rule or {"allOf": [TYPE, {"field": f"{STORE}/https", "notEquals": True}]},
            "then": {"effect": "[parameters('effect')]", **changes.pop("then", {})},
        },
    }
    return {"name": "p", "properties": {key: each for key, each in (whole | changes).items() if each is not None}}


def both(*conditions: Json) -> Json:
    return {"allOf": [TYPE, *conditions]}


def field(name: str, operator: str, value: Json) -> Json:
    return {"field": f"{STORE}/{name}", operator: value}


def effect(*choices: str, default: str | None = None) -> Json:
    metadata = {"displayName": "Effect", "description": "What happens."}
    chosen = {"type": "String", "metadata": metadata, "allowedValues": list(choices), "defaultValue": choices[0]}
    return {"effect": chosen if default is None else {**chosen, "defaultValue": default}}


def parameter(**parts: Json) -> Json:
    """A declared and used parameter."""
    metadata = {"displayName": "Tier", "description": "Which."}
    return {"tier": {"type": "String", "defaultValue": "Hot", "metadata": metadata, **parts}}


USES = both(field("tier", "equals", "[parameters('tier')]"))
LOOK_UP = {"type": "Microsoft.Insights/diagnosticSettings", "existenceCondition": {"field": "name", "equals": "x"}}
DEPLOYMENT = {"properties": {"mode": "incremental", "template": {"resources": []}}}
DEPLOY = {**LOOK_UP, "roleDefinitionIds": [ROLE], "deployment": DEPLOYMENT}


def deploying(**changes: Json) -> Json:
    """A deployIfNotExists with other details; None leaves one out."""
    details = {key: each for key, each in (DEPLOY | changes).items() if each is not None}
    return definition(declared=effect("deployIfNotExists", "disabled"), then={"details": details})


def modifying(*operations: Json, **changes: Json) -> Json:
    details = {"roleDefinitionIds": [ROLE], "operations": list(operations), **changes}
    kept = {key: each for key, each in details.items() if each is not None}
    return definition(declared=effect("modify", "disabled"), then={"details": kept})


def put(name: str, value: Json = ON) -> Json:
    return {"operation": "addOrReplace", "field": f"{STORE}/{name}", "value": value}


def valued(name: str, value: Json, where: Json = None) -> Json:
    """A count of the members of a value."""
    inside = where or {"value": f"[current('{name}')]", "equals": "x"}
    return {"count": {"value": value, "name": name, "where": inside}, "greater": 0}


def counted_rules(where: Json) -> Json:
    return {"count": {"field": f"{STORE}/rules[*]", "where": where}, "greater": 0}


def counted(where: Json, operator: str = "greater", number: Json = 0) -> Json:
    return both({"count": {"field": f"{STORE}/rules[*]", "where": where}, operator: number})


IP = {"field": f"{STORE}/rules[*].ip", "equals": "0.0.0.0"}  # noqa: S104 - a value in a rule

# rule -> (a definition in which it finds something, the path it reports below properties, one in which it does not)
CASES: dict[str, list[tuple[Json, str, Json]]] = {
    "text-missing": [(definition(displayName=None), "displayName", definition())],
    "text-long": [
        (definition(description="x" * 513), "description", definition(description="x" * 512)),
        (definition(displayName="x" * 129), "displayName", definition(displayName="x" * 129, policyType="BuiltIn")),
    ],
    "metadata-missing": [(definition(metadata={"version": "1.0.0"}), "metadata", definition())],
    "definition-deprecated": [
        (definition(metadata={"deprecated": True}), "metadata", definition()),
        (definition(displayName="[Deprecated]: A policy"), "metadata", definition(displayName="Deprecated things")),
    ],
    "request-identity": [
        (
            definition(both({"value": "[requestContext().identity.x]", "equals": "y"})),
            "policyRule.if.allOf[1].value",
            definition(both({"value": "[requestContext().apiVersion]", "less": "2020-01-01"})),
        )
    ],
    "expression-open": [
        (
            definition(both(field("tier", "equals", "[concat('a')"))),
            "policyRule.if.allOf[1].equals",
            definition(both(field("tier", "equals", "[[concat('a')"))),
        ),
        (
            definition(both(field("tier", "equals", "parameters('effect')"))),
            "policyRule.if.allOf[1].equals",
            definition(both(field("tier", "equals", "[parameters('effect')]"))),
        ),
    ],
    "parameter-unused": [(definition(declared=parameter()), "parameters.tier", definition(USES, declared=parameter()))],
    "parameter-undeclared": [
        (
            deploying(
                deployment={"properties": {**DEPLOYMENT["properties"], "parameters": {"x": "[parameters('n')]"}}}
            ),
            "policyRule.then.details.deployment.properties.parameters.x",
            deploying(deployment={"properties": {"template": {"resources": ["[parameters('n')]"]}}}),
        )
    ],
    "parameter-no-default": [
        (
            definition(USES, declared={"tier": {"type": "String"}}),
            "parameters.tier",
            definition(USES, declared=parameter()),
        )
    ],
    "parameter-default-unfit": [
        (
            definition(USES, declared=parameter(allowedValues=["Cool", "Cold"])),
            "parameters.tier.defaultValue",
            definition(USES, declared=parameter(allowedValues=["HOT", "Cool"])),
        ),
        (
            definition(USES, declared=parameter(defaultValue=3)),
            "parameters.tier.defaultValue",
            definition(USES, declared=parameter(type="Integer", defaultValue=3)),
        ),
    ],
    "parameter-unexplained": [
        (
            definition(USES, declared=parameter(metadata={"displayName": "Tier"})),
            "parameters.tier",
            definition(USES, declared=parameter()),
        )
    ],
    "parameter-choice-repeated": [
        (
            definition(USES, declared=parameter(allowedValues=["Hot", "HOT"])),
            "parameters.tier.allowedValues[1]",
            definition(USES, declared=parameter(allowedValues=["Hot", "Cool"])),
        )
    ],
    "parameter-choice-single": [
        (
            definition(USES, declared=parameter(allowedValues=["Hot"])),
            "parameters.tier.allowedValues",
            definition(USES, declared=parameter(allowedValues=["Hot", "Cool"])),
        )
    ],
    "parameter-secret": [
        (
            definition(declared={"adminPassword": {"type": "String", "defaultValue": "hunter2"}}),
            "parameters.adminPassword.defaultValue",
            definition(declared={"adminPassword": {"type": "String", "defaultValue": ""}}),
        )
    ],
    "effect-fixed": [(definition(then={"effect": "audit"}), "policyRule.then.effect", definition())],
    "effect-computed": [
        (
            definition(then={"effect": "[if(equals('a', 'a'), 'audit', 'deny')]"}),
            "policyRule.then.effect",
            definition(),
        )
    ],
    "effect-not-disableable": [
        (definition(declared=effect("audit", "deny")), "parameters.effect.allowedValues", definition()),
        (
            definition(declared={"effect": {"type": "String", "defaultValue": "audit"}}),
            "parameters.effect",
            definition(declared=effect("audit", "Disabled")),
        ),
    ],
    "effect-no-default": [
        (
            definition(declared={"effect": {"type": "String", "allowedValues": ["audit", "disabled"]}}),
            "parameters.effect",
            definition(),
        )
    ],
    "effect-unknown": [
        (definition(declared=effect("audit", "denied", "disabled")), "parameters.effect", definition()),
        (definition(then={"effect": "adit"}), "policyRule.then.effect", definition(then={"effect": "AUDIT"})),
    ],
    "effect-mode": [
        (definition(declared=effect("audit", "mutate")), "parameters.effect", definition()),
        (
            definition(mode="Microsoft.KeyVault.Data", declared=effect("modify")),
            "parameters.effect",
            definition(mode="Microsoft.KeyVault.Data"),
        ),
    ],
    "mode-unknown": [(definition(mode="Microsoft.KeyVault.Dat"), "mode", definition(mode="all"))],
    "effect-mixed": [
        (definition(declared=effect("audit", "auditIfNotExists")), "parameters.effect", definition()),
        (definition(declared=effect("manual", "audit")), "parameters.effect", definition(declared=effect("manual"))),
    ],
    "effect-deprecated": [
        (
            definition(mode="Microsoft.Kubernetes.Data", declared=effect("EnforceRegoPolicy", "disabled")),
            "parameters.effect",
            definition(mode="Microsoft.Kubernetes.Data"),
        ),
        (definition(mode="Microsoft.ContainerService.Data"), "mode", definition()),
    ],
    "roles-missing": [
        (deploying(roleDefinitionIds=None), "policyRule.then.details", deploying()),
        (modifying(put("https"), roleDefinitionIds=None), "policyRule.then.details", modifying(put("https"))),
    ],
    "role-malformed": [
        (
            deploying(roleDefinitionIds=[ROLE, "Contributor"]),
            "policyRule.then.details.roleDefinitionIds[1]",
            deploying(roleDefinitionIds=["/subscriptions/s" + ROLE]),
        )
    ],
    "roles-idle": [
        (
            definition(then={"details": {"roleDefinitionIds": [ROLE]}}),
            "policyRule.then.details.roleDefinitionIds",
            deploying(),
        )
    ],
    "deployment-missing": [(deploying(deployment=None), "policyRule.then.details", deploying())],
    "deployment-location": [
        (
            deploying(deploymentScope="subscription"),
            "policyRule.then.details.deployment",
            deploying(deploymentScope="Subscription", deployment={**DEPLOYMENT, "location": "westeurope"}),
        )
    ],
    "existence-name": [
        (
            deploying(type=STORE),
            "policyRule.then.details",
            deploying(type=STORE, name="[field('name')]"),
        )
    ],
    "existence-missing": [(deploying(existenceCondition=None), "policyRule.then.details", deploying())],
    "delay-unknown": [
        (
            deploying(evaluationDelay="soon"),
            "policyRule.then.details.evaluationDelay",
            deploying(evaluationDelay="PT1H"),
        ),
        (
            deploying(evaluationDelay="P"),
            "policyRule.then.details.evaluationDelay",
            deploying(evaluationDelay="AfterProvisioning"),
        ),
    ],
    "scope-unknown": [
        (
            deploying(deploymentScope="tenant"),
            "policyRule.then.details.deploymentScope",
            deploying(existenceScope="Subscription", deploymentScope="[parameters('effect')]"),
        )
    ],
    "details-idle": [
        (definition(then={"details": {"x": 1}}), "policyRule.then.details", definition(then={"details": {}}))
    ],
    "append-tag": [
        (
            definition(declared=effect("append", "disabled"), then={"details": [{"field": "tags['a']", "value": "b"}]}),
            "policyRule.then.details[0].field",
            definition(
                declared=effect("append", "disabled"), then={"details": [{"field": f"{STORE}/tier", "value": "b"}]}
            ),
        )
    ],
    "alias-unknown": [
        (
            definition(both(field("htps", "equals", ON))),
            "policyRule.if.allOf[1].field",
            definition(both(field("HTTPS", "equals", ON))),
        ),
        (
            definition(both({"value": f"[field('{STORE}/htps')]", "equals": "x"})),
            "policyRule.if.allOf[1].value",
            definition(both({"value": f"[field('{STORE}/tier')]", "equals": "x"})),
        ),
        (modifying(put("htps")), "policyRule.then.details.operations[0].field", modifying(put("https"))),
    ],
    "field-unknown": [
        (
            definition(both({"field": "locaton", "equals": "x"})),
            "policyRule.if.allOf[1].field",
            definition(both({"field": "location", "equals": "x"})),
        )
    ],
    "alias-other-type": [
        (
            definition(both({"field": "Microsoft.Sql/servers/tls", "equals": "1.2"})),
            "policyRule.if.allOf[1].field",
            definition(
                {"allOf": [{"field": "type", "like": "Microsoft.*"}, {"field": f"{STORE}/tier", "equals": "x"}]}
            ),
        ),
        (
            deploying(existenceCondition={"field": f"{STORE}/tier", "equals": "x"}),
            "policyRule.then.details.existenceCondition.field",
            deploying(existenceCondition={"field": "name", "equals": f"[field('{STORE}/tier')]"}),
        ),
    ],
    "alias-not-modifiable": [
        (modifying(put("fixed")), "policyRule.then.details.operations[0].field", modifying(put("https")))
    ],
    "type-incomplete": [
        (
            definition({"field": "type", "in": ["Microsoft.Storage", STORE]}),
            "policyRule.if.in",
            definition({"field": "type", "like": "Microsoft.Storage*"}),
        )
    ],
    "type-missing": [
        (
            definition(field("https", "notEquals", ON)),
            "policyRule.if",
            definition({"field": "location", "equals": "x"}),
        )
    ],
    "type-exempt": [
        (
            definition({"field": "type", "equals": "Microsoft.KeyVault/vaults/secrets"}),
            "policyRule.if",
            definition(
                {"field": "type", "equals": "Microsoft.KeyVault.Data/vaults/secrets"}, mode="Microsoft.KeyVault.Data"
            ),
        ),
        (
            definition(
                {"allOf": [{"field": "name", "like": "a*"}, {"field": "type", "equals": "Microsoft.Billing/accounts"}]}
            ),
            "policyRule.if.allOf[1]",
            definition({"field": "type", "in": ["Microsoft.Security/assessments", STORE]}),
        ),
    ],
    "mode-excludes": [
        (
            definition({"field": "type", "equals": "T.X/plain"}),
            "mode",
            definition({"field": "type", "equals": "T.X/plain"}, mode="All"),
        ),
        (
            definition({"field": "type", "equals": "Microsoft.Resources/subscriptions"}),
            "mode",
            definition({"field": "type", "in": ["Microsoft.Resources/subscriptions", STORE]}),
        ),
    ],
    "mode-all": [
        (
            definition({"field": "tags['a']", "exists": False}, mode="All"),
            "mode",
            definition({"field": "tags['a']", "exists": False}),
        )
    ],
    "tag-quotes": [
        (
            definition(both({"field": "tags.cost center", "exists": True})),
            "policyRule.if.allOf[1].field",
            definition(both({"field": "tags['cost center']", "exists": True}, {"field": "tags.env", "exists": True})),
        )
    ],
    "array-negated": [
        (definition(both({"not": IP})), "policyRule.if.allOf[1].not", definition(counted({"not": IP}))),
    ],
    "array-all-of": [(definition(both(IP)), "policyRule.if.allOf[1]", definition(counted(IP)))],
    "array-whole": [
        (
            definition(both(field("rules", "equals", "x"))),
            "policyRule.if.allOf[1].field",
            definition(both(field("rules", "contains", "x"), field("rules", "exists", ON))),
        )
    ],
    "literal-type": [
        (
            definition(both(field("https", "equals", "yes"))),
            "policyRule.if.allOf[1].equals",
            definition(both(field("https", "equals", "True"))),
        ),
        (
            definition(both(field("size", "less", "5"))),
            "policyRule.if.allOf[1].less",
            definition(both(field("size", "less", 5), field("size", "equals", "5"))),
        ),
        (
            definition(both(field("tier", "in", ["a", {}]))),
            "policyRule.if.allOf[1].in",
            definition(both(field("tier", "in", ["a", 1, True]))),
        ),
        (
            modifying(put("https", "true")),
            "policyRule.then.details.operations[0].value",
            modifying(put("https", value=False)),
        ),
    ],
    "literal-text": [
        (
            definition(both(field("https", "equals", "true"))),
            "policyRule.if.allOf[1].equals",
            definition(both(field("https", "equals", ON), field("tier", "equals", "true"))),
        )
    ],
    "like-stars": [
        (
            definition(both(field("tier", "like", "*a*"))),
            "policyRule.if.allOf[1].like",
            definition(both(field("tier", "like", "a*"))),
        )
    ],
    "contains-star": [
        (
            definition(both(field("tier", "notContains", "a*"))),
            "policyRule.if.allOf[1].notContains",
            definition(both(field("tier", "contains", "a"), field("tier", "like", "a*"))),
        )
    ],
    "function-forbidden": [
        (
            definition(both(field("tier", "equals", "[dateTimeAdd(utcNow(), 'P1D')]"))),
            "policyRule.if.allOf[1].equals",
            deploying(deployment={"properties": {"mode": "incremental", "template": {"x": "[dateTimeAdd('a', 'b')]"}}}),
        ),
        (
            definition(both({"value": "[dateTimeToEpoch(utcNow())]", "greater": 1})),
            "policyRule.if.allOf[1].value",
            definition(both({"value": "[utcNow()]", "greater": "2026-01-31T10:00:00Z"})),
        ),
        (
            definition(both(field("tier", "less", "[utcNow('yyyy-MM-dd')]"))),
            "policyRule.if.allOf[1].less",
            definition(both(field("tier", "less", "[utcNow()]"))),
        ),
    ],
    "count-name": [
        (
            definition(both(valued("i", ["a"], valued("I", ["b"])))),
            "policyRule.if.allOf[1].count.where.count.name",
            definition(both(valued("i", ["a"], valued("j", ["b"])), valued("i", ["a"]))),
        ),
        (
            definition(both(valued(" ", ["a"]))),
            "policyRule.if.allOf[1].count.name",
            definition(both(valued("a b", []))),
        ),
    ],
    "count-name-plain": [
        (
            definition(both(valued(name, ["a"]))),
            "policyRule.if.allOf[1].count.name",
            definition(both(valued("Name1", ["a"]))),
        )
        for name in ("a b", "a.b", "a-b", "a_b", "é")
    ],
    "count-size": [
        (
            definition(both(valued("i", ["a"] * 101))),
            "policyRule.if.allOf[1].count.value",
            definition(both(valued("i", ["a"] * 100))),
        ),
        (
            definition(
                both(valued("i", "[parameters('tier')]")), declared=parameter(type="Array", defaultValue=["a"] * 251)
            ),
            "policyRule.if.allOf[1].count.value",
            definition(both(valued("i", "[parameters('tier')]")), declared=parameter(type="Array", defaultValue=["a"])),
        ),
        (
            definition(both(valued("i", ["a"] * 20, {"not": valued("j", ["b"] * 20)}))),
            "policyRule.if.allOf[1].count.where.not.count.value",
            definition(both(valued("i", ["a"] * 20, valued("j", ["b"] * 5)), valued("k", ["c"] * 20))),
        ),
        (
            definition(both(valued("i", ["a"] * 5, valued("j", ["b"] * 5, valued("k", ["c"] * 5))))),
            "policyRule.if.allOf[1].count.where.count.where.count.value",
            definition(both(valued("i", ["a"] * 5, counted_rules(valued("j", ["b"] * 20))))),
        ),
    ],
    "like-plain": [
        (
            definition(both(field("tier", "notLike", "a?"))),
            "policyRule.if.allOf[1].notLike",
            definition(both(field("tier", "notLike", "a*"))),
        )
    ],
    "match-plain": [
        (
            definition(both(field("tier", "match", "abc"))),
            "policyRule.if.allOf[1].match",
            definition(both(field("tier", "match", "ab#"))),
        )
    ],
    "list-odd": [
        (
            definition(both(field("tier", "in", value))),
            "policyRule.if.allOf[1].in",
            definition(both(field("tier", "in", ["a", "b"]))),
        )
        for value in ([], ["a", "b", "A"])
    ],
    "list-single": [
        (
            definition(both(field("tier", "notIn", ["a"]))),
            "policyRule.if.allOf[1].notIn",
            definition(both(field("tier", "in", ["a", "b"]))),
        )
    ],
    "clause-constant": [
        (
            definition(both({"value": "[concat('a', 'b')]", "equals": "ab"})),
            "policyRule.if.allOf[1]",
            definition(both({"value": "[parameters('effect')]", "equals": "audit"})),
        ),
        (
            definition({"allOf": [TYPE, {"value": 1, "equals": 2}]}),
            "policyRule.if",
            definition({"anyOf": [TYPE, {"value": "[field('name')]", "equals": 2}]}),
        ),
    ],
    "evaluation-fails": [
        (
            definition(both({"value": "[int('a')]", "equals": 1})),
            "policyRule.if.allOf[1].value",
            definition(both({"value": "[int('1')]", "equals": 1})),
        ),
        (
            definition(both(field("tier", "equals", None))),
            "policyRule.if.allOf[1].equals",
            definition(both(field("tier", "equals", ""))),
        ),
        (
            definition(counted({"value": f"[current('{STORE}/tier')]", "equals": "x"})),
            "policyRule.if",
            definition(counted({"value": f"[current('{STORE}/rules[*]').ip]", "equals": "x"})),
        ),
    ],
    "clause-contradiction": [
        (
            definition(both(field("tier", "equals", "a"), field("tier", "equals", "b"))),
            "policyRule.if",
            definition(both(field("tier", "in", ["a", "b"]), field("tier", "equals", "B"))),
        ),
        (
            definition(both({"field": "location", "equals": "East US"}, {"field": "location", "notEquals": "eastus"})),
            "policyRule.if",
            definition(both({"field": "location", "like": "east*"}, {"field": "location", "notEquals": "eastus"})),
        ),
        (
            definition(both(field("tier", "exists", OFF), field("tier", "equals", "a"))),
            "policyRule.if",
            definition(both(field("tier", "exists", OFF), field("tier", "notEquals", "a"))),
        ),
    ],
    "clause-tautology": [
        (
            definition(both({"anyOf": [field("tier", "notEquals", "a"), field("tier", "notEquals", "b")]})),
            "policyRule.if.allOf[1]",
            definition(both({"anyOf": [field("tier", "notEquals", "a"), field("size", "notEquals", 3)]})),
        ),
        (
            definition(both({"anyOf": [field("tier", "exists", ON), field("tier", "exists", OFF)]})),
            "policyRule.if.allOf[1]",
            definition(both({"anyOf": [field("tier", "equals", "a"), field("tier", "equals", "b")]})),
        ),
    ],
    "type-contradiction": [
        (
            definition(both({"anyOf": [{"field": "type", "equals": "T.X/y"}, field("tier", "equals", "a")]})),
            "policyRule.if.allOf[1].anyOf[0]",
            definition({"anyOf": [{"field": "type", "equals": "T.X/y"}, both(field("tier", "equals", "a"))]}),
        ),
        (
            definition(both({"field": "type", "notEquals": STORE.upper()})),
            "policyRule.if",
            definition(both({"field": "type", "notEquals": "T.X/y"})),
        ),
        (
            definition(both({"not": {"field": "type", "in": ["T.X/y", "T.X/z"]}})),
            "policyRule.if.allOf[1].not",
            definition(both({"not": {"field": "type", "like": "T.*"}})),
        ),
    ],
    "parameter-never": [
        (
            definition(
                both({"value": "[parameters('tier')]", "equals": "Cold"}),
                declared=parameter(allowedValues=["Hot", "Cool"]),
            ),
            "policyRule.if.allOf[1]",
            definition(
                both({"value": "[parameters('tier')]", "equals": "COOL"}),
                declared=parameter(allowedValues=["Hot", "Cool"]),
            ),
        )
    ],
    "count-settled": [
        (
            definition(counted(IP, "greaterOrEquals", 0)),
            "policyRule.if.allOf[1].greaterOrEquals",
            definition(counted(IP)),
        ),
        (definition(counted(IP, "less", 0)), "policyRule.if.allOf[1].less", definition(counted(IP, "less", 1))),
        (
            definition(counted(IP, "greater", "0")),
            "policyRule.if.allOf[1].greater",
            definition(counted(IP, "equals", 0)),
        ),
    ],
    "clause-duplicate": [
        (
            definition(both(field("tier", "equals", "a"), field("TIER", "equals", "A"))),
            "policyRule.if.allOf[2]",
            definition(both(field("tier", "equals", "a"), field("size", "equals", "a"))),
        ),
        (
            definition({"anyOf": [counted(IP), counted(IP)]}),
            "policyRule.if.anyOf[1]",
            definition({"anyOf": [counted(IP), counted({**IP, "equals": "1.1.1.1"})]}),
        ),
    ],
    "clause-absorbed": [
        (
            definition(both({"anyOf": [TYPE, field("tier", "equals", "a")]})),
            "policyRule.if.allOf[1]",
            definition(both({"anyOf": [field("size", "equals", 1), field("tier", "equals", "a")]})),
        )
    ],
    "clause-single": [(definition({"allOf": [TYPE]}), "policyRule.if", definition(TYPE))],
    "clause-nested": [
        (
            definition({"allOf": [TYPE, both(field("tier", "equals", "a"))]}),
            "policyRule.if.allOf[1]",
            definition({"anyOf": [both(field("tier", "equals", "a"))]}),
        )
    ],
    "not-opposite": [
        (
            definition(both({"not": field("tier", "equals", "a")})),
            "policyRule.if.allOf[1]",
            definition(both({"not": field("size", "less", 3)})),
        ),
        (
            definition(both({"not": {"not": field("size", "less", 3)}})),
            "policyRule.if.allOf[1]",
            definition(both({"not": {"anyOf": [field("size", "less", 3), TYPE]}})),
        ),
        (
            definition(both({"not": field("tier", "exists", "true")})),
            "policyRule.if.allOf[1]",
            definition(both({"not": IP})),
        ),
    ],
}


def pairs() -> list[Any]:
    return [
        pytest.param(rule, *case, id=f"{rule}-{at}") for rule, cases in CASES.items() for at, case in enumerate(cases)
    ]


@pytest.mark.parametrize(("rule", "wrong", "path", "right"), pairs())
def test_rule_finds_its_subject_and_nothing_else(
    rule: str, wrong: Json, path: str, right: Json, facts: LintFacts
) -> None:
    found = [each for each in lint.lint(wrong, facts) if each.rule == rule]
    assert [each.path for each in found][:1] == [f"$.properties.{path}"]
    assert all(each.message and each.message[-1] not in ".;" for each in found)
    assert [each.rule for each in lint.lint(right, facts) if each.rule == rule] == []


def test_every_rule_has_cases_and_words() -> None:
    rules = list(chain.from_iterable(lint.RULE_GROUPS.values()))
    names = [each.id for each in rules]
    assert sorted(names) == sorted([*CASES, *test_lint_initiative.CASES])
    assert len(set(names)) == len(names)
    for each in rules:
        assert each.summary.endswith("."), each.id
        assert each.help.endswith("."), each.id


def test_the_guide_is_what_the_rules_say() -> None:
    assert (ROOT / "docs" / "lint.md").read_text("utf-8") == guide(), "run `cortex policy rules > docs/lint.md`"


def test_a_definition_without_fault_has_no_remarks(facts: LintFacts) -> None:
    assert lint.lint(definition(), facts) == ()
    assert lint.lint(deploying(), facts) == ()
    assert lint.lint(modifying(put("https")), facts) == ()


@pytest.mark.parametrize(
    ("text", "path", "suggestion"),
    [
        ("{", "$", None),
        ('{"if": {}, "IF": {}}', "$", None),
        ("[]", "$", None),
        ('{"properties": {}}', "$", None),
        ('{"if": {"field": "name", "equal": 1}, "then": {"effect": "audit"}}', "$.if", "use 'equals'"),
        (
            '{"if": {"field": "name", "equals": "[conct()]"}, "then": {"effect": "audit"}}',
            "$.if.equals",
            "use 'concat'",
        ),
        (
            '{"if": ' + '{"not": ' * 70 + "{}" + "}" * 70 + ', "then": {"effect": "audit"}}',
            "$.if" + ".not" * 65,
            None,
        ),
        ("[" * 100_000, "$", None),
    ],
    ids=["broken", "twice", "a-list", "no-rule", "operator", "function", "deep", "hostile"],
)
def test_what_the_language_does_not_allow_is_a_remark(
    text: str, path: str, suggestion: str | None, facts: LintFacts
) -> None:
    (remark,) = lint.lint_text(text, facts)
    assert (remark.rule, remark.level.value, remark.path, remark.suggestion) == (
        lint.INVALID,
        "error",
        path,
        suggestion,
    )


def test_what_only_compiling_finds_is_a_remark_too(facts: LintFacts) -> None:
    broken = definition(declared=effect("modify", "disabled"), then={"details": {"roleDefinitionIds": [ROLE]}})
    assert [each.rule for each in lint.lint(broken, facts)] == [lint.INVALID]
    unreadable = modifying({"operation": "change", "field": "x"})
    assert lint.lint(unreadable, facts)[0].path == "$.properties.policyRule.then.details.operations[0]"


def test_near_misses_are_suggested(facts: LintFacts) -> None:
    remark = lint.lint(definition(both(field("htps", "equals", ON))), facts)[0]
    assert (remark.message, remark.suggestion) == (f"there is no alias '{STORE}/htps'", f"use '{STORE}/https'")


def test_bare_rules_and_properties_are_linted(facts: LintFacts) -> None:
    wrong = both({"field": "locaton", "equals": "x"})
    bare = {"IF": wrong, "then": {"effect": "audit"}}
    assert lint.lint(bare, facts)[0].path == "$.if.allOf[1].field"
    properties = definition(wrong)["properties"]
    assert lint.lint(properties, facts)[0].path == "$.policyRule.if.allOf[1].field"


def test_linting_changes_nothing(facts: LintFacts) -> None:
    for wrong, _, right in chain.from_iterable(CASES.values()):
        for each in (wrong, right):
            before = copy.deepcopy(each)
            lint.lint(each, facts)
            assert each == before


def test_the_catalog_is_clean() -> None:
    catalog = bootstrap.catalog()
    facts = alias.packaged(catalog)
    found = {entry.name: lint.lint(entry.definition, facts) for entry in catalog.policies()}
    assert {name: remarks for name, remarks in found.items() if remarks} == {}


def test_an_empty_list_of_allowed_values_restricts_nothing(facts: LintFacts) -> None:
    anything: Json = {"type": "String", "allowedValues": [], "defaultValue": "x"}
    anything["metadata"] = {"displayName": "Tier", "description": "The tier that is meant."}
    rule = both({"field": f"{STORE}/tier", "equals": "[parameters('tier')]"})
    found = lint.lint(definition(rule, declared={"tier": anything}), facts)
    assert [each.rule for each in found] == []


def test_public_definitions_use_aliases_that_are_known() -> None:
    """Every definition of the public clouds, with what the product itself knows."""
    if not PUBLIC.exists():
        pytest.skip("no public definitions next to the project; set CORTEX_TEST_DATA")
    facts = alias.packaged(bootstrap.catalog())
    found = [remark for row in rows("policyDefinitions") for remark in lint.lint(row["definition"], facts)]
    assert [each for each in found if each.rule in {"alias-unknown", "alias-not-modifiable"}] == []
    assert {each.rule for each in found if each.level == "error"} == set()
    assert len({each.rule for each in found}) > 20


def rows(name: str) -> list[Any]:
    with gzip.open(PUBLIC / f"{name}.jsonl.gz", "rb") as file:
        return [json.loads(line) for line in file]


def test_conditions_on_an_action_are_refused_with_what_replaces_them(facts: LintFacts) -> None:
    (found,) = lint.lint(definition({"source": "action", "like": "Microsoft.Network/routeTables/*"}), facts)
    assert (found.rule, found.path) == ("definition-invalid", "$.properties.policyRule.if")
    assert '{"field": "type", "equals": "Microsoft.Network/routeTables"}' in found.message


def test_conditions_on_all_members_are_one_note(facts: LintFacts) -> None:
    two = both(field("rules[*].ip", "equals", "a"), field("rules[*].ip", "notEquals", "b"))
    (found,) = [each for each in lint.lint(definition(two), facts) if each.rule == "array-all-of"]
    assert found.path == "$.properties.policyRule.if.allOf[1]"
    assert found.message.endswith("conditions like this: 2")
