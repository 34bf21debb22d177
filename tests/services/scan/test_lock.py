"""One scan at a time: a conditional write decides, and a scan that was stopped or overtaken writes nothing more."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.index import INDEXES
from shared.adapters.local.documents import SqliteDocuments
from shared.domain.error import Conflict, Stale
from shared.domain.estate_event import CollectionStarted, EstateEvent
from shared.domain.event import Recorded
from shared.domain.scan import Scan, ScanRequest, ScanStatus, ScanTrigger
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services import compliance
from shared.services.estate import estate, judgement
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.scan import lock, scan
from tests.fakes import event, scan_run
from tests.fakes.caller import caller
from tests.fakes.interruption import Killed
from tests.fakes.inventory import SUBSCRIPTION, MemoryInventory, account
from tests.fakes.summary import summary_of

WRITES = {"put", "create", "put_many", "create_all", "delete"}


class Hooked:
    """Documents that call `hook` with the number of each write before it happens."""

    def __init__(self, documents: Any, hook: Callable[[int], None]) -> None:
        self._documents, self._hook, self.writes = documents, hook, 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._documents, name)
        return (lambda **given: self._write(method, given)) if name in WRITES else method

    def _write(self, method: Callable[..., Any], given: dict[str, Any]) -> Any:
        self.writes += 1
        self._hook(self.writes)
        return method(**given)


def hooked(store: Store, hook: Callable[[int], None]) -> tuple[Store, Hooked]:
    documents = Hooked(store.documents, hook)
    return replace(store, documents=documents), documents  # type: ignore[arg-type] # duck


def request(name: str, store: Store, queue: Queue) -> Scan:
    return scan.request(name, ScanRequest(), ScanTrigger.HTTP, store=store, queue=queue)


def workflow(name: str, store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies) -> Scan:
    """A whole scan, as the workflow does it."""
    return scan_run.run(name, store, queue, inventory, policies)


def written(store: Store) -> list[Recorded[EstateEvent]]:
    return event.of(store, estate.STREAM.of(SUBSCRIPTION))


@contextmanager
def fresh(store: Store, path: Path) -> Iterator[Store]:
    with SqliteDocuments(path, indexes=INDEXES) as documents:
        yield replace(store, documents=documents)


def attempt(name: str, store: Store, queue: Queue) -> Exception | Scan:
    try:
        return request(name, store, queue)
    except Exception as error:  # noqa: BLE001 - any error at all is what the test looks at
        return error


def test_of_sixty_requests_at_once_one_is_accepted_and_the_others_are_told_which(store: Store, queue: Queue) -> None:
    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda number: attempt(f"s{number}", store, queue), range(60)))
    (won,) = [each for each in answers if isinstance(each, Scan)]
    lost = [each for each in answers if isinstance(each, Exception)]
    assert {type(each) for each in lost} == {Conflict}
    assert {str(each) for each in lost} == {f"scan {won.id} is requested; wait for it or cancel it"}
    assert [each.id for each in scan.active(store=store)] == [won.id]


def test_the_fence_grows_with_each_scan_and_outlives_a_lost_lock(
    store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(account("a"))
    fences = [workflow(f"s{number}", store, queue, inventory, policies).fence for number in range(3)]
    store.documents.delete(tenant=store.tenant, kind=lock.KIND, id=lock.LOCK_ID)
    fences.append(workflow("s3", store, queue, inventory, policies).fence)
    assert fences == [1, 2, 3, 4]
    started = [each for each in written(store) if isinstance(each.event, CollectionStarted)]
    assert {each.event.fence for each in started if isinstance(each.event, CollectionStarted)} == {1, 2, 3, 4}
    assert [each.causation for each in started] == [f"scan:s{number}:2" for number in range(4)]


def die(_number: int) -> None:
    raise Killed


@pytest.mark.parametrize("last", [2, 3, 4])
def test_a_request_that_died_between_lock_and_record_is_completed_by_whoever_finds_it(
    last: int, store: Store, queue: Queue
) -> None:
    dying, _ = hooked(store, lambda number: die(number) if number == last else None)
    with pytest.raises(Killed):
        request("s1", replace(dying, caller=caller("grace"), correlation="c9"), replace_queue(queue, last))
    with pytest.raises(Conflict, match="scan s1 is requested"):
        request("s2", store, queue)
    (found,) = scan.active(store=store)
    assert (found.id, found.requested_by, found.correlation) == ("s1", "grace", "c9")
    assert request("s1", store, queue) == found


def replace_queue(queue: Queue, last: int) -> Any:
    """The queue; one that dies when the documents do not."""

    class Dying:
        def send(self, *_given: Any, **_more: Any) -> None:
            raise Killed

    return Dying() if last > 3 else queue


def test_the_reconciler_completes_a_request_too(store: Store, queue: Queue) -> None:
    dying, _ = hooked(store, lambda number: die(number) if number > 1 else None)
    with pytest.raises(Killed):
        request("s1", dying, queue)
    assert [each.id for each in scan.active(store=store)] == ["s1"]


def test_a_lock_that_changes_under_our_hands_is_a_conflict_and_no_precondition(store: Store, queue: Queue) -> None:
    request("s0", store, queue)
    scan.fail("s0", "for the test", store=store)

    class Moving(Hooked):
        def put(self, **given: Any) -> Any:
            raise Stale(f"moved: {given['id']}")

    with pytest.raises(Conflict) as raised:
        request("s1", replace(store, documents=Moving(store.documents, lambda _: None)), queue)  # type: ignore[arg-type] # duck
    assert not isinstance(raised.value, Stale)


def test_a_scan_cancelled_before_its_subscriptions_are_known_ends_as_cancelled(
    store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(account("a"))
    request("s1", store, queue)
    scan.cancel("s1", store=store, queue=queue)
    assert scan.prepare("s1", store=store, inventory=inventory).status == ScanStatus.CANCELLING
    assert scan.finish("s1", store=store, policies=policies).status == ScanStatus.CANCELLED
    assert request("s2", store, queue).status == ScanStatus.REQUESTED


@pytest.mark.slow
def test_a_scan_declared_dead_at_any_write_writes_no_more_and_spoils_nothing(
    store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies, tmp_path: Path
) -> None:
    """At each write of the first scan it is given up and a second one runs; then the first goes on."""
    inventory.put(*(account(f"a{number}", https=number % 2 > 0) for number in range(2)))
    with fresh(store, tmp_path / "calm.db") as calm:
        counting, counted = hooked(calm, lambda _: None)
        workflow("s1", counting, queue, inventory, policies)
        expected = summary_of(calm)
    assert counted.writes > 15
    ends = []
    for at in range(4, counted.writes + 1):
        with fresh(store, tmp_path / f"{at}.db") as alive:
            ends.append(_overtake(at, alive, queue, inventory, policies))
            summary = summary_of(alive)
            assert (summary.compliant, summary.non_compliant) == (expected.compliant, expected.non_compliant), at
    assert ends[:-1] == [ScanStatus.FAILED] * (len(ends) - 1)


def _overtake(
    at: int, store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies
) -> ScanStatus:
    sequences: list[int] = []

    def take_over(number: int) -> None:
        if number == at:
            scan.fail("s1", "it did not answer any more", store=store)
            sequences.append(len(written(store)))
            workflow("s2", store, queue, inventory, policies)

    zombie, _ = hooked(store, take_over)
    ended = workflow("s1", zombie, queue, inventory, policies)
    second = scan.find("s2", store=store)
    late = [each.event.type for each in written(store)[sequences[0] :] if each.event.scan == "s1"]
    assert late == [], f"taken over at write {at}"
    dead = (
        ScanStatus.COMPLETED if ended.reason == "" else ScanStatus.FAILED
    )  # at the last write its end is recorded already
    assert (ended.status, second.status, second.resources) == (dead, ScanStatus.COMPLETED, 2), f"at write {at}"
    known = estate.current(store, SUBSCRIPTION)
    assert (known.last_scan, known.collection and known.collection.scan) == ("s2", "s2")
    return ended.status


def test_a_scan_that_another_overtook_fails_with_that_reason(
    store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(account("a"))
    request("s1", store, queue)
    scan.prepare("s1", store=store, inventory=inventory)
    held = store.documents.get(tenant=store.tenant, kind=lock.KIND, id=lock.LOCK_ID)
    assert held is not None
    later = lock.ScanLock.model_validate({**held.body, "scan": "s2", "fence": 2})  # as a restored store might have it
    lock.complete(later, store=store)
    scan.prepare("s2", store=store, inventory=inventory)
    scan.step("s2", SUBSCRIPTION, store=store, inventory=inventory, policies=policies)
    assert scan.step("s1", SUBSCRIPTION, store=store, inventory=inventory, policies=policies).state == "done"
    ended = scan.find("s1", store=store)
    assert (ended.status, ended.reason) == (ScanStatus.FAILED, "overtaken by scan s2")


def test_an_end_that_died_after_it_had_stopped_the_writes_is_reached_all_the_same(
    store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(account("a"))
    request("s1", store, queue)
    scan.prepare("s1", store=store, inventory=inventory)
    estate.fence_off("s1", 1, SUBSCRIPTION, store=store)  # as far as `fail` got
    ended = workflow("s1", store, queue, inventory, policies)
    assert (ended.status, ended.gaps[0].message) == (ScanStatus.PARTIAL, "scan s1 was stopped")
    assert workflow("s2", store, queue, inventory, policies).status == ScanStatus.COMPLETED


def test_a_summary_never_takes_the_place_of_one_that_was_added_up_later(
    store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(account("a", https=False))
    workflow("s1", store, queue, inventory, policies)
    turns: list[int] = []

    def meanwhile(number: int) -> None:
        """Another resource is judged, and the summary refreshed, before the summary is written."""
        if number <= 2:
            name = f"m{number}"
            inventory.put(account(name, https=False))
            judgement.judge_resource(account(name)["id"], store=store, inventory=inventory, policies=policies)
            turns.append(compliance.refresh(store=store, policies=policies).resources)

    slow, _ = hooked(store, meanwhile)
    assert compliance.refresh(store=slow, policies=policies).resources == 3
    assert turns == [2, 3]
    assert compliance.refresh(store=store, policies=policies).resources == 3
