"""A scan collects and judges its subscriptions, step by step."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.domain.error import (
    Conflict,
    CortexError,
    Forbidden,
    InvalidInput,
    Malformed,
    NotFound,
    Throttled,
    Unavailable,
)
from shared.domain.finding import Finding, FindingStatus
from shared.domain.inventory import Gap, UnreadReason
from shared.domain.scan import Scan, ScanRequest, ScanStatus, ScanTrigger
from shared.domain.verdict import State
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.ports.queue import Queue
from shared.services import compliance, finding
from shared.services.estate import estate
from shared.services.estate.resource_change import CHANGE_KIND, RESOURCE_KIND
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.scan import scan
from tests.fakes import scan_run
from tests.fakes.assignment import key_of
from tests.fakes.inventory import SUBSCRIPTION, MemoryInventory, account
from tests.fakes.summary import summary_of

Run = Callable[..., Scan]


@pytest.fixture
def run(store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies) -> Run:
    """Run a whole scan as the workflow does, without the waits."""

    def run(scan_id: str, asked: ScanRequest | None = None) -> Scan:
        return scan_run.run(scan_id, store, queue, inventory, policies, asked or ScanRequest())

    return run


def findings(store: Store) -> dict[str, Finding]:
    return {body["id"]: Finding.model_validate(body) for body in finding.stored(Query(), store)}


def by_name(store: Store) -> dict[tuple[str, str], Finding]:
    return {(each.resource_id.rpartition("/")[2], each.policy): each for each in findings(store).values()}


def test_a_scan_finds_what_is_wrong_and_counts_what_is_right(
    run: Run, store: Store, inventory: MemoryInventory
) -> None:
    inventory.put(account("good"), account("plain", https=False), account("other"))
    ended = run("s1")
    assert ended.status == ScanStatus.COMPLETED
    assert (ended.resources, ended.evaluation_count, ended.finding_count) == (3, 6, 1)
    assert ended.states == {"compliant": 5, "nonCompliant": 1}
    found = by_name(store)
    assert list(found) == [("plain", "https-only")]
    only = found["plain", "https-only"]
    assert (only.state, only.status, only.open, only.owner) == (
        State.NON_COMPLIANT,
        FindingStatus.OPENED,
        True,
        "team-a",
    )
    assert [(each.path, each.observed) for each in only.evidence if each.decided][-1:] == [
        ("properties.supportsHttpsTrafficOnly", False)
    ]
    summary = summary_of(store)
    assert (summary.compliant, summary.non_compliant, summary.resources, summary.score) == (5, 1, 3, 83.3)
    assert summary.owners["team-a"].non_compliant == 1
    assert [point.scan for point in compliance.trend(store=store)] == ["s1"]


def test_a_finding_lives(run: Run, store: Store, inventory: MemoryInventory) -> None:
    wrong, right = account("a", https=False), account("a", https=True)
    lives = []
    for number, body in enumerate((wrong, wrong, wrong, right, wrong, wrong)):
        inventory.put(body)
        run(f"s{number}")
        lives.append(by_name(store)["a", "https-only"].status)
    assert lives == [
        FindingStatus.OPENED,
        FindingStatus.OPENED,
        FindingStatus.OPENED,
        FindingStatus.RESOLVED,
        FindingStatus.REOPENED,
        FindingStatus.REOPENED,
    ]
    last = by_name(store)["a", "https-only"]
    assert (last.reopened, last.resolved_at, last.open) == (1, None, True)
    assert len(findings(store)) == 1


def test_a_resource_that_is_gone_takes_its_findings_along(run: Run, store: Store, inventory: MemoryInventory) -> None:
    bodies = [account(f"a{number}", https=False) for number in range(5)]
    inventory.put(*bodies)
    run("s1")
    inventory.remove(bodies[2])
    ended = run("s2")
    gone = by_name(store)["a2", "https-only"]
    assert (gone.status, gone.reason, gone.open) == (FindingStatus.RESOLVED, "the resource is gone", False)
    assert ended.resources == 4
    summary = summary_of(store)
    assert (summary.resources, summary.non_compliant) == (4, 4)


def test_what_may_not_be_seen_any_more_is_unknown_and_not_gone(
    run: Run, store: Store, inventory: MemoryInventory
) -> None:
    bodies = [account(f"a{number}", https=False) for number in range(4)]
    inventory.put(*bodies)
    run("s1")
    inventory.remove(bodies[0])
    inventory.hidden = {body["id"].lower() for body in bodies[1:]}
    ended = run("s2")
    assert ended.status == ScanStatus.PARTIAL
    assert [(gap.part, gap.reason, gap.role) for gap in ended.gaps] == [
        ("Microsoft.Storage/storageAccounts", UnreadReason.FORBIDDEN, "Reader")
    ]
    assert inventory.reads <= 2  # one refusal speaks for its type
    assert {by_name(store)[name, "https-only"].state for name in ("a1", "a2", "a3")} == {State.UNKNOWN}
    assert by_name(store)["a1", "https-only"].missing[0].permission == "Microsoft.Storage/storageAccounts/read"
    inventory.hidden = set()
    assert run("s3").status == ScanStatus.COMPLETED
    assert by_name(store)["a1", "https-only"].state == State.NON_COMPLIANT
    assert by_name(store)["a0", "https-only"].status == FindingStatus.RESOLVED


def test_an_abandoned_subscription_is_a_shortfall_of_all_that_is_known_of_it(
    run: Run, store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(account("a"), account("b"))
    run("s1")
    scan.request("s2", ScanRequest(), ScanTrigger.HTTP, store=store, queue=queue)
    scan.prepare("s2", store=store, inventory=inventory)
    scan.abandon("s2", SUBSCRIPTION, "it broke", store=store, policies=policies)
    ended = scan.finish("s2", store=store, policies=policies)
    assert ended.status == ScanStatus.PARTIAL
    assert {name: (each.evaluated, each.expected) for name, each in ended.incomplete_policies.items()} == {
        key_of("https-only"): (0, 2),
        key_of("owned"): (0, 2),
    }
    assert (ended.gaps[0].reason, ended.gaps[0].message) == (UnreadReason.FAILED, "it broke")


def test_another_spelling_of_a_location_is_no_change(run: Run, store: Store, inventory: MemoryInventory) -> None:
    def changes() -> list[str]:
        return [
            each.body["kind"]
            for each in store.documents.query(tenant=store.tenant, kind=CHANGE_KIND, query=Query()).items
        ]

    inventory.put({**account("a"), "location": "West Europe"})
    run("s1")
    inventory.put({**account("a"), "location": "westeurope"})
    run("s2")
    assert changes() == []
    rows = store.documents.query(tenant=store.tenant, kind=RESOURCE_KIND, query=Query()).items
    assert [row.body["location"] for row in rows] == ["westeurope"]
    inventory.put({**account("a"), "location": "northeurope"})
    run("s3")
    assert changes() == ["updated"]


def test_a_partial_collection_removes_nothing(run: Run, store: Store, inventory: MemoryInventory) -> None:
    bodies = [account(f"a{number}", https=False) for number in range(3)]
    inventory.put(*bodies)
    run("s1")
    inventory.remove(bodies[0])
    inventory.missing = 1
    inventory.gaps = [
        Gap(scope=f"/subscriptions/{SUBSCRIPTION}", part="page", reason=UnreadReason.PARTIAL, at=store.now())
    ]
    ended = run("s2")
    assert ended.status == ScanStatus.PARTIAL
    assert by_name(store)["a0", "https-only"].open


def test_what_was_not_read_is_unknown_and_says_what_would_settle_it(
    run: Run, store: Store, inventory: MemoryInventory
) -> None:
    body = account("a", https=False)
    inventory.put(body)
    inventory.unread = {body["id"].lower()}
    run("s1")
    found = by_name(store)["a", "https-only"]
    assert found.state == State.UNKNOWN
    assert [each.permission for each in found.missing] == ["Microsoft.Storage/storageAccounts/read"]
    assert ("a", "owned") not in by_name(store)


def test_throttling_is_waited_for_and_nothing_is_read_twice(run: Run, store: Store, inventory: MemoryInventory) -> None:
    inventory.put(*(account(f"a{number}") for number in range(6)))
    inventory.faults = [Throttled("slow down", retry_after=900), Unavailable("away")]
    ended = run("s1")
    assert (ended.status, ended.resources) == (ScanStatus.COMPLETED, 6)
    assert inventory.pages == 2 + 3
    assert estate.every(store)[0].collection is not None


def test_a_step_says_how_long_the_cloud_asks_to_wait(
    store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(account("a"))
    inventory.faults = [Throttled("slow down", retry_after=900)]
    scan.request("s1", ScanRequest(), ScanTrigger.HTTP, store=store, queue=queue)
    scan.prepare("s1", store=store, inventory=inventory)
    step = scan.step("s1", SUBSCRIPTION, store=store, inventory=inventory, policies=policies)
    assert (step.wait, step.state) == (900, "wait")


def test_a_cloud_that_never_answers_ends_as_a_gap(run: Run, inventory: MemoryInventory) -> None:
    inventory.put(account("a"))
    inventory.faults = [Unavailable("away")] * 100
    ended = run("s1")
    assert ended.status == ScanStatus.PARTIAL
    assert [(gap.reason, gap.message) for gap in ended.gaps] == [(UnreadReason.TIMEOUT, "away")]


def test_a_forbidden_subscription_is_a_gap_and_the_others_go_on(
    run: Run, store: Store, inventory: MemoryInventory
) -> None:
    other = "22222222-0000-0000-0000-000000000002"
    inventory.put(account("a", https=False), account("b", https=False, subscription=other))
    inventory.faults = [Forbidden("no", permission="Microsoft.Resources/subscriptions/resources/read")]
    ended = run("s1")
    assert ended.status == ScanStatus.PARTIAL
    assert [gap.permission for gap in ended.gaps] == ["Microsoft.Resources/subscriptions/resources/read"]
    assert list(by_name(store)) == [("b", "https-only")]


def test_two_subscriptions_of_one_name_are_both_scanned(run: Run, store: Store, inventory: MemoryInventory) -> None:
    inventory.put(account("a"), account("b", subscription="22222222-0000-0000-0000-000000000002"))
    ended = run("s1")
    assert {each.display_name for each in scan_run.progress(store, "s1").values()} == {"Production"}
    assert ended.resources == 2


def test_only_one_scan_runs_at_a_time(run: Run, store: Store, queue: Queue, inventory: MemoryInventory) -> None:
    inventory.put(account("a"))
    scan.request("s1", ScanRequest(), ScanTrigger.HTTP, store=store, queue=queue)
    with pytest.raises(Conflict, match="s1"):
        scan.request("s2", ScanRequest(), ScanTrigger.HTTP, store=store, queue=queue)
    assert scan.request("s1", ScanRequest(), ScanTrigger.HTTP, store=store, queue=queue).status == ScanStatus.REQUESTED
    assert run("s1").status == ScanStatus.COMPLETED
    assert run("s3").status == ScanStatus.COMPLETED


def test_a_cancelled_scan_stops_before_its_next_step(
    store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(account("a"))
    scan.request("s1", ScanRequest(), ScanTrigger.HTTP, store=store, queue=queue)
    scan.prepare("s1", store=store, inventory=inventory)
    scan.cancel("s1", store=store, queue=queue)
    assert scan.step("s1", SUBSCRIPTION, store=store, inventory=inventory, policies=policies).state == "done"
    assert scan.finish("s1", store=store, policies=policies).status == ScanStatus.CANCELLED
    assert inventory.pages == 0
    with pytest.raises(Conflict, match="cancelled"):
        scan.cancel("s1", store=store, queue=queue)


def test_finishing_twice_changes_nothing(
    run: Run, store: Store, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(account("a"))
    ended = run("s1")
    assert scan.finish("s1", store=store, policies=policies) == ended


@pytest.mark.parametrize("name", ["", "../x", "a b", "x" * 65])
def test_what_is_no_subscription_id_is_refused(name: str, store: Store, queue: Queue) -> None:
    with pytest.raises(InvalidInput) as refused:
        scan.request("s1", ScanRequest(subscriptions=(name,)), ScanTrigger.HTTP, store=store, queue=queue)
    assert refused.value.path == "$.subscriptions[0]"


def test_a_subscription_that_cannot_be_seen_is_a_gap(run: Run, inventory: MemoryInventory) -> None:
    inventory.put(account("a"))
    ended = run("s1", ScanRequest(subscriptions=(SUBSCRIPTION.upper(), "33333333-0000-0000-0000-000000000003")))
    assert (ended.status, ended.resources) == (ScanStatus.PARTIAL, 1)
    assert ended.gaps[0].scope == "/subscriptions/33333333-0000-0000-0000-000000000003"


@pytest.mark.parametrize(
    "error", [Malformed("this is no list"), InvalidInput("no such query"), NotFound("nothing there")]
)
def test_an_answer_that_is_of_no_use_ends_its_subscription_at_once_with_its_reason(
    run: Run, store: Store, inventory: MemoryInventory, error: CortexError
) -> None:
    inventory.put(account("a", https=False))
    run("s1")
    inventory.faults = [error]
    ended = run("s2")
    assert (ended.status, ended.resources) == (ScanStatus.PARTIAL, 1)
    assert [(gap.reason, gap.message) for gap in ended.gaps] == [(UnreadReason.FAILED, error.message)]
    assert inventory.faults == []
    assert by_name(store)["a", "https-only"].open


def test_a_scan_whose_estate_takes_nothing_ends_all_the_same(
    run: Run,
    store: Store,
    queue: Queue,
    inventory: MemoryInventory,
    policies: EffectivePolicies,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is done about it: abandon and finish, fail, or cancel."""
    inventory.put(account("a"))
    decide = estate.decide

    def refuse(*_given: object) -> None:
        raise InvalidInput("it cannot be stored")

    for number, end in enumerate(("finish", "fail", "cancel")):
        name = f"s{number}"
        scan.request(name, ScanRequest(), ScanTrigger.HTTP, store=store, queue=queue)
        scan.prepare(name, store=store, inventory=inventory)
        monkeypatch.setattr(estate, "decide", refuse)
        with pytest.raises(InvalidInput):
            scan.step(name, SUBSCRIPTION, store=store, inventory=inventory, policies=policies)
        if end == "cancel":
            scan.cancel(name, store=store, queue=queue)
        if end == "finish":
            scan.abandon(name, SUBSCRIPTION, "for the test", store=store, policies=policies)
        ended = (
            scan.fail(name, "why", store=store) if end == "fail" else scan.finish(name, store=store, policies=policies)
        )
        monkeypatch.setattr(estate, "decide", decide)
        assert ended.ended_at, end
    assert "for the test; nothing can be recorded of it: it cannot be stored" in scan.find("s0", store=store).reason
    assert run("s9").status == ScanStatus.COMPLETED


def test_what_is_stopped_is_only_what_was_begun(
    store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    """A cancellation among thousands of subscriptions writes to the few that were at work."""
    others = [f"{number:08}-0000-0000-0000-000000000009" for number in range(30)]
    inventory.put(
        *(account(f"a{number}") for number in range(5)), *(account("a", subscription=each) for each in others)
    )
    scan.request("s1", ScanRequest(), ScanTrigger.HTTP, store=store, queue=queue)
    scan.prepare("s1", store=store, inventory=inventory)
    inventory.faults = [Throttled("wait", retry_after=60)]
    scan.step("s1", SUBSCRIPTION, store=store, inventory=inventory, policies=policies)
    scan.cancel("s1", store=store, queue=queue)
    assert scan.finish("s1", store=store, policies=policies).status == ScanStatus.CANCELLED
    assert [each.subscription for each in estate.every(store) if each.sequence] == [SUBSCRIPTION]
    assert estate.current(store, SUBSCRIPTION).fence == 2


def test_a_step_that_was_at_work_when_its_scan_ended_stops_itself(
    store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory.put(account("a"))
    scan.request("s1", ScanRequest(), ScanTrigger.HTTP, store=store, queue=queue)
    scan.prepare("s1", store=store, inventory=inventory)
    begin = estate.decide

    def late(*given: Any) -> Any:
        monkeypatch.setattr(estate, "decide", begin)
        scan.fail("s1", "for the test", store=store)
        return begin(*given)

    monkeypatch.setattr(estate, "decide", late)
    scan.step("s1", SUBSCRIPTION, store=store, inventory=inventory, policies=policies)
    assert estate.current(store, SUBSCRIPTION).fence == 2
