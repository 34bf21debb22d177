"""Explanations: what decided, where, why, and the smallest change that is shown to comply."""

import json
from typing import Any

import pytest

from shared.domain.resource import Resource, Unread
from shared.engine import AliasCatalog, compile_definition, explain
from shared.engine.explain.condition_fix import CHOICES

ITEMS = [{"name": "x", "port": 22}, {"name": "y", "port": 443}, {"name": "x", "port": 80}]


def explained(rule: Any, catalog: AliasCatalog, body: dict[str, Any], then: Any = None, **marks: Any) -> Any:
    definition = {"name": "p", "properties": {"policyRule": {"if": rule, "then": then or {"effect": "audit"}}}}
    return explain(compile_definition(definition, aliases=catalog), Resource(body, **marks))


def fixes(explanation: Any) -> list[tuple[str, str, Any]]:
    return [(fix.action, fix.path, fix.text if fix.action == "change" else fix.value) for fix in explanation.fixes]


def open_(path: str, words: str) -> tuple[str, str, str]:
    return ("change", path, f"set {path} to a value {words}")


def test_the_tree_marks_the_clauses_that_decided(catalog: AliasCatalog) -> None:
    rule = {"anyOf": [{"field": "Test/a", "equals": "no"}, {"not": {"field": "Test/b", "equals": "ok"}}]}
    found = explained(rule, catalog, {"name": "n", "properties": {"a": "yes", "b": "bad"}})
    first, second = found.rule.parts
    assert (first.decided, first.result) == (False, False)
    assert (second.decided, second.parts[0].decided, second.parts[0].observed) == (True, True, "bad")
    assert found.rule.to_json()["parts"][1]["parts"][0]["clause"] == "$.policyRule.if.anyOf[1].not"


def test_a_sentence_names_what_was_seen_and_the_remedy(catalog: AliasCatalog) -> None:
    found = explained({"field": "Test/a", "notEquals": True}, catalog, {"name": "n", "properties": {"a": False}})
    assert found.summary() == ("Not compliant: properties.a is false (not true); to comply, set properties.a to true.")


@pytest.mark.parametrize(
    ("rule", "body", "summary"),
    [
        ({"field": "Test/a", "equals": "x"}, {"a": "y"}, 'Compliant: properties.a is "y" (not "x").'),
        (
            {"field": "Test/num", "less": 5},
            {"num": "x"},
            "The evaluation failed: cannot order string x and number 5: the types differ.",
        ),
        ({"field": "No/such", "equals": 1}, {}, "Unknown: no alias No/such is known."),
    ],
)
def test_sentences_of_other_states(rule: Any, body: Any, summary: str, catalog: AliasCatalog) -> None:
    assert explained(rule, catalog, {"name": "n", "properties": body}).summary() == summary


@pytest.mark.parametrize(
    ("rule", "properties", "said"),
    [
        ({"field": "Test/a", "notIn": ["x"]}, {"a": "x"}, 'properties.a is "x".'),
        ({"field": "Test/a", "exists": True}, {}, "properties.a is not set."),
        ({"field": "Test/a", "exists": "false"}, {"a": 1}, "properties.a is 1."),
        ({"field": "Test/num", "less": 5}, {}, "properties.num is not set."),
        ({"field": "Test/list[*]", "notEquals": "x"}, {"list": ["x"]}, 'properties.list[0] is "x".'),
        ({"count": {"field": "Test/items[*]"}, "greater": 1}, {"items": [{}]}, "items has 1 member (at most 1)."),
        ({"count": {"field": "Test/items[*]"}, "greater": 1}, {}, "properties.items has no member."),
    ],
)
def test_a_condition_that_is_false_is_said_by_what_holds_instead(
    rule: Any, properties: Any, said: str, catalog: AliasCatalog
) -> None:
    assert said in explained(rule, catalog, {"name": "n", "properties": properties}).summary()


def test_lists_with_a_part_that_was_not_read_are_shown_as_json(catalog: AliasCatalog) -> None:
    where = {"field": "Test/items[*].tags[*]", "equals": "x"}
    rule = {"count": {"field": "Test/items[*]", "where": where}, "greater": 0}
    found = explained(rule, catalog, {"name": "n"}, unread={"properties.items": Unread("forbidden")})
    assert found.rule.parts[0].observed == ["(not read: properties.items)"]
    json.dumps(found.to_json())


def test_paths_name_members_of_their_own_array_only(catalog: AliasCatalog) -> None:
    inner = {"count": {"field": "Test/items[*]", "where": {"field": "Test/items[*].name", "equals": "y"}}, "equals": 1}
    rule = {"count": {"field": "Test/list[*]", "where": inner}, "greater": 0}
    found = explained(rule, catalog, {"name": "n", "properties": {"list": [1], "items": ITEMS}})
    assert [each.path for each in found.verdict.evidence] == [
        "properties.list[*]",
        "properties.items[*]",
        "properties.items[1].name",
    ]
    assert fixes(found) == [("remove", "properties.items[1]", None)]


def test_a_fix_inside_a_count_of_values_is_listed_once(catalog: AliasCatalog) -> None:
    where = {"field": "Test/items[*].tags[*]", "exists": False}
    rule = {"count": {"value": [1, 2, 3], "where": where}, "less": 1}
    body = {"name": "n", "properties": {"items": [{"tags": ["a"]}]}}
    assert len(fixes(explained(rule, catalog, body))) == 1


def test_an_unknown_names_what_to_read_and_the_permission(catalog: AliasCatalog) -> None:
    found = explained(
        {"field": "Test/a", "equals": "x"},
        catalog,
        {"name": "n"},
        unread={"properties": Unread("forbidden", "T/x/read", "/s")},
    )
    assert found.summary() == "Unknown: properties was not read (forbidden; reading it takes T/x/read)."
    assert found.to_json()["missing"] == [
        {"part": "properties", "reason": "forbidden", "permission": "T/x/read", "scope": "/s"}
    ]


@pytest.mark.parametrize(
    ("rule", "properties", "wanted"),
    [
        ({"field": "Test/a", "equals": "x"}, {"a": "x"}, [open_("properties.a", 'that is not "x"')]),
        ({"field": "Test/a", "equals": False}, {"a": False}, [("set", "properties.a", True)]),
        ({"field": "Test/a", "notEquals": "TLS1_2"}, {}, [("set", "properties.a", "TLS1_2")]),
        ({"field": "Test/a", "notEquals": "true"}, {}, [("set", "properties.a", True)]),
        ({"field": "Test/a", "exists": False}, {}, [("change", "properties.a", "give properties.a a value")]),
        ({"field": "Test/a", "exists": True}, {"a": 1}, [("remove", "properties.a", None)]),
        ({"field": "Test/num", "less": 90}, {"num": 7}, [("set", "properties.num", 90)]),
        ({"field": "Test/num", "lessOrEquals": 90}, {"num": 7}, [("set", "properties.num", 91)]),
        ({"field": "Test/num", "greater": 90}, {"num": 99}, [("set", "properties.num", 90)]),
        ({"field": "Test/num", "greaterOrEquals": 90}, {"num": 99}, [("set", "properties.num", 89)]),
        ({"field": "Test/a", "notIn": ["x", "y"]}, {"a": "z"}, [("set", "properties.a", "x")]),
        ({"field": "Test/a", "notIn": ["x"]}, {"a": "z"}, [("set", "properties.a", "x")]),
        ({"field": "Test/a", "in": ["x", "y"]}, {"a": "x"}, [open_("properties.a", 'that is none of "x", "y"')]),
        ({"field": "Test/a", "notLike": "v*"}, {"a": "x"}, [open_("properties.a", 'that is like "v*"')]),
        (
            {"not": {"field": "Test/a", "contains": "@"}},
            {"a": "x"},
            [open_("properties.a", 'containing "@"')],
        ),
        ({"field": "tags.env", "exists": False}, {}, [("change", "tags['env']", "give tags['env'] a value")]),
        ({"field": "location", "equals": "eastus"}, {}, []),
        (
            {"value": "[field('Test/a')]", "equals": "x"},
            {"a": "x"},
            [open_("properties.a", "for which [field('Test/a')] is not \"x\"")],
        ),
        ({"value": "[concat('a', 'b')]", "equals": "ab"}, {}, []),
    ],
)
def test_the_fix_of_one_condition(rule: Any, properties: Any, wanted: Any, catalog: AliasCatalog) -> None:
    found = explained(rule, catalog, {"name": "n", "location": "eastus", "properties": properties})
    assert found.verdict.state.value == "nonCompliant"
    assert fixes(found) == wanted


def test_of_several_ways_the_shortest_is_taken(catalog: AliasCatalog) -> None:
    a, b, num = ({"field": f"Test/{name}", "notEquals": "ok"} for name in ("a", "b", "num"))
    body = {"name": "n", "properties": {}}
    assert fixes(explained({"allOf": [{"anyOf": [a, b]}, num]}, catalog, body)) == [("set", "properties.num", "ok")]
    both = fixes(explained({"anyOf": [a, b]}, catalog, body))
    assert both == [("set", "properties.a", "ok"), ("set", "properties.b", "ok")]


def test_the_fix_of_a_count_changes_the_members_that_match(catalog: AliasCatalog) -> None:
    where = {"allOf": [{"field": "Test/items[*].name", "equals": "x"}, {"field": "Test/items[*].port", "less": 80}]}
    rule = {"count": {"field": "Test/items[*]", "where": where}, "greater": 0}
    found = explained(rule, catalog, {"name": "n", "properties": {"items": ITEMS}})
    assert fixes(found) == [("set", "properties.items[0].port", 80)]
    assert [part.parts[1].observed for part in found.rule.parts] == [22]


def test_the_fix_of_a_count_that_is_too_small_asks_for_members(catalog: AliasCatalog) -> None:
    rule = {"count": {"field": "Test/items[*]", "where": {"field": "Test/items[*].name", "equals": "z"}}, "less": 1}
    found = explained(rule, catalog, {"name": "n", "properties": {"items": ITEMS}})
    assert fixes(found) == [("add", "properties.items", {"name": "z"})]
    empty = explained(rule, catalog, {"name": "n", "properties": {}})
    assert fixes(empty) == fixes(found)
    assert empty.summary() == (
        'Not compliant: properties.items has no member where name is "z"; '
        'to comply, add {"name": "z"} to properties.items.'
    )


def test_the_fix_of_a_modify_policy_is_its_operations(catalog: AliasCatalog) -> None:
    operations = [{"operation": "addOrReplace", "field": "Test/a", "value": "[field('name')]"}]
    then = {"effect": "modify", "details": {"operations": operations}}
    found = explained({"field": "Test/a", "notEquals": "n"}, catalog, {"name": "n", "properties": {}}, then)
    assert fixes(found) == [("set", "properties.a", "n")]


def test_the_fix_of_a_missing_related_resource(catalog: AliasCatalog) -> None:
    details = {"type": "T.One/a/parts", "existenceCondition": {"field": "Test/state", "equals": "on"}}
    then = {"effect": "auditIfNotExists", "details": details}
    rule = {"field": "type", "equals": "T.One/a"}
    body = {"name": "n", "type": "T.One/a"}
    none = explained(rule, catalog, body, then, related={"t.one/a/parts": ()})
    assert fixes(none) == [("create", "T.One/a/parts", {"type": "T.One/a/parts", "properties": {"state": "on"}})]
    assert none.summary() == (
        'Not compliant: there is no T.One/a/parts; to comply, create a T.One/a/parts: set properties.state to "on".'
    )
    part = Resource({"id": "/p", "name": "p", "type": "T.One/a/parts", "properties": {"state": "off"}})
    one = explained(rule, catalog, body, then, related={"t.one/a/parts": (part,)})
    assert fixes(one) == [("set", "properties.state", "on")]
    assert one.fixes[0].resource == "/p"
    assert one.summary() == (
        'Not compliant: T.One/a/parts "p": properties.state is "off" (not "on"); '
        'to comply, set properties.state of T.One/a/parts "p" to "on".'
    )
    assert one.existence.observed == "off"
    assert one.to_json()["existence"]["expected"] == "on"


def test_an_effect_that_cannot_be_computed_leaves_the_explanation_whole(catalog: AliasCatalog) -> None:
    change = {"operation": "addOrReplace", "field": "tags.env", "value": {"inner": "[field('Test/gone')]"}}
    then = {"effect": "modify", "details": {"roleDefinitionIds": ["/r"], "operations": [change]}}
    found = explained({"field": "tags['env']", "notEquals": "x"}, catalog, {"name": "n", "tags": {"env": "y"}}, then)
    assert found.summary() == 'Not compliant: tags[\'env\'] is "y" (not "x"); to comply, set tags[\'env\'] to "x".'
    json.dumps(found.to_json())


def test_a_clause_that_judging_skipped_may_fail_and_the_tree_stays(catalog: AliasCatalog) -> None:
    fails = {"field": "Test/num", "less": 5}
    body = {"name": "n", "properties": {"a": False, "num": "x"}}
    for skipped in (fails, {"not": fails}):
        found = explained({"anyOf": [{"field": "Test/a", "equals": False}, skipped]}, catalog, body)
        assert found.summary().startswith("Not compliant: properties.a is false; no change is offered: none of the ")
        failed = found.rule.parts[1] if skipped is fails else found.rule.parts[1].parts[0]
        assert (failed.result, failed.decided, failed.operator, failed.expected) == (None, False, "less", 5)
        assert failed.observed == "(cannot order string x and number 5: the types differ)"


def test_a_sentence_changes_each_path_once(catalog: AliasCatalog) -> None:
    rule = {"anyOf": [{"field": "Test/a", "exists": False}, {"field": "Test/a", "notEquals": "TLS1_2"}]}
    found = explained(rule, catalog, {"name": "n", "properties": {}})
    assert found.summary().endswith('; to comply, set properties.a to "TLS1_2".')


@pytest.mark.parametrize(("number", "rest"), [(6, ", … and 2 more changes."), (7, ", … and 3 more changes.")])
def test_a_sentence_counts_the_changes_it_does_not_tell(number: int, rest: str, catalog: AliasCatalog) -> None:
    rule = {"not": {"field": "Test/list[*]", "equals": "x"}}
    found = explained(rule, catalog, {"name": "n", "properties": {"list": ["y"] * number}})
    assert found.summary().endswith(rest)
    assert found.summary().count("set properties") == 4


def test_a_tag_with_quotes_is_written_as_a_rule_does(catalog: AliasCatalog) -> None:
    rule = {"field": "tags['''My.Tag''']", "equals": "yes"}
    found = explained(rule, catalog, {"name": "n", "tags": {"'My.Tag'": "yes"}})
    assert found.summary() == (
        "Not compliant: tags['''My.Tag'''] is \"yes\"; to comply, set tags['''My.Tag'''] to \"No\"."
    )


SHOWN = {"displayName": "Carts are closed", "metadata": {"findingTitle": "Cart is open", "rationale": "Thieves."}}


def stated(rule: Any, catalog: AliasCatalog, resource: Resource, **then: Any) -> Any:
    definition = {**SHOWN, "policyRule": {"if": rule, "then": {"effect": "audit", **then}}}
    definition["metadata"] = {**SHOWN["metadata"], "controls": {"f": ["1"]}}  # type: ignore[dict-item]
    return explain(compile_definition({"name": "p", "properties": definition}, aliases=catalog), resource)


def test_an_unknown_says_what_is_not_known_where_and_why_it_matters(catalog: AliasCatalog) -> None:
    unread = Resource({"name": "n"}, unread={"properties.a": Unread("notCollected", detail="unknown function f()")})
    found = stated({"field": "Test/a", "equals": "x"}, catalog, unread)
    assert found.title == "Not known whether it is met: Carts are closed"
    assert [each.text for each in found.reasons] == ["properties.a was not read"]
    assert found.summary() == "Unknown: properties.a (unknown function f()) was not read (not collected)."
    assert (found.rationale, found.controls) == ("Thieves.", {"f": ["1"]})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("x", "denyAction refuses requests to delete this resource, and judges none as it is"),
        ("y", "denyAction judges no resource as it is, and would not refuse to delete this one"),
    ],
)
def test_of_a_deny_action_it_is_told_what_it_does(value: str, said: str, catalog: AliasCatalog) -> None:
    body = {"name": "n", "properties": {"a": value}}
    details = {"actionNames": ["delete"]}
    found = stated({"field": "Test/a", "equals": "x"}, catalog, Resource(body), effect="denyAction", details=details)
    assert (found.summary(), found.reasons) == (f"Compliant: {said}.", ())


def test_values_that_exist_are_named_where_a_parameter_has_them(catalog: AliasCatalog) -> None:
    definition = {
        "parameters": {"bad": {"type": "String", "allowedValues": ["Red", "Green", "Blue"], "defaultValue": "Red"}},
        "policyRule": {"if": {"field": "Test/a", "equals": "[parameters('bad')]"}, "then": {"effect": "audit"}},
    }
    policy = compile_definition(definition, aliases=catalog)
    found = explain(policy, Resource({"name": "n", "properties": {"a": "Red"}}))
    assert [each.text for each in found.fixes] == ['set properties.a to "Green" (or "Blue")']


def test_no_members_is_told_as_the_empty_list(catalog: AliasCatalog) -> None:
    rule = {"value": "[length(field('Test/items'))]", "notEquals": 0}
    found = explained(rule, catalog, {"name": "n", "properties": {"items": ["x"]}})
    assert fixes(found) == [("set", "properties.items", [])]


def test_what_a_template_changes_so_that_a_policy_no_longer_applies_is_a_fix(catalog: AliasCatalog) -> None:
    identity = "/subscriptions/s/resourceGroups/g/providers/Contoso.Shop/carts/n"
    body = {"id": identity, "name": "n", "type": "Contoso.Shop/carts", "tags": {"a": "x", "b": "y"}}
    template = {"resources": [{"type": "Contoso.Shop/carts", "apiVersion": "1", "name": "n", "tags": {"a": "z"}}]}
    details = {
        "type": "Contoso.Shop/carts",
        "name": "n",
        "roleDefinitionIds": ["r"],
        "existenceCondition": {"field": "tags.a", "equals": "z"},
        "deployment": {"properties": {"mode": "incremental", "template": template}},
    }
    rule = {"allOf": [{"field": "type", "equals": "Contoso.Shop/carts"}, {"field": "tags.a", "notEquals": "z"}]}
    found = explained(rule, catalog, body, {"effect": "deployIfNotExists", "details": details})
    assert fixes(found) == [("set", "tags['a']", "z")]


def test_of_a_thousand_allowed_values_some_are_tried(catalog: AliasCatalog) -> None:
    names = [f"v{number}" for number in range(1_000)]
    definition = {
        "parameters": {"bad": {"type": "String", "allowedValues": names, "defaultValue": "v0"}},
        "policyRule": {"if": {"field": "Test/a", "equals": "[parameters('bad')]"}, "then": {"effect": "audit"}},
    }
    policy = compile_definition(definition, aliases=catalog)
    (fix,) = explain(policy, Resource({"name": "n", "properties": {"a": "v0"}})).fixes
    assert (fix.value, len(fix.alternatives)) == ("v1", CHOICES - 1)
    assert fix.text == 'set properties.a to "v1" (or "v2", "v3", "v4", "v5", "v6", "v7", … and 13 more)'
