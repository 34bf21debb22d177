"""A scan of several subscriptions within small buckets: the cloud refuses next to nothing, as the budget asks first."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.cloud import Sandbox, sandbox
from shared.adapters.azure.arm import ArmConnection, StaticToken
from shared.adapters.azure.inventory import ArmInventory
from shared.adapters.call_budget import StoredCallBudget
from shared.adapters.throttling import throttling_counts
from shared.bootstrap import catalog
from shared.domain.scan import ScanMode, ScanRequest, ScanStatus
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services.policy import effective_policy
from tests.fakes import scan_run
from tests.fakes.clock import TENANT
from tests.fakes.sandbox import Clock

CATALOG = catalog()
Open = Callable[..., ArmInventory]


@pytest.fixture
def passing() -> Clock:
    return Clock()


@pytest.fixture
def cloud(tmp_path: Path, passing: Clock) -> Iterator[Sandbox]:
    path = tmp_path / "cloud.db"
    with sandbox(path, resources=400, clock=passing, throttle=True, limit_scale=0.05) as running:
        yield running


@pytest.fixture
def connect(cloud: Sandbox, passing: Clock) -> Iterator[Open]:
    opened = []

    def start(budget: StoredCallBudget | None = None) -> ArmInventory:
        connection = ArmConnection(TENANT, cloud.url, StaticToken(cloud.token), budget)
        types = CATALOG.resource_types()
        opened.append(ArmInventory(connection, resource_types=types, now=passing, sleep=passing.sleep))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def refusals(inventory: ArmInventory, name: str, store: Store, queue: Queue) -> int:
    before = throttling_counts()["cloud"]
    everything = ScanRequest(mode=ScanMode.FULL)
    found = scan_run.run(name, store, queue, inventory, effective_policy.packaged(CATALOG), everything)
    assert found.status == ScanStatus.COMPLETED
    return throttling_counts()["cloud"] - before


def test_a_scan_within_small_buckets_is_hardly_refused(
    connect: Open, store: Store, queue: Queue, passing: Clock
) -> None:
    """The buckets are a twentieth of the documented ones: the first scan learns that, and the next one knows it."""
    assert len(connect().subscriptions(tenant=TENANT)) > 1
    found = [refusals(connect(), "s1", store, queue)]
    for number in (2, 3):
        passing.sleep(60)
        budget = StoredCallBudget(store.documents, tenant=TENANT, instance=f"i{number}", now=passing)
        found.append(refusals(connect(budget), f"s{number}", store, queue))
    without, first, second = found
    assert without > 50
    assert first < without / 2
    assert second < without / 5
