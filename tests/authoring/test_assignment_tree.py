"""Trees of assignments, as Enterprise Policy as Code keeps them, are read as the assignments that they make."""

import json
from dataclasses import replace
from typing import Any

from shared.authoring.filed_policy import FiledPolicy
from shared.authoring.library import Library, document_of
from shared.authoring.lint import lint_policies
from shared.authoring.lint.subject import LintFacts
from shared.authoring.policy_file import has_policy, policies_of, read_policies
from shared.authoring.resolution import resolve_all
from shared.domain.lint import LintLevel
from shared.engine import AliasCatalog

GROUPS = "/providers/Microsoft.Management/managementGroups"
DEFINITIONS = "/providers/Microsoft.Authorization/policyDefinitions"
RULE = {"if": {"field": "[concat('tags.', parameters('tagName'))]", "exists": False}, "then": {"effect": "audit"}}
DEFINITION = {
    "name": "require",
    "properties": {"mode": "All", "parameters": {"tagName": {"type": "String"}}, "policyRule": RULE},
}
TREE: dict[str, Any] = {
    "nodeName": "/Tags/",
    "parameters": {"excluded": ["managed*"]},
    "metadata": {"category": "Tags"},
    "notScopes": {"*": ["/subscriptions/a"], "dev": ["/subscriptions/b"], "tenant": ["/subscriptions/c"]},
    "children": [
        {
            "nodeName": "all/",
            "scope": {"dev": [f"{GROUPS}/dev"], "tenant": [f"{GROUPS}/one", f"{GROUPS}/two"]},
            "definitionEntryList": [
                {"policyName": "require", "assignment": {"name": "req-", "displayName": "Require "}},
                {"policyName": "inherit", "assignment": {"append": True, "name": "-inh", "displayName": " inherited"}},
            ],
            "children": [
                {
                    "nodeName": "owner",
                    "assignment": {"name": "owner", "displayName": "owner"},
                    "parameters": {"tagName": "Owner"},
                    "enforcementMode": "DoNotEnforce",
                    "overrides": [
                        {"policyName": "inherit", "kind": "policyEffect", "value": "disabled"},
                        {"policyName": "other", "kind": "policyEffect", "value": "audit"},
                    ],
                }
            ],
        }
    ],
}
LEAF = "$.children[0].children[0]"


def read(value: Any) -> tuple[FiledPolicy, ...]:
    return policies_of(value)


def test_a_leaf_makes_an_assignment_for_each_definition_and_scope() -> None:
    found = read(TREE)
    assert has_policy(TREE)
    assert [(each.source["name"], each.source["properties"]["scope"]) for each in found] == [
        (name, f"{GROUPS}/{group}") for group in ("dev", "one", "two") for name in ("req-owner", "owner-inh")
    ]
    first, second = found[0].source, found[1].source
    assert first["id"] == f"{GROUPS}/dev/providers/Microsoft.Authorization/policyAssignments/req-owner"
    assert first["properties"] == {
        "displayName": "Require owner",
        "description": "",
        "metadata": {"category": "Tags"},
        "parameters": {"excluded": {"value": ["managed*"]}, "tagName": {"value": "Owner"}},
        "policyDefinitionId": f"{DEFINITIONS}/require",
        "enforcementMode": "DoNotEnforce",
        "scope": f"{GROUPS}/dev",
        "notScopes": ["/subscriptions/a", "/subscriptions/b"],
    }
    assert second["properties"]["overrides"] == [{"kind": "policyEffect", "value": "disabled"}]
    assert found[2].source["properties"]["notScopes"] == ["/subscriptions/a", "/subscriptions/c"]


def test_remarks_name_the_node_that_has_the_part() -> None:
    found = read(TREE)[1]
    assert found.at == LEAF
    assert found.place("$.properties.parameters.excluded.value[0]") == "$.parameters.excluded.value[0]"
    assert found.place("$.properties.parameters.tagName") == f"{LEAF}.parameters.tagName"
    assert found.place("$.properties.policyDefinitionId") == "$.children[0].definitionEntryList[1].policyName"
    assert found.place("$.properties.overrides[0].value") == f"{LEAF}.overrides[0].value"
    assert found.place("$.properties.displayName") == LEAF


def test_only_the_parameters_that_a_definition_declares_are_passed() -> None:
    tree = {**TREE, "children": [{**TREE["children"][0], "definitionEntryList": [], **_entry("policyName", "require")}]}
    (assigned, *_) = read(tree)
    library = Library((document_of("", DEFINITION),))
    remarks = lint_policies((assigned,), LintFacts(AliasCatalog.from_rows([])), library)
    assert "argument-unknown" not in {each.rule for each in remarks}
    entry = replace(document_of("", assigned.source), selective=assigned.selective)
    resolved = resolve_all([entry], library, aliases=AliasCatalog.from_rows([]), parameters={})
    assert (len(resolved.policies), resolved.refused) == (1, ())


def _entry(key: str, value: str) -> dict[str, Any]:
    return {"definitionEntry": {key: value}}


def test_initiatives_are_named_as_before_too() -> None:
    leaf = {"nodeName": "a", "assignment": {"name": "n", "displayName": "N"}, "scope": {"x": [f"{GROUPS}/g"]}}
    for key, value in (("policySetName", "base"), ("initiativeName", "base")):
        (found,) = read({**leaf, **_entry(key, value)})
        assert found.source["properties"]["policyDefinitionId"].endswith("/policySetDefinitions/base")
    (found,) = read({**leaf, **_entry("policySetId", "/p/policySetDefinitions/base")})
    assert found.source["properties"]["policyDefinitionId"] == "/p/policySetDefinitions/base"


def test_a_branch_that_lacks_something_is_a_remark_at_its_leaf() -> None:
    tree = {
        "nodeName": "/a/",
        "children": [{"nodeName": "b", "scope": {}}, {"nodeName": "c", **_entry("policyName", "x")}],
    }
    assert [(each.at, each.problem) for each in read_policies(json.dumps(tree))] == [
        ("$.children[0]", "no node from the root to this one has a definitionEntry or definitionEntryList"),
        ("$.children[1]", "no node from the root to this one has a scope"),
    ]


def test_what_other_files_or_patterns_decide_is_not_known() -> None:
    leaf = {**_entry("policyName", "x"), "assignment": {"name": "n"}, "scope": {"e": [f"{GROUPS}/g"]}}
    (by_file,) = read({"nodeName": "a", **leaf, "parameterFile": "effects.csv"})
    assert "effects.csv" in by_file.unknown
    (by_pattern,) = read({"nodeName": "a", **leaf, "notScopes": {"*": ["/subscriptions/s/resourceGroups/rg*"]}})
    assert "rg*" in by_pattern.unknown


def test_an_ignored_branch_makes_no_assignment() -> None:
    leaf = {**_entry("policyName", "absent"), "assignment": {"name": "n"}, "scope": {"e": [f"{GROUPS}/g"]}}
    ignored = {"nodeName": "c", "ignoreBranch": True, "children": [{"nodeName": "d", "ignoreBranch": False, **leaf}]}
    (kept,) = read({"nodeName": "a", "children": [{"nodeName": "b", "ignoreBranch": False, **leaf}, ignored]})
    assert kept.at == "$.children[0]"
    for whole in ({"nodeName": "a", "children": [ignored]}, {"nodeName": "a", "IgnoreBranch": True, **leaf}):
        (remark,) = lint_policies(read(whole), LintFacts(AliasCatalog.from_rows([])))
        assert (remark.level, remark.path) == (LintLevel.NOTE, "$")
        assert "ignoreBranch" in remark.message
