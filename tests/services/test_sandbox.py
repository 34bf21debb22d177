"""Remediations of a sample estate in the sandbox cloud, through the real SDKs, with the faults a cloud has."""

from collections.abc import Iterator
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
from shared.services.work import plan_of
from tests.world import World

TENANT = "contoso"
CATALOG = PackagedCatalog(Path(__file__).parents[2] / "catalog")
BOOK = policy.book(CATALOG)
EFFECTS = ["audit", "modify", "deployIfNotExists"]
LOCKS = "Microsoft.Authorization/locks"


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


def pick(world: World, cloud: Sandbox, effect: str = "audit", most: int = 1) -> list[Finding]:
    """Open findings with a fix, on resources of their own that no lock protects."""
    query = Query(equals={"open": True, "remediable": True, "effect": effect})
    page = world.store.documents.query(tenant=TENANT, kind=finding.KIND, query=query, limit=1000)
    locked = tuple(each.partition(f"/providers/{LOCKS}")[0].lower() for each in cloud.ids(LOCKS))
    found = {each.resource_id: each for each in map(Finding.model_validate, (item.body for item in page.items))}
    free = [each for each in found.values() if not each.resource_id.lower().startswith(locked)]
    assert len(free) >= most, f"the estate has that many findings that {effect} can fix"
    return free[:most]


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


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_fix_is_proven_and_its_rollback_restores_every_byte(world: World, cloud: Sandbox, effect: str) -> None:
    (found,) = pick(world, cloud, effect)
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


def strike(world: World, cloud: Sandbox, kind: str, **more: Any) -> None:
    """Arm a fault for the next write of the approved plan."""
    (operation, *_) = plan_of(world.now(), store=world.store).items[0].operations
    cloud.faults.add(kind, method=operation.method, scope=operation.resource_id, times=1, **more)


@pytest.mark.parametrize(
    ("kind", "more"),
    [("lostAnswer", {}), ("throttled", {"retry_after": 60}), ("unavailable", {}), ("dropped", {})],
)
def test_a_fault_on_the_way_changes_nothing_about_the_end(
    world: World, cloud: Sandbox, kind: str, more: dict[str, Any]
) -> None:
    (found,) = pick(world, cloud)
    approved(world, found)
    before = len(cloud.writes())
    strike(world, cloud, kind, **more)
    known = world.run()
    assert (known.status, known.items[0].outcome) == (Status.SUCCEEDED, Outcome.DONE), known.items[0].reason
    assert len(cloud.writes()) == before + 1


def test_a_write_that_was_lost_is_found(world: World, cloud: Sandbox) -> None:
    (found,) = pick(world, cloud)
    approved(world, found)
    strike(world, cloud, "lostWrite")
    known = world.run()
    assert (known.items[0].outcome, known.items[0].reason) == (Outcome.FAILED, execution.LOST)
    assert is_open(world, found)


def test_a_forbidden_write_names_what_is_missing(world: World, cloud: Sandbox) -> None:
    (found,) = pick(world, cloud)
    approved(world, found)
    strike(world, cloud, "forbidden")
    known = world.run()
    assert known.items[0].outcome == Outcome.FAILED
    assert f"{found.resource_type}/write".lower() in known.items[0].reason.lower()


def test_a_change_since_the_plan_is_refused(world: World, cloud: Sandbox) -> None:
    (found,) = pick(world, cloud)
    approved(world, found)
    world.cloud.write(
        tenant=TENANT,
        method="PATCH",
        resource_id=found.resource_id,
        api_version=BOOK.versions[found.resource_type.lower()],
        body={"tags": {"changed": "by somebody else"}},
    )
    before = len(cloud.writes())
    known = world.run()
    assert (known.items[0].outcome, known.items[0].reason) == (Outcome.REFUSED, execution.CHANGED)
    assert len(cloud.writes()) == before


def test_many_at_once(world: World, cloud: Sandbox) -> None:
    found = pick(world, cloud, most=4)
    before = len(cloud.writes())
    approved(world, *found)
    known = world.run()
    assert known.status == Status.SUCCEEDED, [item.reason for item in known.items]
    assert not any(is_open(world, each) for each in found)
    assert len(cloud.writes()) == before + len(known.items)
