"""The whole app over small real adapters: its functions by name, delivered as the host would, and what comes of it."""

import asyncio
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import azure.functions as func
import pytest
from durabletask.client import OrchestrationStatus

import function_app
from functions import context
from shared.adapters.generation import GenerationDocuments, StoredGenerations
from shared.adapters.index import INDEXES
from shared.adapters.local.blobs import FileBlobs
from shared.adapters.local.documents import SqliteDocuments
from shared.adapters.local.queue import SqliteQueue
from shared.domain.event import Recorded
from shared.eventstore import stream
from shared.eventstore.store import Store
from shared.ports.clock import Now
from shared.ports.documents import Query
from shared.services.policy import effective_policy
from shared.services.remediation import approval, progress, query
from shared.services.scan import scan
from tests.fakes import event
from tests.fakes.caller import caller
from tests.fakes.catalog import FixingCatalog
from tests.fakes.clock import TENANT, Clock
from tests.fakes.cloud import MemoryCloud
from tests.fakes.inventory import MemoryInventory
from tests.fakes.world import World

POLICIES = effective_policy.packaged(FixingCatalog())
ACTIVE_STEPS = 100
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)")
_WRITING = threading.Lock()
_NEW_ID_PATTERN = re.compile(r"made-\d+")


@dataclass(frozen=True)
class DeclaredFunction:
    """A function as the app declares it."""

    name: str
    kind: str
    queue: str
    call: Any


def declared_functions() -> dict[str, DeclaredFunction]:
    """Every queue handler, activity and timer in the app's own index, but for those of Durable Functions itself."""
    found = {}
    for each in function_app.app.get_functions():
        name, trigger = each.get_function_name(), each.get_trigger().get_dict_repr()
        kind = trigger["type"].removesuffix("Trigger")
        if kind in {"queue", "activity", "timer"} and not name.startswith("BuiltIn"):
            found[name] = DeclaredFunction(name, kind, trigger.get("queueName", ""), each.get_user_function())
    return found


FUNCTIONS = declared_functions()


class FakeTaskHub:
    """A task hub that holds the workflows it was asked to start, as a durable client sees it."""

    def __init__(self, now: Now) -> None:
        self.started: dict[str, tuple[str, Any]] = {}
        self.rung: set[tuple[str, str]] = set()
        self.ended: Counter[str] = Counter()
        self._now = now
        self._created: dict[str, datetime] = {}
        self._lock = threading.Lock()

    async def get_orchestration_state(self, instance_id: str) -> Any:
        if instance_id not in self.started:
            return None
        return SimpleNamespace(
            runtime_status=OrchestrationStatus.RUNNING, created_at=self._created.get(instance_id, self._now())
        )

    async def terminate_orchestration(self, instance_id: str, *, output: str) -> None:
        assert output
        self.ended[instance_id] += self.started.pop(instance_id, None) is not None

    async def wait_for_orchestration_completion(self, instance_id: str, *, timeout: float) -> None:  # noqa: ASYNC109 - the client's
        assert timeout
        assert instance_id not in self.started

    async def purge_orchestration(self, instance_id: str) -> None:
        self.started.pop(instance_id, None)

    async def purge_orchestrations_by(self, *, created_time_to: datetime, runtime_status: Any) -> Any:
        assert created_time_to < self._now()
        assert OrchestrationStatus.RUNNING not in runtime_status
        return SimpleNamespace(deleted_instance_count=0)  # what is started here never ends

    async def schedule_new_orchestration(self, name: str, *, input: Any, instance_id: str, **_: Any) -> None:
        with self._lock:
            self.started[instance_id] = (name, input)
            self._created[instance_id] = self._now()

    async def raise_orchestration_event(self, instance_id: str, event: str) -> None:
        self.rung.add((instance_id, event))


class OneWriter(MemoryCloud):
    """A cloud that takes writes one at a time, as a real one takes those to one resource."""

    def write(self, **given: Any) -> Any:
        with _WRITING:
            return super().write(**given)


class Inventory(MemoryInventory):
    """The cloud as a listing sees it."""

    def providers(self, *, tenant: str) -> Iterator[Mapping[str, Any]]:
        yield {"namespace": f"Test.{tenant}", "resourceTypes": []}


@dataclass
class AppHarness:
    """One tenant in folders of its own. `given` is what a case wants to be delivered."""

    folder: Path
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.hub = FakeTaskHub(self.clock)
        self.documents = GenerationDocuments(SqliteDocuments(self.folder / "documents.db", indexes=INDEXES))
        self.generations = StoredGenerations(self.documents)
        self.queue = SqliteQueue(self.folder / "queue.db", now=self.clock)
        self.blobs = FileBlobs(self.folder / "blobs")
        store = Store(self.documents, self.blobs, self.clock, caller(tenant=TENANT), "c1")
        cloud = OneWriter()
        self.inventory = Inventory(now=lambda: self.clock.at, bodies=cloud.bodies)
        self.world = World(store, self.queue, cloud, POLICIES, inventory=self.inventory)
        self._numbers = count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.documents.close()
        self.queue.close()

    @property
    def store(self) -> Store:
        return self.world.store

    def connect(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the app's functions work here."""
        ports = SimpleNamespace(
            documents=self.documents,
            generations=self.generations,
            blobs=self.blobs,
            queue=self.queue,
            now=self.clock,
            new_id=lambda: f"made-{next(self._numbers)}",
            control=self.world.cloud,
            inventory=self.inventory,
            catalog=FixingCatalog(),
        )
        monkeypatch.setattr(context, "ports", lambda: ports)
        monkeypatch.setattr(context, "policies", lambda _: POLICIES)
        monkeypatch.setenv("CORTEX_TENANT", TENANT)

    def deliver(self, name: str, given: Any = None) -> Any:
        """One delivery: a message's text, an activity's input, or a timer's tick."""
        function = FUNCTIONS[name]
        client = getattr(function.call, "client_function", None)
        if function.kind == "timer":
            return asyncio.run(client(None, self.hub)) if client else function.call(None)
        if function.kind == "activity":
            return function.call(given)
        message = func.QueueMessage(id="m1", body=given)
        return asyncio.run(client(message, self.hub)) if client else function.call(message)

    def settle(self) -> None:
        """Let everything come to its end: the queues run empty, the workflows do what their records say is next."""
        self._drain()
        while todo := [*self._remediations(), *self._scans()]:
            for name, given in todo:
                self.deliver(name, given)
        self._drain()

    def empty(self, queue: str) -> list[str]:
        """The messages of a queue, taken."""
        found = self.queue.receive(queue)
        for each in found:
            self.queue.delete(queue, each)
        return [each.body for each in found]

    def _drain(self) -> None:
        handlers = {each.queue: each.name for each in FUNCTIONS.values() if each.queue}
        for _ in range(ACTIVE_STEPS):
            found = [(queue, each) for queue in handlers for each in self.queue.receive(queue)]
            if not found:
                return
            for queue, each in found:
                self.deliver(handlers[queue], each.body)
                self.queue.delete(queue, each)
        raise AssertionError("messages beget messages without an end")

    def _remediations(self) -> list[tuple[str, Any]]:
        found = []
        for each in query.active(store=self.store):
            ahead = progress.ahead(approval.look(each.id, store=self.store), store=self.store)
            if ahead["do"] not in {"wait", "end"}:
                found.append((f"remediation_{ahead['do']}", self.given(each.id)))
        return found

    def _scans(self) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = []
        for each in scan.active(store=self.store):
            known = scan.prepare(each.id, store=self.store, inventory=self.inventory)
            todo = scan.ahead(known, store=self.store).get("subscriptions", ())
            found += [("scan_step", {**self.given(each.id), "subscription": name}) for name in todo] or [
                ("scan_finish", self.given(each.id))
            ]
        return found

    def given(self, thing: str) -> dict[str, Any]:
        """What a workflow hands to its activities."""
        return {"tenant": TENANT, "id": thing, "correlation": "c1"}

    def text(self, thing: str) -> str:
        """The message about a thing."""
        return json.dumps(self.given(thing))

    def state(self) -> dict[str, Any]:
        """All that is stored and was written, without what differs between two runs that did the same."""
        names = stream.names(store=self.store)
        return _normalize(
            {
                "documents": {kind: self._kept(kind) for kind in (*INDEXES, "estate", "summary", "trend", "aliases")},
                "events": {name: _describe(self.events(name)) for name in names},
                "writes": Counter(map(str, self.world.cloud.writes)),
                "cloud": self.world.cloud.bodies,
                "blobs": self.blobs.names(tenant=TENANT, prefix=""),
                "workflows": self.hub.started,
                "terminated": self.hub.ended,
            }
        )

    def events(self, name: str) -> list[Recorded[Any]]:
        return event.recorded(self.documents, TENANT, name)

    def _kept(self, kind: str) -> dict[str, Any]:
        page = self.documents.query(tenant=TENANT, kind=kind, query=Query(), limit=1000)
        counted = kind in ("remediation", "remediation-item")  # by its events, among them each try
        return {
            each.id: {name: value for name, value in each.body.items() if not (counted and name == "sequence")}
            for each in page.items
        }

    def by(self, name: str) -> Store:
        return replace(self.store, caller=caller(name, TENANT), correlation="c2")

    def later(self, **more: float) -> None:
        self.clock.at += timedelta(**more)


def _describe(recorded: list[Recorded[Any]]) -> list[Any]:
    """What the events say. Each worker tells that it tries a write, and of two at once only one makes it."""
    result = [each.event.model_dump(mode="json") for each in recorded]
    result = [each for each, then in zip(result, [*result[1:], None], strict=True) if not _is_told_again(each, then)]
    tries = [each["type"] == "itemApplying" and each == before for before, each in pairwise(result)]
    return result[:1] + [each for each, again in zip(result[1:], tries, strict=True) if not again]


def _is_told_again(event: Any, then: Any) -> bool:
    """Whether the next event tells again how far a remediation is."""
    return event["type"] == "itemsExecuted" and then is not None and then["type"] == event["type"]


def _normalize(state: Any) -> Any:
    return json.loads(_NEW_ID_PATTERN.sub("made", _TIME.sub("time", json.dumps(state, default=str, sort_keys=True))))
