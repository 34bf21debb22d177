"""Remediations in bad weather: deaths, lost answers, lost writes, throttling, others at work; from a seed."""

import copy
import os
import random
from dataclasses import dataclass, replace
from typing import Any

import pytest

from shared.domain.body import comparable
from shared.domain.canonical import canonicalize
from shared.domain.error import Conflict, Throttled, Unavailable
from shared.domain.item import ItemOutcome
from shared.domain.remediation import ACTIVE, Remediation, RemediationStatus
from shared.domain.remediation_transition import apply
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services.policy import effective_policy
from tests.fakes.catalog import FixingCatalog
from tests.fakes.cloud import VAULT, account, resource
from tests.fakes.interruption import Killed
from tests.fakes.world import Counting, World
from tests.services.remediation.test_plan import APPENDED, LOGGED

SEEDS = int(os.environ.get("CORTEX_STORMS", "30"))
FIRST = int(os.environ.get("CORTEX_STORM_SEED", "0"))
NAMES = {"account": ("bypass", "https-only", "tls-1-2"), "vault": ("logged", "purge-protected")}


@dataclass
class Storm:
    """Faults by chance around every write and every record, until `strength` of them have struck."""

    world: World
    chance: random.Random
    strength: int
    foreign: bool = False
    killed: int = 0

    def strikes(self, odds: float) -> bool:
        if self.strength <= 0 or self.chance.random() > odds:
            return False
        self.strength -= 1
        return True

    def before(self, _method: str, resource_id: str) -> None:
        if not self.strikes(0.5):
            return
        kind = self.chance.choice(["throttled", "silent", "busy", "lost", "killed", "foreign"])
        if kind == "lost":
            self.world.cloud.lost.add(resource_id.lower())
        elif kind == "foreign":
            if self.world.cloud.etags:
                self._change(resource_id)
        else:
            self._raise(kind)

    def after(self, _method: str, resource_id: str) -> None:
        if self.strikes(0.4):
            kind = self.chance.choice(["silent", "killed", "foreign"])
            if kind == "foreign":
                self._change(resource_id)
            self._raise(kind)

    def boundary(self) -> None:
        if self.strikes(0.1):
            self._raise("killed")

    def _raise(self, kind: str) -> None:
        if kind == "throttled":
            raise Throttled("slow down", retry_after=1)
        if kind == "silent":
            raise Unavailable("no answer", retry_after=1)
        if kind == "busy":
            raise Conflict("another operation is in progress")
        if kind == "killed":
            self.killed += 1
            raise Killed

    def _change(self, resource_id: str) -> None:
        """Somebody else writes to the resource."""
        body = self.world.cloud.bodies.get(resource_id.lower())
        if body is not None:
            self.foreign = True
            self.world.cloud.put({**copy.deepcopy(body), "tags": {"changed": "by somebody else"}})


def weather(world: World, seed: int, strength: int) -> Storm:
    storm = Storm(world, random.Random(seed), strength)  # noqa: S311 - a seeded storm
    world.cloud.before, world.cloud.after = storm.before, storm.after
    documents: Any = Counting(world.store.documents, storm.boundary)
    world.store = replace(world.store, documents=documents)
    return storm


def through(world: World, storm: Storm) -> Remediation:
    """Run to the end, starting again after each death; now and then a step is delivered twice."""
    for _ in range(300):
        try:
            while world.step() not in {"end", "wait"}:
                if storm.chance.random() < 0.2:
                    late(world)
            return world.now()
        except Killed:
            continue
    raise AssertionError(f"never ended: {world.event_types()}")


def late(world: World) -> None:
    """Steps that were delivered long ago, delivered once more."""
    world.apply()
    world.verify()
    world.restore()


def check(world: World, known: Remediation, befores: dict[str, Any]) -> None:
    """What must be true however it went."""
    assert known.status not in ACTIVE
    folded: Remediation | None = None
    for event in world.events():
        folded = apply(folded, event)
    assert folded == known
    for item in world.items():
        body = world.cloud.bodies.get(item.resource_id.lower())
        before = befores[item.resource_id.lower()]
        foreign = bool(body and body.get("tags") == {"changed": "by somebody else"})
        unchanged = canonicalize(comparable(body or {})) == canonicalize(comparable(before))
        assert item.outcome not in {
            ItemOutcome.PENDING,
            ItemOutcome.APPLYING,
            ItemOutcome.APPLIED,
            ItemOutcome.ROLLING_BACK,
        }
        if item.outcome == ItemOutcome.DONE and not foreign:
            assert not unchanged
        if item.outcome in {ItemOutcome.REFUSED, ItemOutcome.ROLLED_BACK, ItemOutcome.FAILED} and not foreign:
            assert unchanged, f"{item.outcome}: {item.reason}"


@pytest.mark.parametrize("kind", list(NAMES))
@pytest.mark.parametrize("etags", [True, False])
def test_however_it_storms_the_record_tells_the_truth_and_nobody_s_change_is_lost(
    kind: str, store: Store, queue: Queue, *, etags: bool
) -> None:
    policies = effective_policy.packaged(FixingCatalog(LOGGED, APPENDED))
    outcomes: set[ItemOutcome] = set()
    killed = 0
    for seed in range(FIRST, FIRST + SEEDS):
        world = World(store, queue, policies=policies, id=f"{kind}{etags}{seed}")
        world.cloud.etags = etags
        made = account(world.id) if kind == "account" else resource(VAULT, world.id, {"enablePurgeProtection": False})
        world.put(made)
        world.approved(made, *NAMES[kind])
        before = {key: copy.deepcopy(body) for key, body in world.cloud.bodies.items()}
        storm = weather(world, seed, strength=seed % 7)
        known = through(world, storm)
        check(world, known, before)
        survived(world, storm, made)
        if known.status in {RemediationStatus.SUCCEEDED, RemediationStatus.PARTLY_SUCCEEDED} and seed % 2:
            rolling = replace(world, store=store)
            rolling.rollback()
            known = through(world, storm)
            check(world, known, before)
            survived(world, storm, made)
        outcomes |= {item.outcome for item in world.items()}
        killed += storm.killed
    assert {ItemOutcome.DONE, ItemOutcome.ROLLED_BACK, ItemOutcome.UNKNOWN} <= outcomes
    assert killed > SEEDS // 4


def survived(world: World, storm: Storm, made: dict[str, Any]) -> None:
    """What somebody else wrote is still there."""
    bodies = [body for key, body in world.cloud.bodies.items() if key.startswith(made["id"].lower())]
    if storm.foreign:
        assert any(body.get("tags") == {"changed": "by somebody else"} for body in bodies)
