"""The table of all aliases is read for what the catalog does not tell, and for nothing else."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.cloud.server import sandbox
from shared.adapters.azure.arm import ArmConnection, StaticToken
from shared.adapters.azure.inventory import ArmInventory
from shared.adapters.local.catalog import PackagedCatalog
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services.policy import effective_policy
from tests.fakes import scan_run

ROOT = Path(__file__).parents[3]
OPENED = """
import sys
opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
import function_app
function_app.app.get_functions()
print([each for each in opened if each.endswith("aliases.zip")])
"""


class WatchedCatalog(PackagedCatalog):
    """Counts how often the table is read."""

    reads = 0

    def alias_table(self) -> Callable[[], bytes]:
        return self._read_table

    def _read_table(self) -> bytes:
        self.reads += 1
        return super().alias_table()()


@pytest.fixture
def catalog() -> WatchedCatalog:
    return WatchedCatalog(ROOT / "catalog")


def test_importing_the_app_reads_no_table() -> None:
    found = subprocess.run([sys.executable, "-c", OPENED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_a_scan_by_the_catalog_alone_reads_no_table(
    store: Store, queue: Queue, catalog: WatchedCatalog, tmp_path: Path
) -> None:
    policies = effective_policy.packaged(catalog)
    with sandbox(tmp_path / "cloud.db", resources=120, seed=7) as cloud:
        connection = ArmConnection(store.tenant, cloud.url, StaticToken(cloud.token))
        inventory = ArmInventory(connection, resource_types=catalog.resource_types())
        scan_run.run("s1", store, queue, inventory, policies)
        inventory.close()
    assert catalog.reads == 0


def test_another_type_or_alias_reads_the_table_once(catalog: WatchedCatalog) -> None:
    aliases = effective_policy.facts(catalog).aliases
    assert "Microsoft.Storage/storageAccounts/supportsHttpsTrafficOnly" in aliases
    assert catalog.reads == 0
    assert "Microsoft.Storage/storageAccounts/isNfsV3Enabled" in aliases
    assert aliases.capability("microsoft.web/certificates").tags is True
    assert catalog.reads == 1
