"""An inventory over a small stand-in for Resource Graph and Resource Manager."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.adapters.azure.arm import ArmConnection, StaticToken
from shared.adapters.azure.inventory import ArmInventory
from shared.domain.inventory import Gap
from shared.domain.resource import Resource
from shared.ports.inventory import RelatedTypes
from tests.adapters.cloud import SCOPE, SUBSCRIPTION, Cloud

TENANT = "contoso"
STORAGE = "Microsoft.Storage/storageAccounts"
BLOBS = f"{STORAGE}/blobServices"
CONTAINERS = f"{BLOBS}/containers"
SETTINGS = "Microsoft.Insights/diagnosticSettings"
PRICINGS = "Microsoft.Security/pricings"
ROWS: list[dict[str, Any]] = [
    {"type": STORAGE, "apiVersion": "2023-05-01", "resourceGraph": True, "role": "Reader"},
    {"type": BLOBS, "apiVersion": "2023-05-01", "resourceGraph": False, "list": "/blobServices"},
    {"type": CONTAINERS, "apiVersion": "2023-05-01", "resourceGraph": False},
    {
        "type": SETTINGS,
        "apiVersion": "2021-05-01-preview",
        "resourceGraph": False,
        "list": f"/providers/{SETTINGS}",
        "permission": f"{SETTINGS}/read",
        "role": "Monitoring Reader",
    },
    {"type": PRICINGS, "apiVersion": "2024-01-01", "resourceGraph": False, "list": f"/providers/{PRICINGS}"},
]
WANTED: RelatedTypes = {STORAGE.lower(): frozenset({BLOBS.lower(), SETTINGS.lower()})}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    """What the adapter has slept, without sleeping."""
    return []


@pytest.fixture
def connect(cloud: Cloud, waits: list[float]) -> Iterator[Callable[..., ArmInventory]]:
    opened: list[ArmInventory] = []

    def make(**options: Any) -> ArmInventory:
        connection = ArmConnection(TENANT, cloud.endpoint, options.pop("credential", StaticToken("token")))
        options = {"resource_types": ROWS, "sleep": waits.append, "timeout": 5.0, **options}
        opened.append(ArmInventory(connection, **options))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def inventory(connect: Callable[..., ArmInventory]) -> ArmInventory:
    return connect()


def account(number: int) -> str:
    return f"{SCOPE}/resourceGroups/rg/providers/{STORAGE}/account{number:04}"


def fill(cloud: Cloud, count: int) -> list[str]:
    ids = [account(number) for number in range(count)]
    for each in ids:
        cloud.add(each, STORAGE)
        child = {"id": f"{each}/blobServices/default", "name": "default", "type": BLOBS, "properties": {}}
        cloud.lists[f"{each}/blobServices"] = [child]
        cloud.lists[f"{each}/providers/{SETTINGS}"] = []
    return ids


class Reading:
    """All pages of a listing, one after the other."""

    def __init__(self, wanted: RelatedTypes | None = None, cursor: str | None = None) -> None:
        self.wanted = wanted or {}
        self.cursor = cursor
        self.resources: list[Resource] = []
        self.gaps: list[Gap] = []
        self.total: int | None = None
        self.pages = 0

    def step(self, inventory: ArmInventory) -> bool:
        page = inventory.page(tenant=TENANT, subscription=SUBSCRIPTION, wanted=self.wanted, cursor=self.cursor)
        self.resources += page.resources
        self.gaps += page.gaps
        self.total, self.cursor, self.pages = page.total, page.cursor, self.pages + 1
        return page.cursor is not None

    def to_end(self, inventory: ArmInventory) -> "Reading":
        while self.step(inventory):
            pass
        return self

    @property
    def ids(self) -> list[str]:
        return [resource.id for resource in self.resources]
