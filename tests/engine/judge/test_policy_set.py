"""Sets of policies: what meets what, batches without escaping errors, pickling, threads."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.domain.resource import Resource, Unread
from shared.domain.verdict import State, Verdict
from shared.engine import AliasCatalog, Context, Policy, PolicySet, compile_definition, compile_set, judge
from shared.engine.judge.effective import EffectivePolicy
from shared.engine.judge.plan import GENERATION_RESOURCES
from shared.engine.language.assignment import Assignment

ONE = {"field": "type", "equals": "T.One/a"}


def policy(name: str, rule: Any, catalog: AliasCatalog, effect: str = "audit", details: Any = None) -> Policy:
    then = {"effect": effect, **({"details": details} if details is not None else {})}
    return compile_definition({"name": name, "properties": {"policyRule": {"if": rule, "then": then}}}, aliases=catalog)


@pytest.fixture
def policies(catalog: AliasCatalog) -> PolicySet:
    lookup = {"type": "T.One/a/parts", "existenceCondition": {"field": "Test/state", "equals": "on"}}
    return compile_set(
        [
            policy("value", {"allOf": [ONE, {"field": "Test/a", "equals": "x"}]}, catalog),
            policy(
                "other",
                {"allOf": [{"field": "type", "equals": "T.Two/b"}, {"field": "Test/a", "equals": "x"}]},
                catalog,
            ),
            policy("tag", {"field": "tags.env", "exists": False}, catalog),
            policy("parts", ONE, catalog, "auditIfNotExists", lookup),
            policy("fails", {"allOf": [ONE, {"field": "Test/num", "less": 5}]}, catalog),
            policy("off", ONE, catalog, "disabled"),
        ]
    )


def body(**properties: Any) -> dict[str, Any]:
    return {
        "id": "/subscriptions/s/resourceGroups/g/providers/T.One/a/n",
        "name": "n",
        "type": "T.One/a",
        "properties": properties,
    }


def test_a_resource_meets_only_policies_that_can_be_about_it(policies: PolicySet) -> None:
    assert [each.name for each in policies.applicable("t.one/A")] == ["value", "tag", "parts", "fails"]
    assert [each.name for each in policies.applicable("T.Two/b")] == ["other", "tag"]
    assert [each.name for each in policies.applicable("T.Three/c")] == ["tag"]
    assert policies.related_types("T.One/a") == {"t.one/a/parts"}
    assert policies.related_types("T.Two/b") == frozenset()


def test_policies_tell_what_they_match_and_look_up(policies: PolicySet) -> None:
    found = {each.name: each.policy for each in policies.policies}
    assert found["value"].types == {"t.one/a"}
    assert found["tag"].types is None
    assert found["parts"].related == {"t.one/a/parts": {"t.one/a"}}
    assert found["value"].related == {}
    assert (found["parts"].effect, found["parts"].mode) == ("auditIfNotExists", "Indexed")


def test_errors_are_verdicts_among_the_others(policies: PolicySet) -> None:
    found = {each.policy: each for _, each in policies.judge(Resource(body(a="x", num="7")))}
    assert {name: each.state.value for name, each in found.items()} == {
        "value": "nonCompliant",
        "tag": "nonCompliant",
        "parts": "unknown",
        "fails": "error",
    }
    assert "types differ" in found["fails"].reason
    assert found["parts"].missing[0].permission == "T.One/a/parts/read"


def test_a_summary_counts_compliant_pairs_and_gives_the_rest(policies: PolicySet) -> None:
    parts = {"t.one/a/parts": (Resource({"name": "p", "type": "T.One/a/parts", "properties": {"state": "on"}}),)}
    for _ in range(GENERATION_RESOURCES + 2):  # before and after the rules are generated
        compliant, attention = policies.summarize(Resource(body(a="y", num=7), related=parts))
        assert {each.name for each in compliant} == {"value", "fails", "parts"}
        assert [(each.policy, each.state) for _, each in attention] == [("tag", State.NON_COMPLIANT)]
        assert attention[0][1].evidence[0].field == "tags.env"


def test_verdicts_come_in_the_order_of_the_set_before_and_after_fusing(catalog: AliasCatalog) -> None:
    plain, other = {"field": "Test/a", "equals": "x"}, {"value": "[field('Test/a')]", "equals": "x"}
    mixed = compile_set(policy(f"p{at}", (plain, other)[at % 2], catalog) for at in range(6))
    one = Resource({"type": "T.One/a", "properties": {"a": "x"}})
    orders = {tuple(each.policy for _, each in mixed.summarize(one)[1]) for _ in range(100)}
    assert orders == {("p0", "p1", "p2", "p3", "p4", "p5")}


def test_counting_agrees_with_judging_before_and_after_fusing(policies: PolicySet) -> None:
    resources = [
        Resource(body(a="x" if at % 3 else "y", num=at if at % 5 else "z")) for at in range(3 * GENERATION_RESOURCES)
    ]
    resources += [Resource(body(), unread={"properties": Unread("forbidden")})] * 7
    totals = policies.count(resources)
    wanted: list[dict[State, int]] = [{} for _ in policies.policies]
    for resource in resources:
        for at, each in enumerate(policies.policies):
            state = judge(each.policy, resource).state
            if state is not State.NOT_APPLICABLE:
                wanted[at][state] = wanted[at].get(state, 0) + 1
    cleaned = [
        {state: number for state, number in each.items() if number and state is not State.NOT_APPLICABLE}
        for each in totals
    ]
    assert cleaned == wanted


def test_a_batch_is_streamed_with_a_context_for_each_resource(catalog: AliasCatalog) -> None:
    policies = compile_set([policy("group", {"value": "[resourceGroup().location]", "equals": "eastus"}, catalog)])
    places = iter(["eastus", "westus"])
    stream = policies.judge_many(
        (Resource({"name": str(at), "type": "T/x", "location": "eastus"}) for at in range(2)),
        lambda _: Context(resource_group={"location": next(places)}),
    )
    assert [judged[0][1].state for _, judged in stream] == [State.NON_COMPLIANT, State.COMPLIANT]


def test_policies_and_sets_survive_pickling(policies: PolicySet) -> None:
    resource = Resource(body(a="x", num=1))
    wanted = [verdict for _, verdict in policies.judge(resource)]
    copy = pickle.loads(pickle.dumps(policies))  # noqa: S301 - our own bytes
    assert [verdict for _, verdict in copy.judge(resource)] == wanted
    assert len(copy) == len(policies)


def test_a_pickled_policy_carries_only_the_aliases_it_uses(catalog: AliasCatalog) -> None:
    rows = [{"name": f"Big/alias{at}", "path": f"properties.p{at}", "types": []} for at in range(5_000)]
    big = catalog.merge(AliasCatalog.from_rows(rows))
    small = pickle.dumps(policy("p", {"field": "Test/a", "equals": "x"}, big))
    assert len(small) < 10_000


def test_threads_share_one_set(policies: PolicySet) -> None:
    resources = [Resource(body(a="x" if at % 2 else "y", num=at)) for at in range(400)]
    wanted = [[each.state for _, each in policies.judge(resource)] for resource in resources]
    fresh = compile_set(policies.policies)

    def states(resource: Resource) -> list[State]:
        fresh.summarize(resource)
        return [each.state for _, each in fresh.judge(resource)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(states, resources)) == wanted


def test_evidence_of_a_count_names_the_members_that_were_counted(catalog: AliasCatalog) -> None:
    where = {"allOf": [{"field": "Test/items[*].name", "equals": "x"}, {"field": "Test/items[*].port", "less": 80}]}
    rule = {"count": {"field": "Test/items[*]", "where": where}, "greater": 0}
    items = [{"name": "y", "port": 1}, {"name": "x", "port": 443}, {"name": "x", "port": 22}]
    verdict = judge(policy("count", rule, catalog), Resource(body(items=items)))
    assert [(each.path, each.observed) for each in verdict.evidence] == [
        ("properties.items[*]", 1),
        ("properties.items[2].name", "x"),
        ("properties.items[2].port", 22),
    ]


def test_verdicts_say_when_and_with_which_version_the_resource_was_read(policies: PolicySet) -> None:
    resource = Resource(body(a="x", num=1), api_version="2023-01-01", collected_at="2024-01-01T00:00:00Z")
    verdict = next(each for _, each in policies.judge(resource) if each.policy == "value")
    assert (verdict.api_version, verdict.collected_at) == ("2023-01-01", "2024-01-01T00:00:00Z")
    decided = verdict.evidence[-1]
    assert (decided.clause, decided.path, decided.observed) == ("$.policyRule.if.allOf[1]", "properties.a", "x")


def test_compiled_programs_do_not_pile_up(catalog: AliasCatalog) -> None:
    rule = {"field": "[concat('Test/', field('name'))]", "exists": True}
    dynamic = policy("dynamic", rule, catalog)
    for at in range(2_100):
        judge(dynamic, Resource({"name": "a", "type": f"T.Many/t{at}", "properties": {"a": 1}}, api_version=f"v{at}"))
    assert len(dynamic._programs) <= 2_000


def test_resource_groups_are_counted_however_their_type_is_spelled(catalog: AliasCatalog) -> None:
    rule = {"field": "type", "equals": "Microsoft.Resources/subscriptions/resourceGroups"}
    rules = [{"allOf": [rule, {"field": "tags.env", "exists": False}]}, {"not": rule}]
    policies = compile_set(
        compile_definition({"mode": "All", "policyRule": {"if": each, "then": {"effect": "audit"}}}, aliases=catalog)
        for each in rules
    )
    bodies = [
        {"type": "Microsoft.Resources/resourceGroups"},
        {"type": "Microsoft.Resources/subscriptions/resourceGroups"},
    ]
    found = policies.count(body for _ in range(GENERATION_RESOURCES * 2) for body in bodies)
    assert [{state: number for state, number in each.items() if number} for each in found] == [
        {State.NON_COMPLIANT: GENERATION_RESOURCES * 4},
        {},
    ]


RULE = {"field": "type", "equals": "T/x"}
SET = {"type": "T/x/parts", "existenceCondition": {"field": "name", "equals": "good"}}


def judged_with(catalog: AliasCatalog, details: dict[str, Any], *names: str, partial: bool) -> Verdict:
    """The verdict on a resource with parts of these names; partial: nobody has listed them."""
    parts = tuple(Resource({"id": f"/t/p/{name}", "name": name, "type": "T/x/parts"}) for name in names)
    kinds = frozenset({"t/x/parts"}) if partial else frozenset[str]()
    about = Resource({"name": "one", "type": "T/x"}, related={"t/x/parts": parts}, partial=kinds)
    source = {"if": RULE, "then": {"effect": "auditIfNotExists", "details": details}}
    return judge(compile_definition({"properties": {"mode": "All", "policyRule": source}}, aliases=catalog), about)


@pytest.mark.parametrize(
    ("details", "names", "state"),
    [
        (SET, ("good",), State.COMPLIANT),
        (SET, ("bad",), State.UNKNOWN),  # another one may be good
        ({**SET, "name": "good"}, ("bad",), State.UNKNOWN),  # it may be there, and was not read
        ({**SET, "name": "bad"}, ("bad",), State.NON_COMPLIANT),  # it was read, whatever else there is
    ],
)
def test_some_related_resources_do_not_prove_that_there_are_no_others(
    details: dict[str, Any], names: tuple[str, ...], state: State, catalog: AliasCatalog
) -> None:
    verdict = judged_with(catalog, details, *names, partial=True)
    assert verdict.state is state
    assert [each.part.startswith("related T/x/parts") for each in verdict.missing] == [True] * (state is State.UNKNOWN)
    listed = judged_with(catalog, details, *names, partial=False)
    assert listed.state is (State.COMPLIANT if state is State.COMPLIANT else State.NON_COMPLIANT)


def test_what_an_assignment_leaves_undecided_is_unknown_on_every_path(catalog: AliasCatalog) -> None:
    selectors = [{"selectors": [{"kind": "userPrincipalId", "in": ["x"]}]}]
    assigned = Assignment.from_json({"id": "/as", "scope": "/", "resourceSelectors": selectors})
    made = compile_set([EffectivePolicy(policy("value", ONE, catalog), assigned)])
    one = Resource(body(a="x"))
    reason = "whether the assignment selects the resource depends on userPrincipalId, not read here"
    for found in (made.judge(one), made.summarize(one)[1]):
        assert [(each.state, each.reason) for _, each in found] == [(State.UNKNOWN, reason)]
    assert made.policies[0].judge(one, Context()).state is State.UNKNOWN
    assert made.count([body(a="x")] * (GENERATION_RESOURCES + 2)) == [{State.UNKNOWN: GENERATION_RESOURCES + 2}]
