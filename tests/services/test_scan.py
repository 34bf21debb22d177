from collections.abc import Callable

import pytest

from shared.domain.error import Conflict, Forbidden, InvalidInput, Throttled, Unavailable
from shared.domain.finding import Finding, Life
from shared.domain.inventory import Gap, Reason
from shared.domain.scan import Scan, ScanRequest, Status, Trigger
from shared.domain.verdict import State
from shared.ports.documents import Query
from shared.ports.queue import Queue
from shared.services import compliance, finding, scan
from shared.services.collection import CHANGE, RESOURCE
from shared.services.estate import Store
from shared.services.policy import Book

from .conftest import SUBSCRIPTION, MemoryInventory, account

Run = Callable[..., Scan]


@pytest.fixture
def run(store: Store, queue: Queue, inventory: MemoryInventory, book: Book) -> Run:
    """Run a whole scan as the workflow does, without the waits."""

    def run(scan_id: str, asked: ScanRequest | None = None) -> Scan:
        scan.request(scan_id, asked or ScanRequest(), Trigger.HTTP, store=store, queue=queue)
        for subscription in scan.prepare(scan_id, store=store, inventory=inventory):
            failures = 0
            while True:
                step = scan.step(scan_id, subscription, failures, store=store, inventory=inventory, book=book)
                if step.state == "done":
                    break
                failures = failures + 1 if step.state == "wait" else 0
        return scan.finish(scan_id, store=store, book=book)

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
    assert ended.status == Status.COMPLETED
    assert (ended.resources, ended.pairs, ended.attention) == (3, 6, 1)
    found = by_name(store)
    assert list(found) == [("plain", "https-only")]
    only = found["plain", "https-only"]
    assert (only.state, only.life, only.open, only.owner) == (State.NON_COMPLIANT, Life.OPENED, True, "team-a")
    assert [(each.path, each.observed) for each in only.evidence if each.decided][-1:] == [
        ("properties.supportsHttpsTrafficOnly", False)
    ]
    summary = compliance.summary(store=store)
    assert summary is not None
    assert (summary.compliant, summary.non_compliant, summary.resources, summary.score) == (5, 1, 3, 83.3)
    assert summary.frameworks["nist-800-53-r5"].controls["SC-8"].non_compliant == 1
    assert summary.owners["team-a"].non_compliant == 1
    assert [point.scan for point in compliance.trend(store=store)] == ["s1"]


def test_a_finding_lives(run: Run, store: Store, inventory: MemoryInventory) -> None:
    wrong, right = account("a", https=False), account("a", https=True)
    lives = []
    for number, body in enumerate((wrong, wrong, wrong, right, wrong)):
        inventory.put(body)
        run(f"s{number}")
        lives.append(by_name(store)["a", "https-only"].life)
    assert lives == [Life.OPENED, Life.STILL_OPEN, Life.STILL_OPEN, Life.RESOLVED, Life.REOPENED]
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
    assert (gone.life, gone.reason, gone.open) == (Life.RESOLVED, "the resource is gone", False)
    assert ended.resources == 4
    summary = compliance.summary(store=store)
    assert summary is not None
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
    assert ended.status == Status.PARTIAL
    assert [(gap.part, gap.reason, gap.role) for gap in ended.gaps] == [
        ("Microsoft.Storage/storageAccounts", Reason.FORBIDDEN, "Reader")
    ]
    assert inventory.reads <= 2  # one refusal speaks for its type
    assert {by_name(store)[name, "https-only"].state for name in ("a1", "a2", "a3")} == {State.UNKNOWN}
    assert by_name(store)["a1", "https-only"].needs[0].permission == "Microsoft.Storage/storageAccounts/read"
    inventory.hidden = set()
    assert run("s3").status == Status.COMPLETED
    assert by_name(store)["a1", "https-only"].state == State.NON_COMPLIANT
    assert by_name(store)["a0", "https-only"].life == Life.RESOLVED


def test_an_abandoned_subscription_is_a_shortfall_of_all_that_is_known_of_it(
    run: Run, store: Store, queue: Queue, inventory: MemoryInventory, book: Book
) -> None:
    inventory.put(account("a"), account("b"))
    run("s1")
    scan.request("s2", ScanRequest(), Trigger.HTTP, store=store, queue=queue)
    scan.prepare("s2", store=store, inventory=inventory)
    scan.abandon("s2", SUBSCRIPTION, "it broke", store=store, book=book)
    ended = scan.finish("s2", store=store, book=book)
    assert ended.status == Status.PARTIAL
    assert {name: (each.evaluated, each.expected) for name, each in ended.shortfalls.items()} == {
        "https-only": (0, 2),
        "owned": (0, 2),
    }
    assert (ended.gaps[0].reason, ended.gaps[0].message) == (Reason.FAILED, "it broke")


def test_another_spelling_of_a_location_is_no_change(run: Run, store: Store, inventory: MemoryInventory) -> None:
    def changes() -> list[str]:
        return [
            each.body["kind"] for each in store.documents.query(tenant=store.tenant, kind=CHANGE, query=Query()).items
        ]

    inventory.put({**account("a"), "location": "West Europe"})
    run("s1")
    inventory.put({**account("a"), "location": "westeurope"})
    run("s2")
    assert changes() == []
    rows = store.documents.query(tenant=store.tenant, kind=RESOURCE, query=Query()).items
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
    inventory.gaps = [Gap(scope=f"/subscriptions/{SUBSCRIPTION}", part="page", reason=Reason.PARTIAL, at=store.now())]
    ended = run("s2")
    assert ended.status == Status.PARTIAL
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
    assert [each.permission for each in found.needs] == ["Microsoft.Storage/storageAccounts/read"]
    assert ("a", "owned") not in by_name(store)


def test_throttling_is_waited_for_and_nothing_is_read_twice(run: Run, store: Store, inventory: MemoryInventory) -> None:
    inventory.put(*(account(f"a{number}") for number in range(6)))
    inventory.faults = [Throttled("slow down", retry_after=900), Unavailable("away")]
    ended = run("s1")
    assert (ended.status, ended.resources) == (Status.COMPLETED, 6)
    assert inventory.pages == 2 + 3
    assert compliance.postures(store)[0].collection is not None


def test_a_step_says_how_long_the_cloud_asks_to_wait(
    store: Store, queue: Queue, inventory: MemoryInventory, book: Book
) -> None:
    inventory.put(account("a"))
    inventory.faults = [Throttled("slow down", retry_after=900)]
    scan.request("s1", ScanRequest(), Trigger.HTTP, store=store, queue=queue)
    scan.prepare("s1", store=store, inventory=inventory)
    step = scan.step("s1", SUBSCRIPTION, store=store, inventory=inventory, book=book)
    assert (step.wait, step.state) == (900, "more")  # beginning the collection was progress
    inventory.faults = [Throttled("slow down", retry_after=901)]
    step = scan.step("s1", SUBSCRIPTION, store=store, inventory=inventory, book=book)
    assert (step.wait, step.state) == (901, "wait")


def test_a_cloud_that_never_answers_ends_as_a_gap(run: Run, inventory: MemoryInventory) -> None:
    inventory.put(account("a"))
    inventory.faults = [Unavailable("away")] * 100
    ended = run("s1")
    assert ended.status == Status.PARTIAL
    assert [(gap.reason, gap.message) for gap in ended.gaps] == [(Reason.TIMEOUT, "away")]


def test_a_forbidden_subscription_is_a_gap_and_the_others_go_on(
    run: Run, store: Store, inventory: MemoryInventory
) -> None:
    other = "22222222-0000-0000-0000-000000000002"
    inventory.put(account("a", https=False), account("b", https=False, subscription=other))
    inventory.faults = [Forbidden("no", permission="Microsoft.Resources/subscriptions/resources/read")]
    ended = run("s1")
    assert ended.status == Status.PARTIAL
    assert [gap.permission for gap in ended.gaps] == ["Microsoft.Resources/subscriptions/resources/read"]
    assert list(by_name(store)) == [("b", "https-only")]


def test_two_subscriptions_of_one_name_are_both_scanned(run: Run, inventory: MemoryInventory) -> None:
    inventory.put(account("a"), account("b", subscription="22222222-0000-0000-0000-000000000002"))
    ended = run("s1")
    assert {each.display_name for each in ended.progress.values()} == {"Production"}
    assert ended.resources == 2


def test_only_one_scan_runs_at_a_time(run: Run, store: Store, queue: Queue, inventory: MemoryInventory) -> None:
    inventory.put(account("a"))
    scan.request("s1", ScanRequest(), Trigger.HTTP, store=store, queue=queue)
    with pytest.raises(Conflict, match="s1"):
        scan.request("s2", ScanRequest(), Trigger.HTTP, store=store, queue=queue)
    assert scan.request("s1", ScanRequest(), Trigger.HTTP, store=store, queue=queue).status == Status.REQUESTED
    assert run("s1").status == Status.COMPLETED
    assert run("s3").status == Status.COMPLETED


def test_a_cancelled_scan_stops_before_its_next_step(
    store: Store, queue: Queue, inventory: MemoryInventory, book: Book
) -> None:
    inventory.put(account("a"))
    scan.request("s1", ScanRequest(), Trigger.HTTP, store=store, queue=queue)
    scan.prepare("s1", store=store, inventory=inventory)
    scan.cancel("s1", store=store)
    assert scan.step("s1", SUBSCRIPTION, store=store, inventory=inventory, book=book).state == "done"
    assert scan.finish("s1", store=store, book=book).status == Status.CANCELLED
    assert inventory.pages == 0
    with pytest.raises(Conflict, match="cancelled"):
        scan.cancel("s1", store=store)


def test_finishing_twice_changes_nothing(run: Run, store: Store, inventory: MemoryInventory, book: Book) -> None:
    inventory.put(account("a"))
    ended = run("s1")
    assert scan.finish("s1", store=store, book=book) == ended


@pytest.mark.parametrize("name", ["", "../x", "a b", "x" * 65])
def test_what_is_no_subscription_id_is_refused(name: str, store: Store, queue: Queue) -> None:
    with pytest.raises(InvalidInput) as refused:
        scan.request("s1", ScanRequest(subscriptions=(name,)), Trigger.HTTP, store=store, queue=queue)
    assert refused.value.path == "$.subscriptions[0]"


def test_a_subscription_that_cannot_be_seen_is_a_gap(run: Run, inventory: MemoryInventory) -> None:
    inventory.put(account("a"))
    ended = run("s1", ScanRequest(subscriptions=(SUBSCRIPTION.upper(), "33333333-0000-0000-0000-000000000003")))
    assert (ended.status, ended.resources) == (Status.PARTIAL, 1)
    assert ended.gaps[0].scope == "/subscriptions/33333333-0000-0000-0000-000000000003"
