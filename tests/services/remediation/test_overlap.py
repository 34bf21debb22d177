"""No resource is in two open remediations, and no finding is asked to be fixed twice."""

from typing import Any

import pytest

from shared.domain.error import Underway
from shared.domain.item import ItemOutcome
from shared.domain.remediation import FindingFilter, RemediationRequest, RemediationStatus
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services.policy import effective_policy
from shared.services.remediation import overlap, plan, record, request, rollback
from tests.fakes.catalog import FixingCatalog, of, patched
from tests.fakes.catalog import policy as rule
from tests.fakes.cloud import SETTING, VAULT, account, resource
from tests.fakes.interruption import Killed
from tests.fakes.world import World
from tests.services.remediation.test_plan import LOGGED


@pytest.fixture
def world(store: Store, queue: Queue) -> World:
    return World(store, queue)


@pytest.fixture
def body(world: World) -> dict[str, Any]:
    made = account()
    world.put(made)
    return made


def other(world: World, name: str = "r2") -> World:
    return World(world.store, world.queue, cloud=world.cloud, policies=world.policies, id=name)


def by_filter(world: World) -> World:
    asked = RemediationRequest(filter=FindingFilter(policy="https-only"))
    request.request(world.id, asked, store=world.store, queue=world.queue)
    return world


@pytest.mark.parametrize("planned", [False, True])
def test_a_second_request_for_a_finding_names_the_open_one(
    world: World, body: dict[str, Any], *, planned: bool
) -> None:
    known = world.request(body, "https-only")
    if planned:
        known = world.plan()
    with pytest.raises(Underway, match=f"remediation r1, which is {known.status}.*wait for its end, or cancel") as told:
        other(world).request(body, "https-only")
    assert (told.value.remediation, told.value.path) == ("r1", "$.findings")
    assert other(world).event_types() == []


@pytest.mark.parametrize("planned", [False, True])
def test_a_filter_of_which_all_findings_are_taken_is_refused(world: World, *, planned: bool) -> None:
    world.put(account(), account("beta"))
    by_filter(world)
    if planned:
        world.plan()
    with pytest.raises(Underway, match=r"and is about .*, ") as told:
        by_filter(other(world))
    assert (told.value.remediation, told.value.path) == ("r1", "$.filter")


def test_a_filter_of_which_some_findings_are_free_leaves_out_the_others_and_says_why(
    world: World, body: dict[str, Any]
) -> None:
    world.request(body, "https-only")
    world.plan()
    world.put(account("beta"))
    second = by_filter(other(world))
    known = second.plan()
    assert (known.status, known.refused_count) == (RemediationStatus.AWAITING_APPROVAL, 1)
    by_resource = {each.resource_id: each for each in second.items()}
    assert by_resource[body["id"]].outcome == ItemOutcome.REFUSED
    assert by_resource[body["id"]].reason.startswith("remediation r1, which is awaitingApproval, is about this")
    assert sum(each.outcome == ItemOutcome.PENDING for each in by_resource.values()) == 1


def test_another_finding_on_the_resource_is_left_to_the_open_remediation(world: World, body: dict[str, Any]) -> None:
    world.request(body, "https-only")
    world.plan()
    second = other(world)
    second.request(body, "tls-1-2")
    known = second.plan()
    assert (known.status, known.counts) == (RemediationStatus.FAILED, {"refused": 1})
    assert "remediation r1" in known.reason


@pytest.mark.parametrize("end", ["cancelled", "applied", "rolledBack"])
def test_what_an_ended_remediation_was_about_is_free(world: World, body: dict[str, Any], end: str) -> None:
    world.request(body, "https-only")
    world.plan()
    if end == "cancelled":
        rollback.cancel(world.id, store=world.store, queue=world.queue)
    else:
        world.approve()
        world.run()
    if end == "rolledBack":
        world.rollback()
        world.run()
    second = other(world)
    second.request(body, "tls-1-2")
    assert second.plan().status == RemediationStatus.AWAITING_APPROVAL


def test_an_item_that_has_ended_is_free_while_its_remediation_goes_on(world: World, body: dict[str, Any]) -> None:
    beta = account("beta")
    world.put(beta)
    world.request(body, "https-only", more=(world.finding(beta, "https-only").id,))
    world.plan()
    world.approve()
    done, waits = world.items()
    world.apply(1)
    world.verify(1)
    assert world.now().status == RemediationStatus.APPLYING
    assert overlap.holder([done.resource_id], "", store=world.store) is None
    held = overlap.holder([waits.resource_id], "", store=world.store)
    assert held is not None
    assert held.id == "r1"


def test_what_is_about_to_be_rolled_back_is_held(world: World, body: dict[str, Any]) -> None:
    world.approved(body, "https-only")
    world.run()
    assert overlap.holder([body["id"]], "", store=world.store) is None
    world.rollback()
    assert overlap.holder([body["id"]], "", store=world.store) is not None


def test_a_child_that_the_fix_of_its_parent_writes_is_held(world: World) -> None:
    own = rule(
        "workspace-set",
        of(SETTING, field=f"{SETTING}/workspaceId", exists=False),
        **patched(SETTING, workspaceId="/workspaces/own"),
    )
    world.policies = effective_policy.packaged(FixingCatalog(LOGGED, own))
    vault = resource(VAULT, "kv", {"enablePurgeProtection": True})
    setting = {"id": f"{vault['id']}/providers/{SETTING}/logs", "name": "logs", "type": SETTING, "properties": {}}
    world.put(vault, setting)
    first, second = (vault, "logged"), (setting, "workspace-set")
    for one, two, name in ((first, second, "a"), (second, first, "b")):
        opened, later = other(world, f"{name}1"), other(world, f"{name}2")
        opened.request(*one)
        assert opened.plan().status == RemediationStatus.AWAITING_APPROVAL
        later.request(*two)
        assert f"remediation {name}1" in later.plan().reason
        rollback.cancel(opened.id, store=world.store, queue=world.queue)


def test_of_two_that_plan_a_resource_at_once_neither_misses_the_other(
    world: World, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    second = other(world)
    world.request(body, "https-only")
    second.request(body, "tls-1-2")
    keep, once = plan._record_item, [True]

    def overtaken(*given: Any) -> Any:
        if once:
            once.clear()
            second.plan()
        return keep(*given)

    monkeypatch.setattr(plan, "_record_item", overtaken)
    world.plan()
    assert second.outcomes() == ["pending"]
    assert (world.outcomes(), world.now().refused_count) == (["refused"], 1)
    assert "remediation r2" in world.item().reason


def test_a_killed_step_that_had_not_looked_yet_looks_when_it_is_done_again(
    world: World, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    second = other(world)
    world.request(body, "https-only")
    second.request(body, "tls-1-2")
    monkeypatch.setattr(plan, "_yielded", lambda item, _store: item)
    keep, once = plan._record_item, [True]

    def dies(*given: Any) -> Any:
        if not once:
            return keep(*given)
        once.clear()
        second.plan()
        keep(*given)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(plan, "_record_item", dies)
        with pytest.raises(Killed):
            world.plan()
    monkeypatch.undo()
    world.plan()
    assert (second.outcomes(), world.outcomes()) == (["pending"], ["refused"])


def test_the_same_request_again_is_no_second_one(world: World, body: dict[str, Any]) -> None:
    first = world.request(body, "https-only")
    assert world.request(body, "https-only") == first
    assert record.find("r1", store=world.store) == first
