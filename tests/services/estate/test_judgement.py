"""An estate is judged, and findings follow its verdicts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.error import Conflict, InvalidInput
from shared.domain.estate import Estate
from shared.domain.exemption import Exemption, ExemptionCategory, ExemptionRequest, ExemptionStatus
from shared.domain.finding import OPEN_STATUSES, FindingStatus, resource_key
from shared.domain.verdict import State
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services import exemption
from shared.services.estate import change, estate, judgement
from shared.services.policy.effective_policy import EffectivePolicies
from tests.fakes.assignment import BASELINE, key_of
from tests.fakes.clock import Clock
from tests.fakes.exemption import approved_exemption, known
from tests.fakes.inventory import SUBSCRIPTION, MemoryInventory, account
from tests.fakes.summary import summary_of
from tests.services.scan.test_scan import Run, by_name, run

__all__ = ["run"]  # the fixture


def posture(store: Store) -> Estate:
    return estate.current(store, SUBSCRIPTION)


def totals(store: Store) -> dict[str, int]:
    found: dict[str, int] = {}
    for states in posture(store).counts.values():
        for state, number in states.items():
            found[state] = found.get(state, 0) + number
    return found


def test_one_changed_resource_is_judged_alone(
    run: Run, store: Store, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    body = account("a", https=False)
    inventory.put(body, account("b"))
    run("s1")
    pages = inventory.pages
    inventory.put(account("a", https=True))
    states = judgement.judge_resource(body["id"], store=store, inventory=inventory, policies=policies)
    assert states == {key_of("https-only"): State.COMPLIANT, key_of("owned"): State.COMPLIANT}
    assert by_name(store)["a", "https-only"].status == FindingStatus.RESOLVED
    assert inventory.pages == pages
    assert totals(store) == {"compliant": 4}


def test_counts_stay_those_of_a_whole_scan(
    run: Run, store: Store, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(account("a", https=False), account("b"))
    run("s1")
    new, gone = account("c", https=False), account("b")
    inventory.put(new, account("a", https=True))
    inventory.remove(gone)
    for body in (new, gone, account("a"), gone, new):
        judgement.judge_resource(body["id"], store=store, inventory=inventory, policies=policies)
    by_events = (totals(store), posture(store).owners, posture(store).resources)
    run("s2")
    assert (totals(store), posture(store).owners, posture(store).resources) == by_events
    assert by_events[0] == {"compliant": 3, "nonCompliant": 1}


def test_judging_twice_is_one_effect(
    run: Run, store: Store, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(account("a", https=False))
    run("s1")
    inventory.put(account("a"))
    for _ in range(10):
        judgement.judge_resource(account("a")["id"], store=store, inventory=inventory, policies=policies)
    assert totals(store) == {"compliant": 2}
    assert by_name(store)["a", "https-only"].status == FindingStatus.RESOLVED


def test_a_resource_changed_behind_a_running_scan_counts_as_it_is_now(
    store: Store, inventory: MemoryInventory, policies: EffectivePolicies, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory.put(*(account(f"a{number}", https=False) for number in range(4)))
    run("s0")
    monkeypatch.setattr(judgement, "KEPT_RESOURCES", 3)
    passed = min((f"a{number}" for number in range(4)), key=lambda name: resource_key(account(name)["id"]))
    at_once = store.now()
    judgement.judge(
        "s1", SUBSCRIPTION, fence=1, store=store, policies=policies, until=at_once
    )  # the time is up after one page
    assert posture(store).judgement is not None
    inventory.put(account(passed))
    judgement.judge_resource(account(passed)["id"], store=store, inventory=inventory, policies=policies)
    judgement.judge("s1", SUBSCRIPTION, fence=1, store=store, policies=policies, until=at_once + timedelta(days=1))
    assert totals(store) == {"compliant": 5, "nonCompliant": 3}
    assert posture(store).incomplete_policies == {}


@pytest.fixture
def asked(store: Store) -> ExemptionRequest:
    return ExemptionRequest(
        scope=f"/subscriptions/{SUBSCRIPTION.upper()}/resourceGroups/RG",
        assignment="baseline",
        references=("https-only",),
        category=ExemptionCategory.WAIVER,
        reason="behind a gateway until June",
        owner="ada@example.com",
        expires_at=store.now() + timedelta(days=30),
    )


def exempt(asked: ExemptionRequest, store: Store, queue: Queue, policies: EffectivePolicies) -> Exemption:
    made = approved_exemption("e1", asked, store=store, queue=queue, policies=policies)
    judgement.judge_covered(made, store=store, policies=policies)
    return made


def test_an_exemption_covers_at_once_and_ends_on_its_day(
    run: Run,
    store: Store,
    queue: Queue,
    inventory: MemoryInventory,
    policies: EffectivePolicies,
    asked: ExemptionRequest,
    clock: Clock,
) -> None:
    inventory.put(account("a", https=False), account("b"))
    run("s1")
    exempt(asked, store, queue, policies)
    assert by_name(store)["a", "https-only"].status == FindingStatus.EXEMPT
    assert by_name(store)["a", "https-only"].exemption == "e1"
    assert totals(store) == {"compliant": 3, "exempt": 1}
    run("s2")
    assert totals(store) == {"compliant": 3, "exempt": 1}
    clock.at += timedelta(days=31)
    assert [each.status for each in exemption.expire(store=store, queue=queue)] == [ExemptionStatus.EXPIRED]
    judgement.judge_covered(exemption.find("e1", store=store), store=store, policies=policies)
    assert by_name(store)["a", "https-only"].status == FindingStatus.REOPENED
    assert totals(store) == {"compliant": 3, "nonCompliant": 1}
    assert exemption.expire(store=store, queue=queue) == []


def test_a_revoked_exemption_covers_nothing(
    run: Run,
    store: Store,
    queue: Queue,
    inventory: MemoryInventory,
    policies: EffectivePolicies,
    asked: ExemptionRequest,
) -> None:
    inventory.put(account("a", https=False))
    run("s1")
    exempt(asked, store, queue, policies)
    exemption.revoke("e1", store=store, queue=queue)
    with pytest.raises(Conflict, match="revoked"):
        exemption.revoke("e1", store=store, queue=queue)
    judgement.judge_covered(exemption.find("e1", store=store), store=store, policies=policies)
    assert by_name(store)["a", "https-only"].status == FindingStatus.REOPENED


@pytest.mark.parametrize(
    ("days", "told"), [(-1, "is in the past"), (0, "is in the past"), (400, "within a year: by 2")]
)
def test_an_exemption_ends_within_a_year(
    days: int, told: str, store: Store, queue: Queue, asked: ExemptionRequest, policies: EffectivePolicies
) -> None:
    late = asked.model_copy(update={"expires_at": store.now() + timedelta(days=days)})
    with pytest.raises(InvalidInput, match=told):
        exemption.create("e1", late, store=store, queue=queue, policies=policies)


@pytest.mark.parametrize(
    ("named", "path"),
    [({"assignment": "another"}, "$.assignment"), ({"references": ("owned", "x")}, "$.references[1]")],
)
def test_an_exemption_from_what_is_not_in_force_is_refused(
    store: Store, queue: Queue, asked: ExemptionRequest, policies: EffectivePolicies, named: Any, path: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        exemption.create("e1", asked.model_copy(update=named), store=store, queue=queue, policies=policies)
    assert refused.value.path == path


@pytest.mark.parametrize("scope", ["/x", "/subscriptions/", "/subscriptions/s/foo", "rg", "/subscriptions/s/providers"])
def test_a_scope_is_an_arm_id(scope: str, asked: ExemptionRequest) -> None:
    with pytest.raises(ValueError, match="scope"):
        ExemptionRequest.model_validate({**asked.model_dump(), "scope": scope})


def test_a_scope_covers_whole_segments_only(
    store: Store, asked: ExemptionRequest, queue: Queue, policies: EffectivePolicies
) -> None:
    known(asked.scope, store)
    made = approved_exemption("e1", asked, store=store, queue=queue, policies=policies)
    base = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"
    assert made.covers(f"{base}/rg/providers/x/y/z", BASELINE.upper(), "HTTPS-only", store.now())
    assert not made.covers(f"{base}/rg2/providers/x/y/z", BASELINE.upper(), "HTTPS-only", store.now())
    assert not made.covers(f"{base}/rg/providers/x/y/z", BASELINE, "owned", store.now())


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


def test_judging_a_change_refreshes_the_summary(
    store: Store, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    body = account("a", https=False)
    inventory.put(body)
    change.judge(body["id"], store=store, inventory=inventory, policies=policies)
    summary = summary_of(store)
    assert (summary.non_compliant, summary.open_by_severity) == (1, {"high": 1})


class Interrupted:
    """Documents between whose decision and recording of changed findings something else happens, once."""

    def __init__(self, documents: Any, meanwhile: Callable[[], object]) -> None:
        self._documents, self._meanwhile = documents, [meanwhile]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)

    def create_all(self, **given: Any) -> None:
        if self._meanwhile and "findingsChanged" in str(given["items"]):
            self._meanwhile.pop()()
        self._documents.create_all(**given)


def test_what_was_decided_before_an_exemption_ended_is_decided_again(
    run: Run,
    store: Store,
    queue: Queue,
    inventory: MemoryInventory,
    policies: EffectivePolicies,
    asked: ExemptionRequest,
) -> None:
    inventory.put(account("a", https=False))
    run("s1")
    made = approved_exemption("e1", asked, store=store, queue=queue, policies=policies)

    def end() -> None:
        ended = exemption.revoke("e1", store=store, queue=queue)
        judgement.judge_covered(ended, store=store, policies=policies)

    late = replace(store, documents=Interrupted(store.documents, end))
    judgement.judge_covered(made, store=late, policies=policies)
    found = by_name(store)["a", "https-only"]
    assert found.status in OPEN_STATUSES
    assert found.exemption is None


def test_an_exemption_of_an_unknown_subscription_makes_none_known(
    store: Store, queue: Queue, policies: EffectivePolicies, asked: ExemptionRequest
) -> None:
    known(asked.scope, store)
    made = approved_exemption("e1", asked, store=store, queue=queue, policies=policies)
    assert judgement.judge_covered(made, store=store, policies=policies) == 0
    assert posture(store).sequence == 0
