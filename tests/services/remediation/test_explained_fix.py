"""What an explanation says would fix a finding is what a remediation of it would write."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from shared.domain.arm_id import subscription_of
from shared.domain.merge_patch import merged
from shared.domain.resource import Resource
from shared.engine import Context, Explanation, explain_effective
from shared.engine.explain.fix_application import apply_fixes
from shared.services.remediation import fix
from tests.fakes.catalog import CATALOG
from tests.services.remediation.test_fix import FIXABLE, POLICIES, group_of

EFFECTIVE = {each.policy.name: each for each in POLICIES.compiled.policies}
CASES = {
    (name, case): Resource.from_record(record)
    for name in FIXABLE
    for case, record in orjson.loads((CATALOG / "fixtures" / f"{name}.json").read_bytes()).items()
    if case.startswith("fail")
}
NO_CHANGE = {
    ("ai-services-network", "fail: every address listed"),
    ("key-vault-network", "fail: every address listed"),
    ("storage-network-deny-by-default", "fail: every address listed"),
}
"""The remediation changes nothing of what is wrong there, and so is refused: a search finds something else."""


def planned(name: str, resource: Resource) -> dict[str, Any]:
    """The bodies that a remediation would write, by id."""
    effective = EFFECTIVE[name]
    known = bodies(resource)
    found = fix.wanted(effective.key, resource, around(resource), POLICIES)
    return {each.resource_id: written(known.get(each.resource_id), each) for each in found}


def around(resource: Resource) -> Context:
    identity = f"/subscriptions/{subscription_of(resource.id)}"
    return Context(
        subscription={"id": identity, "subscriptionId": subscription_of(resource.id), "tags": {}},
        resource_group=group_of(dict(resource.body)) if "/resourceGroups/" in resource.id else None,
        now=datetime(2026, 1, 5, tzinfo=UTC),
    )


def written(present: Any, wanted: fix.DesiredResource) -> Any:
    if not wanted.over or present is None:
        return wanted.body
    return merged(present, {name: each for name, each in wanted.body.items() if name not in {"id", "name", "type"}})


def bodies(resource: Resource) -> dict[str, Any]:
    """The resource and what belongs to it, by id."""
    related = (each for found in resource.related.values() if isinstance(found, tuple) for each in found)
    return {each.id: each.body for each in (resource, *related)}


def explained(found: Explanation, resource: Resource) -> dict[str, Any]:
    """The bodies that the changes of an explanation come to, by id."""
    known = bodies(resource)
    result = {each.value["id"]: each.value for each in found.fixes if each.action == "create"}
    changes = [each for each in found.fixes if each.action != "create"]
    for identity in {each.resource or resource.id for each in changes}:
        fixes = [each for each in changes if (each.resource or resource.id) == identity]
        result[identity] = apply_fixes(known[identity], fixes)
    return result


@pytest.mark.parametrize(("name", "case"), sorted(CASES.keys() - NO_CHANGE), ids=str)
def test_the_fix_that_is_explained_is_the_one_that_is_planned(name: str, case: str) -> None:
    resource = CASES[name, case]
    found = explain_effective(EFFECTIVE[name], resource, around(resource))
    assert explained(found, resource) == planned(name, resource), [each.text for each in found.fixes]


@pytest.mark.parametrize(("name", "case"), sorted(NO_CHANGE), ids=str)
def test_where_the_remediation_changes_nothing_another_change_is_explained(name: str, case: str) -> None:
    resource = CASES[name, case]
    assert planned(name, resource) == {resource.id: resource.body}
    assert explain_effective(EFFECTIVE[name], resource, around(resource)).fixes
