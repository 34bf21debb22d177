"""What bodies of an api-version do not have is not read, on every way to a verdict."""

from typing import Any

import pytest

from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import AliasCatalog, Policy, compile_definition, compile_set, explain, judge
from shared.engine.judge.plan import GENERATION_RESOURCES

KIND = "T.Old/things"
OLD, NEW = "2015-01-01", "2020-01-01"
ABSENT = [{"path": "", "apiVersions": ["2015-06-01"]}]
ALIASES = AliasCatalog.from_rows(
    [
        {"name": "Test/tls", "path": "properties.tls", "types": [KIND], "paths": ABSENT},
        {"name": "Test/rules[*]", "path": "properties.rules[*]", "types": [KIND], "paths": ABSENT},
        {"name": "Test/open", "path": "properties.open", "types": [KIND]},
    ]
)
TLS = {"field": "Test/tls", "notEquals": "1.2"}
COUNT = {"count": {"field": "Test/rules[*]"}, "equals": 0}
EVERY = {"field": "Test/rules[*]", "equals": "deny"}
CALL = {"value": "[field('Test/tls')]", "notEquals": "1.2"}
COUNT_CALL = {"value": "[length(field('Test/rules[*]'))]", "equals": 0}


def policy(condition: Any) -> Policy:
    rule = {"if": {"allOf": [{"field": "type", "equals": KIND}, condition]}, "then": {"effect": "audit"}}
    return compile_definition({"properties": {"policyRule": rule}}, aliases=ALIASES)


def resource(version: str | None, **properties: Any) -> Resource:
    return Resource({"id": "/t/1", "name": "1", "type": KIND, "properties": properties}, version)


@pytest.mark.parametrize("condition", [TLS, COUNT, EVERY, CALL, COUNT_CALL])
def test_absence_says_nothing_where_the_version_lacks_the_property(condition: Any) -> None:
    states = {version: judge(policy(condition), resource(version)).state for version in (OLD, NEW, None)}
    assert states == {OLD: State.UNKNOWN, NEW: State.NON_COMPLIANT, None: State.NON_COMPLIANT}


@pytest.mark.parametrize("condition", [TLS, COUNT, CALL, COUNT_CALL])
def test_what_a_body_has_counts_whatever_its_version(condition: Any) -> None:
    assert judge(policy(condition), resource(OLD, tls="1.2", rules=["deny"])).state is State.COMPLIANT
    assert judge(policy(condition), resource(OLD, tls="1.0", rules=[])).state is State.NON_COMPLIANT


def test_the_missing_part_names_the_version() -> None:
    verdict = judge(policy(TLS), resource(OLD))
    (missing,) = verdict.missing
    assert (missing.part, missing.reason) == ("properties.tls (api-version 2015-01-01 does not have it)", "unsupported")
    assert "api-version 2015-01-01" in str(explain(policy(TLS), resource(OLD)))


def test_other_conditions_may_decide_without_it() -> None:
    both = policy({"allOf": [TLS, {"field": "Test/open", "equals": True}]})
    assert judge(both, resource(OLD, open=False)).state is State.COMPLIANT
    assert judge(both, resource(OLD, open=True)).state is State.UNKNOWN


def test_a_template_names_the_version_in_the_body() -> None:
    body = {**resource(None).body, "apiVersion": OLD}
    assert judge(policy(TLS), Resource(body)).state is State.UNKNOWN
    assert judge(policy(TLS), Resource({**body, "apiVersion": {}})).state is State.NON_COMPLIANT


@pytest.mark.parametrize("many", [1, GENERATION_RESOURCES + 5])
def test_generated_code_leaves_old_bodies_to_be_judged_one_by_one(many: int) -> None:
    policies = compile_set([policy(TLS)])
    list(policies.judge_many([resource(NEW, tls="1.2")] * many))
    template = Resource({**resource(None).body, "apiVersion": OLD})
    mixed = [resource(NEW, tls="1.2")] * many + [resource(OLD), resource(NEW), template]
    counts = policies.count([*mixed, dict(template.body)])
    assert counts == [{State.COMPLIANT: many, State.UNKNOWN: 3, State.NON_COMPLIANT: 1}]
    states = [[verdict.state for _, verdict in policies.summarize(each)[1]] for each in mixed[many:]]
    assert states == [[State.UNKNOWN], [State.NON_COMPLIANT], [State.UNKNOWN]]
