"""Applying, proving and putting back: whatever dies in between, the end is the same."""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from shared.domain import item_step
from shared.domain.body import comparable
from shared.domain.canonical import canonicalize
from shared.domain.error import Conflict, CortexError, Forbidden, InvalidInput, Locked, Stale, Throttled, Unavailable
from shared.domain.exemption import ExemptionCategory, ExemptionRequest
from shared.domain.item import ItemOutcome, RemediationItem
from shared.domain.item_event import ItemEnded
from shared.domain.plan import RemediationPlan
from shared.domain.remediation import Remediation, RemediationStatus
from shared.domain.verdict import State
from shared.engine import compile_set
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services import content
from shared.services.estate import judgement
from shared.services.policy import effective_policy
from shared.services.remediation import progress, record, rollback
from tests.fakes.assignment import key_of
from tests.fakes.catalog import FixingCatalog
from tests.fakes.clock import Clock
from tests.fakes.cloud import SETTING, VAULT, account, resource
from tests.fakes.exemption import approved_exemption
from tests.fakes.world import World, died, throw
from tests.services.remediation.test_plan import APPENDED, KEYED, LOGGED, changed


@pytest.fixture
def world(store: Store, queue: Queue) -> World:
    return World(store, queue, policies=effective_policy.packaged(FixingCatalog(LOGGED, APPENDED)))


def approved(world: World, body: dict[str, Any] | None = None, *names: str) -> dict[str, Any]:
    made = body or account()
    world.put(made)
    world.approved(made, *(names or ("https-only",)))
    return made


def said(world: World, body: Mapping[str, Any]) -> bytes:
    """The resource as it stands in the cloud, without what changes by itself."""
    return canonicalize(comparable(world.cloud.body(body["id"])))


def test_a_fix_is_written_proven_and_closes_its_finding(world: World) -> None:
    body = approved(world)
    known = world.run()
    assert (known.status, world.item().outcome) == (RemediationStatus.SUCCEEDED, ItemOutcome.DONE)
    assert world.cloud.body(body["id"])["properties"]["supportsHttpsTrafficOnly"] is True
    assert world.cloud.writes == [("PATCH", body["id"])]
    assert world.finding(body, "https-only").open is False
    assert world.finding(body, "tls-1-2").open is True
    assert world.event_types() == [
        "remediationRequested",
        "planningStarted",
        "itemsPlanned",
        "remediationPlanned",
        "remediationApproved",
        "applyingStarted",
        "itemsExecuted",
        "remediationSucceeded",
    ]
    assert world.item_event_types() == ["itemPlanned", "itemApplying", "itemApplied", "itemEnded"]


def test_nothing_is_written_without_approval(world: World) -> None:
    body = account()
    world.put(body)
    world.request(body, "https-only")
    assert world.run().status == RemediationStatus.AWAITING_APPROVAL
    assert world.apply() == 0.0
    assert world.cloud.writes == []


@pytest.mark.parametrize("etags", [True, False])
@pytest.mark.parametrize("change", [{"tags": {"env": "prod"}}, {"properties": {"x": 1}}, {"sku": {"name": "Premium"}}])
def test_a_resource_changed_since_the_plan_is_refused(world: World, change: dict[str, Any], *, etags: bool) -> None:
    world.cloud.etags = etags
    body = approved(world)
    world.cloud.put({**body, **change})
    known = world.run()
    assert (known.status, world.item().outcome) == (RemediationStatus.FAILED, ItemOutcome.REFUSED)
    assert world.item().reason == item_step.CHANGED
    assert world.cloud.writes == []


def test_a_resource_written_again_with_the_same_content_is_refused_too(world: World) -> None:
    body = approved(world)
    world.cloud.put(body)
    world.run()
    assert world.item().outcome == ItemOutcome.REFUSED


def test_a_resource_that_is_gone_is_refused(world: World) -> None:
    approved(world)
    world.cloud.bodies.clear()
    world.run()
    assert world.item().outcome == ItemOutcome.REFUSED


def test_a_change_between_reading_and_writing_is_refused_by_the_etag(world: World) -> None:
    body = approved(world)
    world.cloud.before = lambda _method, _id: world.cloud.put({**body, "tags": {"env": "prod"}})
    world.run()
    assert (world.item().outcome, world.item().reason) == (ItemOutcome.REFUSED, item_step.CHANGED)
    assert world.cloud.writes == []
    assert world.cloud.body(body["id"])["tags"] == {"env": "prod"}


def happened(world: World) -> int:
    """How many events there are of the remediation and its item."""
    return len(world.events()) + len(world.item_event_types())


VAULT_BODY = resource(VAULT, "kv", {"enablePurgeProtection": True})
KINDS = [("https-only",), ("bypass", "tls-1-2"), ("logged",)]


def fresh(world: World, at: int, names: tuple[str, ...]) -> dict[str, Any]:
    """A remediation of its own for one more resource, approved."""
    world.id = f"r{at}"
    world.cloud.writes.clear()
    made = resource(VAULT, f"kv{at}", {"enablePurgeProtection": True}) if names == ("logged",) else account(f"a{at}")
    return approved(world, made, *names)


@pytest.mark.parametrize("etags", [True, False])
@pytest.mark.parametrize("names", KINDS)
def test_killed_at_any_boundary_of_a_fix_the_end_is_the_same(
    world: World, names: tuple[str, ...], *, etags: bool
) -> None:
    world.cloud.etags = etags
    for at in range(1, 40):
        body = fresh(world, at, names)
        if not died(world, at):
            assert at > 8, "so many boundaries there are at the least"
            return
        known = world.run()
        assert (known.status, world.item().outcome) == (RemediationStatus.SUCCEEDED, ItemOutcome.DONE), (
            f"killed at {at}"
        )
        assert len(world.cloud.writes) == 1, f"killed at {at}"
        assert not any(world.finding(body, name).open for name in names)
    pytest.fail("never came to the end of the boundaries")


@pytest.mark.parametrize("names", KINDS)
def test_killed_at_any_boundary_of_a_rollback_the_end_is_the_same(world: World, names: tuple[str, ...]) -> None:
    for at in range(1, 40):
        body = fresh(world, at, names)
        before = said(world, body)
        assert world.run().status == RemediationStatus.SUCCEEDED
        world.rollback()
        if not died(world, at):
            assert at > 4, "so many boundaries there are at the least"
            return
        known = world.run()
        assert (known.status, world.item().outcome) == (RemediationStatus.ROLLED_BACK, ItemOutcome.ROLLED_BACK), (
            f"killed at {at}"
        )
        assert len(world.cloud.writes) == 2, f"killed at {at}"
        assert said(world, body) == before
        assert all(world.finding(body, name).open for name in names)
    pytest.fail("never came to the end of the boundaries")


@pytest.mark.parametrize("times", [2, 10])
def test_every_step_delivered_many_times_has_one_effect(world: World, times: int) -> None:
    body = approved(world)
    for step in (world.apply, world.verify, world.finish):
        for _ in range(times):
            step()
    assert world.now().status == RemediationStatus.SUCCEEDED
    assert world.cloud.writes == [("PATCH", body["id"])]
    events = happened(world)
    world.rollback()
    for step in (world.restore, world.finish):
        for _ in range(times):
            step()
    assert world.now().status == RemediationStatus.ROLLED_BACK
    assert world.cloud.writes == [("PATCH", body["id"]), ("PATCH", body["id"])]
    assert happened(world) == events + 5


def test_a_rollback_restores_every_byte(world: World) -> None:
    body = approved(world, account(encryption={"keySource": "Microsoft.Storage", "list": [1, {"a": None}]}), "tls-1-2")
    before = said(world, body)
    world.run()
    assert said(world, body) != before
    world.rollback()
    assert world.run().status == RemediationStatus.ROLLED_BACK
    assert said(world, body) == before
    assert world.finding(body, "tls-1-2").open is True


EXACT = {"integer": 2**53 + 1, "text": str(2**53 + 1), "smallest": -(2**63), "double": 1e19, "small": 1.0}
"""Numbers that a canonical text, or a reader of doubles alone, makes something else of."""


@pytest.mark.parametrize("names", [("https-only",), ("bypass", "tls-1-2")])
def test_numbers_of_any_size_are_planned_written_and_put_back_as_they_are(world: World, names: tuple[str, ...]) -> None:
    body = approved(world, account(numbers=EXACT, skus=[EXACT]), *names)
    (operation,) = world.planned()[0].operations
    assert operation.target["properties"]["numbers"] == EXACT
    assert operation.body.get("properties", {}).get("numbers", EXACT) == EXACT
    for act in (lambda: None, world.rollback):
        act()
        world.run()
        kept = world.cloud.body(body["id"])["properties"]
        assert orjson.dumps([kept["numbers"], kept["skus"]]) == orjson.dumps([EXACT, [EXACT]])
    assert world.item().outcome == ItemOutcome.ROLLED_BACK


def test_a_rollback_removes_what_was_created(world: World) -> None:
    body = approved(world, VAULT_BODY, "logged")
    world.run()
    assert len(world.cloud.bodies) == 2
    world.rollback()
    assert world.run().status == RemediationStatus.ROLLED_BACK
    assert list(world.cloud.bodies) == [body["id"].lower()]
    assert world.cloud.writes[-1][0] == "DELETE"


def test_what_was_changed_since_is_not_rolled_back(world: World) -> None:
    body = approved(world)
    world.run()
    world.cloud.put({**world.cloud.body(body["id"]), "tags": {"env": "prod"}})
    world.rollback()
    known = world.run()
    assert (known.status, world.item().outcome) == (RemediationStatus.PARTLY_ROLLED_BACK, ItemOutcome.DONE)
    assert world.item().reason == item_step.NOT_OURS
    assert len(world.cloud.writes) == 1


def test_what_was_deleted_since_has_nothing_left_to_roll_back(world: World) -> None:
    body = approved(world)
    world.run()
    del world.cloud.bodies[body["id"].lower()]
    world.rollback()
    known = world.run()
    assert (known.status, known.rollbackable_count) == (RemediationStatus.ROLLED_BACK, 0)
    assert (world.item().outcome, world.item().reason) == (ItemOutcome.SKIPPED, item_step.DELETED)
    assert len(world.cloud.writes) == 1


def test_of_two_resources_of_an_item_the_one_that_is_left_is_rolled_back(world: World) -> None:
    copied = {**KEYED, "name": "[concat('logs-', copyIndex(1))]", "copy": {"name": "all", "count": 2}}
    workspace = {"workspaceId": "/workspaces/central"}
    template = {"parameters": {"vault": {"type": "string"}}, "resources": [{**copied, "properties": workspace}]}
    world.policies = effective_policy.packaged(FixingCatalog(changed("logged", template=template)))
    kept, gone = (f"{VAULT_BODY['id']}/providers/{SETTING}/{name}" for name in ("logs-1", "logs-2"))
    for identity in (kept, gone):
        world.cloud.put({"id": identity, "name": identity[-6:], "type": SETTING, "properties": {}})
    world.put(VAULT_BODY)
    world.approved(VAULT_BODY, "logged")
    world.run()
    assert len(world.cloud.writes) == 2
    del world.cloud.bodies[gone.lower()]
    world.rollback()
    assert world.run().status == RemediationStatus.ROLLED_BACK
    assert world.item().outcome == ItemOutcome.ROLLED_BACK
    assert "workspaceId" not in world.cloud.body(kept)["properties"]
    assert gone.lower() not in world.cloud.bodies


def test_a_change_while_rolling_back_is_not_written_over(world: World) -> None:
    body = approved(world)
    world.run()
    world.rollback()
    changed = {**world.cloud.body(body["id"]), "tags": {"env": "prod"}}
    world.cloud.before = lambda _method, _id: world.cloud.put(changed)
    assert world.run().status == RemediationStatus.PARTLY_ROLLED_BACK
    assert world.cloud.body(body["id"])["tags"] == {"env": "prod"}


def test_a_lost_write_is_found_and_not_believed(world: World) -> None:
    body = approved(world)
    world.cloud.lost.add(body["id"].lower())
    known = world.run()
    assert (known.status, world.item().outcome) == (RemediationStatus.FAILED, ItemOutcome.FAILED)
    assert world.item().reason == item_step.LOST
    assert world.finding(body, "https-only").open is True


def test_a_lost_answer_is_settled_by_looking(world: World) -> None:
    approved(world)
    world.cloud.after = throw(Unavailable("the connection broke", retry_after=3))
    assert world.apply() >= 3
    assert world.item().outcome == ItemOutcome.APPLYING
    assert world.run().status == RemediationStatus.SUCCEEDED
    assert len(world.cloud.writes) == 1


def test_a_lost_answer_and_another_s_change_are_never_written_over(world: World) -> None:
    body = approved(world)
    world.cloud.after = throw(Unavailable("the connection broke", retry_after=3))
    world.apply()
    world.cloud.put({**body, "tags": {"env": "prod"}})
    world.run()
    assert (world.item().outcome, world.item().reason) == (ItemOutcome.UNKNOWN, item_step.NEITHER)
    assert len(world.cloud.writes) == 1


def test_a_throttled_write_waits_as_long_as_it_is_told(world: World) -> None:
    body = approved(world)
    world.cloud.before = throw(Throttled("slow down", retry_after=123))
    assert world.apply() == 123
    assert world.item().reason == "slow down"
    known = world.run()
    assert (known.status, world.item().reason) == (RemediationStatus.SUCCEEDED, "")
    assert world.cloud.writes == [("PATCH", body["id"])]


def test_waits_grow_while_nobody_answers(world: World) -> None:
    approved(world)
    waits = []
    for _ in range(6):
        world.cloud.before = throw(Unavailable("no answer", retry_after=5))
        waits.append(world.apply())
        world.sleep(waits[-1])
    assert waits == sorted(waits)
    assert waits[0] == 5
    assert waits[-1] == 300


def test_a_day_without_answer_is_enough(world: World, clock: Clock) -> None:
    approved(world)
    world.cloud.before = throw(Unavailable("no answer"))
    world.apply()
    clock.at += item_step.GIVE_UP_AFTER
    world.cloud.before = throw(Unavailable("no answer"))
    known = world.run()
    assert (known.status, world.item().outcome) == (RemediationStatus.FAILED, ItemOutcome.UNKNOWN)
    assert "after a day" in world.item().reason


def test_a_rollback_long_after_has_a_day_of_its_own(world: World, clock: Clock) -> None:
    approved(world)
    world.run()
    clock.at += 30 * item_step.GIVE_UP_AFTER
    world.rollback()
    world.cloud.before = throw(Throttled("slow down", retry_after=9))
    assert world.restore() == 9
    assert world.run().status == RemediationStatus.ROLLED_BACK


def test_a_rollback_that_the_cloud_refuses_leaves_the_fix(world: World) -> None:
    body = approved(world)
    world.run()
    world.rollback()
    world.cloud.before = throw(Forbidden("no"))
    known = world.run()
    assert (known.status, world.item().outcome, world.item().reason) == (
        RemediationStatus.PARTLY_ROLLED_BACK,
        ItemOutcome.DONE,
        "no",
    )
    assert known.reason == "1 of 1 items not rolled back: no"
    assert not world.finding(body, "https-only").open
    world.rollback()
    ended = world.run()
    assert (ended.status, ended.reason) == (RemediationStatus.ROLLED_BACK, "")


@pytest.mark.parametrize(
    "error", [Forbidden("needs Microsoft.Storage/storageAccounts/write"), InvalidInput("no such property")]
)
def test_what_the_cloud_refuses_has_failed(world: World, error: CortexError) -> None:
    approved(world)
    world.cloud.before = throw(error)
    known = world.run()
    assert (known.status, world.item().outcome, world.item().reason) == (
        RemediationStatus.FAILED,
        ItemOutcome.FAILED,
        error.message,
    )


def test_one_refusal_does_not_stop_the_others(world: World) -> None:
    first, second = account("alpha"), account("beta")
    world.put(first, second)
    world.request(first, "https-only", more=(world.finding(second, "https-only").id,))
    world.plan()
    world.approve()
    world.cloud.before = throw(Forbidden("no"))
    known = world.run()
    assert known.status == RemediationStatus.PARTLY_SUCCEEDED
    assert [item.outcome for item in world.items()] == [ItemOutcome.FAILED, ItemOutcome.DONE]


def test_a_busy_resource_is_tried_again_then_given_up(world: World) -> None:
    approved(world)
    tries = []

    def busy(_method: str, _resource_id: str) -> None:
        tries.append(1)
        raise Conflict("another operation is in progress")

    world.cloud.before = busy
    world.run()
    assert world.item().outcome == ItemOutcome.FAILED
    assert 3 < len(tries) < 10


def test_a_locked_resource_is_refused_at_once_with_the_lock_named(world: World) -> None:
    approved(world)
    world.cloud.before = throw(Locked("a lock at /rg forbids changes: 'keep' (ReadOnly)"))
    known = world.run()
    assert (world.item().outcome, world.item().reason) == (
        ItemOutcome.REFUSED,
        "a lock at /rg forbids changes: 'keep' (ReadOnly)",
    )
    assert known.status == RemediationStatus.FAILED
    assert known.reason == f"1 of 1 items: {world.item().reason}"
    assert "itemDelayed" not in world.item_event_types()


def test_an_item_that_waits_does_not_hold_up_the_others(world: World) -> None:
    first, second = account("alpha"), account("beta")
    world.put(first, second)
    world.request(first, "https-only", more=(world.finding(second, "https-only").id,))
    world.plan()
    world.approve()
    world.cloud.before = throw(Throttled("asked to wait 600 s", retry_after=600))
    assert world.step() == "execute"
    known = world.now()
    assert [item.outcome for item in world.items()] == [ItemOutcome.APPLYING, ItemOutcome.DONE]
    assert (known.waiting_until, known.reason) == (world.item().waiting_until, "asked to wait 600 s")
    assert known.waiting_until is not None
    assert world.run().status == RemediationStatus.SUCCEEDED
    assert world.now().waiting_until is None


def test_a_step_is_not_done_before_the_cloud_allows_it(world: World) -> None:
    approved(world)
    world.cloud.before = throw(Throttled("asked to wait 600 s", retry_after=600))
    world.apply()
    assert world.apply() == pytest.approx(600, abs=1)
    assert world.item_event_types().count("itemDelayed") == 1


@pytest.mark.parametrize("step", ["apply", "verify", "restore"])
def test_what_waits_is_cancelled_at_once(world: World, step: str) -> None:
    approved(world)
    if step != "apply":
        world.apply()
        if step == "restore":
            world.cloud.before = throw(Throttled("asked to wait 600 s", retry_after=600))
            judged = {key_of("https-only"): State.NON_COMPLIANT}
            world.verify(judge=lambda _: judged)
        else:
            world.cloud.faults.append(Throttled("asked to wait 600 s", retry_after=600))
    else:
        world.cloud.before = throw(Throttled("asked to wait 600 s", retry_after=600))
    world.step()
    assert world.now().waiting_until is not None
    rollback.cancel(world.id, store=world.store, queue=world.queue)
    known = world.run()
    ended = ItemOutcome.SKIPPED if step == "apply" else ItemOutcome.UNKNOWN
    assert (known.status, world.item().outcome) == (RemediationStatus.CANCELLED, ended)
    waited = "cancelled while it waited (asked to wait 600 s)"
    assert world.item().reason.startswith(item_step.WITHDRAWN if step == "apply" else waited)
    assert "slept" not in world.event_types()


def test_an_item_at_work_that_is_asked_to_wait_after_a_cancellation_does_not(world: World) -> None:
    approved(world)
    world.cloud.before = throw(Unavailable("no answer"))
    world.apply()
    world.sleep(10)
    rollback.cancel(world.id, store=world.store, queue=world.queue)
    world.cloud.faults.append(Throttled("asked to wait 600 s", retry_after=600))
    known = world.run()
    assert (known.status, world.item().outcome) == (RemediationStatus.CANCELLED, ItemOutcome.UNKNOWN)


def test_a_fix_that_does_not_make_it_comply_is_put_back(world: World) -> None:
    body = approved(world)
    before = said(world, body)
    world.apply()
    noncompliant = {key_of("https-only"): State.NON_COMPLIANT}
    world.verify(judge=lambda resource_id: noncompliant if resource_id else {})
    assert world.item().outcome == ItemOutcome.ROLLING_BACK
    known = world.run()
    assert (known.status, world.item().outcome) == (RemediationStatus.FAILED, ItemOutcome.ROLLED_BACK)
    assert "https-only is nonCompliant" in world.item().reason
    assert said(world, body) == before


def test_a_fix_that_cannot_be_proven_is_unknown_and_can_be_rolled_back(world: World) -> None:
    body = approved(world)
    before = said(world, body)
    world.apply()
    world.verify(judge=lambda _: {key_of("https-only"): State.UNKNOWN})
    world.run()
    assert world.item().outcome == ItemOutcome.UNKNOWN
    world.rollback()
    assert world.run().status == RemediationStatus.ROLLED_BACK
    assert said(world, body) == before


def test_a_change_by_another_before_the_proof_is_not_ours_to_undo(world: World) -> None:
    body = approved(world)
    world.apply()
    world.cloud.put({**body, "tags": {"env": "prod"}})
    world.run()
    assert (world.item().outcome, world.item().reason) == (ItemOutcome.UNKNOWN, item_step.NEITHER)
    assert world.cloud.body(body["id"])["tags"] == {"env": "prod"}


def test_the_second_operation_s_failure_puts_the_first_back(world: World) -> None:
    body = approved(world, resource(VAULT, "kv", {"enablePurgeProtection": False}), "logged", "purge-protected")
    before = dict(world.cloud.bodies)
    world.apply()
    assert world.item().applied
    world.cloud.before = throw(Forbidden("no"))
    known = world.run()
    assert (known.status, world.item().outcome, world.item().reason) == (
        RemediationStatus.FAILED,
        ItemOutcome.ROLLED_BACK,
        "no",
    )
    assert world.cloud.bodies.keys() == before.keys()
    assert world.cloud.body(body["id"])["properties"]["enablePurgeProtection"] is False


@pytest.mark.parametrize("part", ["plan-", "item-", "before-"])
def test_a_plan_that_was_tampered_with_is_not_carried_out(world: World, part: str) -> None:
    approved(world)
    blobs, tenant = world.store.blobs, world.store.tenant
    (name,) = [each.name for each in blobs.entries(tenant=tenant, prefix=f"remediation/{world.id}/{part}")]
    text = gzip.decompress(blobs.get(tenant=tenant, name=name)).replace(b':"', b':"x', 1)
    blobs.put(tenant=tenant, name=name, data=gzip.compress(text))
    ended = world.run()
    assert (ended.status, world.item().outcome) == (RemediationStatus.FAILED, ItemOutcome.FAILED)
    assert "does not have the content that its name says" in world.item().reason
    assert world.cloud.writes == []


def test_an_item_that_is_not_in_the_approved_plan_is_not_carried_out(world: World) -> None:
    approved(world)
    known = world.now()
    assert known.approval is not None
    other = RemediationPlan(remediation=world.id, items=("0" * 64,))
    forged = known.model_copy(update={"approval": known.approval.model_copy(update={"hash": other.hash})})
    stem = f"remediation/{world.id}/plan-"
    content.keep_json(stem, other.model_dump(mode="json"), blobs=world.store.blobs, tenant=world.store.tenant)
    began = record.begin(forged, world.store)
    forged = began.model_copy(update={"approval": forged.approval})
    executor = replace(world.executor(), remediation=forged)
    executor.carry_out(world.item())
    assert (world.item().outcome, world.cloud.writes) == (ItemOutcome.FAILED, [])
    assert "is not the one that was approved" in world.item().reason


def test_a_worker_that_was_overtaken_writes_nothing(world: World) -> None:
    body = approved(world)

    def overtaken(_method: str, _resource_id: str) -> None:
        world.cloud.before = lambda _m, _i: None
        world.apply()

    world.cloud.before = overtaken
    world.apply()
    assert world.cloud.writes == [("PATCH", body["id"])]
    assert world.run().status == RemediationStatus.SUCCEEDED


def test_a_cloud_that_answers_a_look_with_stale_makes_the_item_wait(world: World) -> None:
    approved(world)
    world.cloud.faults.append(Stale("the precondition of a GET failed"))
    assert world.apply() == item_step.BUSY_SECONDS
    assert (world.item().outcome, world.item().reason) == (ItemOutcome.PENDING, "the precondition of a GET failed")
    assert world.run().status == RemediationStatus.SUCCEEDED


class WorkerDied(Exception):
    """The worker is gone."""


def killed_before_its_write(world: World, number: int, *, ended: bool) -> None:
    """Die between the record of an item's first write and the write; somebody has cancelled just before."""

    def dying(*_: object, **__: object) -> None:
        raise WorkerDied

    with pytest.MonkeyPatch.context() as patch:
        executor, read, find = world.executor(), world.cloud.read, record.find

        def reading(**given: Any) -> Any:
            if ended:
                rollback.cancel(world.id, store=world.store, queue=world.queue)
                world.finish()
            patch.setattr(record, "find", dying)
            return read(**given)

        patch.setattr(world.cloud, "read", reading)
        with pytest.raises(WorkerDied):
            executor.act(world.item(number))
        patch.setattr(record, "find", find)
    assert world.item(number).outcome == ItemOutcome.APPLYING
    if not ended:
        rollback.cancel(world.id, store=world.store, queue=world.queue)


def test_a_rollback_does_not_apply_what_was_cancelled_before_its_write(world: World) -> None:
    first, second = account("alpha"), account("beta")
    world.put(first, second)
    world.request(first, "https-only", more=(world.finding(second, "https-only").id,))
    world.plan()
    world.approve()
    world.executor().carry_out(world.item(1))
    killed_before_its_write(world, 2, ended=True)
    assert world.outcomes() == [ItemOutcome.DONE, ItemOutcome.SKIPPED]
    world.rollback()
    assert world.run().status == RemediationStatus.ROLLED_BACK
    assert world.outcomes() == [ItemOutcome.ROLLED_BACK, ItemOutcome.SKIPPED]
    assert world.item_event_types(2) == ["itemPlanned", "itemApplying", "itemEnded"]
    assert [written for _, written in world.cloud.writes] == [world.item(1).resource_id] * 2


def test_a_worker_that_died_after_the_end_leaves_its_item_skipped(world: World) -> None:
    approved(world)
    killed_before_its_write(world, 1, ended=True)
    assert (world.items()[0].outcome, world.items()[0].reason) == (ItemOutcome.SKIPPED, item_step.WITHDRAWN)
    assert world.run().status == RemediationStatus.CANCELLED
    assert world.cloud.writes == []


def test_what_a_dead_worker_may_have_written_is_unknown_after_a_cancel_and_can_be_rolled_back(world: World) -> None:
    approved(world)
    killed_before_its_write(world, 1, ended=False)
    assert world.run().status == RemediationStatus.CANCELLED
    assert (world.item().outcome, world.item().reason.endswith(item_step.UNDER_WAY)) == (ItemOutcome.UNKNOWN, True)
    world.rollback()
    assert world.run().status == RemediationStatus.ROLLED_BACK
    assert world.cloud.writes == []


def test_a_write_whose_answer_was_lost_is_proven_after_a_cancel(world: World) -> None:
    approved(world)
    world.cloud.after = throw(Unavailable("the connection broke"))
    world.apply()
    rollback.cancel(world.id, store=world.store, queue=world.queue)
    assert world.run().status == RemediationStatus.CANCELLED
    assert (world.item().outcome, len(world.cloud.writes)) == (ItemOutcome.DONE, 1)


def test_an_item_that_another_worker_ends_meanwhile_does_not_disturb_the_progress(world: World) -> None:
    approved(world)
    world.cloud.before = throw(Throttled("asked to wait 600 s", retry_after=600))
    world.apply()
    look = progress.left

    def ended_meanwhile(known: Remediation, *, limit: int, store: Store) -> Sequence[RemediationItem]:
        found = look(known, limit=limit, store=store)
        for each in found:
            record.decide_item(each, (ItemEnded(outcome=ItemOutcome.UNKNOWN, reason="given up"),), store)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "left", ended_meanwhile)
        progress.record_progress(world.id, store=world.store)
    assert world.run().status == RemediationStatus.FAILED


def exempted(world: World, body: dict[str, Any]) -> None:
    """Exempt a resource of the policy that it is fixed for, and judge it."""
    asked = ExemptionRequest(
        scope=body["id"],
        assignment="baseline",
        references=("https-only",),
        category=ExemptionCategory.WAIVER,
        reason="a legacy system until June",
        owner="ada@example.com",
        expires_at=world.store.now() + timedelta(days=30),
    )
    made = approved_exemption("e1", asked, store=world.store, queue=world.queue, policies=world.policies)
    judgement.judge_covered(made, store=world.store, policies=world.policies)


@pytest.mark.parametrize("waits", [False, True])
def test_what_was_exempted_after_the_approval_is_skipped(world: World, *, waits: bool) -> None:
    body = approved(world)
    if waits:
        world.cloud.before = throw(Throttled("slow down", retry_after=9))
        world.apply()
    exempted(world, body)
    world.run()
    assert (world.item().outcome, world.cloud.writes) == (ItemOutcome.SKIPPED, [])
    assert world.item().reason == "exempt since the plan was made: baseline/https-only"


@pytest.mark.parametrize("change", ["gone", "replaced"])
def test_what_the_policies_in_force_no_longer_ask_for_is_refused(world: World, change: str) -> None:
    approved(world)
    key = key_of("https-only")
    compiled = world.policies.compiled
    others = [each for each in compiled.policies if each.key != key]
    new = [] if change == "gone" else [replace(compiled.by_key[key], digest="0" * 64)]
    world.policies = replace(world.policies, compiled=compile_set([*others, *new]))
    world.run()
    assert (world.item().outcome, world.cloud.writes) == (ItemOutcome.REFUSED, [])
    assert world.item().reason == f"baseline/https-only: {item_step.OUTDATED}"
