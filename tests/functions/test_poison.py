"""Poison messages of every queue: recorded with their reason, and what they asked for is ended."""

import base64
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

import function_app
from functions import change as changes
from functions import delivery
from functions import poison as door
from shared.domain.error import Unavailable
from shared.domain.poison import PoisonMessage
from shared.domain.remediation import RemediationStatus
from shared.domain.scan import ScanRequest, ScanStatus, ScanTrigger
from shared.eventstore import tenant as registry
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services import message, poison
from shared.services.estate import change
from shared.services.import_job import import_job, upload
from shared.services.remediation import record
from shared.services.scan import scan
from tests.fakes.catalog import SmallCatalog
from tests.fakes.clock import Clock
from tests.fakes.cloud import account
from tests.fakes.durable import connect
from tests.fakes.world import World

ROOT = Path(__file__).parents[2]
FILE = json.dumps([account(f"a{number}") for number in range(40)]).encode()


@pytest.fixture
def world(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(store, queue)
    connect(made, monkeypatch)
    monkeypatch.setenv("CORTEX_TENANT", store.tenant)
    return made


def collect(world: World) -> Sequence[PoisonMessage]:
    door.poison_collect._function._func(None)
    return poison.latest(documents=world.store.documents, tenant=world.store.tenant)


def test_every_queue_of_the_app_has_its_poison_collected() -> None:
    # Not get_functions(), which a process may call once.
    triggers = [each._function._trigger.get_dict_repr() for each in function_app.app._function_builders]
    queues = {each["queueName"] for each in triggers if each["type"] == "queueTrigger"}
    assert queues == set(door.ABANDON_BY_QUEUE)


@pytest.mark.parametrize("name", door.ABANDON_BY_QUEUE)
def test_a_text_that_is_not_base64_is_recorded_to_the_letter(world: World, name: str) -> None:
    world.queue.send_text(f"{name}-poison", "plain text")
    (kept,) = collect(world)
    assert (kept.queue, kept.text, kept.subject) == (name, "plain text", None)
    assert "not base64" in kept.reason
    assert world.queue.length(f"{name}-poison") == 0


@pytest.mark.parametrize(
    "body", ["", "{}", '{"tenant": 1}', "[]", '{"tenant":"t","id":"i","correlation":"c","\u202ex":1}']
)
def test_a_body_that_says_nothing_is_recorded_with_what_is_wrong_with_it(world: World, body: str) -> None:
    world.queue.send(f"{scan.QUEUE}-poison", body)
    (kept,) = collect(world)
    assert "it is not a message of this product" in kept.reason
    assert kept.reason.isprintable()


def test_a_poisoned_remediation_has_failed_and_says_so(world: World) -> None:
    body = account()
    world.put(body)
    world.request(body, "https-only")
    for _ in range(2):
        world.queue.send(f"{record.QUEUE}-poison", message.write(world.store, world.id))
        kept = collect(world)
    known = world.now()
    assert known.status == RemediationStatus.FAILED
    assert known.reason == kept[0].reason
    assert "under correlation c1" in kept[0].reason
    assert [each.subject for each in kept] == [world.id] * 2


def test_a_poisoned_scan_has_failed_and_another_may_begin(world: World) -> None:
    scan.request("s1", ScanRequest(), ScanTrigger.HTTP, store=world.store, queue=world.queue)
    world.queue.send(f"{scan.QUEUE}-poison", message.write(world.store, "s1"))
    collect(world)
    assert scan.find("s1", store=world.store).status == ScanStatus.FAILED
    scan.request("s2", ScanRequest(), ScanTrigger.HTTP, store=world.store, queue=world.queue)


def test_why_the_last_delivery_failed_is_in_the_record(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the projector is broken\x1b[2J")

    monkeypatch.setattr(change, "judge", fail)
    body = message.write(world.store, "/subscriptions/s")
    for count in (delivery.MAX_DEQUEUE_COUNT - 1, delivery.MAX_DEQUEUE_COUNT):
        with pytest.raises(RuntimeError):
            changes.change_judge._function._func(Delivered(body, count))
    world.queue.send(f"{change.QUEUE}-poison", body)
    (kept,) = collect(world)
    assert "; the last one: RuntimeError: the projector is broken" in kept.reason
    assert kept.reason.isprintable()
    world.queue.send(f"{change.QUEUE}-poison", body)  # the same message fails again, with nothing kept
    assert not [each for each in collect(world) if each.id != kept.id and "the last one" in each.reason]


class Delivered(func.QueueMessage):
    """A message as the worker hands it over."""

    def __init__(self, body: str, count: int) -> None:
        super().__init__(body=body)
        self._count = count

    @property
    def dequeue_count(self) -> int:
        return self._count


def test_every_queue_s_function_keeps_why_it_failed_at_the_last_try() -> None:
    host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    assert host["extensions"]["queues"]["maxDequeueCount"] == delivery.MAX_DEQUEUE_COUNT
    for each in function_app.app._function_builders:
        if each._function._trigger.get_dict_repr()["type"] == "queueTrigger":
            code = getattr(each._function._func, "client_function", each._function._func)
            assert code.__code__.co_name.startswith("delivered"), each._function._name


@pytest.mark.parametrize("tenant", ["stranger", "../evil"])
def test_a_message_of_a_tenant_that_is_not_known_is_recorded_here_and_ends_nothing(world: World, tenant: str) -> None:
    for name, thing in under_way(world).items():
        world.queue.send(f"{name}-poison", json.dumps({"tenant": tenant, "id": thing, "correlation": "c9"}))
    kept = collect(world)
    assert {each.queue: each.subject for each in kept} == {
        scan.QUEUE: "s1",
        import_job.QUEUE: "i1",
        record.QUEUE: "r1",
    }
    assert all(f"no tenant {tenant!r} is known here" in each.reason for each in kept)
    assert statuses(world) == ("requested", "requested", "requested")
    assert registry.listed(documents=world.store.documents, configured="local") == [world.store.tenant, "local"]


def test_a_message_of_another_tenant_ends_nothing_of_ours(world: World) -> None:
    registry.register("other", documents=world.store.documents)
    for name, thing in under_way(world).items():
        world.queue.send(f"{name}-poison", json.dumps({"tenant": "other", "id": thing, "correlation": "c9"}))
    assert collect(world) == []
    assert len(poison.latest(documents=world.store.documents, tenant="other")) == 3
    assert statuses(world) == ("requested", "requested", "requested")


def test_what_is_under_way_is_not_ended_by_a_message_about_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_job, "BATCH_RECORDS", 1)
    clock = world.store.now
    assert isinstance(clock, Clock)
    things = under_way(world)
    world.plan()
    scan.prepare("s1", store=world.store, inventory=world.cloud)
    clock.tick = import_job.STEP_DURATION / 10
    import_job.run("i1", store=world.store, queue=world.queue, catalog=SmallCatalog())
    clock.tick = timedelta(seconds=0)
    for name, thing in things.items():
        world.queue.send(f"{name}-poison", message.write(world.store, thing))
    assert len(collect(world)) == 3
    assert statuses(world) == ("running", "running", "awaitingApproval")
    world.queue.send(f"{import_job.QUEUE}-poison", message.write(world.store, "i1"))
    clock.at += import_job.STALLED_AFTER
    collect(world)
    assert import_job.find("i1", store=world.store).status == "failed"


@pytest.mark.parametrize("thing", ["x" * 3000, "../x", "a/b?c#d"])
def test_an_id_that_no_store_takes_is_recorded_with_its_text(world: World, thing: str) -> None:
    texts = {name: message.write(world.store, thing) for name in door.ABANDON_BY_QUEUE}
    for name, text in texts.items():
        world.queue.send(f"{name}-poison", text)
    kept = collect(world)
    assert {each.queue: base64.b64decode(each.text).decode() for each in kept} == texts
    assert [world.queue.length(f"{name}-poison") for name in texts] == [0] * len(texts)


@pytest.mark.parametrize("error", [RuntimeError("a fault of ours"), poison.CortexError("a fault of the store")])
def test_one_whose_thing_cannot_be_ended_is_recorded_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(scan, "refuse", failing("bad", error))
    for name in ("bad", "good"):
        world.queue.send(f"{scan.QUEUE}-poison", message.write(world.store, name))
    assert {each.subject for each in collect(world)} == {"bad", "good"}
    assert world.queue.length(f"{scan.QUEUE}-poison") == 0


def test_one_whose_thing_cannot_be_ended_yet_is_recorded_and_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    scan.request("s1", ScanRequest(), ScanTrigger.HTTP, store=world.store, queue=world.queue)
    with monkeypatch.context() as patched:
        patched.setattr(scan, "refuse", failing("s1", Unavailable("the store is down", retry_after=5)))
        world.queue.send(f"{scan.QUEUE}-poison", message.write(world.store, "s1"))
        assert [each.subject for each in collect(world)] == ["s1"]
    assert world.queue.length(f"{scan.QUEUE}-poison") == 1
    clock.at += 2 * poison.RETRY_DELAY
    assert [each.subject for each in collect(world)] == ["s1"]
    assert scan.find("s1", store=world.store).status == ScanStatus.FAILED
    assert world.queue.length(f"{scan.QUEUE}-poison") == 0


def failing(thing: str, error: Exception) -> Any:
    def refuse(given: str, _reason: str, *, store: Store) -> None:  # noqa: ARG001 - as scan.refuse
        if given == thing:
            raise error

    return refuse


def under_way(world: World) -> dict[str, str]:
    """One scan, import and remediation that were requested, by queue."""
    body = account()
    world.put(body)
    world.request(body, "https-only")
    scan.request("s1", ScanRequest(), ScanTrigger.HTTP, store=world.store, queue=world.queue)
    upload.take("i1", "file.json", [FILE], store=world.store, queue=world.queue)
    return {scan.QUEUE: "s1", import_job.QUEUE: "i1", record.QUEUE: world.id}


def statuses(world: World) -> tuple[str, str, str]:
    """Of the scan, the import and the remediation."""
    return (
        scan.find("s1", store=world.store).status,
        import_job.find("i1", store=world.store).status,
        world.now().status,
    )
