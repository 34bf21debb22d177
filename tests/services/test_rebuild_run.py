"""A rebuild goes on beside everything else, is put in use by one write, and survives a kill at any write."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.generation import GenerationDocuments, StoredGenerations
from shared.adapters.index import INDEXES, PROJECTED_KINDS
from shared.adapters.local.documents import SqliteDocuments
from shared.domain.error import Conflict, Stale, UnknownEvent
from shared.domain.rebuild import Rebuild, RebuildPhase, RebuildRequest
from shared.eventstore import projection, stream
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.ports.queue import Queue
from shared.services import compliance, exemption, rebuild
from shared.services.policy.effective_policy import EffectivePolicies
from tests.fakes import scan_run
from tests.fakes.interruption import InterruptedDocuments, Killed
from tests.fakes.inventory import SUBSCRIPTION, MemoryInventory, account
from tests.services.test_rebuild import everything, workflow


@dataclass
class World:
    """A tenant with generations of documents, and what goes on in it."""

    store: Store
    generations: StoredGenerations
    queue: Queue
    policies: EffectivePolicies

    def ask(self, name: str = "r1", *, check: bool = False) -> Rebuild:
        asked = RebuildRequest(check=check)
        return rebuild.request(name, asked, store=self.store, generations=self.generations, queue=self.queue)

    def step(self, name: str = "r1") -> Rebuild:
        return rebuild.run(
            name, store=self.store, generations=self.generations, queue=self.queue, policies=lambda: self.policies
        )

    def end(self, name: str = "r1") -> Rebuild:
        while (known := self.step(name)).ended_at is None:
            pass
        return known


def world(documents: Any, store: Store, queue: Queue, policies: EffectivePolicies) -> World:
    current = GenerationDocuments(documents)
    return World(replace(store, documents=current), StoredGenerations(current), queue, policies)


@pytest.fixture
def here(store: Store, queue: Queue, policies: EffectivePolicies, inventory: MemoryInventory) -> World:
    """A tenant that was scanned."""
    made = world(store.documents, store, queue, policies)
    inventory.put(account("a0"), account("a1", https=False), account("a2", https=False))
    workflow(made.store, queue, inventory, policies)
    return made


def damage(store: Store) -> str:
    """Lose one document, and change another; the id of the one that is lost."""
    first, second = store.documents.query(tenant=store.tenant, kind="finding", query=Query()).items[:2]
    store.documents.delete(tenant=store.tenant, kind="finding", id=first.id)
    store.documents.put(tenant=store.tenant, kind="finding", id=second.id, body={**second.body, "severity": "low"})
    return first.id


def test_documents_that_were_lost_are_made_again(here: World) -> None:
    before = everything(here.store)
    damage(here.store)
    assert everything(here.store) != before
    here.ask()
    ended = here.end()
    assert (ended.phase, ended.streams, ended.gap_count, ended.stopped) == (RebuildPhase.COMPLETED, 2, 0, ())
    assert here.generations.current(tenant=here.store.tenant) == ended.generation == 1
    assert everything(here.store) == before
    old = replace(here.store, documents=here.generations.at(tenant=here.store.tenant, generation=0))
    assert not any(everything(old).values()), "the old documents are removed"


def test_a_second_rebuild_follows_the_first(here: World) -> None:
    before = everything(here.store)
    here.ask()
    here.end()
    here.ask("r2")
    assert here.end("r2").generation == 2
    assert everything(here.store) == before


def test_what_goes_on_meanwhile_is_in_the_new_documents(
    here: World, inventory: MemoryInventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "STEP_DURATION", timedelta(0))
    here.ask()
    number = 0
    while (known := here.step()).ended_at is None:
        number += 1
        inventory.put(account(f"new{number}", https=False))
        name = f"t{number}"
        if known.phase in (RebuildPhase.CATCHING_UP, RebuildPhase.SETTLING):
            scan_run.run(name, here.store, here.queue, inventory, here.policies)
    assert number > 4, "one step is one stream"
    found = here.store.documents.count(tenant=here.store.tenant, kind="scan", query=Query())[""]
    assert found == len([each for each in stream.names(store=here.store) if each.startswith("scan:")])
    resources = here.store.documents.count(tenant=here.store.tenant, kind="resource", query=Query())[""]
    posture = here.store.documents.get(tenant=here.store.tenant, kind="estate", id=SUBSCRIPTION)
    assert posture is not None
    assert posture.body["resources"] == resources


def test_a_check_tells_what_differs_and_leaves_all_as_it_is(here: World) -> None:
    here.ask(check=True)
    fine = here.end()
    assert (fine.different, fine.first_different) == ({}, ())
    assert fine.compared > 6
    lost = damage(here.store)
    before = everything(here.store)
    here.ask("r2", check=True)
    ended = here.end("r2")
    assert ended.different == {"finding": 2}
    assert f"finding {lost}" in ended.first_different
    assert here.generations.current(tenant=here.store.tenant) == 0
    assert everything(here.store) == before
    made = replace(here.store, documents=here.generations.at(tenant=here.store.tenant, generation=ended.generation))
    assert not any(everything(made).values()), "what was made to compare is removed"


def test_one_rebuild_goes_on_at_a_time(here: World) -> None:
    here.ask()
    assert here.ask().phase == RebuildPhase.PROJECTING, "the same request again is the same rebuild"
    with pytest.raises(Conflict, match="rebuild r1"):
        here.ask("r2")


def test_a_stream_that_cannot_be_read_yet_keeps_the_old_documents_in_use(here: World) -> None:
    name = f"estate:{SUBSCRIPTION}"
    known = len(list(stream.bodies(name, store=here.store)))
    body = {"stream": name, "sequence": known + 1, "at": "2026-03-01T12:00:00Z", "actor": "ada", "correlation": "c"}
    event = {"type": "estateMerged", "version": 1}
    here.store.documents.create_all(
        tenant=here.store.tenant,
        kind=stream.KIND,
        group=name,
        items={stream.event_id(name, known + 1): {**body, "event": event}},
    )
    with pytest.raises(UnknownEvent):
        projection.current(rebuild.STREAMS["estate"], SUBSCRIPTION, store=here.store)
    here.ask()
    for _ in range(2):
        told = here.step()
    assert [(each.stream, each.type, each.version) for each in told.stopped] == [(name, "estateMerged", 1)]
    assert (told.phase, told.ended_at) == (RebuildPhase.PROJECTING, None), "it is tried again"
    assert here.generations.current(tenant=here.store.tenant) == 0


@pytest.fixture
def killing(tmp_path: Path) -> Iterator[Any]:
    opened: list[SqliteDocuments] = []

    def fresh(name: str) -> SqliteDocuments:
        opened.append(SqliteDocuments(tmp_path / f"{name}.db", indexes=INDEXES))
        return opened[-1]

    yield fresh
    for each in opened:
        each.close()


@pytest.mark.parametrize("after", [False, True])
def test_a_rebuild_killed_at_any_write_goes_on(
    *, after: bool, store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies, killing: Any
) -> None:
    inventory.put(account("a0"), account("a1", https=False))
    for at in range(1, 60):
        documents = killing(f"{after}{at}")
        there = world(documents, store, queue, policies)
        workflow(there.store, queue, inventory, policies)
        before = everything(there.store)
        there.ask()
        dying = InterruptedDocuments(documents, at, after=after)
        with suppress(Killed):
            world(dying, store, queue, policies).end()
        survivor = world(documents, store, queue, policies)
        assert survivor.end().phase == RebuildPhase.COMPLETED
        assert everything(survivor.store) == before, f"killed at write {at}"
        if dying.writes < at:
            return
    raise AssertionError("it was killed at every write")


def test_a_switch_that_others_made_first_is_stale(here: World) -> None:
    tenant = here.store.tenant
    here.generations.switch(tenant=tenant, before=0, to=1)
    with pytest.raises(Stale, match="generation 0"):
        here.generations.switch(tenant=tenant, before=0, to=2)
    here.generations.switch(tenant=tenant, before=1, to=2)
    assert here.generations.current(tenant=tenant) == 2


def test_the_kinds_of_a_generation_are_those_that_follow_from_events() -> None:
    assert set(rebuild.REBUILT_KINDS) == PROJECTED_KINDS
    assert compliance.KIND in PROJECTED_KINDS
    assert exemption.STREAM.document_kind in PROJECTED_KINDS
