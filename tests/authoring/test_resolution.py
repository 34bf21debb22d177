"""What is in force: one definition many times over, each with findings, counts, exemptions and fixes of its own."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from shared.adapters.local.catalog import PackagedCatalog
from shared.domain.canonical import canonicalize
from shared.domain.estate import Estate
from shared.domain.exemption import ExemptionCategory, ExemptionRequest, SelectorCondition
from shared.domain.finding import Finding, FindingStatus
from shared.domain.item import ItemOutcome
from shared.domain.policy import PolicyEntry
from shared.domain.verdict import State, policy_key
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services import compliance, finding
from shared.services.estate import estate, judgement
from shared.services.policy import effective_policy
from shared.services.remediation.item_plan import Planning
from tests.fakes.assignment import BASELINE, DEFINITIONS, PREFIX, assignment, id_of, initiative, key_of, member
from tests.fakes.catalog import CATALOG, FixingCatalog
from tests.fakes.cloud import STORAGE, SUBSCRIPTION, account
from tests.fakes.exemption import approved_exemption
from tests.fakes.world import World

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
TAGGED = PolicyEntry.from_definition(
    {
        "name": "tagged",
        "properties": {
            "displayName": "tagged",
            "description": "A tag has a value.",
            "mode": "Indexed",
            "parameters": {"tag": {"type": "String"}, "value": {"type": "String"}},
            "metadata": {
                "category": "Test",
                "severity": "low",
                "findingTitle": "Something is wrong",
                "rationale": "because",
                "version": "1.0.0",
                "controls": {"nist-800-53-r5": ["CM-8"]},
            },
            "policyRule": {
                "if": {
                    "allOf": [
                        {"field": "type", "equals": STORAGE},
                        {"field": "[concat('tags[', parameters('tag'), ']')]", "notEquals": "[parameters('value')]"},
                    ]
                },
                "then": {
                    "effect": "modify",
                    "details": {
                        "roleDefinitionIds": ["/r"],
                        "operations": [
                            {
                                "operation": "addOrReplace",
                                "field": "[concat('tags[', parameters('tag'), ']')]",
                                "value": "[parameters('value')]",
                            }
                        ],
                    },
                },
            },
        },
    }
)
SET = f"{PREFIX}/policySetDefinitions/tags"
TWICE = initiative(
    "tags", member("tagged", "Cost", tag="cost", value="42"), member("tagged", "Team", tag="team", value="payments")
)


class Tagged(FixingCatalog):
    """A catalog whose `tagged` is in force only where an assignment brings it."""

    def policies(self) -> Any:
        return (*super().policies(), TAGGED)

    def initiatives(self) -> Any:
        held = [member(each.name) for each in super().policies()]
        return (initiative("baseline", *held), *self.more_initiatives)


def values(**given: str) -> dict[str, Any]:
    return {"parameters": {name: {"value": value} for name, value in given.items()}}


def directly(name: str, scope: str = "/", **given: str) -> dict[str, Any]:
    return assignment(name, f"{DEFINITIONS}/tagged", scope, **values(**given))


def in_force(world: World, *assignments: Mapping[str, Any]) -> World:
    world.policies = effective_policy.packaged(Tagged(initiatives=[TWICE], assignments=assignments))
    assert not world.policies.refused
    return world


def tagged(world: World) -> dict[tuple[str, str], Finding]:
    """The findings of the definition by the assignment's name and the reference."""
    found = [
        Finding.model_validate(each) for each in finding.stored(finding.Query(equals={"policy": "tagged"}), world.store)
    ]
    return {(each.assignment.rpartition("/")[2], each.reference): each for each in found}


def current_estate(world: World) -> Estate:
    return estate.current(world.store, SUBSCRIPTION)


@pytest.fixture
def world(store: Store, queue: Queue) -> World:
    return World(store, queue)


CASES: Mapping[str, tuple[tuple[Mapping[str, Any], ...], set[tuple[str, str]]]] = {
    "twice, with other parameters": (
        (directly("one", tag="cost", value="42"), directly("two", tag="team", value="payments")),
        {("one", ""), ("two", "")},
    ),
    "twice within an initiative": ((assignment("set", SET),), {("set", "cost"), ("set", "team")}),
    "at two scopes": (
        (directly("all", tag="cost", value="42"), directly("group", GROUP.upper(), tag="cost", value="42")),
        {("all", ""), ("group", "")},
    ),
    "once in an initiative and once directly": (
        (assignment("set", SET), directly("one", tag="cost", value="42")),
        {("set", "cost"), ("set", "team"), ("one", "")},
    ),
}


@pytest.mark.parametrize(("assignments", "wanted"), CASES.values(), ids=CASES)
def test_each_place_of_a_definition_has_a_finding_and_a_count(world: World, assignments: Any, wanted: Any) -> None:
    in_force(world, *assignments).put(account())
    found = tagged(world)
    assert found.keys() == wanted
    assert len({each.id for each in found.values()}) == len(wanted)
    assert {each.policy_key for each in found.values()} <= current_estate(world).counts.keys()
    assert all(current_estate(world).counts[each.policy_key] == {"nonCompliant": 1} for each in found.values())
    summary = compliance.refresh(store=world.store, policies=world.policies)
    counted = {(each.assignment, each.reference): each for each in summary.policies.values() if each.policy == "tagged"}
    assert len(counted) == len(wanted)
    assert {each.non_compliant for each in counted.values()} == {1}


def test_an_identity_compares_without_case() -> None:
    assert policy_key("/A/policyAssignments/X", "Ref") == policy_key("/a/policyassignments/x", "rEF")
    assert policy_key("/a", "b") != policy_key("/b", "a")


def test_a_finding_says_what_brings_its_policy(world: World) -> None:
    messages = [{"message": "Name the cost centre", "policyDefinitionReferenceId": "Cost"}]
    mode = {"enforcementMode": "DoNotEnforce", "nonComplianceMessages": messages}
    in_force(world, assignment("Set", SET, **mode)).put(account())
    found = tagged(world)["set", "cost"]
    assert (found.assignment, found.initiative) == (f"{PREFIX}/policyAssignments/set".lower(), SET.lower())
    assert (found.enforced, found.message, found.policy) == (False, "Name the cost centre", "tagged")


def test_an_assignment_counts_in_its_scope_alone(world: World) -> None:
    in_force(world, directly("other", f"{GROUP}2", tag="cost", value="42"))
    world.put(account())
    assert tagged(world) == {}


def test_findings_end_with_the_assignment_that_brought_them(world: World) -> None:
    in_force(world, assignment("set", SET)).put(account())
    in_force(world).judge(account()["id"])
    assert {each.status for each in tagged(world).values()} == {FindingStatus.RESOLVED}
    assert {each.policy_key for each in tagged(world).values()}.isdisjoint(current_estate(world).counts)


def test_one_plan_holds_the_fixes_of_both(world: World) -> None:
    in_force(world, assignment("set", SET)).put(account())
    world.request(account(), more=tuple(each.id for each in tagged(world).values()))
    world.plan()
    (item,) = world.items()
    assert set(item.policies) == {"set/Cost", "set/Team"}
    world.approve()
    world.run()
    assert world.item().outcome == ItemOutcome.DONE
    assert world.cloud.body(account()["id"])["tags"] == {"env": "test", "cost": "42", "team": "payments"}
    assert {each.status for each in tagged(world).values()} == {FindingStatus.RESOLVED}


def test_a_plan_says_which_assignments_contradict_each_other(world: World) -> None:
    in_force(world, directly("one", tag="cost", value="1"), directly("two", tag="cost", value="2")).put(account())
    world.request(account(), more=tuple(each.id for each in tagged(world).values()))
    world.plan()
    (item,) = world.items()
    assert item.outcome == ItemOutcome.REFUSED
    reasons = {each.reason for each in item.refusals}
    assert len(reasons) == 2
    assert all(f"that of {name}/tagged" in " ".join(reasons) for name in ("one", "two"))


COSTS = tuple(
    directly(name, tag="cost", value=value) for name, value in zip("abcd", ("14", "14", "30", "90"), strict=True)
)


def test_every_fix_that_contradicts_others_is_refused_once_and_names_them_all(world: World) -> None:
    in_force(world, *COSTS, directly("team", tag="team", value="payments")).put(account())
    found = tagged(world)
    world.request(account(), more=tuple(each.id for each in found.values()))
    known = world.plan()
    (item,) = world.items()
    reasons = {each.finding: each.reason for each in item.refusals}
    assert len(reasons) == len(item.refusals) == known.refused_count == 4
    for name, named in {"a": "cd", "b": "cd", "c": "abd", "d": "abc"}.items():
        *first, last = (f"{each}/tagged" for each in named)
        those = f"its fix and those of {', '.join(first)} and {last} want different values"
        assert reasons[found[name, ""].id].startswith(those)
    assert item.findings == (found["team", ""].id,)


def test_fixes_that_want_the_same_are_planned_together(world: World) -> None:
    in_force(world, *COSTS[:2]).put(account())
    world.request(account(), more=tuple(each.id for each in tagged(world).values()))
    assert world.plan().refused_count == 0
    assert len(world.item().findings) == 2


@pytest.mark.parametrize("values", [("1", "1", "2"), ("1", "2", "3"), ("1", "1", "1"), ("1", "1", "2", "2")])
def test_the_order_of_findings_does_not_decide_which_fixes_are_planned(world: World, values: tuple[str, ...]) -> None:
    brought = [directly(f"cost-{index}", tag="cost", value=value) for index, value in enumerate(values)]
    in_force(world, *brought, directly("team", tag="team", value="payments")).put(account())
    planning = Planning("r1", world.store, world.cloud, world.cloud, world.policies)
    plans = [planning.item(1, found) for found in permutations(tagged(world).values())]
    assert len({frozenset(each.findings) for each in plans}) == 1
    assert len({frozenset((one.finding, one.reason) for one in each.refusals) for each in plans}) == 1
    assert len({canonicalize([one.body for one in each.operations]) for each in plans}) == 1
    assert len(plans[0].refusals) == (0 if len(set(values)) == 1 else len(values))


def test_an_exemption_is_of_an_assignment_or_a_reference(world: World) -> None:
    in_force(world, assignment("set", SET), directly("one", tag="cost", value="42")).put(account())
    asked = ExemptionRequest(
        scope=GROUP,
        assignment="SET",
        references=("COST",),
        category=ExemptionCategory.WAIVER,
        reason="no cost centre until June",
        owner="ada@example.com",
        expires_at=world.store.now() + timedelta(days=30),
    )
    made = approved_exemption("e1", asked, store=world.store, queue=world.queue, policies=world.policies)
    assert judgement.judge_covered(made, store=world.store, policies=world.policies) == 1
    assert {name: each.state for name, each in tagged(world).items()} == {
        ("set", "cost"): State.EXEMPT,
        ("set", "team"): State.NON_COMPLIANT,
        ("one", ""): State.NON_COMPLIANT,
    }
    whole = approved_exemption(
        "e2", asked.model_copy(update={"references": ()}), store=world.store, queue=world.queue, policies=world.policies
    )
    judgement.judge_covered(whole, store=world.store, policies=world.policies)
    assert [name for name, each in tagged(world).items() if each.state == State.NON_COMPLIANT] == [("one", "")]


@pytest.mark.parametrize(
    ("condition", "state"),
    [
        ({"kind": "resourceLocation", "in": ["West Europe"]}, State.EXEMPT),
        ({"kind": "resourceLocation", "notIn": ["westeurope"]}, State.NON_COMPLIANT),
        ({"kind": "resourceType", "in": [STORAGE.upper()]}, State.EXEMPT),
    ],
)
def test_an_exemption_may_be_of_selected_resources(world: World, condition: Any, state: State) -> None:
    in_force(world, directly("one", tag="cost", value="42")).put(account())
    asked = ExemptionRequest.model_validate(
        {
            "scope": GROUP,
            "assignment": "one",
            "resourceSelectors": [{"selectors": [condition]}],
            "category": "Waiver",
            "reason": "no cost centre until June",
            "owner": "ada@example.com",
            "expiresAt": (world.store.now() + timedelta(days=30)).isoformat(),
        }
    )
    made = approved_exemption("e1", asked, store=world.store, queue=world.queue, policies=world.policies)
    judgement.judge_covered(made, store=world.store, policies=world.policies)
    assert tagged(world)["one", ""].state == state


def test_a_selector_has_one_list() -> None:
    for lists in ({}, {"in": ["a"], "notIn": ["b"]}):
        with pytest.raises(ValueError, match="give either"):
            SelectorCondition.model_validate({"kind": "resourceLocation", **lists})


def test_an_override_changes_the_effect_and_can_turn_a_policy_off(world: World) -> None:
    chosen = [{"kind": "policyDefinitionReferenceId", "in": ["Cost"]}]
    off = {"overrides": [{"kind": "policyEffect", "value": "Disabled", "selectors": chosen}]}
    in_force(world, assignment("set", SET, **off)).put(account())
    assert tagged(world).keys() == {("set", "team")}


def test_an_assignment_that_cannot_be_used_costs_the_others_nothing() -> None:
    broken = assignment("broken", f"{DEFINITIONS}/nobody"), directly("one", tag="cost")
    made = effective_policy.packaged(Tagged(assignments=[*broken, directly("good", tag="cost", value="42")]))
    assert [each.message.partition(":")[0] for each in made.refused] == ["broken", "one"]
    assert made.get(key_of("", f"{PREFIX}/policyAssignments/good")) is not None
    assert made.get(key_of("https-only")) is not None


HOUSE = {
    "allowed-locations",
    "app-client-certificates",
    "app-public-network",
    "inherit-environment-tag",
    "resource-group-owner-tag",
    "resource-owner-tag",
}


def test_the_catalog_is_an_initiative_with_a_default_assignment() -> None:
    made = effective_policy.packaged(PackagedCatalog(CATALOG))
    assert not made.refused
    assert {each.assignment_id for each in made.compiled.policies} == {f"{PREFIX}/policyAssignments/security-baseline"}
    assert {each.initiative for each in made.compiled.policies} == {f"{PREFIX}/policySetDefinitions/security-baseline"}
    names = {each.policy.name for each in made.compiled.policies}
    assert names | HOUSE == set(made.entries)
    assert not names & HOUSE
    assert all(each.is_everywhere and len(each.digest) == 64 for each in made.compiled.policies)


def test_ids_of_findings_derive_from_the_identity_alone(world: World) -> None:
    body = account()
    world.put(body)
    assert world.finding(body, "https-only").id == id_of(body["id"].upper(), "HTTPS-Only", BASELINE.upper())


STRANGER = {
    **account("stranger", supportsHttpsTrafficOnly=False),
    "location": "brazilsouth",
    "tags": {},
}


@pytest.mark.parametrize(
    ("assignments", "expected"),
    [
        (None, set()),
        (
            CATALOG.parent / "local" / "assignments",
            {"allowed-locations", "resource-owner-tag", "inherit-environment-tag"},
        ),
    ],
    ids=["a stranger's estate", "the sample estate"],
)
def test_house_rules_are_in_force_where_they_are_assigned(world: World, assignments: Any, expected: Any) -> None:
    world.policies = effective_policy.packaged(PackagedCatalog(CATALOG, assignments))
    assert not world.policies.refused
    world.put(STRANGER)
    found = list(finding.stored(finding.Query(), world.store))
    assert {each["policy"] for each in found} & HOUSE == expected
    assert "storage-secure-transfer" in {each["policy"] for each in found}
