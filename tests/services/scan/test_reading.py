"""A verdict does not depend on how the resources were read."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.cloud.server import Sandbox, sandbox
from shared.adapters.azure.arm import ArmConnection, StaticToken
from shared.adapters.azure.inventory import ArmInventory
from shared.adapters.azure.resource_type import ResourceTypes
from shared.adapters.index import INDEXES
from shared.adapters.local.blobs import FileBlobs
from shared.adapters.local.catalog import PackagedCatalog
from shared.adapters.local.documents import SqliteDocuments
from shared.adapters.local.queue import SqliteQueue
from shared.domain.scan import Scan, ScanStatus
from shared.eventstore.store import Store
from shared.ports.documents import Document, Query, each_document
from shared.ports.queue import Queue
from shared.services import finding
from shared.services.estate import judgement
from shared.services.policy import effective_policy
from tests.fakes import scan_run
from tests.fakes.caller import caller
from tests.fakes.clock import Clock

TENANT = "contoso"
CATALOG = PackagedCatalog(Path(__file__).parents[3] / "catalog")
POLICIES = effective_policy.packaged(CATALOG)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("cloud") / "cloud.db", resources=800) as running:
        yield running


@contextmanager
def world(cloud: Sandbox, place: Path) -> Iterator[tuple[Store, Queue, ArmInventory]]:
    """A store of its own, and the inventory of the cloud."""
    connection = ArmConnection(TENANT, cloud.url, StaticToken(cloud.token))
    inventory = ArmInventory(connection, resource_types=CATALOG.resource_types())
    place.mkdir()
    with SqliteDocuments(place / "d.db", indexes=INDEXES) as documents, SqliteQueue(place / "q.db") as queue:
        blobs, now = FileBlobs(place / "blobs"), Clock(datetime(2026, 11, 1, tzinfo=UTC))
        yield Store(documents, blobs, now, caller(tenant=TENANT), "c1"), queue, inventory
    inventory.close()


def stored(store: Store, kind: str) -> Iterator[Document]:
    return each_document(kind, Query(), documents=store.documents, tenant=TENANT)


def scan(cloud: Sandbox, place: Path) -> tuple[Scan, dict[str, Any]]:
    """Scan the estate into a store of its own: how the scan ended, and what each finding says."""
    with world(cloud, place) as (store, queue, inventory):
        ended = scan_run.run("s1", store, queue, inventory, POLICIES)
        return ended, {each.id: (each.body["state"], each.body["evidence"]) for each in stored(store, finding.KIND)}


def test_a_resource_that_is_read_by_itself_after_a_scan_has_not_changed(cloud: Sandbox, tmp_path: Path) -> None:
    with world(cloud, tmp_path / "state") as (store, queue, inventory):
        scan_run.run("s1", store, queue, inventory, POLICIES)
        before = {each.id: each.body for each in stored(store, "resource")}
        for row in {row["type"]: row for row in before.values()}.values():
            judgement.judge_resource(row["resourceId"], store=store, inventory=inventory, policies=POLICIES)
        after = {each.id: each.body for each in stored(store, "resource")}
        told = {row["type"] for key, row in after.items() if row["hash"] != before[key]["hash"]}
        assert told == set()
        assert not list(stored(store, "change"))


def test_single_reads_and_pages_judge_the_sample_estate_equally(
    cloud: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_pages, found = scan(cloud, tmp_path / "pages")
    monkeypatch.setattr(ResourceTypes, "is_listed_child", lambda *_: False)
    by_single_reads, same = scan(cloud, tmp_path / "single")
    assert by_pages.status == by_single_reads.status == ScanStatus.COMPLETED
    assert (by_pages.totals, by_pages.resources) == (by_single_reads.totals, by_single_reads.resources)
    assert found == same
    assert len(found) > 100
