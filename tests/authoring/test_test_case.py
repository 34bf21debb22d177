"""Cases pass when everything holds, and say what does not when it does not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.authoring import test_case
from shared.domain.error import InvalidInput

SPECIFICATION = Path(__file__).parents[1] / "engine"
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
RULE = {"field": "Test/a", "equals": "x"}
BODY = {"name": "r", "properties": {"a": "x"}}
MODIFY = {
    "effect": "modify",
    "details": {
        "roleDefinitionIds": ["/r"],
        "operations": [{"operation": "addOrReplace", "field": "Test/a", "value": "y"}],
    },
}
DEPLOY = {
    "effect": "deployIfNotExists",
    "details": {
        "type": "T/x",
        "roleDefinitionIds": ["/r"],
        "deployment": {"properties": {"mode": "incremental", "template": {"resources": []}}},
    },
}
BLOCK = {"field": "name", "equals": "r"}


@pytest.fixture(scope="module")
def aliases() -> Any:
    from shared.engine import AliasCatalog  # noqa: PLC0415 - only here

    table = yaml.safe_load((SPECIFICATION / "tables" / "aliases.yaml").read_text("utf-8"))
    plain = [{"name": name, "path": path, "types": []} for name, path in table["paths"].items()]
    return AliasCatalog.from_rows([*plain, *table["rows"]], table["types"])


def nothing(name: str) -> Mapping[str, Any]:
    raise InvalidInput(f"there is no {name}")


def outcomes(aliases: Any, *cases: Any, **table: Any) -> list[Any]:
    read = test_case.read_suite({**table, "cases": [{"name": str(at), **each} for at, each in enumerate(cases)]})
    return [test_case.run_case(each, aliases=aliases, find=nothing) for each in read.test_cases()]


@pytest.mark.parametrize("path", sorted((SPECIFICATION / "cases").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_specification_of_the_language_is_in_this_format(path: Path, aliases: Any) -> None:
    table = test_case.read_suite(yaml.load(path.read_text("utf-8"), Loader=LOADER))  # noqa: S506 - a safe loader
    found = [test_case.run_case(each, aliases=aliases, find=nothing) for each in table.test_cases()]
    assert [each for each in found if not each.passed] == []


# a case, what is expected of it, and something else that is not so with the problem it brings
ASSERTIONS: list[tuple[Any, Any, Any, str]] = [
    (
        {"if": RULE, "resource": BODY},
        "nonCompliant",
        "compliant",
        "expected compliant, found nonCompliant: Not compliant",
    ),
    ({"if": RULE, "resource": BODY}, {"effect": "AUDIT"}, {"effect": "deny"}, "expected the effect deny, found audit"),
    ({"if": RULE, "resource": BODY}, {"summary": 'properties.a is "x"'}, {"summary": "sun"}, "to say 'sun', it says"),
    (
        {"if": RULE, "resource": BODY},
        {"clauses": ["$.policyRule.if"]},
        {"clauses": []},
        "expected the clauses none, found $.policyRule.if",
    ),
    (
        {"if": RULE, "resource": {"name": "r"}, "unread": {"properties": {"reason": "forbidden"}}},
        {"state": "unknown", "missing": ["properties"]},
        {"missing": ["tags"]},
        "expected the missing tags, found properties",
    ),
    (
        {"if": {}},
        {"refused": "$.policyRule.if"},
        {"refused": "$"},
        "expected it to be refused at $, the definition is refused",
    ),
    ({"if": RULE}, "compliant", {"refused": "$.policyRule.if"}, "it was accepted"),
    ({"if": {}}, {"refused": "$.policyRule.if"}, "compliant", "the definition is refused: $.policyRule.if"),
    (
        {"if": BLOCK, "then": MODIFY, "resource": BODY},
        {"body": {"name": "r", "properties": {"a": "y"}}, "roles": ["/r"]},
        {"body": BODY},
        "expected the body {'name': 'r', 'properties': {'a': 'x'}}, found",
    ),
    (
        {"if": BLOCK, "then": MODIFY, "resource": BODY},
        {"operations": [{"path": "properties.a", "value": "y"}]},
        {"operations": [{"path": "properties.a", "value": "z"}]},
        "expected the operations",
    ),
    ({"if": BLOCK, "then": MODIFY, "resource": BODY}, "nonCompliant", {"conflict": True}, "expected a conflict"),
    (
        {
            "if": BLOCK,
            "then": {"effect": "append", "details": [{"field": "Test/a", "value": "y"}]},
            "resource": BODY,
        },
        {"conflict": True},
        {"body": BODY},
        "there is a conflict",
    ),
    (
        {"if": BLOCK, "then": DEPLOY, "resource": BODY, "related": {"T/X": []}},
        {"state": "nonCompliant", "deployment": {"properties": {"mode": "incremental"}}, "related": {"type": "T/x"}},
        {"deployment": {"properties": {"mode": "complete"}}},
        "expected the deployment",
    ),
    ({"expression": "[add(1, 2)]"}, {"value": 3}, {"value": 4}, "expected 4, found 3"),
    ({"expression": "[add(1, 2)]"}, {"value": 3}, {"value": 3.0}, "expected 3.0, found 3"),
    ({"expression": "[int('x')]"}, {"error": True}, {"value": 1}, "expected 1, it failed"),
    ({"expression": "[add(1, 2)]"}, {"value": 3}, {"error": True}, "expected it to fail, found 3"),
]


@pytest.mark.parametrize(("case", "right", "wrong", "problem"), ASSERTIONS)
def test_what_is_expected_must_hold(case: Any, right: Any, wrong: Any, problem: str, aliases: Any) -> None:
    good, bad = outcomes(aliases, {**case, "expect": right}, {**case, "expect": wrong})
    assert (good.passed, good.problems) == (True, ())
    assert not bad.passed
    assert problem in bad.problems[0]


@pytest.mark.parametrize(
    "case",
    [
        {"if": RULE, "partial": ["properties.a[3]"]},
        {"if": RULE, "partial": ["properties.x"]},
        {"if": RULE, "unread": {"properties": {}}},
        {"if": RULE, "related": {"T/x": {}}},
        {"if": RULE, "related": {"T/x": [{"$unread": [1]}]}},
        {"if": RULE, "related": {"T/x": [{"$unread": {"properties": 1}}]}},
        {"definition": "no-such"},
        {"if": RULE, "parameters": {"no": "such"}},
        {"expression": "[nothing"},
    ],
)
def test_a_case_that_cannot_be_run_fails_with_the_reason(case: Any, aliases: Any) -> None:
    (found,) = outcomes(
        aliases, {"resource": {"properties": {"a": [1]}}, **case, "expect": {"error": False, "value": 1}}
    )
    assert not found.passed
    assert found.problems[0]


def test_a_table_says_things_once_for_all_its_cases(aliases: Any) -> None:
    definition = {"if": RULE, "then": {"effect": "[parameters('e')]"}}
    whole = {"properties": {"policyRule": definition, "parameters": {"e": {"type": "String"}}}}
    found = outcomes(
        aliases,
        {"expect": {"state": "nonCompliant", "effect": "deny"}},
        {"parameters": {"e": "audit"}, "expect": {"effect": "audit"}},
        {"resource": {}, "expect": "compliant"},
        {"if": {"field": "name", "equals": "no"}, "parameters": {}, "expect": "compliant"},
        {"expression": "[utcNow('HH:mm')]", "expect": {"value": "08:00"}},
        {"expression": "[utcNow('HH:mm')]", "context": {}, "expect": {"value": "12:30"}},
        {"expression": "[utcNow()]", "context": {"now": None}, "expect": {"error": True}},
        definition=whole,
        parameters={"e": "deny"},
        resource=BODY,
        context={"now": "2030-01-01T08:00:00Z"},
    )
    assert [each.problems for each in found] == [()] * 7


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"cases": []}, "$.cases: "),
        ([], "this is no file of test cases: it has no table with `cases`; docs/test.md shows one"),
        ({"value": []}, "this is no file of test cases: it has no table with `cases`; docs/test.md shows one"),
        ({"cases": [1]}, "$.cases[0]: an object is expected"),
        ({"cases": [{"name": "a", "expect": "fine"}]}, "$.cases[0].expect"),
        ({"cases": [{"name": "a", "expects": "compliant"}]}, "$.cases[0]"),
        ({"cases": [{"name": "a", "expect": "compliant"}] * 2}, "two cases have the name 'a'"),
    ],
)
def test_a_table_that_is_none_is_refused_with_the_place(table: Any, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        test_case.read_suite(table)
    assert message in refused.value.message
