"""An exemption waits for a second person, and is applied however its message fares: lost, late, or twice."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain import approval
from shared.domain.approval import ApprovableAction
from shared.domain.error import Conflict, Forbidden
from shared.domain.exemption import Exemption, ExemptionCategory, ExemptionRequest, ExemptionStatus
from shared.domain.identity import CallerKind
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services import exemption
from shared.services.policy import effective_policy
from tests.fakes.caller import caller
from tests.fakes.catalog import SmallCatalog
from tests.fakes.exemption import approved_exemption, known
from tests.fakes.inventory import SUBSCRIPTION

POLICIES = effective_policy.packaged(SmallCatalog())


def request_of(store: Store) -> ExemptionRequest:
    return ExemptionRequest(
        scope=f"/subscriptions/{SUBSCRIPTION}",
        assignment="baseline",
        references=("https-only",),
        category=ExemptionCategory.WAIVER,
        reason="tested elsewhere",
        owner="team-a",
        expires_at=store.now() + timedelta(days=1),
    )


@pytest.fixture
def pending(store: Store, queue: Queue) -> Exemption:
    asked = request_of(store)
    known(asked.scope, store)
    return exemption.create("e1", asked, store=store, queue=queue, policies=POLICIES)


@pytest.fixture
def made(store: Store, queue: Queue) -> Exemption:
    asked = request_of(store)
    known(asked.scope, store)
    found = approved_exemption("e1", asked, store=store, queue=queue, policies=POLICIES)
    lose(queue)
    return found


def by(name: str, store: Store) -> Store:
    return replace(store, caller=caller(name, store.tenant))


def test_an_exemption_covers_nothing_before_somebody_else_approves_it(
    store: Store, queue: Queue, pending: Exemption
) -> None:
    covered = (f"{pending.request.scope}/resourceGroups/rg", pending.request.assignment, "https-only", store.now())
    assert (pending.status, pending.covers(*covered)) == (ExemptionStatus.PENDING, False)
    assert exemption.active(store) == ()
    assert exemption.resend(store=store, queue=queue) == lose(queue) == 0
    with pytest.raises(Forbidden, match="someone else"):
        exemption.approve("e1", store=by("Ada", store), queue=queue)
    begun = exemption.approve("e1", store=by("grace", store), queue=queue)
    assert (begun.approved_by, begun.covers(*covered)) == ("grace", True)
    assert lose(queue) == 1


@pytest.mark.parametrize("kind", [CallerKind.APPLICATION, CallerKind.SYSTEM])
def test_a_program_approves_no_exemption(store: Store, queue: Queue, pending: Exemption, kind: CallerKind) -> None:
    program = replace(store, caller=caller("grace").model_copy(update={"kind": kind}))
    with pytest.raises(Forbidden, match="only a person can approve this exemption"):
        exemption.approve(pending.id, store=program, queue=queue)


def test_approving_twice_has_one_effect(store: Store, queue: Queue, made: Exemption) -> None:
    assert exemption.approve("e1", store=by("grace", store), queue=queue) == made
    with pytest.raises(Conflict, match="active by grace; only one that is pending"):
        exemption.approve("e1", store=by("hedy", store), queue=queue)


def test_who_asked_withdraws_a_request_once_and_nobody_else_does(
    store: Store, queue: Queue, pending: Exemption
) -> None:
    with pytest.raises(Forbidden, match="only who asked"):
        exemption.withdraw(pending.id, store=by("grace", store), queue=queue)
    first, again = (exemption.withdraw("e1", store=by("ADA", store), queue=queue) for _ in range(2))
    assert (first.status, first.ended_by, first.applied) == (ExemptionStatus.WITHDRAWN, "ADA", True)
    assert again == first
    with pytest.raises(Conflict, match="withdrawn; only one that is pending"):
        exemption.approve("e1", store=by("grace", store), queue=queue)
    assert exemption.expire(store=store, queue=queue) == []
    assert lose(queue) == 0


def test_what_was_decided_on_is_not_withdrawn(store: Store, queue: Queue, made: Exemption) -> None:
    with pytest.raises(Conflict, match="active by grace"):
        exemption.withdraw(made.id, store=store, queue=queue)


def test_a_request_that_nobody_decided_on_ends_on_its_day(store: Store, queue: Queue, pending: Exemption) -> None:
    clock: Any = store.now
    clock.at = pending.request.expires_at
    with pytest.raises(Conflict, match="would have ended by now"):
        exemption.approve("e1", store=by("grace", store), queue=queue)
    (ended,) = exemption.expire(store=store, queue=queue)
    assert (ended.status, ended.applied) == (ExemptionStatus.EXPIRED, True)
    assert exemption.expire(store=store, queue=queue) == []
    assert lose(queue) == 0


def test_where_no_second_person_is_required_it_begins_at_once(
    store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval, "required", lambda action: action != ApprovableAction.EXEMPTION)
    asked = request_of(store)
    known(asked.scope, store)
    begun = exemption.create("e1", asked, store=store, queue=queue, policies=POLICIES)
    assert (begun.status, begun.approved_by) == (ExemptionStatus.ACTIVE, "ada")
    assert lose(queue) == 1


def lose(queue: Queue) -> int:
    lost = queue.receive(exemption.QUEUE)
    for each in lost:
        queue.delete(exemption.QUEUE, each)
    return len(lost)


def test_a_lost_message_is_sent_again_until_the_exemption_is_applied(
    store: Store, queue: Queue, made: Exemption
) -> None:
    assert exemption.resend(store=store, queue=queue) == lose(queue) == 1
    exemption.applied(made, store=store)
    assert exemption.find("e1", store=store).applied
    assert exemption.resend(store=store, queue=queue) == lose(queue) == 0


def test_the_message_of_an_ended_exemption_is_sent_again(store: Store, queue: Queue, made: Exemption) -> None:
    exemption.applied(made, store=store)
    exemption.revoke("e1", store=store, queue=queue)
    lose(queue)
    assert exemption.resend(store=store, queue=queue) == 1


def test_what_changed_while_it_was_judged_waits_for_the_next_message(
    store: Store, queue: Queue, made: Exemption
) -> None:
    exemption.revoke("e1", store=store, queue=queue)
    exemption.applied(made, store=store)
    now = exemption.find("e1", store=store)
    assert (now.status, now.applied) == (ExemptionStatus.REVOKED, False)


def test_applying_keeps_who_ended_it(store: Store, queue: Queue, made: Exemption) -> None:
    ended = exemption.revoke("e1", store=store, queue=queue)
    exemption.applied(ended, store=store)
    now = exemption.find("e1", store=store)
    assert (now.ended_by, now.ended_at, now.applied) == (ended.ended_by, ended.ended_at, True)
    assert made.ended_by is None
