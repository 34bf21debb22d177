"""Every change that is offered makes the resource compliant: carried out on the body, and judged again."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.local.catalog import PackagedCatalog
from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import AliasCatalog, Context, Explanation, Policy, compile_definition, explain, judge
from shared.engine.explain.fix import EXACT_ACTIONS, Fix
from shared.engine.explain.fix_application import apply_fixes
from shared.services.policy import alias
from tests.fakes.catalog import CATALOG

SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"
CONTEXT = Context(
    resource_group={
        "id": f"{SUBSCRIPTION}/resourceGroups/g",
        "name": "g",
        "location": "eastus",
        "tags": {"environment": "prod"},
    },
    subscription={"id": SUBSCRIPTION, "subscriptionId": SUBSCRIPTION.rpartition("/")[2], "tags": {}},
    now=datetime(2026, 1, 5, tzinfo=UTC),
)
NAMES = sorted(path.stem for path in CATALOG.glob("policies/*/*.json"))
FILES = [json.loads((CATALOG / "fixtures" / f"{name}.json").read_bytes()) for name in NAMES]
FAILING = [(name, case) for name, cases in zip(NAMES, FILES, strict=True) for case in cases if case.startswith("fail")]
PAIRS = 150
"""Pairs of built-in definitions and public resources that are tried."""


@pytest.fixture(scope="module")
def policies() -> Mapping[str, Policy]:
    catalog = PackagedCatalog(CATALOG)
    aliases = alias.packaged(catalog).aliases
    return {each.name: compile_definition(each.definition, aliases=aliases) for each in catalog.policies()}


def state_after(policy: Policy, resource: Resource, found: Explanation) -> State:
    """The state of the resource, or with the related resource, as the exact fixes make it."""
    low = policy.details.type.lower()
    known = resource.related.get(low, ())
    others = known if isinstance(known, tuple) else ()
    (changed,) = {each.resource for each in found.fixes}
    if found.fixes[0].action == "create":
        related = (*others, Resource(found.fixes[0].value))
    elif changed:
        related = tuple(
            applied(each, found.fixes) if changed in (each.id, policy.details.type) else each for each in others
        )
    else:
        return judge(policy, applied(resource, found.fixes), CONTEXT).state
    return judge(policy, replace(resource, related={**resource.related, low: related}), CONTEXT).state


def with_alternatives(found: Explanation) -> Iterator[Explanation]:
    """The explanation, and again with each of the other values that it offers in place of the first."""
    yield found
    for at, fix in enumerate(found.fixes):
        for value in fix.alternatives:
            fixes = (*found.fixes[:at], replace(fix, value=value), *found.fixes[at + 1 :])
            yield replace(found, fixes=fixes)


def applied(resource: Resource, fixes: tuple[Fix, ...]) -> Resource:
    body = apply_fixes(resource.body, fixes)
    assert body is not None
    return replace(resource, body=body)


def is_exact(found: Explanation) -> bool:
    """Whether every change has its value, so that anybody can carry it out."""
    whole = [each for each in found.fixes if each.action == "create" and "a value" not in each.text]
    return bool(found.fixes) and (bool(whole) or all(each.action in EXACT_ACTIONS for each in found.fixes))


@pytest.mark.parametrize(("name", "case"), FAILING, ids=[" ".join(pair) for pair in FAILING])
def test_the_changes_for_the_catalogs_fixtures_comply(name: str, case: str, policies: Mapping[str, Policy]) -> None:
    resource = Resource.from_record(FILES[NAMES.index(name)][case])
    found = explain(policies[name], resource, CONTEXT)
    assert found.verdict.state is State.NON_COMPLIANT
    assert bool(found.fixes) is not bool(found.unfixable)
    assert found.reasons
    assert found.rationale
    assert found.controls is not None
    if is_exact(found):
        for each in with_alternatives(found):
            assert state_after(policies[name], resource, each) is State.COMPLIANT, found.summary()


def test_every_value_in_the_text_is_an_alternative_that_complies() -> None:
    rule = {
        "allOf": [
            {"field": "type", "equals": "Contoso.Shop/carts"},
            {"anyOf": [{"field": "tags.a", "exists": False}, {"field": "tags.a", "equals": "Allow"}]},
        ]
    }
    definition = {"mode": "All", "policyRule": {"if": rule, "then": {"effect": "audit"}}}
    found = explain(compile_definition(definition, aliases=AliasCatalog({})), Resource({"type": "Contoso.Shop/carts"}))
    assert [(each.value, each.alternatives, each.text) for each in found.fixes] == [
        ("Deny", (), "set tags['a'] to \"Deny\"")
    ]


def test_alternatives_of_two_changes_comply_in_any_combination() -> None:
    alike = {"field": "tags.a", "equals": "[field('tags.b')]"}
    rule = {
        "allOf": [
            {"field": "type", "equals": "Contoso.Shop/carts"},
            {
                "not": {
                    "allOf": [
                        {"field": "tags.a", "in": ["x", "y"]},
                        {"field": "tags.b", "in": ["z", "y"]},
                        {"not": alike},
                    ]
                }
            },
        ]
    }
    definition = {"mode": "All", "policyRule": {"if": rule, "then": {"effect": "audit"}}}
    found = explain(compile_definition(definition, aliases=AliasCatalog({})), Resource({"type": "Contoso.Shop/carts"}))
    offered = {each.path: {each.value, *each.alternatives} for each in found.fixes}
    assert offered == {"tags['a']": {"x", "y"}, "tags['b']": {"z"}}


CHOSEN = {
    "api-management-virtual-network",
    "database-firewall-any",
    "front-door-classic-tls",
    "logic-app-callers",
    "redis-enterprise-tls",
    "redis-firewall-any",
    "resource-group-owner-tag",
    "resource-owner-tag",
    "role-no-custom-owner",
    "role-owner-groups",
    "security-contact",
    "sql-firewall-any",
    "subnet-has-nsg",
}
"""The policies whose changes leave the value open."""


def test_most_of_them_can_be_pasted(policies: Mapping[str, Policy]) -> None:
    records = ((name, FILES[NAMES.index(name)][case]) for name, case in FAILING)
    found = [explain(policies[name], Resource.from_record(record), CONTEXT) for name, record in records]
    without = Counter(each.verdict.policy for each in found if not each.fixes)
    assert without == {"allowed-locations": 1, "disk-attached": 1, "vm-monitor-agent": 1}
    # Everywhere else the value is a person's to choose: an address, an owner, a network, one of several versions.
    assert {each.verdict.policy for each in found if not is_exact(each)} - set(without) == CHOSEN


WORDS = ("= null", "None", "True", "False", "<", "  ")


def test_texts_are_in_the_spelling_of_json(policies: Mapping[str, Policy]) -> None:
    for name, case in FAILING:
        found = explain(policies[name], Resource.from_record(FILES[NAMES.index(name)][case]), CONTEXT)
        bare = found.summary().replace('"None"', "none")
        assert not [each for each in WORDS if each in bare], found.summary()
        assert "not not" not in bare


def rows(path: Path) -> Iterator[Any]:
    with gzip.open(path, "rb") as file:
        yield from map(json.loads, file)


def built_in_pairs(data: Path) -> Iterator[tuple[Policy, Resource]]:
    """Built-in definitions, each with the first public resource that does not comply."""
    aliases = AliasCatalog.from_rows(rows(data / "azure-policy" / "aliases.jsonl.gz"))
    by_type: dict[str, list[Resource]] = {}
    for row in rows(data / "policy-cases" / "resources.jsonl.gz"):
        resource = Resource(row["resource"], api_version=row.get("apiVersion"))
        by_type.setdefault(resource.type.lower(), []).append(resource)
    for row in rows(data / "azure-policy" / "policyDefinitions.jsonl.gz"):
        policy = compile_definition(row["definition"], aliases=aliases)
        candidates = (each for kind in sorted(policy.types or ()) for each in by_type.get(kind, ()))
        for resource in candidates:
            if judge(policy, resource, CONTEXT).state is State.NON_COMPLIANT:
                yield policy, resource
                break


def test_the_changes_for_public_resources_comply(data: Path) -> None:
    pairs = exact = 0
    for policy, resource in built_in_pairs(data):
        found = explain(policy, resource, CONTEXT)
        assert bool(found.fixes) is not bool(found.unfixable), found.summary()
        pairs += 1
        if is_exact(found):
            exact += 1
            for each in with_alternatives(found):
                assert state_after(policy, resource, each) is State.COMPLIANT, (policy.name, found.summary())
        if pairs == PAIRS:
            break
    assert exact > pairs / 2
