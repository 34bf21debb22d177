from datetime import timedelta

import pytest

from shared.domain.error import Conflict, InvalidInput
from shared.domain.estate import Posture
from shared.domain.exemption import Category, Exemption, ExemptionRequest, Status
from shared.domain.finding import Life
from shared.domain.verdict import State
from shared.ports.queue import Queue
from shared.services import change, compliance, estate, exemption, judgement
from shared.services.estate import Store
from shared.services.policy import Book
from tests.conftest import Clock

from .conftest import SUBSCRIPTION, MemoryInventory, account
from .test_scan import Run, by_name, run

__all__ = ["run"]  # the fixture


def posture(store: Store) -> Posture:
    return estate.posture(store, SUBSCRIPTION)


def totals(store: Store) -> dict[str, int]:
    found: dict[str, int] = {}
    for states in posture(store).counts.values():
        for state, number in states.items():
            found[state] = found.get(state, 0) + number
    return found


def test_one_changed_resource_is_judged_alone(run: Run, store: Store, inventory: MemoryInventory, book: Book) -> None:
    body = account("a", https=False)
    inventory.put(body, account("b"))
    run("s1")
    pages = inventory.pages
    inventory.put(account("a", https=True))
    states = judgement.judge_resource(body["id"], store=store, inventory=inventory, book=book)
    assert states == {"https-only": State.COMPLIANT, "owned": State.COMPLIANT}
    assert by_name(store)["a", "https-only"].life == Life.RESOLVED
    assert inventory.pages == pages
    assert totals(store) == {"compliant": 4}


def test_counts_stay_those_of_a_whole_scan(run: Run, store: Store, inventory: MemoryInventory, book: Book) -> None:
    inventory.put(account("a", https=False), account("b"))
    run("s1")
    new, gone = account("c", https=False), account("b")
    inventory.put(new, account("a", https=True))
    inventory.remove(gone)
    for body in (new, gone, account("a"), gone, new):
        judgement.judge_resource(body["id"], store=store, inventory=inventory, book=book)
    by_events = (totals(store), posture(store).owners, posture(store).resources)
    run("s2")
    assert (totals(store), posture(store).owners, posture(store).resources) == by_events
    assert by_events[0] == {"compliant": 3, "nonCompliant": 1}


def test_judging_twice_is_one_effect(run: Run, store: Store, inventory: MemoryInventory, book: Book) -> None:
    inventory.put(account("a", https=False))
    run("s1")
    inventory.put(account("a"))
    for _ in range(10):
        judgement.judge_resource(account("a")["id"], store=store, inventory=inventory, book=book)
    assert totals(store) == {"compliant": 2}
    assert by_name(store)["a", "https-only"].life == Life.RESOLVED


def test_a_resource_changed_behind_a_running_scan_counts_as_it_is_now(
    store: Store, inventory: MemoryInventory, book: Book, run: Run
) -> None:
    inventory.put(*(account(f"a{number}", https=False) for number in range(4)))
    run("s0")
    at_once = store.now()
    judgement.judge("s1", SUBSCRIPTION, store=store, book=book, until=at_once)  # the time is up after one page
    assert posture(store).judgement is not None
    inventory.put(account("a1"))
    judgement.judge_resource(account("a1")["id"], store=store, inventory=inventory, book=book)
    judgement.judge("s1", SUBSCRIPTION, store=store, book=book, until=at_once + timedelta(days=1))
    assert totals(store) == {"compliant": 5, "nonCompliant": 3}
    assert posture(store).shortfalls == {}


@pytest.fixture
def asked(store: Store) -> ExemptionRequest:
    return ExemptionRequest(
        scope=f"/subscriptions/{SUBSCRIPTION.upper()}/resourceGroups/RG",
        policies=("https-only",),
        category=Category.WAIVER,
        reason="behind a gateway until June",
        owner="ada",
        expires_at=store.now() + timedelta(days=30),
    )


def exempt(asked: ExemptionRequest, store: Store, queue: Queue, book: Book) -> Exemption:
    made = exemption.create("e1", asked, store=store, queue=queue, policies=book.entries)
    judgement.restate_covered(made, store=store, book=book)
    return made


def test_an_exemption_covers_at_once_and_ends_on_its_day(
    run: Run,
    store: Store,
    queue: Queue,
    inventory: MemoryInventory,
    book: Book,
    asked: ExemptionRequest,
    clock: Clock,
) -> None:
    inventory.put(account("a", https=False), account("b"))
    run("s1")
    exempt(asked, store, queue, book)
    assert by_name(store)["a", "https-only"].life == Life.EXEMPT
    assert by_name(store)["a", "https-only"].exemption == "e1"
    assert totals(store) == {"compliant": 3, "exempt": 1}
    run("s2")
    assert totals(store) == {"compliant": 3, "exempt": 1}
    clock.at += timedelta(days=31)
    assert [each.status for each in exemption.expire(store=store, queue=queue)] == [Status.EXPIRED]
    judgement.restate_covered(exemption.find("e1", store=store), store=store, book=book)
    assert by_name(store)["a", "https-only"].life == Life.REOPENED
    assert totals(store) == {"compliant": 3, "nonCompliant": 1}
    assert exemption.expire(store=store, queue=queue) == []


def test_a_revoked_exemption_covers_nothing(
    run: Run, store: Store, queue: Queue, inventory: MemoryInventory, book: Book, asked: ExemptionRequest
) -> None:
    inventory.put(account("a", https=False))
    run("s1")
    exempt(asked, store, queue, book)
    exemption.revoke("e1", store=store, queue=queue)
    with pytest.raises(Conflict, match="revoked"):
        exemption.revoke("e1", store=store, queue=queue)
    judgement.restate_covered(exemption.find("e1", store=store), store=store, book=book)
    assert by_name(store)["a", "https-only"].life == Life.REOPENED


@pytest.mark.parametrize("days", [-1, 0, 400])
def test_an_exemption_ends_within_a_year(days: int, store: Store, queue: Queue, asked: ExemptionRequest) -> None:
    late = asked.model_copy(update={"expires_at": store.now() + timedelta(days=days)})
    with pytest.raises(InvalidInput, match="within a year"):
        exemption.create("e1", late, store=store, queue=queue, policies=late.policies)


def test_an_exemption_from_no_policy_there_is_is_refused(store: Store, queue: Queue, asked: ExemptionRequest) -> None:
    with pytest.raises(InvalidInput, match="there is no policy 'https-only'") as refused:
        exemption.create("e1", asked, store=store, queue=queue, policies={"another"})
    assert refused.value.path == "$.policies[0]"


@pytest.mark.parametrize("scope", ["/x", "/subscriptions/", "/subscriptions/s/foo", "rg", "/subscriptions/s/providers"])
def test_a_scope_is_an_arm_id(scope: str, asked: ExemptionRequest) -> None:
    with pytest.raises(ValueError, match="scope"):
        ExemptionRequest.model_validate({**asked.model_dump(), "scope": scope})


def test_a_scope_covers_whole_segments_only(store: Store, asked: ExemptionRequest, queue: Queue) -> None:
    made = exemption.create("e1", asked, store=store, queue=queue, policies=asked.policies)
    base = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"
    assert made.covers(f"{base}/rg/providers/x/y/z", "https-only", store.now())
    assert not made.covers(f"{base}/rg2/providers/x/y/z", "https-only", store.now())
    assert not made.covers(f"{base}/rg/providers/x/y/z", "owned", store.now())


EVENT = {"id": "1", "eventType": "Microsoft.Resources.ResourceWriteSuccess", "subject": "/subscriptions/s/x"}


def test_change_messages_name_resources_once_and_children_with_their_parent(store: Store, queue: Queue) -> None:
    parent = account("a")["id"]
    child = f"{parent}/providers/Microsoft.Insights/diagnosticSettings/d"
    events = [
        {**EVENT, "data": {"resourceUri": parent}},
        {**EVENT, "data": {"resourceUri": parent.upper()}},
        {"data": {"resourceInfo": {"id": child}}, "type": "Microsoft.ResourceNotifications.Resources.CreatedOrUpdated"},
    ]
    assert change.take(events, store=store, queue=queue) == 2
    assert len(queue.receive(change.QUEUE)) == 2


@pytest.mark.parametrize("event", [{}, {"data": 1}, {"data": {}, "subject": "x"}, {"data": {"resourceUri": 7}}])
def test_a_change_message_without_a_resource_is_refused(event: dict[str, object], store: Store, queue: Queue) -> None:
    with pytest.raises(InvalidInput) as refused:
        change.take([{**EVENT, "data": {"resourceUri": "/subscriptions/s"}}, event], store=store, queue=queue)
    assert (refused.value.path or "").startswith("$[1]")
    assert queue.length(change.QUEUE) == 0


def test_judging_a_change_refreshes_the_summary(store: Store, inventory: MemoryInventory, book: Book) -> None:
    body = account("a", https=False)
    inventory.put(body)
    change.judge(body["id"], store=store, inventory=inventory, book=book)
    summary = compliance.summary(store=store)
    assert summary is not None
    assert (summary.non_compliant, summary.open_by_severity) == (1, {"high": 1})
