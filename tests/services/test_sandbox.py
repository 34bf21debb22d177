"""Remediations of a sample estate in the sandbox cloud, through the real SDKs, with the faults a cloud has."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.cloud.server import Sandbox, sandbox
from shared.adapters.azure.arm import ArmConnection, StaticToken
from shared.adapters.azure.control import ArmControl
from shared.adapters.azure.inventory import ArmInventory
from shared.adapters.index import INDEXES
from shared.adapters.local.blobs import FileBlobs
from shared.adapters.local.catalog import PackagedCatalog
from shared.adapters.local.documents import SqliteDocuments
from shared.adapters.local.queue import SqliteQueue
from shared.domain import item_step
from shared.domain.body import comparable
from shared.domain.canonical import canonicalize
from shared.domain.finding import Finding
from shared.domain.item import ItemOutcome
from shared.domain.remediation import RemediationRequest, RemediationStatus
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.services import finding
from shared.services.policy import effective_policy
from shared.services.remediation import request
from tests.fakes import scan_run
from tests.fakes.caller import caller
from tests.fakes.clock import Clock
from tests.fakes.world import World

TENANT = "contoso"
CATALOG = PackagedCatalog(Path(__file__).parents[2] / "catalog")
POLICIES = effective_policy.packaged(CATALOG)
EFFECTS = ["audit", "modify", "deployIfNotExists"]
ASSIGNMENT = "/providers/Microsoft.Authorization/policyAssignments/security-baseline"
LOCKS = "Microsoft.Authorization/locks"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("cloud") / "cloud.db", resources=300, seed=7) as running:
        with_container_app(running)
        yield running


def app_of(cloud: Sandbox) -> str:
    locked = tuple(each.partition("/providers/")[0] for each in cloud.ids(LOCKS))
    groups = (each.partition("/providers/")[0] for each in cloud.ids("Microsoft.Storage/storageAccounts"))
    group = next(each for each in groups if not each.startswith(locked))
    return f"{group}/providers/Microsoft.App/containerApps/insecure"


def with_container_app(cloud: Sandbox) -> None:
    """Add a container app that takes plain HTTP and has a secret of its own."""
    ingress = {"external": True, "allowInsecure": True}
    configuration = {"secrets": [{"name": "database-password", "value": "x"}], "ingress": ingress}
    control = ArmControl(ArmConnection(TENANT, cloud.url, StaticToken(cloud.token)))
    control.write(
        tenant=TENANT,
        method="PUT",
        resource_id=app_of(cloud),
        api_version="2025-07-01",
        body={"location": "westeurope", "properties": {"configuration": configuration}},
    )
    control.close()


@pytest.fixture(scope="module")
def scanned(cloud: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A tenant whose estate was scanned once."""
    place = tmp_path_factory.mktemp("state")
    connection = ArmConnection(TENANT, cloud.url, StaticToken(cloud.token))
    control = ArmControl(connection, sleep=lambda _: None)
    inventory = ArmInventory(connection, resource_types=CATALOG.resource_types())
    with SqliteDocuments(place / "d.db", indexes=INDEXES) as documents, SqliteQueue(place / "q.db") as queue:
        store = Store(
            documents=documents,
            blobs=FileBlobs(place / "blobs"),
            now=Clock(datetime.now(UTC)),
            caller=caller(tenant=TENANT),
            correlation="c1",
        )
        world = World(store, queue, cloud=control, policies=POLICIES, inventory=inventory)
        scan_all(world)
        yield world
    control.close()
    inventory.close()


def scan_all(world: World) -> None:
    scan_run.run("s1", world.store, world.queue, world.inventory, POLICIES)


@pytest.fixture
def world(scanned: World, cloud: Sandbox, request: pytest.FixtureRequest) -> Iterator[World]:
    name = "".join(each if each.isalnum() else "-" for each in request.node.name)
    yield World(
        scanned.store, scanned.queue, cloud=scanned.cloud, policies=POLICIES, inventory=scanned.inventory, id=name
    )
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
    request.request(world.id, asked, store=world.store, queue=world.queue)
    assert world.plan().status == RemediationStatus.AWAITING_APPROVAL
    world.approve()


def is_open(world: World, found: Finding) -> bool:
    stored = world.store.documents.get(tenant=TENANT, kind=finding.KIND, id=found.id)
    assert stored is not None
    return bool(stored.body["open"])


def said(cloud: Sandbox, resource_id: str) -> bytes:
    return canonicalize(comparable(cloud.read(resource_id) or {}))


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_fix_is_proven_and_its_rollback_restores_every_byte(world: World, cloud: Sandbox, effect: str) -> None:
    (found,) = pick(world, cloud, effect)
    before, after = said(cloud, found.resource_id), len(cloud.writes())
    approved(world, found)
    known = world.run()
    assert (known.status, world.item().outcome) == (RemediationStatus.SUCCEEDED, ItemOutcome.DONE), world.item().reason
    assert not is_open(world, found)
    assert len(cloud.writes()) == after + 1
    world.rollback()
    assert world.run().status == RemediationStatus.ROLLED_BACK
    assert said(cloud, found.resource_id) == before
    assert is_open(world, found)


def test_a_container_app_is_fixed_and_put_back_without_the_values_of_its_secrets(world: World, cloud: Sandbox) -> None:
    app = {"id": app_of(cloud)}
    before, after = said(cloud, app["id"]), len(cloud.writes())
    approved(world, world.finding(app, "container-app-https-only", ASSIGNMENT))
    assert world.run().status == RemediationStatus.SUCCEEDED, world.item().reason
    world.rollback()
    assert world.run().status == RemediationStatus.ROLLED_BACK, world.item().reason
    assert said(cloud, app["id"]) == before
    assert [each["method"] for each in cloud.writes()[after:]] == ["PATCH", "PATCH"]


def strike(world: World, cloud: Sandbox, kind: str, **more: Any) -> None:
    """Arm a fault for the next write of the approved plan."""
    (operation, *_) = world.planned()[0].operations
    cloud.faults.add(kind, method=operation.method, scope=operation.resource_id, times=1, **more)


@pytest.mark.parametrize(
    ("kind", "more"),
    [("lostResponse", {}), ("throttled", {"retry_after": 60}), ("unavailable", {}), ("dropped", {})],
)
def test_a_fault_on_the_way_changes_nothing_about_the_end(
    world: World, cloud: Sandbox, kind: str, more: dict[str, Any]
) -> None:
    (found,) = pick(world, cloud)
    approved(world, found)
    before = len(cloud.writes())
    strike(world, cloud, kind, **more)
    known = world.run()
    assert (known.status, world.item().outcome) == (RemediationStatus.SUCCEEDED, ItemOutcome.DONE), world.item().reason
    assert len(cloud.writes()) == before + 1


def test_a_write_that_was_lost_is_found(world: World, cloud: Sandbox) -> None:
    (found,) = pick(world, cloud)
    approved(world, found)
    strike(world, cloud, "lostWrite")
    world.run()
    assert (world.item().outcome, world.item().reason) == (ItemOutcome.FAILED, item_step.LOST)
    assert is_open(world, found)


def test_a_forbidden_write_names_what_is_missing(world: World, cloud: Sandbox) -> None:
    (found,) = pick(world, cloud)
    approved(world, found)
    strike(world, cloud, "forbidden")
    world.run()
    assert world.item().outcome == ItemOutcome.FAILED
    assert f"{found.resource_type}/write".lower() in world.item().reason.lower()


def test_a_change_since_the_plan_is_refused(world: World, cloud: Sandbox) -> None:
    (found,) = pick(world, cloud)
    approved(world, found)
    world.cloud.write(
        tenant=TENANT,
        method="PATCH",
        resource_id=found.resource_id,
        api_version=POLICIES.versions[found.resource_type.lower()],
        body={"tags": {"changed": "by somebody else"}},
    )
    before = len(cloud.writes())
    world.run()
    assert (world.item().outcome, world.item().reason) == (ItemOutcome.REFUSED, item_step.CHANGED)
    assert len(cloud.writes()) == before


def test_many_at_once(world: World, cloud: Sandbox) -> None:
    found = pick(world, cloud, most=4)
    before = len(cloud.writes())
    approved(world, *found)
    known = world.run()
    assert known.status == RemediationStatus.SUCCEEDED, [item.reason for item in world.items()]
    assert not any(is_open(world, each) for each in found)
    assert len(cloud.writes()) == before + known.item_count
