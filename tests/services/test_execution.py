"""Applying, proving and putting back: whatever dies in between, the end is the same."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from shared.domain.body import canonical, comparable
from shared.domain.error import Conflict, CortexError, Forbidden, InvalidInput, Throttled, Unavailable
from shared.domain.plan import Outcome
from shared.domain.remediation import Status
from shared.domain.verdict import State
from shared.ports.queue import Queue
from shared.services import execution, policy
from shared.services.estate import Store
from shared.services.work import PATIENCE
from tests.cloud import VAULT, FixingCatalog, account, resource
from tests.conftest import Clock
from tests.services.test_plan import APPENDED, LOGGED
from tests.world import World, died, throw


@pytest.fixture
def world(store: Store, queue: Queue) -> World:
    return World(store, queue, book=policy.book(FixingCatalog(LOGGED, APPENDED)))


def approved(world: World, body: dict[str, Any] | None = None, *names: str) -> dict[str, Any]:
    made = body or account()
    world.put(made)
    world.approved(made, *(names or ("https-only",)))
    return made


def said(world: World, body: Mapping[str, Any]) -> bytes:
    """The resource as it stands in the cloud, without what changes by itself."""
    return canonical(comparable(world.cloud.body(body["id"])))


def test_a_fix_is_written_proven_and_closes_its_finding(world: World) -> None:
    body = approved(world)
    known = world.run()
    assert (known.status, known.items[0].outcome) == (Status.SUCCEEDED, Outcome.DONE)
    assert world.cloud.body(body["id"])["properties"]["supportsHttpsTrafficOnly"] is True
    assert world.cloud.writes == [("PATCH", body["id"])]
    assert world.finding(body, "https-only").open is False
    assert world.finding(body, "tls-1-2").open is True
    assert world.told() == [
        "remediationRequested",
        "planningStarted",
        "remediationPlanned",
        "remediationApproved",
        "applyingStarted",
        "itemApplying",
        "itemApplied",
        "itemEnded",
        "remediationSucceeded",
    ]


def test_nothing_is_written_without_approval(world: World) -> None:
    body = account()
    world.put(body)
    world.request(body, "https-only")
    assert world.run().status == Status.AWAITING_APPROVAL
    assert world.apply() == 0.0
    assert world.cloud.writes == []


@pytest.mark.parametrize("etags", [True, False])
@pytest.mark.parametrize("change", [{"tags": {"env": "prod"}}, {"properties": {"x": 1}}, {"sku": {"name": "Premium"}}])
def test_a_resource_changed_since_the_plan_is_refused(world: World, change: dict[str, Any], *, etags: bool) -> None:
    world.cloud.etags = etags
    body = approved(world)
    world.cloud.put({**body, **change})
    known = world.run()
    assert (known.status, known.items[0].outcome) == (Status.FAILED, Outcome.REFUSED)
    assert known.items[0].reason == execution.CHANGED
    assert world.cloud.writes == []


def test_a_resource_written_again_with_the_same_content_is_refused_too(world: World) -> None:
    body = approved(world)
    world.cloud.put(body)
    assert world.run().items[0].outcome == Outcome.REFUSED


def test_a_resource_that_is_gone_is_refused(world: World) -> None:
    approved(world)
    world.cloud.bodies.clear()
    assert world.run().items[0].outcome == Outcome.REFUSED


def test_a_change_between_reading_and_writing_is_refused_by_the_etag(world: World) -> None:
    body = approved(world)
    world.cloud.before = lambda _method, _id: world.cloud.put({**body, "tags": {"env": "prod"}})
    known = world.run()
    assert (known.items[0].outcome, known.items[0].reason) == (Outcome.REFUSED, execution.CHANGED)
    assert world.cloud.writes == []
    assert world.cloud.body(body["id"])["tags"] == {"env": "prod"}


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
        assert (known.status, known.items[0].outcome) == (Status.SUCCEEDED, Outcome.DONE), f"killed at {at}"
        assert len(world.cloud.writes) == 1, f"killed at {at}"
        assert not any(world.finding(body, name).open for name in names)
    pytest.fail("never came to the end of the boundaries")


@pytest.mark.parametrize("names", KINDS)
def test_killed_at_any_boundary_of_a_rollback_the_end_is_the_same(world: World, names: tuple[str, ...]) -> None:
    for at in range(1, 40):
        body = fresh(world, at, names)
        before = said(world, body)
        assert world.run().status == Status.SUCCEEDED
        world.rollback()
        if not died(world, at):
            assert at > 4, "so many boundaries there are at the least"
            return
        known = world.run()
        assert (known.status, known.items[0].outcome) == (Status.ROLLED_BACK, Outcome.ROLLED_BACK), f"killed at {at}"
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
    assert world.now().status == Status.SUCCEEDED
    assert world.cloud.writes == [("PATCH", body["id"])]
    events = len(world.events())
    world.rollback()
    for step in (world.restore, world.finish):
        for _ in range(times):
            step()
    assert world.now().status == Status.ROLLED_BACK
    assert world.cloud.writes == [("PATCH", body["id"]), ("PUT", body["id"])]
    assert len(world.events()) == events + 3


def test_a_rollback_restores_every_byte(world: World) -> None:
    body = approved(world, account(encryption={"keySource": "Microsoft.Storage", "list": [1, {"a": None}]}), "tls-1-2")
    before = said(world, body)
    world.run()
    assert said(world, body) != before
    world.rollback()
    assert world.run().status == Status.ROLLED_BACK
    assert said(world, body) == before
    assert world.finding(body, "tls-1-2").open is True


def test_a_rollback_removes_what_was_created(world: World) -> None:
    body = approved(world, VAULT_BODY, "logged")
    world.run()
    assert len(world.cloud.bodies) == 2
    world.rollback()
    assert world.run().status == Status.ROLLED_BACK
    assert list(world.cloud.bodies) == [body["id"].lower()]
    assert world.cloud.writes[-1][0] == "DELETE"


def test_what_was_changed_since_is_not_rolled_back(world: World) -> None:
    body = approved(world)
    world.run()
    world.cloud.put({**world.cloud.body(body["id"]), "tags": {"env": "prod"}})
    world.rollback()
    known = world.run()
    assert (known.status, known.items[0].outcome) == (Status.PARTLY_ROLLED_BACK, Outcome.DONE)
    assert known.items[0].reason == execution.NOT_OURS
    assert len(world.cloud.writes) == 1


def test_a_change_while_rolling_back_is_not_written_over(world: World) -> None:
    body = approved(world)
    world.run()
    world.rollback()
    changed = {**world.cloud.body(body["id"]), "tags": {"env": "prod"}}
    world.cloud.before = lambda _method, _id: world.cloud.put(changed)
    assert world.run().status == Status.PARTLY_ROLLED_BACK
    assert world.cloud.body(body["id"])["tags"] == {"env": "prod"}


def test_a_lost_write_is_found_and_not_believed(world: World) -> None:
    body = approved(world)
    world.cloud.lost.add(body["id"].lower())
    known = world.run()
    assert (known.status, known.items[0].outcome) == (Status.FAILED, Outcome.FAILED)
    assert known.items[0].reason == execution.LOST
    assert world.finding(body, "https-only").open is True


def test_a_lost_answer_is_settled_by_looking(world: World) -> None:
    approved(world)
    world.cloud.after = throw(Unavailable("the connection broke", retry_after=3))
    assert world.apply() >= 3
    assert world.now().items[0].outcome == Outcome.APPLYING
    assert world.run().status == Status.SUCCEEDED
    assert len(world.cloud.writes) == 1


def test_a_lost_answer_and_another_s_change_are_never_written_over(world: World) -> None:
    body = approved(world)
    world.cloud.after = throw(Unavailable("the connection broke", retry_after=3))
    world.apply()
    world.cloud.put({**body, "tags": {"env": "prod"}})
    known = world.run()
    assert (known.items[0].outcome, known.items[0].reason) == (Outcome.UNKNOWN, execution.NEITHER)
    assert len(world.cloud.writes) == 1


def test_a_throttled_write_waits_as_long_as_it_is_told(world: World) -> None:
    body = approved(world)
    world.cloud.before = throw(Throttled("slow down", retry_after=123))
    assert world.apply() == 123
    assert world.now().items[0].reason == "slow down"
    known = world.run()
    assert (known.status, known.items[0].reason) == (Status.SUCCEEDED, "")
    assert world.cloud.writes == [("PATCH", body["id"])]


def test_waits_grow_while_nobody_answers(world: World) -> None:
    approved(world)
    waits = []
    for _ in range(6):
        world.cloud.before = throw(Unavailable("no answer", retry_after=5))
        waits.append(world.apply())
    assert waits == sorted(waits)
    assert waits[0] == 5
    assert waits[-1] == 300


def test_a_day_without_answer_is_enough(world: World, clock: Clock) -> None:
    approved(world)
    world.cloud.before = throw(Unavailable("no answer"))
    world.apply()
    clock.at += PATIENCE
    world.cloud.before = throw(Unavailable("no answer"))
    known = world.run()
    assert (known.status, known.items[0].outcome) == (Status.FAILED, Outcome.UNKNOWN)
    assert "after a day" in known.items[0].reason


def test_a_rollback_long_after_has_a_day_of_its_own(world: World, clock: Clock) -> None:
    approved(world)
    world.run()
    clock.at += 30 * PATIENCE
    world.rollback()
    world.cloud.before = throw(Throttled("slow down", retry_after=9))
    assert world.restore() == 9
    assert world.run().status == Status.ROLLED_BACK


def test_a_rollback_that_the_cloud_refuses_leaves_the_fix(world: World) -> None:
    body = approved(world)
    world.run()
    world.rollback()
    world.cloud.before = throw(Forbidden("no"))
    known = world.run()
    assert (known.status, known.items[0].outcome, known.items[0].reason) == (
        Status.PARTLY_ROLLED_BACK,
        Outcome.DONE,
        "no",
    )
    assert not world.finding(body, "https-only").open
    world.rollback()
    assert world.run().status == Status.ROLLED_BACK


@pytest.mark.parametrize(
    "error", [Forbidden("needs Microsoft.Storage/storageAccounts/write"), InvalidInput("no such property")]
)
def test_what_the_cloud_refuses_has_failed(world: World, error: CortexError) -> None:
    approved(world)
    world.cloud.before = throw(error)
    known = world.run()
    assert (known.status, known.items[0].outcome, known.items[0].reason) == (
        Status.FAILED,
        Outcome.FAILED,
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
    assert known.status == Status.PARTLY_SUCCEEDED
    assert [item.outcome for item in known.items] == [Outcome.FAILED, Outcome.DONE]


def test_a_busy_resource_is_tried_again_then_given_up(world: World) -> None:
    approved(world)
    tries = []

    def busy(_method: str, _resource_id: str) -> None:
        tries.append(1)
        raise Conflict("another operation is in progress")

    world.cloud.before = busy
    assert world.run().items[0].outcome == Outcome.FAILED
    assert 3 < len(tries) < 10


def test_a_fix_that_does_not_make_it_comply_is_put_back(world: World) -> None:
    body = approved(world)
    before = said(world, body)
    world.apply()
    noncompliant = {"https-only": State.NON_COMPLIANT}
    execution.verify(
        world.id,
        1,
        store=world.store,
        control=world.cloud,
        judge=lambda resource_id: noncompliant if resource_id else {},
    )
    assert world.now().items[0].outcome == Outcome.ROLLING_BACK
    known = world.run()
    assert (known.status, known.items[0].outcome) == (Status.FAILED, Outcome.ROLLED_BACK)
    assert "https-only is nonCompliant" in known.items[0].reason
    assert said(world, body) == before


def test_a_fix_that_cannot_be_proven_is_unknown_and_can_be_rolled_back(world: World) -> None:
    body = approved(world)
    before = said(world, body)
    world.apply()
    execution.verify(world.id, 1, store=world.store, control=world.cloud, judge=lambda _: {"https-only": State.UNKNOWN})
    assert world.run().items[0].outcome == Outcome.UNKNOWN
    world.rollback()
    assert world.run().status == Status.ROLLED_BACK
    assert said(world, body) == before


def test_a_change_by_another_before_the_proof_is_not_ours_to_undo(world: World) -> None:
    body = approved(world)
    world.apply()
    world.cloud.put({**body, "tags": {"env": "prod"}})
    known = world.run()
    assert (known.items[0].outcome, known.items[0].reason) == (Outcome.UNKNOWN, execution.NEITHER)
    assert world.cloud.body(body["id"])["tags"] == {"env": "prod"}


def test_the_second_operation_s_failure_puts_the_first_back(world: World) -> None:
    body = approved(world, resource(VAULT, "kv", {"enablePurgeProtection": False}), "logged", "purge-protected")
    before = dict(world.cloud.bodies)
    world.apply()
    assert world.now().items[0].applied
    world.cloud.before = throw(Forbidden("no"))
    known = world.run()
    assert (known.status, known.items[0].outcome, known.items[0].reason) == (
        Status.FAILED,
        Outcome.ROLLED_BACK,
        "no",
    )
    assert world.cloud.bodies.keys() == before.keys()
    assert world.cloud.body(body["id"])["properties"]["enablePurgeProtection"] is False


def test_a_plan_that_was_tampered_with_is_not_carried_out(world: World) -> None:
    body = account()
    world.put(body)
    world.request(body, "https-only")
    known = world.plan()
    world.approve()
    assert known.plan_blob is not None
    kept = orjson.loads(world.store.blobs.get(tenant=world.store.tenant, name=known.plan_blob))
    kept["items"][0]["operations"][0]["body"] = {"properties": {"publicNetworkAccess": "Enabled"}}
    world.store.blobs.put(tenant=world.store.tenant, name=known.plan_blob, data=orjson.dumps(kept))
    ended = world.run()
    assert (ended.status, ended.items[0].outcome) == (Status.FAILED, Outcome.FAILED)
    assert "not the one that was recorded" in ended.items[0].reason
    assert world.cloud.writes == []


def test_a_worker_that_was_overtaken_writes_nothing(world: World) -> None:
    body = approved(world)

    def overtaken(_method: str, _resource_id: str) -> None:
        world.cloud.before = lambda _m, _i: None
        world.apply()

    world.cloud.before = overtaken
    world.apply()
    assert world.cloud.writes == [("PATCH", body["id"])]
    assert world.run().status == Status.SUCCEEDED
