"""How many calls of the cloud a scan takes: counted, not timed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.scan import counted
from local.cloud import Sandbox, sandbox
from shared.adapters.azure.arm import ArmConnection, StaticToken
from shared.adapters.azure.inventory import ArmInventory
from shared.bootstrap import catalog
from shared.domain.scan import ScanStatus
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services.policy import effective_policy
from tests.fakes import scan_run
from tests.fakes.clock import TENANT, Clock
from tests.fakes.sandbox import Http

CATALOG = catalog()
STORAGE = "Microsoft.Storage/storageAccounts"


@pytest.fixture
def cloud(tmp_path: Path, clock: Clock) -> Iterator[Sandbox]:
    with sandbox(tmp_path / "cloud.db", resources=150, clock=clock) as running:
        yield running


@pytest.fixture
def real(cloud: Sandbox, clock: Clock) -> Iterator[ArmInventory]:
    connection = ArmConnection(TENANT, cloud.url, StaticToken(cloud.token))
    types = CATALOG.resource_types()
    opened = ArmInventory(connection, resource_types=types, now=clock, sleep=lambda _: None)
    yield opened
    opened.close()


def test_without_changes_no_call_is_about_one_resource(
    cloud: Sandbox, real: ArmInventory, store: Store, queue: Queue
) -> None:
    policies = effective_policy.packaged(CATALOG)
    subscriptions = len(real.subscriptions(tenant=TENANT))
    found = []
    for number in range(3):
        if number == 2:
            body = {"tags": {"seen": "yes"}}
            Http(cloud)("PATCH", cloud.ids(STORAGE)[0], body, version="2025-06-01")
        with counted() as calls:
            assert scan_run.run(f"s{number}", store, queue, real, policies).status == ScanStatus.COMPLETED
        found.append(calls)
    first, second, third = found
    assert first["reads of resources"] > 20
    assert second["reads of resources"] == 0
    # One for the ids of each subscription and one for its changes, however many resources it has.
    assert second["queries"] == 2 * subscriptions
    assert second["others"] == first["others"]
    assert 1 <= third["reads of resources"] <= 3
    assert third["queries"] == second["queries"] + 1
