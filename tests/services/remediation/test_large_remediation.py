"""Remediations of any size: planned and carried out in bounded batches, each item a record of its own."""

import tracemalloc
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson
import pytest

from shared.domain.canonical import digest
from shared.domain.error import Throttled
from shared.domain.finding import Finding, finding_id, resource_key
from shared.domain.item import ItemOutcome, RemediationItemListing
from shared.domain.item_step import CHANGED
from shared.domain.plan import RemediationPlan
from shared.domain.rebuild import Rebuild, RebuildPhase
from shared.domain.remediation import FindingFilter, RemediationRequest, RemediationStatus
from shared.domain.verdict import State
from shared.eventstore import projection, stream
from shared.eventstore.store import Store
from shared.ports.documents import DocumentBody, Query, each_document
from shared.ports.queue import Queue
from shared.services import finding, rebuild_record
from shared.services.policy import effective_policy
from shared.services.remediation import execution, plan, progress, query, record, request, rollback, selection
from shared.services.remediation.simulation import Simulation
from tests.fakes.assignment import key_of
from tests.fakes.catalog import FixingCatalog, of, patched
from tests.fakes.catalog import policy as rule
from tests.fakes.clock import START
from tests.fakes.cloud import SETTING, SUBSCRIPTION, VAULT, MemoryCloud, account, resource
from tests.fakes.interruption import Killed
from tests.fakes.rebuilt import rebuilt
from tests.fakes.world import Counting, World
from tests.services.remediation.test_plan import LOGGED

LARGEST_BYTES = 64 * 1024
"""Bytes that one document, event or message of a remediation may have, however many items there are."""
GROWTH = 1.25
"""How much more five times the items may take in one step; with all their findings read at once it is 1.45."""
HTTPS = FindingFilter(policy="https-only")


class Watched:
    """Documents that note the largest body written of each kind."""

    def __init__(self, documents: Any) -> None:
        self._documents = documents
        self.largest: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)

    def _note(self, kind: str, items: Mapping[str, DocumentBody]) -> None:
        self.largest[kind] = max(self.largest[kind], *(len(orjson.dumps(each)) for each in items.values()))

    def create_all(self, *, tenant: str, kind: str, group: str, items: Mapping[str, DocumentBody]) -> None:
        self._note(f"{kind} of {group.partition(':')[0]}", items)
        self._documents.create_all(tenant=tenant, kind=kind, group=group, items=items)

    def put_many(self, *, tenant: str, kind: str, items: Mapping[str, DocumentBody], **more: Any) -> None:
        self._note(kind, items)
        self._documents.put_many(tenant=tenant, kind=kind, items=items, **more)


@pytest.fixture
def world(store: Store, queue: Queue) -> World:
    return World(store, queue)


def seeded(world: World, number: int) -> None:
    """So many accounts in the cloud, each with an open finding, as a scan would have left them."""
    key = key_of("https-only")
    for some in range(0, number, 1000):
        bodies = [account(f"a{at:05}") for at in range(some, min(some + 1000, number))]
        world.cloud.put(*bodies)
        found = (_finding(body, key) for body in bodies)
        items = {each.id: each.model_dump(mode="json") for each in found}
        world.store.documents.put_many(tenant=world.store.tenant, kind=finding.KIND, items=items)


def _finding(body: Mapping[str, Any], key: str) -> Finding:
    resource = resource_key(body["id"])
    return Finding(
        id=finding_id(resource, key),
        policy="https-only",
        title="HTTPS only",
        severity="high",
        category="Test",
        effect="audit",
        resource=resource,
        resource_id=body["id"],
        resource_type=body["type"],
        subscription=SUBSCRIPTION,
        state=State.NON_COMPLIANT,
        status="opened",
        open=True,
        remediable=True,
        opened_at=START,
        changed_at=START,
    )


def trusting(_resource_id: str) -> dict[str, State]:
    return {key_of("https-only"): State.COMPLIANT}


def ask(world: World, chosen: FindingFilter = HTTPS) -> None:
    asked = RemediationRequest(filter=chosen)
    request.request(world.id, asked, store=world.store, queue=world.queue)


def executed(world: World) -> int:
    """Carry out batch after batch to the end; how many there were."""
    for batches in range(10_000):
        ahead = progress.ahead(world.now(), store=world.store)
        if ahead["do"] != "execute":
            return batches
        execution.execute(world.id, store=world.store, control=world.cloud, policies=world.policies, judge=trusting)
    raise AssertionError("it never ends")


def large(world: World, number: int) -> Watched:
    """Plan, approve, carry out and end a remediation of so many items."""
    seeded(world, number)
    documents: Any = Watched(world.store.documents)
    world.store = replace(world.store, documents=documents)
    matched = selection.preview(RemediationRequest(filter=HTTPS), store=world.store)
    ask(world)
    steps = 0
    while world.plan_batch().status == RemediationStatus.PLANNING:
        steps += 1
    known = world.now()
    assert known.item_count == known.finding_count == matched.findings == number
    assert steps >= number // plan.BATCH_ITEMS
    world.approve()
    assert executed(world) >= number // execution.BATCH_ITEMS
    ended = world.finish()
    assert (ended.status, ended.counts) == (RemediationStatus.SUCCEEDED, {"done": number})
    assert len(world.cloud.writes) == number
    return documents


def messages(world: World) -> int:
    found = [each for queue in (record.QUEUE, record.DECISION_QUEUE) for each in world.queue.receive(queue)]
    return max(len(each.text) for each in found)


@pytest.mark.parametrize("number", [120, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_record_grows_with_the_number_of_items(world: World, number: int) -> None:
    largest = large(world, number).largest
    assert {"event of remediation", "event of remediation-item", "remediation", "remediation-item"} <= largest.keys()
    assert max(largest.values()) < LARGEST_BYTES, largest
    assert messages(world) < 1024


def peak(world: World, number: int) -> int:
    """Bytes that the largest step of a remediation of so many items has allocated at once."""
    seeded(world, number)
    ask(world)
    world.plan_batch()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    world.plan()
    world.approve()
    executed(world)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert world.finish().counts == {"done": number}
    return most - before


def test_no_step_holds_all_items_in_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "BATCH_ITEMS", 5)
    monkeypatch.setattr(execution, "BATCH_ITEMS", 5)
    monkeypatch.setattr(selection, "FINDING_BATCH", 5)
    peak(replace(world, id="first", cloud=MemoryCloud()), 10)  # what is kept for good, such as compiled policies
    # Other threads of this process are measured too: the lesser of two is the one they disturbed less.
    few, many = (
        min(peak(replace(world, id=f"{time}-{number}", cloud=MemoryCloud()), number) for time in ("first", "again"))
        for number in (10, 50)
    )
    assert many < GROWTH * few, (few, many)


def test_the_hash_of_the_plan_covers_every_item_in_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "BATCH_ITEMS", 2)
    seeded(world, 5)
    ask(world)
    known = world.plan()
    hashes = [each.hash for each in world.items()]
    assert known.plan_hash == digest({"remediation": world.id, "items": hashes})
    assert known.plan_hash is not None
    assert plan.load(world.id, known.plan_hash, store=world.store).items == tuple(hashes)
    others = [(*hashes[:at], "0" * 64, *hashes[at + 1 :]) for at in range(5)]
    others += [tuple(reversed(hashes)), tuple(hashes[:4])]
    changed_plans = {RemediationPlan(remediation=world.id, items=each).hash for each in others}
    assert len(changed_plans | {known.plan_hash}) == 8


@pytest.mark.parametrize("named", [True, False])
def test_killed_at_each_write_of_a_batch_the_plan_holds_each_resource_once(
    world: World, monkeypatch: pytest.MonkeyPatch, *, named: bool
) -> None:
    monkeypatch.setattr(plan, "BATCH_ITEMS", 2)
    seeded(world, 3)
    alive, expected = world.store, None
    for at in range(1, 60):
        world.id, left = f"r{at}", [at]
        ids = tuple(each["id"] for each in finding.stored(Query(), alive))
        asked = RemediationRequest(findings=ids) if named else RemediationRequest(filter=HTTPS)
        request.request(world.id, asked, store=alive, queue=world.queue)

        def boundary(left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        documents: Any = Counting(alive.documents, boundary)
        world.store = replace(alive, documents=documents)
        with suppress(Killed):
            world.plan()
            assert at > 9, "so many boundaries there are at the least"
            return
        world.store = alive
        known = world.plan()
        resources = [each.resource_id for each in world.items()]
        expected = expected or resources
        assert (known.status, resources) == (RemediationStatus.AWAITING_APPROVAL, expected), f"killed at {at}"
        assert all(world.item_event_types(number) == ["itemPlanned"] for number in range(1, 4)), f"killed at {at}"
        rollback.cancel(world.id, store=alive, queue=world.queue)
    pytest.fail("never came to the end of the boundaries")


def test_what_a_killed_batch_planned_is_taken_although_its_findings_were_resolved_since(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeded(world, 3)
    ask(world)
    keep = plan._record_item

    def dies(number: int, *given: Any) -> Any:
        made = keep(number, *given)
        if number == 2:
            raise Killed
        return made

    monkeypatch.setattr(plan, "_record_item", dies)
    with pytest.raises(Killed):
        world.plan_batch()
    monkeypatch.undo()
    gone = world.item(2).findings[0]
    world.store.documents.delete(tenant=world.store.tenant, kind=finding.KIND, id=gone)
    known = world.plan()
    assert (known.item_count, known.counts) == (3, {"pending": 3})
    assert gone in {each.findings[0] for each in world.items()}


def test_two_workers_at_one_batch_make_one_plan(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded(world, 3)
    ask(world)
    keep, other = plan._record_item, []

    def overtaken(*given: Any) -> Any:
        if not other:
            other.append(True)
            world.plan_batch()
        return keep(*given)

    monkeypatch.setattr(plan, "_record_item", overtaken)
    known = world.plan()
    assert (known.status, known.item_count) == (RemediationStatus.AWAITING_APPROVAL, 3)
    assert world.event_types().count("itemsPlanned") == 1
    assert world.event_types().count("remediationPlanned") == 1


def test_a_batch_that_the_cloud_makes_wait_keeps_what_it_has(world: World) -> None:
    seeded(world, 3)
    ask(world)
    read, left = world.cloud.read, [2]

    def busy(**asked: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Throttled("asked to wait 600 s", retry_after=600)
        return read(**asked)

    world.cloud.read = busy
    known = world.plan()
    assert (known.item_count, known.reason) == (2, "asked to wait 600 s")
    world.cloud.read = read
    world.sleep(600)
    assert world.plan().item_count == 3


def test_a_cancellation_in_the_middle_of_a_batch_ends_it_after_the_item_at_work(world: World) -> None:
    seeded(world, 6)
    ask(world)
    world.plan()
    world.approve()

    def cancelled(_method: str, _resource_id: str) -> None:
        if len(world.cloud.writes) == 2:
            rollback.cancel(world.id, store=world.store, queue=world.queue)

    world.cloud.after = cancelled
    executed(world)
    ended = world.finish()
    assert (ended.status, ended.counts) == (RemediationStatus.CANCELLED, {"done": 2, "skipped": 4})
    assert len(world.cloud.writes) == 2
    assert Counter(world.outcomes()) == {"done": 2, "skipped": 4}
    world.cloud.after = lambda _method, _id: None
    world.rollback()
    executed(world)
    back = world.finish()
    assert (back.status, back.counts) == (RemediationStatus.ROLLED_BACK, {"rolledBack": 2, "skipped": 4})


def test_a_write_whose_remediation_is_cancelled_after_its_record_is_withdrawn(world: World) -> None:
    seeded(world, 1)
    ask(world)
    world.plan()
    world.approve()
    decide, once = record.decide_item, [True]

    def recorded(*given: Any) -> Any:
        after = decide(*given)
        if once:
            once.clear()
            rollback.cancel(world.id, store=world.store, queue=world.queue)
        return after

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record, "decide_item", recorded)
        executed(world)
    assert (world.finish().status, world.item().outcome) == (RemediationStatus.CANCELLED, ItemOutcome.SKIPPED)
    assert world.cloud.writes == []


def test_an_item_whose_worker_died_after_the_end_is_found_as_skipped(world: World) -> None:
    seeded(world, 2)
    ask(world)
    world.plan()
    world.approve()
    decide = record.decide_item

    def dies(*given: Any) -> Any:
        rollback.cancel(world.id, store=world.store, queue=world.queue)
        world.finish()
        decide(*given)
        raise Killed

    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        patch.setattr(record, "decide_item", dies)
        executed(world)
    assert world.item(1).outcome == ItemOutcome.APPLYING
    assert world.now().status == RemediationStatus.CANCELLED
    for outcome, number in (("skipped", 2), ("applying", 0), ("pending", 0)):
        asked = RemediationItemListing(outcome=(outcome,))
        assert len(query.items(world.id, asked, store=world.store).items) == number, outcome


def test_a_cancellation_does_not_end_while_a_rebuild_switches_documents(world: World) -> None:
    seeded(world, 2)
    ask(world)
    world.plan()
    world.approve()
    world.apply(1)
    lagging = world.store.documents.get(tenant=world.store.tenant, kind="remediation-item", id=f"{world.id}-000001")
    assert lagging is not None
    before = {**lagging.body, "outcome": "pending", "sequence": 1}
    world.store.documents.put(tenant=world.store.tenant, kind="remediation-item", id=lagging.id, body=before)
    rollback.cancel(world.id, store=world.store, queue=world.queue)
    settling = Rebuild(
        id="b1",
        check=False,
        phase=RebuildPhase.SETTLING,
        previous_generation=0,
        generation=1,
        requested_by="ada",
        requested_at=START,
    )
    put_rebuild(world, settling)
    ahead = progress.ahead(world.now(), store=world.store)
    assert (ahead["do"], ahead["wait"]) == ("wait", pytest.approx(10, abs=1))
    assert world.finish().status == RemediationStatus.CANCELLING
    # The pass over all streams that ends the switch brings the document up to date.
    world.store.documents.put(tenant=world.store.tenant, kind="remediation-item", id=lagging.id, body=lagging.body)
    put_rebuild(world, settling.model_copy(update={"phase": RebuildPhase.REMOVING}))
    executed(world)
    ended = world.finish()
    assert (ended.status, ended.counts) == (RemediationStatus.CANCELLED, {"done": 1, "skipped": 1})


def put_rebuild(world: World, known: Rebuild) -> None:
    body = known.model_dump(mode="json")
    world.store.documents.put(
        tenant=world.store.tenant, kind=rebuild_record.KIND, id=rebuild_record.LATEST_ID, body=body
    )


def test_a_step_looks_for_exemptions_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded(world, 5)
    ask(world)
    world.plan()
    world.approve()
    looked: list[int] = []
    keep = finding.of_resources

    def counted(keys: Any, store: Store) -> Any:
        looked.append(len(keys))
        return keep(keys, store)

    monkeypatch.setattr(finding, "of_resources", counted)
    executed(world)
    assert looked == [5]


def test_one_finding_on_a_resource_is_simulated_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded(world, 3)
    ask(world)
    made: list[int] = []
    keep = Simulation.add_all

    def counted(simulation: Simulation, findings: Any) -> Any:
        made.append(len(findings))
        return keep(simulation, findings)

    monkeypatch.setattr(Simulation, "add_all", counted)
    world.plan()
    assert made == [1, 1, 1]


def test_an_item_whose_stream_holds_what_cannot_be_projected_costs_the_others_nothing(world: World) -> None:
    seeded(world, 3)
    ask(world)
    world.plan()
    world.approve()
    first = world.item(1)
    name = record.ITEM_STREAM.of(first.id)
    (event,) = stream.bodies(name, store=world.store)
    poisoned = {**event, "sequence": 2, "event": {"type": "itemApplied", "version": 1, "fingerprint": "x"}}
    world.store.documents.create_all(
        tenant=world.store.tenant, kind=stream.KIND, group=name, items={stream.event_id(name, 2): poisoned}
    )
    executed(world)
    ended = world.finish()
    assert (ended.status, ended.counts) == (RemediationStatus.SUCCEEDED, {"done": 3})
    gap = world.store.documents.get(tenant=world.store.tenant, kind=projection.GAP_KIND, id=stream.event_id(name, 2))
    assert gap is not None
    assert gap.body["type"] == "itemApplied"


def test_of_two_items_that_write_one_resource_the_second_finds_it_changed(world: World) -> None:
    own = rule(
        "workspace-set",
        of(SETTING, field=f"{SETTING}/workspaceId", exists=False),
        **patched(SETTING, workspaceId="/workspaces/own"),
    )
    world.policies = effective_policy.packaged(FixingCatalog(LOGGED, own))
    vault = resource(VAULT, "kv", {"enablePurgeProtection": True})
    setting = {"id": f"{vault['id']}/providers/{SETTING}/logs", "name": "logs", "type": SETTING, "properties": {}}
    world.put(vault, setting)
    world.request(vault, "logged", more=(world.finding(setting, "workspace-set").id,))
    known = world.plan()
    assert [each.operations[0].resource_id for each in world.items()] == [setting["id"]] * 2
    assert known.counts == {"pending": 2}
    world.approve()
    known = world.run()
    assert (known.status, known.counts) == (RemediationStatus.PARTLY_SUCCEEDED, {"done": 1, "refused": 1})
    assert world.cloud.writes == [("PUT", setting["id"])]
    assert CHANGED in known.reason


def test_items_are_rebuilt_from_their_streams(world: World) -> None:
    world.put(*(account(f"a{at}") for at in range(3)))
    ask(world)
    world.plan()
    world.approve()
    world.run()
    before = {kind: bodies(kind, world.store) for kind in ("remediation", "remediation-item")}
    after = rebuilt(world.store, world.policies)
    assert {kind: bodies(kind, after) for kind in before} == before
    assert len(before["remediation-item"]) == 3


def bodies(kind: str, store: Store) -> dict[str, DocumentBody]:
    return {each.id: each.body for each in each_document(kind, Query(), documents=store.documents, tenant=store.tenant)}


def test_a_batch_ends_in_time_between_two_actions_of_an_item(world: World) -> None:
    seeded(world, 2)
    ask(world)
    world.plan()
    world.approve()
    world.cloud.after = lambda _method, _id: world.sleep(execution.STEP_DURATION.total_seconds())
    execution.execute(world.id, store=world.store, control=world.cloud, policies=world.policies, judge=trusting)
    assert world.outcomes() == ["applied", "pending"]
    assert world.now().counts == {"applied": 1, "pending": 1}
