"""Asking, approving, rejecting, cancelling, expiring: who may decide what, and when."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.error import Conflict, Forbidden, InvalidInput, NotFound
from shared.domain.event import SYSTEM
from shared.domain.plan import Outcome
from shared.domain.remediation import FindingFilter, Remediation, RemediationRequest, Status, apply
from shared.ports.queue import Queue
from shared.services import plan, remediation
from shared.services.estate import Store
from shared.services.message import Message
from tests.cloud import account
from tests.conftest import Clock
from tests.world import REMEDIATION, World


@pytest.fixture
def world(store: Store, queue: Queue) -> World:
    return World(store, queue)


@pytest.fixture
def body(world: World) -> dict[str, Any]:
    made = account()
    world.put(made)
    return made


@pytest.fixture
def planned(world: World, body: dict[str, Any]) -> Remediation:
    world.request(body, "https-only")
    return world.plan()


def messages(world: World, queue: str) -> list[Message]:
    return [Message.model_validate_json(each.body) for each in world.queue.receive(queue)]


def test_a_request_is_recorded_and_sent_on_its_way(world: World, body: dict[str, Any]) -> None:
    known = world.request(body, "https-only", "tls-1-2")
    assert (known.status, known.requester) == (Status.REQUESTED, "ada")
    assert len(known.findings) == 2
    (sent,) = messages(world, remediation.QUEUE)
    assert (sent.tenant, sent.id) == (world.store.tenant, REMEDIATION)


def test_the_same_request_again_is_the_same_remediation(world: World, body: dict[str, Any]) -> None:
    first = world.request(body, "https-only")
    assert world.request(body, "https-only") == first
    assert world.told() == ["remediationRequested"]
    with pytest.raises(Conflict, match="other findings"):
        world.request(body, "tls-1-2")


def test_a_filter_chooses_open_findings_with_a_fix(world: World, body: dict[str, Any]) -> None:
    world.put(account("beta"))
    asked = RemediationRequest(filter=FindingFilter(policy="https-only"))
    known = remediation.request(REMEDIATION, asked, store=world.store, queue=world.queue)
    assert len(known.findings) == 2
    assert all(each.endswith(".https-only") for each in known.findings)
    nothing = RemediationRequest(filter=FindingFilter(policy="nobody"))
    with pytest.raises(InvalidInput, match="no open finding"):
        remediation.request("r2", nothing, store=world.store, queue=world.queue)
    assert body["id"] == world.finding(body, "https-only").resource_id


@pytest.mark.parametrize("asked", [RemediationRequest(), RemediationRequest(findings=("a.b",), filter=FindingFilter())])
def test_a_request_names_findings_or_a_filter(world: World, asked: RemediationRequest) -> None:
    with pytest.raises(InvalidInput, match="one of the two"):
        remediation.request(REMEDIATION, asked, store=world.store, queue=world.queue)


def test_a_request_for_what_is_not_there_is_refused(world: World, body: dict[str, Any]) -> None:
    with pytest.raises(NotFound, match=r"nobody\.nothing"):
        world.request(body, "https-only", more=("nobody.nothing",))
    assert world.told() == []


def test_a_request_for_what_is_resolved_is_refused(world: World, body: dict[str, Any]) -> None:
    world.put(account(supportsHttpsTrafficOnly=True))
    with pytest.raises(Conflict, match="not open any more"):
        world.request(body, "https-only")


@pytest.mark.parametrize("name", ["ada", "Ada", " ADA ", "\uff41\uff44\uff41"])
def test_nobody_approves_what_they_asked_for(world: World, planned: Remediation, name: str) -> None:
    with pytest.raises(Forbidden, match="someone else"):
        remediation.approve(REMEDIATION, planned.plan_hash or "", store=world.by(name), queue=world.queue)
    assert world.now().status == Status.AWAITING_APPROVAL


@pytest.mark.parametrize("name", [SYSTEM, "SYSTEM", "", "  "])
def test_only_a_person_approves(world: World, planned: Remediation, name: str) -> None:
    with pytest.raises(Forbidden, match="only a person"):
        remediation.approve(REMEDIATION, planned.plan_hash or "", store=world.by(name), queue=world.queue)


@pytest.mark.parametrize("named", ["", "0" * 64])
def test_an_approval_names_the_plan(world: World, planned: Remediation, named: str) -> None:
    with pytest.raises(Conflict, match=planned.plan_hash):
        remediation.approve(REMEDIATION, named, store=world.by("grace"), queue=world.queue)
    assert world.now().approval is None


def test_an_approval_is_stored_then_rung(world: World, planned: Remediation) -> None:
    known = world.approve()
    assert known.status == Status.APPROVED
    assert known.approval is not None
    assert (known.approval.by, known.approval.hash) == ("grace", planned.plan_hash)
    assert [each.id for each in messages(world, remediation.BELL)] == [REMEDIATION]


def test_approving_twice_has_one_effect(world: World, planned: Remediation) -> None:
    first = world.approve()
    assert world.approve() == first
    assert world.told().count("remediationApproved") == 1
    with pytest.raises(Conflict, match="approved by grace"):
        remediation.approve(REMEDIATION, planned.plan_hash or "", store=world.by("hedy"), queue=world.queue)


def test_an_approval_after_the_end_is_refused(world: World, planned: Remediation) -> None:
    remediation.reject(REMEDIATION, "not now", store=world.by("grace"), queue=world.queue)
    with pytest.raises(Conflict, match="rejected"):
        remediation.approve(REMEDIATION, planned.plan_hash or "", store=world.by("grace"), queue=world.queue)


def test_a_plan_expires(world: World, planned: Remediation, clock: Clock) -> None:
    assert remediation.look(REMEDIATION, store=world.store).status == Status.AWAITING_APPROVAL
    clock.at += plan.EXPIRY
    with pytest.raises(Conflict, match="expired"):
        world.approve()
    assert remediation.look(REMEDIATION, store=world.store).status == Status.EXPIRED
    assert remediation.look(REMEDIATION, store=world.store).sequence == planned.sequence + 1


def test_the_workflow_waits_as_long_as_the_plan_lives(world: World, planned: Remediation, clock: Clock) -> None:
    ahead = remediation.ahead(planned, store=world.store)
    assert ahead["do"] == "wait"
    assert timedelta(seconds=ahead["wait"]) == pytest.approx(plan.EXPIRY, abs=timedelta(seconds=1))
    clock.at += plan.EXPIRY
    assert remediation.ahead(planned, store=world.store)["wait"] == 1.0


def test_a_rejection_says_why(world: World, planned: Remediation) -> None:
    known = remediation.reject(REMEDIATION, "not on a Friday", store=world.by("grace"), queue=world.queue)
    assert (known.status, known.reason) == (Status.REJECTED, "not on a Friday")
    assert remediation.reject(REMEDIATION, "again", store=world.by("grace"), queue=world.queue) == known
    assert known.items[0].outcome == Outcome.SKIPPED
    assert planned.items[0].outcome == Outcome.PENDING


def test_before_anything_is_written_a_cancel_ends_it(world: World, planned: Remediation) -> None:
    world.approve()
    known = remediation.cancel(REMEDIATION, store=world.store, queue=world.queue)
    assert (known.status, known.plan_hash) == (Status.CANCELLED, planned.plan_hash)
    assert remediation.cancel(REMEDIATION, store=world.store, queue=world.queue) == known
    world.run()
    assert world.cloud.writes == []


def test_a_cancel_while_applying_finishes_the_item_at_work(world: World, body: dict[str, Any]) -> None:
    second = account("beta")
    world.put(second)
    world.request(body, "https-only", more=(world.finding(second, "https-only").id,))
    world.plan()
    world.approve()
    world.apply(1)
    assert remediation.cancel(REMEDIATION, store=world.store, queue=world.queue).status == Status.CANCELLING
    known = world.run()
    assert known.status == Status.CANCELLED
    assert [item.outcome for item in known.items] == [Outcome.DONE, Outcome.SKIPPED]
    assert len(world.cloud.writes) == 1


def test_what_has_ended_cannot_be_cancelled(world: World, planned: Remediation) -> None:
    world.approve()
    assert world.run().status == Status.SUCCEEDED
    with pytest.raises(Conflict, match="succeeded"):
        remediation.cancel(REMEDIATION, store=world.store, queue=world.queue)
    assert world.told()[-1] == "remediationSucceeded", "a refused fact is not in the stream"
    assert planned.id == REMEDIATION


@pytest.mark.parametrize("verb", ["reject", "cancel", "approve", "rollback", "look"])
def test_what_is_not_there_is_not_found(world: World, verb: str) -> None:
    calls: dict[str, Any] = {
        "reject": lambda: remediation.reject("nobody", "", store=world.store, queue=world.queue),
        "cancel": lambda: remediation.cancel("nobody", store=world.store, queue=world.queue),
        "approve": lambda: remediation.approve("nobody", "", store=world.store, queue=world.queue),
        "rollback": lambda: remediation.rollback("nobody", store=world.store, queue=world.queue),
        "look": lambda: remediation.look("nobody", store=world.store),
    }
    with pytest.raises(NotFound, match="nobody"):
        calls[verb]()


def test_another_tenant_sees_nothing(world: World, planned: Remediation) -> None:
    other = replace(world.store, tenant="fabrikam")
    with pytest.raises(NotFound):
        remediation.approve(planned.id, planned.plan_hash or "", store=other, queue=world.queue)
    assert remediation.active(store=other) == []
    assert [each.id for each in remediation.active(store=world.store)] == [planned.id]


def test_lists_show_the_latest_first(world: World, body: dict[str, Any]) -> None:
    asked = RemediationRequest(findings=(world.finding(body, "https-only").id,))
    for name in ("r1", "r2"):
        remediation.request(name, asked, store=world.store, queue=world.queue)
    remediation.cancel("r1", store=world.store, queue=world.queue)
    assert [each.id for each in remediation.listed(store=world.store).items] == ["r2", "r1"]
    assert [each.id for each in remediation.listed(store=world.store, status=Status.CANCELLED).items] == ["r1"]


def test_nothing_to_roll_back_is_a_conflict(world: World, planned: Remediation) -> None:
    with pytest.raises(Conflict, match="nothing to roll back"):
        world.rollback()
    assert world.now() == planned


def test_a_step_that_keeps_failing_ends_what_it_was_for(world: World, planned: Remediation) -> None:
    world.approve()
    known = remediation.give_up(REMEDIATION, 1, "a bug", store=world.store)
    assert (known.items[0].outcome, known.items[0].reason) == (Outcome.FAILED, "a bug")
    assert world.run().status == Status.FAILED
    assert remediation.give_up(REMEDIATION, 1, "a bug", store=world.store).sequence == world.now().sequence
    assert planned.started_at is None


def test_a_plan_that_keeps_failing_ends_the_remediation(world: World, body: dict[str, Any]) -> None:
    world.request(body, "https-only")
    known = remediation.give_up(REMEDIATION, None, "a bug", store=world.store)
    assert (known.status, known.reason) == (Status.FAILED, "a bug")


def test_the_document_is_the_fold_of_the_stream(world: World, planned: Remediation) -> None:
    world.approve()
    world.run()
    world.rollback()
    world.run()
    folded: Remediation | None = None
    for event in world.events():
        folded = apply(folded, event)
    stored = world.store.documents.get(tenant=world.store.tenant, kind="remediation", id=REMEDIATION)
    assert stored is not None
    assert folded is not None
    assert stored.body == folded.model_dump(mode="json")
    assert folded.status == Status.ROLLED_BACK
    assert folded.plan_hash == planned.plan_hash
