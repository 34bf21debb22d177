"""Children that Resource Graph lists are read by pages; what it does not say is asked of Resource Manager."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.cloud.server import Sandbox, sandbox
from shared.adapters.azure import graph
from shared.adapters.azure.arm import ArmConnection, StaticToken
from shared.adapters.azure.inventory import ArmInventory
from shared.adapters.azure.resource_type import ResourceTypes
from shared.adapters.local.catalog import PackagedCatalog
from shared.domain.error import Throttled
from shared.domain.inventory import UnreadReason
from shared.domain.resource import Resource, Unread
from shared.ports.inventory import RelatedTypes
from shared.services.policy import effective_policy
from tests.adapters.cloud import SCOPE, Answer, Call, Cloud, denied, error
from tests.adapters.inventory.conftest import ROWS, TENANT, Reading

MACHINE = "Microsoft.Compute/virtualMachines"
EXTENSION = f"{MACHINE}/extensions"
EXTENSIONS = EXTENSION.lower()
WANTED: RelatedTypes = {MACHINE.lower(): frozenset({EXTENSIONS})}
TYPES: list[dict[str, Any]] = [
    *ROWS,
    {"type": MACHINE, "apiVersion": "2024-07-01", "resourceGraph": True},
    {"type": EXTENSION, "apiVersion": "2024-07-01", "resourceGraph": True, "list": "/extensions", "role": "Reader"},
]
CATALOG = PackagedCatalog(Path(__file__).parents[3] / "catalog")


@pytest.fixture
def inventory(connect: Callable[..., ArmInventory]) -> ArmInventory:
    return connect(resource_types=TYPES)


def machine(number: int) -> str:
    return f"{SCOPE}/resourceGroups/rg/providers/{MACHINE}/vm{number:03}"


def fill(cloud: Cloud, count: int) -> None:
    for number in range(count):
        cloud.add(machine(number), MACHINE)
        found = cloud.add(f"{machine(number)}/extensions/agent", EXTENSION, properties={"publisher": "Contoso"})
        cloud.lists[f"{machine(number)}/extensions"] = [found]


def related(reading: Reading) -> dict[str, Any]:
    """What each machine has, by its name."""
    machines = (each for each in reading.resources if each.type == MACHINE)
    return {each.id.rpartition("/")[2]: each.related[EXTENSIONS] for each in machines}


def lists(cloud: Cloud) -> list[str]:
    return [call.path for call in cloud.calls if call.path.endswith("/extensions")]


def test_one_query_reads_the_children_of_all_resources_of_a_page(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 30)
    found = related(Reading(WANTED).to_end(inventory))
    assert [len(each) for each in found.values()] == [1] * 30
    assert {child.id for (child,) in found.values()} == {f"{machine(each)}/extensions/agent" for each in range(30)}
    assert all(child.type == EXTENSION and child.body["properties"] for (child,) in found.values())
    assert not lists(cloud)
    queries = [call.body["query"] for call in cloud.calls if call.method == "POST"]
    assert len([each for each in queries if "parent in~" in each]) == 1


def test_the_evidence_says_when_and_from_where_a_child_was_read(
    cloud: Cloud, connect: Callable[..., ArmInventory]
) -> None:
    fill(cloud, 2)
    cloud.rows = [row for row in cloud.rows if not row["id"].endswith("vm001/extensions/agent")]
    moment = datetime(2026, 5, 1, tzinfo=UTC)
    found = related(Reading(WANTED).to_end(connect(resource_types=TYPES, now=lambda: moment)))
    (indexed,), (listed,) = found["vm000"], found["vm001"]
    assert indexed.collected_at == listed.collected_at == "2026-05-01T00:00:00Z"
    # What Resource Graph shows has no api-version.
    assert (indexed.api_version, listed.api_version) == (None, "2024-07-01")


def test_that_there_are_none_is_asked_of_resource_manager(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 3)
    cloud.rows = [row for row in cloud.rows if not row["id"].endswith("vm001/extensions/agent")]
    cloud.rows = [row for row in cloud.rows if not row["id"].endswith("vm002/extensions/agent")]
    cloud.lists[f"{machine(2)}/extensions"] = []
    found = related(Reading(WANTED).to_end(inventory))
    assert {name: len(each) for name, each in found.items()} == {"vm000": 1, "vm001": 1, "vm002": 0}
    assert sorted(lists(cloud)) == [f"{machine(1)}/extensions", f"{machine(2)}/extensions"]


def test_what_may_not_be_read_is_unread_though_the_index_leaves_it_out(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 2)
    cloud.rows = [row for row in cloud.rows if row["type"] != EXTENSIONS]
    cloud.always("/extensions", denied(f"{EXTENSION}/read", machine(0)))
    reading = Reading(WANTED).to_end(inventory)
    assert {each.reason for each in related(reading).values()} == {"forbidden"}
    assert [gap.reason for gap in reading.gaps] == [UnreadReason.FORBIDDEN]


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_query_that_fails_costs_single_reads_and_nothing_else(
    cloud: Cloud, inventory: ArmInventory, status: int
) -> None:
    fill(cloud, 3)

    def refuse(call: Call) -> Answer | None:
        return error(status, "Broken") if call.body and "parent in~" in call.body["query"] else None

    cloud.scripts.append(refuse)
    reading = Reading(WANTED).to_end(inventory)
    assert [len(each) for each in related(reading).values()] == [1, 1, 1]
    assert len(lists(cloud)) == 3
    assert not reading.gaps


def test_a_query_that_is_to_wait_is_waited_for(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 3)
    reading = Reading(WANTED)
    reading.step(inventory)
    cloud.once("Microsoft.ResourceGraph/resources", Answer(200, cloud.graph({"query": "", "options": {"$top": 500}})))
    cloud.once("Microsoft.ResourceGraph/resources", error(429, "RateLimiting", Retry_After="600"))
    with pytest.raises(Throttled) as raised:
        reading.step(inventory)
    assert raised.value.retry_after == 600
    assert len(related(reading.to_end(inventory))) == 3


def test_the_row_of_a_child_may_spell_its_owner_otherwise(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 2)
    for row in cloud.rows:
        row["id"] = (
            row["id"].replace("resourceGroups/rg", "resourcegroups/RG") if "extensions" in row["id"] else row["id"]
        )
    assert [len(each) for each in related(Reading(WANTED).to_end(inventory)).values()] == [1, 1]
    assert not lists(cloud)


def test_one_resource_is_asked_by_itself(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 1)
    assert len(related(Reading(WANTED).to_end(inventory))["vm000"]) == 1
    assert lists(cloud) == [f"{machine(0)}/extensions"]


def test_a_query_names_some_resources_at_a_time(
    cloud: Cloud, inventory: ArmInventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "QUERY_IDS", 4)
    monkeypatch.setattr(graph, "PAGE_ROWS", 3)
    fill(cloud, 10)
    assert [len(each) for each in related(Reading(WANTED).to_end(inventory)).values()] == [1] * 10
    queries = Counter(call.body["query"] for call in cloud.calls if call.method == "POST")
    # Four and four in two pages each, two in one.
    assert sorted(times for query, times in queries.items() if "parent in~" in query) == [1, 2, 2]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("cloud") / "cloud.db", resources=800) as started:
        yield started


def test_single_reads_and_pages_read_the_same(sample: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    policies = effective_policy.packaged(CATALOG)
    connection = ArmConnection(TENANT, sample.url, StaticToken(sample.token))
    inventory = ArmInventory(connection, resource_types=CATALOG.resource_types(), sleep=lambda _: None)
    by_pages = list(_collected(inventory, policies.wanted))
    monkeypatch.setattr(ResourceTypes, "is_listed_child", lambda *_: False)
    by_single_reads = list(_collected(inventory, policies.wanted))
    inventory.close()
    assert [_said(each) for each in by_pages] == [_said(each) for each in by_single_reads]
    assert sum(len(each.related.get(EXTENSIONS, ())) for each in by_pages) > 5


def _collected(inventory: ArmInventory, wanted: RelatedTypes) -> Iterator[Resource]:
    for subscription in inventory.subscriptions(tenant=TENANT):
        cursor: str | None = None
        while True:
            page = inventory.page(tenant=TENANT, subscription=subscription.id, wanted=wanted, cursor=cursor)
            yield from page.resources
            cursor = page.cursor
            if cursor is None:
                break


def _said(resource: Resource) -> dict[str, Any]:
    kinds = {
        kind: found.reason if isinstance(found, Unread) else sorted((_said(each) for each in found), key=str)
        for kind, found in resource.related.items()
    }
    return {"body": resource.body, "unread": sorted(resource.unread), "related": kinds}
