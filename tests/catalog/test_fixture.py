"""Every policy is shown to pass, to fail, to be unsure, and to be fixed."""

from collections.abc import Mapping
from typing import Any

import pytest

from shared.adapters.local.catalog import PackagedCatalog
from shared.domain.body import merged
from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import Policy, apply, effects, expand_template, judge

from .conftest import FOLDER, NAMES, context_of, fixture_of

STATES = {
    "pass": State.COMPLIANT,
    "fail": State.NON_COMPLIANT,
    "unknown": State.UNKNOWN,
    "fixed": State.COMPLIANT,
}
FIXES = {"modify", "append", "deployIfNotExists"}


def test_every_policy_has_a_fixture_and_every_fixture_a_policy() -> None:
    assert sorted(path.stem for path in FOLDER.glob("fixtures/*.json")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_judges_its_fixture(name: str, policies: Mapping[str, Policy]) -> None:
    records = fixture_of(name)
    resources = {case: Resource.from_record(record) for case, record in records.items()}
    verdicts = {case: judge(policies[name], each, context_of(each)) for case, each in resources.items()}
    assert {case: verdict.state for case, verdict in verdicts.items()} == {case: STATES[case] for case in records}
    assert {"pass", "fail", "unknown"} <= records.keys()
    assert verdicts["fail"].evidence
    assert verdicts["unknown"].needs


@pytest.mark.parametrize("name", NAMES)
def test_unknown_says_why_the_part_was_not_read(name: str) -> None:
    unknown = Resource.from_record(fixture_of(name)["unknown"])
    marks = [*unknown.unread.values(), *(each for each in unknown.related.values() if not isinstance(each, tuple))]
    assert all(mark.permission for mark in marks if mark.reason == "forbidden")
    for path in unknown.unread:
        assert _at(unknown.body, path) is None


@pytest.mark.parametrize("name", NAMES)
def test_its_fix_leads_to_the_fixed_resource(
    name: str, policies: Mapping[str, Policy], catalog: PackagedCatalog
) -> None:
    entry = next(each for each in catalog.policies() if each.name == name)
    policy, records = policies[name], fixture_of(name)
    assert ("fixed" in records) == (policy.effect in FIXES or entry.remediation is not None)
    if "fixed" not in records:
        return
    fail = Resource.from_record(records["fail"])
    if policy.effect == "deployIfNotExists":
        assert _deployed(policy, fail) == records["fixed"]
        return
    patch = entry.remediation.patch if entry.remediation else None
    body = merged(fail.body, patch) if patch else apply(fail.body, effects(policy, fail, context_of(fail)))
    assert body == records["fixed"]["body"]
    assert body != fail.body


def _deployed(policy: Policy, fail: Resource) -> dict[str, Any]:
    """The record after the deployment: what it deploys of the related type is there, the rest stays."""
    context = context_of(fail)
    found = effects(policy, fail, context)
    assert found.deployment is not None
    inner = found.deployment["properties"]
    record = fail.to_record()
    kind = policy.details.type.lower()
    related = {each["body"]["id"]: each for each in record["related"][kind]}
    for each in expand_template(inner["template"], inner.get("parameters"), context):
        if each["type"].lower() != kind or not each["id"].startswith(fail.id + "/"):
            continue
        before = related.get(each["id"], {"body": {}, "apiVersion": each["apiVersion"]})
        made = {"id": each["id"], "name": each["name"].rpartition("/")[2], "type": each["type"]}
        body = merged(before["body"], {**made, "properties": each["body"]["properties"]})
        related[each["id"]] = {**before, "body": body}
    return {**record, "related": {**record["related"], kind: list(related.values())}}


def _at(body: Any, path: str) -> Any:
    for key in path.split("."):
        body = body.get(key) if isinstance(body, Mapping) else None
    return body
