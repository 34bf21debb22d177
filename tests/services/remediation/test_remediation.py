"""Asking, approving, rejecting, cancelling, expiring: who may decide what, and when."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain import approval as domain_approval
from shared.domain.approval import ApprovableAction
from shared.domain.error import Conflict, Forbidden, InvalidInput, NotFound
from shared.domain.identity import SYSTEM_SUBJECT, CallerKind
from shared.domain.item import ItemOutcome, RemediationItem
from shared.domain.item_event import apply as apply_to_item
from shared.domain.remediation import (
    FindingFilter,
    FindingSelection,
    Remediation,
    RemediationListing,
    RemediationRequest,
    RemediationStatus,
)
from shared.domain.remediation_transition import apply
from shared.eventstore import stream
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services.message import MessageBody
from shared.services.remediation import approval, ending, plan, progress, query, record, request, rollback, selection
from tests.fakes.assignment import key_of
from tests.fakes.caller import caller
from tests.fakes.clock import Clock
from tests.fakes.cloud import account
from tests.fakes.world import REMEDIATION, World


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


def messages(world: World, queue: str) -> list[MessageBody]:
    return [MessageBody.model_validate_json(each.body) for each in world.queue.receive(queue)]


def test_a_request_is_recorded_and_sent_on_its_way(world: World, body: dict[str, Any]) -> None:
    known = world.request(body, "https-only", "tls-1-2")
    assert (known.status, known.requester) == (RemediationStatus.REQUESTED, "ada")
    assert known.finding_count == 2
    (sent,) = messages(world, record.QUEUE)
    assert (sent.tenant, sent.id) == (world.store.tenant, REMEDIATION)


def test_the_same_request_again_is_the_same_remediation(world: World, body: dict[str, Any]) -> None:
    first = world.request(body, "https-only")
    assert world.request(body, "https-only") == first
    assert world.event_types() == ["remediationRequested"]
    with pytest.raises(Conflict, match="other findings"):
        world.request(body, "tls-1-2")


def test_a_filter_chooses_open_findings_with_a_fix(world: World, body: dict[str, Any]) -> None:
    world.put(account("beta"))
    asked = RemediationRequest(filter=FindingFilter(policy="https-only"))
    matched = selection.preview(asked, store=world.store)
    known = request.request(REMEDIATION, asked, store=world.store, queue=world.queue)
    assert (matched.findings, known.finding_count) == (2, 2)
    assert (matched.by_severity, matched.by_policy) == ({"high": 2}, {"https-only": 2})
    planned = world.plan()
    assert (planned.finding_count, planned.item_count) == (2, 2)
    assert all(each.findings[0].endswith(f".{key_of('https-only')}") for each in world.items())
    assert body["id"] in {each.resource_id for each in world.items()}


def test_a_preview_of_named_findings_counts_each_once(world: World, body: dict[str, Any]) -> None:
    names = ("https-only", "tls-1-2")
    ids = tuple(world.finding(body, name).id for name in names)
    matched = selection.preview(FindingSelection(findings=(*ids, *ids)), store=world.store)
    assert (matched.findings, matched.by_policy) == (2, dict.fromkeys(names, 1))


def test_a_filter_that_chooses_nothing_is_refused_and_previewed_as_nothing(world: World) -> None:
    nothing = RemediationRequest(filter=FindingFilter(policy="nobody"))
    assert selection.preview(nothing, store=world.store).findings == 0
    with pytest.raises(InvalidInput, match="no open finding"):
        request.request("r2", nothing, store=world.store, queue=world.queue)


def test_an_empty_filter_is_refused_with_what_to_give(world: World, body: dict[str, Any]) -> None:
    everything = RemediationRequest(filter=FindingFilter())
    assert world.finding(body, "https-only").open
    for ask in (selection.preview, lambda asked, store: request.request("r2", asked, store=store, queue=world.queue)):
        with pytest.raises(InvalidInput, match=r"give one of policy, .*resourceGroup.*environment") as refused:
            ask(everything, store=world.store)
        assert refused.value.path == "$.filter"


def test_a_filter_that_chooses_too_much_is_refused_with_a_way_on(
    world: World, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "FINDINGS", 1)
    asked = RemediationRequest(filter=FindingFilter(subscription=world.finding(body, "https-only").subscription))
    with pytest.raises(InvalidInput, match=r"2 findings.*1 at most: add conditions"):
        request.request("r2", asked, store=world.store, queue=world.queue)


@pytest.mark.parametrize("asked", [RemediationRequest(), RemediationRequest(findings=("a.b",), filter=FindingFilter())])
def test_a_request_names_findings_or_a_filter(world: World, asked: RemediationRequest) -> None:
    with pytest.raises(InvalidInput, match="one of the two"):
        request.request(REMEDIATION, asked, store=world.store, queue=world.queue)


def test_a_request_for_what_is_not_there_is_refused(world: World, body: dict[str, Any]) -> None:
    with pytest.raises(NotFound, match=r"nobody\.nothing"):
        world.request(body, "https-only", more=("nobody.nothing",))
    assert world.event_types() == []


def test_a_request_for_what_is_resolved_is_refused(world: World, body: dict[str, Any]) -> None:
    world.put(account(supportsHttpsTrafficOnly=True))
    with pytest.raises(Conflict, match="not open any more"):
        world.request(body, "https-only")


@pytest.mark.parametrize("name", ["ada", "Ada", " ADA ", "\uff41\uff44\uff41"])
def test_nobody_approves_what_they_asked_for(world: World, planned: Remediation, name: str) -> None:
    with pytest.raises(Forbidden, match="someone else"):
        approval.approve(REMEDIATION, planned.plan_hash or "", store=world.by(name), queue=world.queue)
    assert world.now().status == RemediationStatus.AWAITING_APPROVAL


@pytest.mark.parametrize("name", [SYSTEM_SUBJECT, "SYSTEM", "", "  "])
def test_only_a_person_approves(world: World, planned: Remediation, name: str) -> None:
    with pytest.raises(Forbidden, match="only a person"):
        approval.approve(REMEDIATION, planned.plan_hash or "", store=world.by(name), queue=world.queue)


@pytest.mark.parametrize("kind", [CallerKind.APPLICATION, CallerKind.SYSTEM])
def test_a_program_does_not_approve_whatever_it_is_called(world: World, planned: Remediation, kind: CallerKind) -> None:
    program = replace(world.store, caller=caller("grace").model_copy(update={"kind": kind}))
    with pytest.raises(Forbidden, match="only a person"):
        approval.approve(REMEDIATION, planned.plan_hash or "", store=program, queue=world.queue)
    assert world.now().approval is None


@pytest.mark.parametrize("named", ["", "0" * 64])
def test_an_approval_names_the_plan(world: World, planned: Remediation, named: str) -> None:
    with pytest.raises(Conflict, match=planned.plan_hash):
        approval.approve(REMEDIATION, named, store=world.by("grace"), queue=world.queue)
    assert world.now().approval is None


def test_an_approval_is_stored_then_rung(world: World, planned: Remediation) -> None:
    known = world.approve()
    assert known.status == RemediationStatus.APPROVED
    assert known.approval is not None
    assert (known.approval.by, known.approval.hash) == ("grace", planned.plan_hash)
    assert [each.id for each in messages(world, record.DECISION_QUEUE)] == [REMEDIATION]


def test_approving_twice_has_one_effect(world: World, planned: Remediation) -> None:
    first = world.approve()
    assert world.approve() == first
    assert world.event_types().count("remediationApproved") == 1
    with pytest.raises(Conflict, match="approved by grace"):
        approval.approve(REMEDIATION, planned.plan_hash or "", store=world.by("hedy"), queue=world.queue)


def test_an_approval_after_the_end_is_refused(world: World, planned: Remediation) -> None:
    approval.reject(REMEDIATION, "not now", store=world.by("grace"), queue=world.queue)
    with pytest.raises(Conflict, match="rejected"):
        approval.approve(REMEDIATION, planned.plan_hash or "", store=world.by("grace"), queue=world.queue)


def test_a_plan_expires(world: World, planned: Remediation, clock: Clock) -> None:
    assert approval.look(REMEDIATION, store=world.store).status == RemediationStatus.AWAITING_APPROVAL
    clock.at += plan.EXPIRY
    with pytest.raises(Conflict, match="expired"):
        world.approve()
    assert approval.look(REMEDIATION, store=world.store).status == RemediationStatus.EXPIRED
    assert approval.look(REMEDIATION, store=world.store).sequence == planned.sequence + 1


def test_the_workflow_waits_as_long_as_the_plan_lives(world: World, planned: Remediation, clock: Clock) -> None:
    ahead = progress.ahead(planned, store=world.store)
    assert ahead["do"] == "wait"
    assert timedelta(seconds=ahead["wait"]) == pytest.approx(plan.EXPIRY, abs=timedelta(seconds=1))
    clock.at += plan.EXPIRY
    assert progress.ahead(planned, store=world.store)["wait"] == 1.0


def test_a_rejection_says_why(world: World, planned: Remediation) -> None:
    known = approval.reject(REMEDIATION, "not on a Friday", store=world.by("grace"), queue=world.queue)
    assert (known.status, known.reason) == (RemediationStatus.REJECTED, "not on a Friday")
    assert approval.reject(REMEDIATION, "again", store=world.by("grace"), queue=world.queue) == known
    assert world.items()[0].outcome == ItemOutcome.SKIPPED
    assert planned.counts == {"pending": 1}
    assert known.counts == {"skipped": 1}


def test_before_anything_is_written_a_cancel_ends_it(world: World, planned: Remediation) -> None:
    world.approve()
    known = rollback.cancel(REMEDIATION, store=world.store, queue=world.queue)
    assert (known.status, known.plan_hash) == (RemediationStatus.CANCELLED, planned.plan_hash)
    assert rollback.cancel(REMEDIATION, store=world.store, queue=world.queue) == known
    world.run()
    assert world.cloud.writes == []


def test_a_cancel_while_applying_finishes_the_item_at_work(world: World, body: dict[str, Any]) -> None:
    second = account("beta")
    world.put(second)
    world.request(body, "https-only", more=(world.finding(second, "https-only").id,))
    world.plan()
    world.approve()
    world.apply(1)
    assert rollback.cancel(REMEDIATION, store=world.store, queue=world.queue).status == RemediationStatus.CANCELLING
    known = world.run()
    assert known.status == RemediationStatus.CANCELLED
    assert [item.outcome for item in world.items()] == [ItemOutcome.DONE, ItemOutcome.SKIPPED]
    assert len(world.cloud.writes) == 1


def test_what_has_ended_cannot_be_cancelled(world: World, planned: Remediation) -> None:
    world.approve()
    assert world.run().status == RemediationStatus.SUCCEEDED
    with pytest.raises(Conflict, match="succeeded"):
        rollback.cancel(REMEDIATION, store=world.store, queue=world.queue)
    assert world.event_types()[-1] == "remediationSucceeded", "a refused fact is not in the stream"
    assert planned.id == REMEDIATION


@pytest.mark.parametrize("verb", ["reject", "cancel", "approve", "rollback", "look"])
def test_what_is_not_there_is_not_found(world: World, verb: str) -> None:
    calls: dict[str, Any] = {
        "reject": lambda: approval.reject("nobody", "", store=world.store, queue=world.queue),
        "cancel": lambda: rollback.cancel("nobody", store=world.store, queue=world.queue),
        "approve": lambda: approval.approve("nobody", "", store=world.store, queue=world.queue),
        "rollback": lambda: rollback.request("nobody", store=world.store, queue=world.queue),
        "look": lambda: approval.look("nobody", store=world.store),
    }
    with pytest.raises(NotFound, match="nobody"):
        calls[verb]()


def test_another_tenant_sees_nothing(world: World, planned: Remediation) -> None:
    other = replace(world.store, caller=caller(tenant="fabrikam"))
    with pytest.raises(NotFound):
        approval.approve(planned.id, planned.plan_hash or "", store=other, queue=world.queue)
    assert query.active(store=other) == []
    assert [each.id for each in query.active(store=world.store)] == [planned.id]


def test_lists_show_the_latest_first(world: World, body: dict[str, Any]) -> None:
    asked = RemediationRequest(findings=(world.finding(body, "https-only").id,))
    request.request("r1", asked, store=world.store, queue=world.queue)
    rollback.cancel("r1", store=world.store, queue=world.queue)
    request.request("r2", asked, store=world.store, queue=world.queue)
    assert [each.id for each in query.list_(RemediationListing(), store=world.store).items] == ["r2", "r1"]
    assert [
        each.id
        for each in query.list_(RemediationListing(status=(RemediationStatus.CANCELLED,)), store=world.store).items
    ] == ["r1"]


def test_nothing_to_roll_back_is_a_conflict(world: World, planned: Remediation) -> None:
    with pytest.raises(Conflict, match="nothing to roll back"):
        world.rollback()
    assert world.now() == planned


def test_a_rollback_waits_for_somebody_else(world: World, planned: Remediation) -> None:
    world.approve()
    done = world.run()
    messages(world, record.QUEUE)
    asked = rollback.request(planned.id, store=world.store, queue=world.queue)
    assert rollback.request(planned.id, store=world.by("hedy"), queue=world.queue) == asked
    assert (asked.status, asked.counts, asked.ended_at) == (done.status, done.counts, done.ended_at)
    assert (world.run().status, len(world.cloud.writes)) == (RemediationStatus.SUCCEEDED, 1)
    for name, told in (("ADA", "someone else"), ("system", "only a person")):
        with pytest.raises(Forbidden, match=told):
            rollback.approve(planned.id, store=world.by(name), queue=world.queue)
    begun = rollback.approve(planned.id, store=world.by("grace"), queue=world.queue)
    assert begun.status == RemediationStatus.ROLLING_BACK
    assert rollback.approve(planned.id, store=world.by("grace"), queue=world.queue) == begun
    with pytest.raises(Conflict, match=r"no rollback .* awaits approval"):
        rollback.approve(planned.id, store=world.by("hedy"), queue=world.queue)
    assert world.run().status == RemediationStatus.ROLLED_BACK


def test_a_rollback_that_is_turned_down_can_be_asked_for_again(world: World, planned: Remediation) -> None:
    world.approve()
    world.run()
    rollback.request(planned.id, store=world.store, queue=world.queue)
    turned = rollback.reject(planned.id, "it stays", store=world.by("grace"))
    assert (turned.status, turned.rollback_request) == (RemediationStatus.SUCCEEDED, None)
    with pytest.raises(Conflict, match="awaits approval"):
        rollback.approve(planned.id, store=world.by("grace"), queue=world.queue)
    world.rollback()
    assert world.run().status == RemediationStatus.ROLLED_BACK


def test_where_no_second_person_is_required_a_rollback_begins_at_once(
    world: World, planned: Remediation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domain_approval, "required", lambda action: action != ApprovableAction.ROLLBACK)
    world.approve()
    world.run()
    begun = rollback.request(planned.id, store=world.store, queue=world.queue)
    assert begun.status == RemediationStatus.ROLLING_BACK
    assert world.run().status == RemediationStatus.ROLLED_BACK


def test_a_step_that_keeps_failing_ends_what_it_was_for(world: World, planned: Remediation) -> None:
    world.approve()
    ending.give_up(REMEDIATION, "a bug", store=world.store)
    assert (world.item().outcome, world.item().reason) == (ItemOutcome.FAILED, "a bug")
    assert world.run().status == RemediationStatus.FAILED
    assert ending.give_up(REMEDIATION, "a bug", store=world.store).sequence == world.now().sequence
    assert planned.started_at is None


def test_a_plan_that_keeps_failing_ends_the_remediation(world: World, body: dict[str, Any]) -> None:
    world.request(body, "https-only")
    known = ending.give_up(REMEDIATION, "a bug", store=world.store)
    assert (known.status, known.reason) == (RemediationStatus.FAILED, "a bug")


def test_the_documents_are_the_fold_of_their_streams(world: World, planned: Remediation) -> None:
    world.approve()
    world.run()
    world.rollback()
    world.run()
    folded: Remediation | None = None
    for event in world.events():
        folded = apply(folded, event)
    item: RemediationItem | None = None
    for told in stream.read(record.ITEM_STREAM, world.item().id, store=world.store):
        item = apply_to_item(item, told)
    assert folded is not None
    assert item is not None
    for kind, identity, model in (("remediation", REMEDIATION, folded), ("remediation-item", item.id, item)):
        stored = world.store.documents.get(tenant=world.store.tenant, kind=kind, id=identity)
        assert stored is not None
        assert stored.body == model.model_dump(mode="json")
    assert (folded.status, folded.counts) == (RemediationStatus.ROLLED_BACK, {"rolledBack": 1})
    assert folded.plan_hash == planned.plan_hash
