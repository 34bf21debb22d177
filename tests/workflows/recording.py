"""Runs of every workflow whose histories are kept: for each, what happens in it, and how the workflow is called.

`CORTEX_RECORD=VERSION pytest tests/workflows/test_history.py` saves one of each under that version.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from durabletask.task import RetryPolicy

from functions import scan as scan_door
from shared.domain.error import Throttled
from shared.domain.remediation import RemediationStatus
from shared.domain.scan import Scan, ScanRequest, ScanTrigger
from shared.services.remediation import rollback
from shared.services.scan import scan
from shared.workflows import remediation as remediation_workflow
from shared.workflows import scan as scan_workflow
from shared.workflows.wait import DECISION_EVENT
from tests.fakes.cloud import account
from tests.fakes.durable import Engine, given, until
from tests.fakes.inventory import account as scanned_account
from tests.fakes.world import World, throw
from tests.workflows.test_scan import DAY, Estate, name

type Run = Callable[[World, Engine, str], str]
"""Runs a workflow to its end in a world and an engine, as of a version; the id of the workflow."""


def requested(world: World, *names: str) -> None:
    first, *more = (account(each) for each in names)
    world.put(first, *more)
    world.request(first, "https-only", more=tuple(world.finding(each, "https-only").id for each in more))


def run(world: World, engine: Engine, version: str) -> str:
    """The workflow of a requested remediation, approved when that is its turn."""
    instance = engine.name(world)
    engine.begin("remediation", instance, given(world.store, world.id), version)
    until(world, RemediationStatus.AWAITING_APPROVAL)
    world.approve()
    engine.raise_event(world)
    return instance


def fixed(world: World, engine: Engine, version: str) -> str:
    """A remediation from request to proof."""
    requested(world, "alpha")
    return run(world, engine, version)


def fixed_after_waits(world: World, engine: Engine, version: str) -> str:
    """Two items, of which the first waits for the cloud while the second is done; planning waited too."""
    requested(world, "alpha", "beta")
    world.cloud.faults.append(Throttled("asked to wait", retry_after=0.1))
    world.cloud.before = throw(Throttled("asked to wait", retry_after=0.3))
    return run(world, engine, version)


def given_up(world: World, engine: Engine, version: str) -> str:
    """A step that keeps failing."""
    engine.faults["execute"] = bugs(remediation_workflow.RETRY_POLICY)
    return fixed(world, engine, version)


def fixed_then_cancelled(world: World, engine: Engine, version: str) -> str:
    """A remediation that is cancelled while it waits for the cloud."""
    world.cloud.before = throw(Throttled("asked to wait", retry_after=DAY))
    instance = fixed(world, engine, version)
    held(lambda: world.now().status == RemediationStatus.APPLYING and world.now().waiting_until)
    rollback.cancel(world.id, store=world.store, queue=world.queue)
    engine.raise_event(world)
    return instance


def scanned(world: World, engine: Engine, version: str, subscriptions: int = 6) -> str:
    """A scan of several subscriptions, with more steps than are done at once."""
    world.cloud.put(*(scanned_account("a", subscription=name(number)) for number in range(subscriptions)))
    scan.request(world.id, ScanRequest(), ScanTrigger.HTTP, store=world.store, queue=world.queue)
    instance = scan_door.instance_id(world.id)
    engine.begin("scan", instance, given(world.store, world.id), version)
    return instance


def scanned_after_waits(world: World, engine: Engine, version: str) -> str:
    """The cloud asks to wait for its subscriptions, and then for two of them; a step of another fails once."""
    world.cloud.away = [Throttled("asked to wait", retry_after=0.2)]
    world.cloud.errors = {name(number): [Throttled("asked to wait", retry_after=0.2)] for number in (1, 3)}
    engine.faults["step"] = [RuntimeError("a bug")]
    return scanned(world, engine, version)


def abandoned(world: World, engine: Engine, version: str) -> str:
    """A scan whose only subscription keeps failing."""
    engine.faults["step"] = bugs(scan_workflow.RETRY_POLICY)
    return scanned(world, engine, version, subscriptions=1)


def bugs(policy: RetryPolicy) -> list[Exception]:
    """As many failures as a step has tries."""
    return [RuntimeError("a bug")] * policy.max_number_of_attempts


def scanned_at_length(world: World, engine: Engine, version: str) -> str:
    """As many steps as a history may have: a new one begins."""
    return scanned(world, engine, version, subscriptions=70)


def scanned_then_cancelled(world: World, engine: Engine, version: str) -> str:
    """A scan that is cancelled while a subscription waits."""
    world.cloud.errors = {name(0): [Throttled("asked to wait", retry_after=DAY)]}
    instance = scanned(world, engine, version, subscriptions=2)
    held(lambda: found(world).waiting_until)
    scan.cancel(world.id, store=world.store, queue=world.queue)
    engine.client.raise_orchestration_event(instance, DECISION_EVENT)
    return instance


def found(world: World) -> Scan:
    return scan.find(world.id, store=world.store)


def held(true: Callable[[], Any]) -> None:
    """Wait for what other threads bring about."""
    waited = threading.Event()
    while not true():
        waited.wait(0.02)


RUNS: Mapping[str, Run] = {
    "remediation": fixed,
    "remediation-waits": fixed_after_waits,
    "remediation-given-up": given_up,
    "remediation-cancelled": fixed_then_cancelled,
    "scan": scanned,
    "scan-abandoned": abandoned,
    "scan-waits": scanned_after_waits,
    "scan-long": scanned_at_length,
    "scan-cancelled": scanned_then_cancelled,
}


def world_of(run: str, world: World) -> World:
    """The world for a run: scans have an estate, remediations a cloud that can be written to."""
    return replace(world, cloud=Estate(world.store.now)) if run.startswith("scan") else world
