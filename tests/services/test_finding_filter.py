"""Filters of findings: each, with each order and size of page, is a plain filter over all; misspelt values are told."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.error import InvalidInput
from shared.domain.finding import Finding, FindingListing
from shared.domain.identity import Role
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services import finding
from shared.services.estate import estate
from shared.services.policy import effective_policy
from shared.services.policy.effective_policy import EffectivePolicies
from tests.fakes.assignment import BASELINE
from tests.fakes.caller import caller
from tests.fakes.catalog import FixingCatalog
from tests.fakes.cloud import STORAGE, SUBSCRIPTION, account
from tests.fakes.world import World

START = datetime(2026, 2, 1, tzinfo=UTC)
CONTROLLED = {"https-only": {"nist-800-53-r5": ["SC-8"]}}
"""Which policies of the catalog serve which controls, as `FixingCatalog` has it."""
WORDS = ("red", "Red", "rot", "x%y")


def policies() -> EffectivePolicies:
    return effective_policy.packaged(FixingCatalog())


def made(number: int) -> dict[str, Any]:
    """A finding whose members take each few values, so that most filters meet some and leave out some."""
    # Never a whole second: texts of times with and without a fraction are not in the order of the times.
    opened = START + timedelta(milliseconds=number * 700 + 50)
    body = {
        "id": f"{number * 7919 % 10007:016x}.p",
        "policy": ("https-only", "tls", "other")[number % 3],
        "assignment": (BASELINE, "/policyassignments/house")[number % 2],
        "reference": ("https-only", "Tls")[number % 2],
        "title": f"A {WORDS[number % 4]} thing",
        "severity": ("critical", "high", "medium", "low")[number % 4],
        "category": ("Storage", "Network")[number % 2],
        "effect": "audit",
        "resource": f"{number:016x}",
        "resource_id": f"/subscriptions/s{number % 3}/resourceGroups/g{number % 2}/providers/M.X/y/n{number}",
        "resource_type": ("M.X/y", "M.X/z")[number % 2],
        "subscription": f"s{number % 3}",
        "resource_group": (None, "g0", "g1")[number % 3],
        "owner": (None, "Ada", "ada")[number % 3],
        "environment": (None, "prod")[number % 2],
        "state": ("nonCompliant", "unknown", "error")[number % 3],
        "status": ("opened", "reopened", "resolved")[number % 3],
        "open": number % 3 != 2,
        "remediable": number % 2 == 0,
        "opened_at": opened,
        "changed_at": START + timedelta(minutes=number * 31 % 17),
    }
    return Finding.model_validate(body).model_dump(mode="json")


FINDINGS = [Finding.model_validate(made(number)) for number in range(60)]
ANY_OF = {
    "severity": ("critical", "high", "low"),
    "state": ("nonCompliant", "unknown"),
    "status": ("opened", "resolved"),
    "policy": ("https-only", "HTTPS-Only", "tls", "none"),
    "assignment": (BASELINE, BASELINE.upper(), "/policyAssignments/house", "none"),
    "reference": ("https-only", "tls"),
    "category": ("Storage", "storage"),
    "subscription": ("s0", "S1", "none"),
    "resource_group": ("g0", "G1"),
    "resource_type": ("m.x/Y", "M.X/z"),
    "owner": ("Ada", "ada"),
    "environment": ("prod", "Prod"),
    "framework": ("nist-800-53-r5", "NIST-800-53-R5", "none"),
    "control": ("sc-8", "SC-8", "none"),
}
FOLDED = {"policy", "assignment", "reference", "subscription", "resource_group", "resource_type"}
"""Filters that compare without case."""
ORDERS = {
    "id": lambda each: each.id,
    "severity": lambda each: (each.rank, each.id),
    "openedAt": lambda each: (each.opened_at, each.id),
    "changedAt": lambda each: (each.changed_at, each.id),
}
conditions = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.lists(st.sampled_from(values), min_size=1, max_size=2) for name, values in ANY_OF.items()},
        "open": st.booleans(),
        "remediable": st.booleans(),
        "resource": st.sampled_from([f"{3:016x}", "none"]),
        "text": st.sampled_from(["RED", "rot", "x%", "n1", "ada", "PROD", "https"]),
        "since": st.integers(0, 45).map(lambda second: START + timedelta(seconds=second)),
    },
)


def plainly(each: Finding, name: str, wanted: Any) -> bool:
    """Whether a finding meets one condition, said as plainly as it can be."""
    if name == "text":
        parts = (each.title, each.policy, each.resource_id, each.owner or "", each.environment or "")
        return any(wanted.lower() in part.lower() for part in parts)
    if name == "since":
        return bool(each.opened_at >= wanted)
    if name in ("framework", "control"):
        served = CONTROLLED.get(each.policy, {})
        held = [*served] if name == "framework" else [control for ids in served.values() for control in ids]
        return any(one.lower() == other.lower() for one in held for other in wanted)
    value = getattr(each, name)
    if not isinstance(wanted, list):
        return bool(value == wanted)
    return any(
        value is not None and (str(value).lower() == one.lower() if name in FOLDED else value == one) for one in wanted
    )


@pytest.fixture
def filled(store: Store) -> Store:
    store.documents.put_many(
        tenant=store.tenant, kind="finding", items={each["id"]: each for each in map(made, range(60))}
    )
    return store


def pages(store: Store, limit: int, asked: dict[str, Any]) -> Iterator[list[str]]:
    cursor = None
    while True:
        listing = FindingListing(limit=limit, cursor=cursor, total=True, **asked)
        found = finding.list_(listing, store=store, policies=policies)
        assert found.total is not None
        yield [f"{found.total}", *(each.id for each in found.items)]
        cursor = found.next_cursor
        if cursor is None:
            return


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=conditions, order=st.sampled_from(list(ORDERS)), limit=st.sampled_from([1, 2, 7, 60, 200]))
def test_every_filter_with_every_order_and_page_is_a_plain_filter(
    filled: Store, asked: dict[str, Any], order: str, limit: int
) -> None:
    expected = [each for each in FINDINGS if all(plainly(each, name, wanted) for name, wanted in asked.items())]
    expected.sort(key=ORDERS[order], reverse=order != "id")
    found = list(pages(filled, limit, {**asked, "order": order}))
    assert [each for page in found for each in page[1:]] == [each.id for each in expected]
    assert {page[0] for page in found} == {f"{len(expected)}"}


@pytest.mark.parametrize("name", [*ANY_OF, "open", "remediable", "resource", "text", "since"])
def test_no_filter_of_the_table_meets_all_or_nothing(name: str) -> None:
    first = {
        "open": True,
        "remediable": True,
        "resource": f"{3:016x}",
        "text": "rot",
        "since": START + timedelta(seconds=9),
    }
    wanted = first.get(name, [ANY_OF.get(name, ("",))[0]])
    met = [each for each in FINDINGS if plainly(each, name, wanted)]
    assert 0 < len(met) < len(FINDINGS)


def test_the_worst_come_first_by_default(filled: Store) -> None:
    found = finding.list_(FindingListing(limit=60), store=filled, policies=policies).items
    assert [each.severity for each in found] == ["critical"] * 15 + ["high"] * 15 + ["medium"] * 15 + ["low"] * 15
    opened = [each.opened_at for each in found[:15]]
    assert opened == sorted(opened, reverse=True)


@pytest.fixture
def judged(store: Store, queue: Queue) -> World:
    world = World(store, queue)
    world.put({**account("alpha"), "tags": {"owner": "payments", "environment": "prod"}})
    ended = estate.current(store, SUBSCRIPTION).model_copy(update={"judged_at": START})
    body = ended.model_dump(mode="json")
    store.documents.put(tenant=store.tenant, kind="estate", id=SUBSCRIPTION, body=body)
    return world


def strictly(world: World, **asked: Any) -> list[str]:
    listing = FindingListing(strict=True, **asked)
    return [each.policy for each in finding.list_(listing, store=world.store, policies=lambda: world.policies).items]


@pytest.mark.parametrize(
    ("name", "typo", "near"),
    [
        ("policy", "https-onyl", "https-only"),
        ("assignment", "baselin", "baseline"),
        ("reference", "https-onli", "https-only"),
        ("category", "Tests", "Test"),
        ("framework", "nist-800-53-r4", "nist-800-53-r5"),
        ("control", "SC-9", "sc-8"),
        ("subscription", SUBSCRIPTION[:-1], SUBSCRIPTION),
        ("resource_group", "rgg", "rg"),
        ("resource_type", f"{STORAGE}s", STORAGE.lower()),
        ("owner", "payment", "payments"),
        ("environment", "produ", "prod"),
        ("environment", "Prod", "prod"),
    ],
)
def test_a_value_that_nothing_has_is_refused_with_the_nearest(judged: World, name: str, typo: str, near: str) -> None:
    with pytest.raises(InvalidInput, match=f"did you mean '{near}'"):
        strictly(judged, **{name: (typo,)})
    listing = FindingListing(**{name: (typo,)})
    assert not finding.list_(listing, store=judged.store, policies=lambda: judged.policies).items


def test_a_misspelt_value_among_others_is_refused(judged: World) -> None:
    assert "https-only" in strictly(judged, policy=("HTTPS-only",), resource_type=(STORAGE,), owner=("payments",))
    with pytest.raises(InvalidInput, match="nothing has the policy 'typo'"):
        strictly(judged, policy=("https-only", "typo"))


def test_conditions_that_no_resource_meets_together_are_refused(judged: World) -> None:
    judged.put({**account("beta"), "tags": {"owner": "web"}})
    with pytest.raises(InvalidInput, match="no resource meets these conditions"):
        strictly(judged, owner=("web",), environment=("prod",))


def test_before_anything_was_evaluated_there_is_nothing_to_say(store: Store, queue: Queue) -> None:
    with pytest.raises(InvalidInput, match="nothing was evaluated yet"):
        strictly(World(store, queue))


def test_what_is_near_is_only_told_of_what_the_caller_may_see(judged: World) -> None:
    elsewhere = caller(roles=[Role.READER], scopes=["/subscriptions/00000000-0000-4000-8000-0000000000ff"])
    judged.store = replace(judged.store, caller=elsewhere)
    with pytest.raises(InvalidInput) as refused:
        strictly(judged, owner=("payment",))
    assert "payments" not in refused.value.message
