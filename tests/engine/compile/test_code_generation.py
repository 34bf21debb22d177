"""Generated code: text of policies never becomes source, and what cannot be generated is left alone."""

import re
from typing import Any

import pytest

from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import AliasCatalog, Policy, compile_definition, compile_set
from shared.engine.compile.code_generation import generate_function, generate_source, is_plain
from shared.engine.judge.plan import GENERATION_RESOURCES

HOSTILE = ["'); import os; os.abort() #", '"\n  hit(99)\n"', "__import__('os')", "{body}", "\\", "\x00", "é\u2028"]
NAMES = r"body|hit|generated|pick|read|None|True|False|dict|list|str|int|[kvwxmp]\d+"
WORDS = rf"({NAMES}|def|if|is|not|and|or|in|for|else|return|__class__|get|lower|len|\d+)"


def compiled(rule: Any, catalog: AliasCatalog) -> Policy:
    definition = {"name": "p", "properties": {"policyRule": {"if": rule, "then": {"effect": "audit"}}}}
    return compile_definition(definition, aliases=catalog)


def hostile_catalog(text: str) -> AliasCatalog:
    return AliasCatalog.from_rows([{"name": text, "path": f"properties.{text}", "types": []}])


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_policy_never_becomes_source(text: str) -> None:
    rule = {
        "anyOf": [
            {"field": text, "equals": text},
            {"field": f"tags['{text}']", "in": [text]},
            {"field": "name", "like": f"*{text}*"},
        ]
    }
    clause = compiled(rule, hostile_catalog(text)).program("t").rule
    assert is_plain(clause)
    source, names = generate_source([(0, clause)])
    assert text not in source
    assert re.fullmatch(rf"(\b{WORDS}\b|[\s()\[\]:=.,!<>+])+", source), source
    hits: list[int] = []
    generate_function([(7, clause)])({"name": f"a{text}b"}, hits.append)
    assert hits == [7]
    assert text in repr(names) or any(text in str(value) for value in names.values())


@pytest.mark.parametrize(
    "rule",
    [
        {"value": "[field('Test/a')]", "equals": "x"},
        {"field": "Test/a", "equals": "[field('name')]"},
        {"field": "[concat('tags[', field('name'), ']')]", "exists": True},
        {"field": "No/such", "equals": 1},
        {"field": "Test/a", "equals": None},
        {"count": {"value": [1], "name": "n", "where": {"value": "[current('n')]", "equals": 1}}, "equals": 1},
        {
            "count": {"field": "Test/list[*]", "where": {"count": {"field": "Test/items[*]"}, "equals": 1}},
            "greater": 0,
        },
        {"field": "fullName", "equals": "x"},
        {"field": "apiVersion", "equals": "x"},
    ],
)
def test_what_needs_more_than_the_body_is_not_fused(rule: Any, catalog: AliasCatalog) -> None:
    assert not is_plain(compiled(rule, catalog).program("t.one/a").rule)


def test_a_failing_rule_gives_the_whole_resource_back_to_single_judgement(catalog: AliasCatalog) -> None:
    rules = [{"field": "Test/num", "less": 5}, {"field": "Test/a", "equals": "x"}]
    policies = compile_set(compiled(rule, catalog) for rule in rules)
    good = {"name": "n", "type": "T.One/a", "properties": {"num": 1, "a": "x"}}
    policies.count([good] * GENERATION_RESOURCES)
    bad = {"name": "n", "type": "T.One/a", "properties": {"num": "one", "a": "x"}}
    first, second = policies.count([good, bad, good])
    assert {state: number for state, number in first.items() if number} == {State.NON_COMPLIANT: 2, State.ERROR: 1}
    assert {state: number for state, number in second.items() if number} == {State.NON_COMPLIANT: 3}
    compliant, attention = policies.summarize(Resource(bad))
    assert (len(compliant), [each.state for _, each in attention]) == (0, [State.ERROR, State.NON_COMPLIANT])
