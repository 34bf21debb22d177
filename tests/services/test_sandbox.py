"""Remediations of a sample estate in the sandbox cloud, through the real SDKs, with the faults a cloud has."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.cloud.server import Sandbox, sandbox
from shared.adapters.azure.arm import Connection, StaticToken
from shared.adapters.azure.control import ArmControl
from shared.adapters.azure.inventory import ArmInventory
from shared.adapters.index import INDEXES
from shared.adapters.local.blobs import FileBlobs
from shared.adapters.local.catalog import PackagedCatalog
from shared.adapters.local.documents import SqliteDocuments
from shared.adapters.local.queue import SqliteQueue
from shared.domain.body import canonical, comparable
from shared.domain.event import Actor
from shared.domain.finding import Finding
from shared.domain.plan import Outcome
from shared.domain.remediation import RemediationRequest, Status
from shared.domain.scan import ScanRequest, Trigger
from shared.ports.documents import Query
from shared.services import execution, finding, policy, remediation, scan
from shared.services.estate import Store
from tests.world import World

TENANT = "contoso"
CATALOG = PackagedCatalog(Path(__file__).parents[2] / "catalog")
BOOK = policy.book(CATALOG)
KINDS = ["storage-secure-transfer", "inherit-environment-tag", "key-vault-logs", "storage-blob-soft-delete"]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("cloud") / "cloud.db", resources=300, seed=7) as running:
        yield running


@pytest.fixture(scope="module")
def scanned(cloud: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A tenant whose estate was scanned once."""
    place = tmp_path_factory.mktemp("state")
    connection = Connection(TENANT, cloud.url, StaticToken(cloud.token))
    control = ArmControl(connection, sleep=lambda _: None)
    inventory = ArmInventory(connection, resource_types=CATALOG.resource_types())
    with SqliteDocuments(place / "d.db", indexes=INDEXES) as documents, SqliteQueue(place / "q.db") as queue:
        store = Store(
            documents=documents,
            blobs=FileBlobs(place / "blobs"),
            now=lambda: datetime.now(UTC),
            tenant=TENANT,
            actor=Actor(name="ada", correlation="c1"),
        )
        world = World(store, queue, cloud=control, book=BOOK, inventory=inventory)
        scan_all(world)
        yield world
    control.close()
    inventory.close()


def scan_all(world: World) -> None:
    scan.request("s1", ScanRequest(), Trigger.HTTP, store=world.store, queue=world.queue)
    for subscription in scan.prepare("s1", store=world.store, inventory=world.inventory):
        while scan.step("s1", subscription, 0, store=world.store, inventory=world.inventory, book=BOOK).state != "done":
            pass
    scan.finish("s1", store=world.store, book=BOOK)


@pytest.fixture
def world(scanned: World, cloud: Sandbox, request: pytest.FixtureRequest) -> Iterator[World]:
    name = "".join(each if each.isalnum() else "-" for each in request.node.name)
    yield World(scanned.store, scanned.queue, cloud=scanned.cloud, book=BOOK, inventory=scanned.inventory, id=name)
    cloud.faults.clear()


def first(world: World, name: str, most: int = 1) -> list[Finding]:
    query = Query(equals={"open": True, "remediable": True, "policy": name})
    page = world.store.documents.query(tenant=TENANT, kind=finding.KIND, query=query, limit=most)
    found = [Finding.model_validate(each.body) for each in page.items]
    assert len(found) == most, f"the estate has that many open findings of {name}"
    return found


def approved(world: World, *found: Finding) -> None:
    asked = RemediationRequest(findings=tuple(each.id for each in found))
    remediation.request(world.id, asked, store=world.store, queue=world.queue)
    assert world.plan().status == Status.AWAITING_APPROVAL
    world.approve()


def is_open(world: World, found: Finding) -> bool:
    stored = world.store.documents.get(tenant=TENANT, kind=finding.KIND, id=found.id)
    assert stored is not None
    return bool(stored.body["open"])


def said(cloud: Sandbox, resource_id: str) -> bytes:
    return canonical(comparable(cloud.read(resource_id) or {}))


@pytest.mark.parametrize("name", KINDS)
def test_a_fix_is_proven_and_its_rollback_restores_every_byte(world: World, cloud: Sandbox, name: str) -> None:
    (found,) = first(world, name)
    before, after = said(cloud, found.resource_id), len(cloud.writes())
    approved(world, found)
    known = world.run()
    assert (known.status, known.items[0].outcome) == (Status.SUCCEEDED, Outcome.DONE), known.items[0].reason
    assert not is_open(world, found)
    assert len(cloud.writes()) == after + 1
    world.rollback()
    assert world.run().status == Status.ROLLED_BACK
    assert said(cloud, found.resource_id) == before
    assert is_open(world, found)


def fault(kind: str, **more: Any) -> Callable[[Sandbox, Finding], None]:
    def arm(cloud: Sandbox, found: Finding) -> None:
        cloud.faults.add(kind, method="PATCH", scope=found.resource_id, times=1, **more)

    return arm


@pytest.mark.parametrize(
    "arm", [fault("lostAnswer"), fault("throttled", retry_after=60), fault("unavailable"), fault("dropped")]
)
def test_a_fault_on_the_way_changes_nothing_about_the_end(
    world: World, cloud: Sandbox, arm: Callable[[Sandbox, Finding], None]
) -> None:
    (found,) = first(world, "storage-secure-transfer")
    approved(world, found)
    before = len(cloud.writes())
    arm(cloud, found)
    known = world.run()
    assert (known.status, known.items[0].outcome) == (Status.SUCCEEDED, Outcome.DONE), known.items[0].reason
    assert len(cloud.writes()) == before + 1


def test_a_write_that_was_lost_is_found(world: World, cloud: Sandbox) -> None:
    (found,) = first(world, "storage-secure-transfer")
    approved(world, found)
    fault("lostWrite")(cloud, found)
    known = world.run()
    assert (known.items[0].outcome, known.items[0].reason) == (Outcome.FAILED, execution.LOST)
    assert is_open(world, found)


def test_a_forbidden_write_names_what_is_missing(world: World, cloud: Sandbox) -> None:
    (found,) = first(world, "storage-secure-transfer")
    approved(world, found)
    fault("forbidden")(cloud, found)
    known = world.run()
    assert known.items[0].outcome == Outcome.FAILED
    assert "microsoft.storage/storageaccounts/write" in known.items[0].reason.lower()


def test_a_change_since_the_plan_is_refused(world: World, cloud: Sandbox) -> None:
    (found,) = first(world, "storage-secure-transfer")
    approved(world, found)
    version = BOOK.versions[found.resource_type.lower()]
    world.cloud.write(
        tenant=TENANT,
        method="PATCH",
        resource_id=found.resource_id,
        api_version=version,
        body={"tags": {"changed": "by somebody else"}},
    )
    before = len(cloud.writes())
    known = world.run()
    assert (known.items[0].outcome, known.items[0].reason) == (Outcome.REFUSED, execution.CHANGED)
    assert len(cloud.writes()) == before


def test_many_at_once(world: World, cloud: Sandbox) -> None:
    found = first(world, "storage-secure-transfer", 2) + first(world, "key-vault-purge-protection", 2)
    before = len(cloud.writes())
    approved(world, *found)
    known = world.run()
    assert known.status == Status.SUCCEEDED
    assert not any(is_open(world, each) for each in found)
    assert len(cloud.writes()) == before + len(known.items)
