"""Every policy is shown to pass, to fail, to be unsure, and to be fixed."""

from collections.abc import Mapping
from typing import Any

import pytest

from shared.adapters.local.catalog import PackagedCatalog
from shared.domain.merge_patch import merged
from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import Policy, apply_effects, effect_details, expand_template, judge
from tests.catalog.conftest import FOLDER, NAMES, context_of, fixture_of

STATES = {
    "pass": State.COMPLIANT,
    "fail": State.NON_COMPLIANT,
    "unknown": State.UNKNOWN,
    "fixed": State.COMPLIANT,
    "notApplicable": State.NOT_APPLICABLE,
}
"""By the first word of a case: what follows a colon says what is special about it."""
FIXES = {"modify", "append", "deployIfNotExists"}


def test_every_policy_has_a_fixture_and_every_fixture_a_policy() -> None:
    assert sorted(path.stem for path in FOLDER.glob("fixtures/*.json")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_judges_its_fixture(name: str, policies: Mapping[str, Policy]) -> None:
    records = fixture_of(name)
    resources = {case: Resource.from_record(record) for case, record in records.items()}
    verdicts = {case: judge(policies[name], each, context_of(each)) for case, each in resources.items()}
    expected = {case: STATES[case.partition(":")[0]] for case in records}
    assert {case: verdict.state for case, verdict in verdicts.items()} == expected
    assert {"pass", "fail", "unknown"} <= records.keys()
    assert verdicts["fail"].evidence
    assert verdicts["unknown"].missing


@pytest.mark.parametrize("name", NAMES)
def test_unknown_says_why_the_part_was_not_read(name: str) -> None:
    unknown = Resource.from_record(fixture_of(name)["unknown"])
    marks = [*unknown.unread.values(), *(each for each in unknown.related.values() if not isinstance(each, tuple))]
    assert all(mark.permission for mark in marks if mark.reason == "forbidden")
    for path in unknown.unread:
        assert _at(unknown.body, path) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_fix_gives_the_fixed_resource(name: str, policies: Mapping[str, Policy], catalog: PackagedCatalog) -> None:
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
    body = (
        merged(fail.body, patch) if patch else apply_effects(fail.body, effect_details(policy, fail, context_of(fail)))
    )
    assert body == records["fixed"]["body"]
    assert body != fail.body


def test_the_redirect_of_a_slot_is_set_on_the_slot(policies: Mapping[str, Policy]) -> None:
    slot = Resource.from_record(fixture_of("app-https-only")["fail: slot"])
    details = effect_details(policies["app-https-only"], slot, context_of(slot))
    assert apply_effects(slot.body, details)["properties"] == {"httpsOnly": True}


def _deployed(policy: Policy, fail: Resource) -> dict[str, Any]:
    """The record after the deployment: what it deploys of the related type is there, the rest stays."""
    context = context_of(fail)
    found = effect_details(policy, fail, context)
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
