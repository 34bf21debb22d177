"""Retention: what is old goes, what is in use stays, whatever happens at the same time; all of it is on record."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.domain.error import Throttled
from shared.domain.estate_event import FindingsChanged
from shared.domain.remediation import RemediationStatus
from shared.domain.retention import RemovalRun, Retention
from shared.eventstore import projection
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.ports.queue import Queue
from shared.services import content
from shared.services.estate import estate
from shared.services.estate.estate import EstateChange
from shared.services.remediation import approval, plan
from shared.services.retention import orphaned_blob, retention
from shared.services.retention.expiry import RETENTION_RULES
from tests.fakes import event
from tests.fakes.caller import caller
from tests.fakes.clock import START, Clock
from tests.fakes.cloud import account
from tests.fakes.interruption import Killed, die
from tests.fakes.rebuilt import rebuilt
from tests.fakes.world import World

DAYS = Retention()
GUIDE = Path(__file__).parents[3] / "docs" / "retention.md"
LONG_AGO = "2020-01-01T00:00:00Z"
AGED: dict[str, dict[str, Any]] = {
    "change": {"at": LONG_AGO, "resource": "r"},
    "resource": {"changedAt": LONG_AGO, "gone": True},
    "finding": {"changedAt": LONG_AGO, "open": False},
    "scan": {"endedAt": LONG_AGO, "status": "completed"},
    "scan-subscription": {"at": LONG_AGO, "scan": "old"},
    "import": {"endedAt": LONG_AGO, "status": "failed"},
    "exemption": {"endedAt": LONG_AGO, "status": "expired"},
    "poison": {"at": LONG_AGO},
    "idempotency": {"expiresAt": LONG_AGO},
}
"""A document of each kind that goes."""
KEPT: dict[str, dict[str, Any]] = {
    "change": {"at": START.isoformat(), "resource": "r"},
    "resource": {"changedAt": LONG_AGO, "gone": False},
    "finding": {"changedAt": LONG_AGO, "open": True},
    "scan": {"endedAt": None, "status": "running"},
    "scan-subscription": {"at": LONG_AGO, "scan": "kept"},
    "import": {"endedAt": None, "status": "requested"},
    "exemption": {"endedAt": None, "status": "active"},
    "remediation": {"endedAt": LONG_AGO, "status": "succeeded"},  # it cannot be read: who knows what it changed
    "poison": {"at": "whenever"},
    "idempotency": {"expiresAt": (START + timedelta(hours=1)).isoformat()},
    "estate": {"sequence": 1},
}
"""A document of each kind that stays."""


@pytest.fixture
def world(store: Store, queue: Queue) -> World:
    return World(store, queue)


def put(store: Store, id_: str, bodies: dict[str, dict[str, Any]]) -> None:
    for kind, body in bodies.items():
        store.documents.put(tenant=store.tenant, kind=kind, id=id_, body=body)


def ids(store: Store, kind: str) -> list[str]:
    page = store.documents.query(tenant=store.tenant, kind=kind, query=Query(), limit=1000)
    return [each.id for each in page.items]


def run(store: Store, queue: Queue, days: Retention = DAYS) -> RemovalRun | None:
    return retention.run(store=store, retention=days, queue=queue)


def later(clock: Clock, days: float) -> None:
    """Let the clock be so many days after files that are written now."""
    clock.at = datetime.now(UTC) + timedelta(days=days)


def told(store: Store) -> list[tuple[str, dict[str, int]]]:
    told = [each.event for each in event.of(store, "retention:current")]
    return [(each.type, each.planned if each.type == "removalStarted" else each.removed) for each in told]


def test_of_each_kind_expired_documents_are_removed_and_the_others_kept(store: Store, queue: Queue) -> None:
    put(store, "old", AGED)
    put(store, "kept", KEPT)
    assert {rule.kind for rule in RETENTION_RULES} == AGED.keys() | {"remediation"}
    ended = run(store, queue)
    assert ended is not None
    assert ended.removed == dict.fromkeys(AGED, 1)
    assert {kind: ids(store, kind) for kind in KEPT} == {kind: ["kept"] for kind in KEPT}
    assert told(store) == [("removalStarted", dict.fromkeys(AGED, 1)), ("removalEnded", dict.fromkeys(AGED, 1))]


def test_a_second_run_finds_nothing_and_records_nothing(store: Store, queue: Queue) -> None:
    put(store, "old", AGED)
    run(store, queue)
    before = told(store)
    for _ in range(10):
        assert run(store, queue) is None
    assert told(store) == before


def test_zero_days_keep_for_ever(store: Store, queue: Queue) -> None:
    put(store, "old", AGED)
    forever = Retention(**{name: 0 for name in Retention.model_fields if name != "orphaned_blobs"})
    ended = run(store, queue, forever)
    assert ended is not None
    assert ended.removed == {"idempotency": 1}


@pytest.mark.parametrize("kind", [kind for kind in AGED if kind != "idempotency"])
def test_each_setting_counts_days_for_its_kind(store: Store, queue: Queue, clock: Clock, kind: str) -> None:
    (rule,) = [each for each in RETENTION_RULES if each.kind == kind]
    assert rule.setting is not None
    at = {rule.by: START.isoformat()}
    put(store, "a", {rule.kind: {**AGED[rule.kind], **at}})
    days = Retention(**{rule.setting: 30})
    clock.at = START + timedelta(days=29, hours=23)
    assert run(store, queue, days) is None
    clock.at = START + timedelta(days=30, hours=1)
    ended = run(store, queue, days)
    assert ended is not None
    assert ended.removed == {rule.kind: 1}


def test_other_tenants_are_left_alone(store: Store, queue: Queue) -> None:
    other = replace(store, caller=caller(tenant="fabrikam"))
    put(store, "old", AGED)
    put(other, "old", AGED)
    run(store, queue)
    assert {kind: ids(other, kind) for kind in AGED} == {kind: ["old"] for kind in AGED}


def test_what_was_written_again_stays(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "a", {"resource": AGED["resource"]})
    put(store, "b", {"resource": AGED["resource"]})
    begin = retention._begin

    def meanwhile(*given: Any) -> bool:
        put(store, "a", {"resource": {**AGED["resource"], "gone": False}})
        return begin(*given)

    monkeypatch.setattr(retention, "_begin", meanwhile)
    ended = run(store, queue)
    assert ended is not None
    assert (ended.planned, ended.removed) == ({"resource": 2}, {"resource": 1})
    assert ids(store, "resource") == ["a"]


def test_a_large_backlog_is_removed_in_several_runs(
    store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "RUN_ITEMS", 10)
    for number in range(35):
        put(store, f"{number:02}", {"change": AGED["change"]})
    rounds = 0
    retention.request(store=store, queue=queue)
    while received := queue.receive(retention.QUEUE):
        rounds += 1
        assert rounds < 9
        for each in received:
            run(store, queue)
            queue.delete(retention.QUEUE, each)
    assert ids(store, "change") == []
    assert rounds == 4
    state = projection.find(retention.STREAM, retention.CURRENT_ID, store=store)
    assert state is not None
    assert state.totals == {"change": 35}


def test_of_two_runs_at_once_one_removes(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "old", AGED)
    remove = retention._remove
    answers: list[RemovalRun | None] = []

    def overtaken(*given: Any) -> Any:
        monkeypatch.setattr(retention, "_remove", remove)
        answers.append(run(store, queue))
        return remove(*given)

    monkeypatch.setattr(retention, "_remove", overtaken)
    ended = run(store, queue)
    assert answers == [None]
    assert ended is not None
    assert ended.totals == dict.fromkeys(AGED, 1)


def test_a_killed_run_is_replaced_after_its_lease(
    store: Store, queue: Queue, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "old", AGED)

    with monkeypatch.context() as patch:
        patch.setattr(retention, "_remove", die)
        with pytest.raises(Killed):
            run(store, queue)
    assert run(store, queue) is None
    clock.at += retention.LEASE_DURATION
    ended = run(store, queue)
    assert ended is not None
    assert ended.removed == dict.fromkeys(AGED, 1)
    assert [kind for kind, _ in told(store)] == ["removalStarted", "removalStarted", "removalEnded"]


def test_a_busy_store_ends_a_run_early_and_the_removals_are_recorded(
    store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        put(store, str(number), {"change": AGED["change"]})
    delete, calls = store.documents.delete, []

    def busy(**given: Any) -> None:
        calls.append(given)
        if len(calls) == 2:
            raise Throttled("wait", retry_after=9)
        delete(**given)

    monkeypatch.setattr(store.documents, "delete", busy)
    ended = run(store, queue)
    assert ended is not None
    assert (ended.planned, ended.removed) == ({"change": 3}, {"change": 1})


def recorded(store: Store, subscription: str, number: int) -> str:
    """An event whose body is a blob; the blob's name."""
    bodies = {f"r{n}": {"x": f"{number}" * 500, "resourceId": f"/r{n}"} for n in range(50)}
    estate.decide(store, subscription, lambda _: EstateChange(FindingsChanged(), {"thing": bodies}))
    return str(event.of(store, f"estate:{subscription}")[-1].event.blob)


@pytest.mark.parametrize("subscriptions", [("s",), ("s.1", "s 1")])  # the latter have one folder
def test_a_blob_lives_as_long_as_an_event_names_it(
    store: Store, queue: Queue, clock: Clock, subscriptions: tuple[str, ...]
) -> None:
    named = {recorded(store, each, number) for each in subscriptions for number in range(3)}
    orphan = content.keep(
        f"estate/{estate.folder_of(subscriptions[0])}/", b"{}", blobs=store.blobs, tenant=store.tenant
    )
    later(clock, 6)
    assert run(store, queue) is None
    later(clock, 800)
    ended = run(store, queue)
    assert ended is not None
    assert ended.removed == {"blob": 1}
    assert set(store.blobs.names(tenant=store.tenant, prefix="estate/")) == named
    assert orphan not in named


def test_a_blob_that_is_written_again_before_it_goes_stays(
    store: Store, queue: Queue, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(store, "s", 1)
    orphan = content.keep("estate/s/", b"{}", blobs=store.blobs, tenant=store.tenant)
    later(clock, 30)
    begin = retention._begin

    def meanwhile(*given: Any) -> bool:
        assert content.keep("estate/s/", b"{}", blobs=store.blobs, tenant=store.tenant) == orphan
        return begin(*given)

    monkeypatch.setattr(retention, "_begin", meanwhile)
    ended = run(store, queue)
    assert ended is not None
    assert (ended.planned, ended.removed) == ({"blob": 1}, {})
    assert store.blobs.exists(tenant=store.tenant, name=orphan)


def test_the_search_for_blobs_is_resumed_at_its_position(
    store: Store, queue: Queue, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("a", "b", "c"):
        recorded(store, each, 1)
        content.keep(f"estate/{each}/", b"{}", blobs=store.blobs, tenant=store.tenant)
    later(clock, 30)
    monkeypatch.setattr(retention, "STEP_DURATION", timedelta(0))
    positions = []
    retention.request(store=store, queue=queue)
    while received := queue.receive(retention.QUEUE, limit=1):
        ended = run(store, queue)
        assert ended is not None
        positions.append((ended.position, dict(ended.removed)))
        queue.delete(retention.QUEUE, received[0])
        assert len(positions) < 9
    gone = {"blob": 1}
    assert positions == [("estate/a/", gone), ("estate/b/", gone), ("estate/c/", gone), ("", {})]


def test_a_stream_that_cannot_be_read_keeps_its_blobs_and_the_others_are_removed(
    store: Store, queue: Queue, clock: Clock
) -> None:
    for each in ("a", "b"):
        recorded(store, each, 1)
        content.keep(f"estate/{each}/", b"{}", blobs=store.blobs, tenant=store.tenant)
    store.documents.create_all(tenant=store.tenant, kind="event", group="estate:a", items={"estate:a:0000000009": {}})
    later(clock, 30)
    ended = run(store, queue)
    assert ended is not None
    assert ended.removed == {"blob": 1}
    assert len(store.blobs.names(tenant=store.tenant, prefix="estate/a/")) == 2


def before_images(store: Store) -> list[str]:
    return [each for each in store.blobs.names(tenant=store.tenant, prefix="remediation/") if "/before-" in each]


def ended_as(world: World, status: RemediationStatus) -> None:
    body = account()
    world.put(body)
    if status == RemediationStatus.REJECTED:
        world.request(body, "https-only")
        world.plan()
        approval.reject(world.id, "no", store=world.by("grace"), queue=world.queue)
        return
    world.approved(body, "https-only")
    world.run()
    if status == RemediationStatus.ROLLED_BACK:
        world.rollback()
        world.run()


@pytest.mark.parametrize("status", [RemediationStatus.ROLLED_BACK, RemediationStatus.REJECTED])
def test_before_images_go_when_nothing_can_be_rolled_back(
    world: World, queue: Queue, clock: Clock, status: RemediationStatus
) -> None:
    ended_as(world, status)
    assert world.now().status == status
    assert len(before_images(world.store)) == 1
    world.store = replace(world.store)
    clock.at = max(clock.at, datetime.now(UTC)) + timedelta(days=89)
    run(world.store, queue, Retention(before_images=400))
    assert len(before_images(world.store)) == 1
    clock.at += timedelta(days=300)
    run(world.store, queue, DAYS)
    assert before_images(world.store) == []
    left = world.store.blobs.names(tenant=world.store.tenant, prefix="remediation/")
    known, item = world.now(), world.item()
    planned = (plan.item_blob(world.id, 1, item.hash), plan.plan_blob(world.id, known.plan_hash or ""))
    assert sorted(left) == sorted([*planned, known.selection or ""])


def test_the_items_of_a_remediation_go_before_it(world: World, queue: Queue, clock: Clock) -> None:
    ended_as(world, RemediationStatus.REJECTED)
    later(clock, 401)
    (rule,) = [each for each in RETENTION_RULES if each.kind == "remediation"]
    planned = list(rule.aged(DAYS, world.store))
    assert [each.kind for each in planned] == ["remediation-item", "remediation"]
    run(world.store, queue, DAYS)
    assert ids(world.store, "remediation-item") == ids(world.store, "remediation") == []


def test_what_can_be_rolled_back_is_never_touched(world: World, queue: Queue, clock: Clock) -> None:
    ended_as(world, RemediationStatus.SUCCEEDED)
    assert world.now().undoable
    later(clock, 5000)
    run(world.store, queue, Retention(before_images=1, remediations=1))
    assert ids(world.store, "remediation") == [world.id]
    assert len(before_images(world.store)) == 1
    assert world.rollback().status == RemediationStatus.ROLLING_BACK
    assert world.run().status == RemediationStatus.ROLLED_BACK


def test_a_remediation_at_work_keeps_everything(world: World, queue: Queue, clock: Clock) -> None:
    body = account()
    world.put(body)
    world.approved(body, "https-only")
    before = world.store.blobs.names(tenant=world.store.tenant, prefix="remediation/")
    later(clock, 5000)
    run(world.store, queue, Retention(before_images=1, remediations=1))
    assert world.store.blobs.names(tenant=world.store.tenant, prefix="remediation/") == before
    assert ids(world.store, "remediation") == [world.id]


def current(store: Store) -> Any:
    """What the runs are recorded as."""
    found = store.documents.get(tenant=store.tenant, kind="retention", id=retention.CURRENT_ID)
    assert found is not None
    return found.body


def test_a_rebuild_brings_back_and_the_next_run_removes(world: World, queue: Queue, clock: Clock) -> None:
    ended_as(world, RemediationStatus.ROLLED_BACK)
    later(clock, 5000)
    run(world.store, queue)
    assert ids(world.store, "remediation") == []
    before = current(world.store)
    after = rebuilt(world.store, world.policies)
    assert ids(after, "remediation") == [world.id]
    assert ids(after, "retention") == [retention.CURRENT_ID]
    assert current(after) == before


def test_folders_of_blobs_are_those_of_streams(store: Store) -> None:
    for each in ("s.1", "s 1", "t"):
        recorded(store, each, 1)
    assert orphaned_blob.folders(store) == {"estate/s-1/": ["estate:s 1", "estate:s.1"], "estate/t/": ["estate:t"]}


def test_the_guide_describes_every_setting() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (.*) \|$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    fields = Retention.model_fields
    assert rows == [(name.upper(), str(field.default), field.description) for name, field in fields.items()]


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.settings import Settings  # noqa: PLC0415 - only here

    monkeypatch.setenv("CORTEX_RETENTION__CHANGES", "30")
    assert Settings().retention == Retention(changes=30)
