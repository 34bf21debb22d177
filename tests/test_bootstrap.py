"""Settings choose the adapters, which are built once and loaded only when chosen."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared import bootstrap
from shared.adapters.generation import GenerationDocuments
from shared.adapters.large import LargeDocuments
from shared.domain.error import Unavailable
from shared.settings import Settings
from tests.fakes.port import use

ROOT = Path(__file__).parents[1]


def test_one_machine_is_enough(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path / "state")
    with bootstrap.build(settings) as ports:
        use(ports, "t")
    with bootstrap.build(settings) as ports:
        assert ports.documents.get(tenant="t", kind="finding", id="a") is not None
    with pytest.raises(Unavailable, match="closed"):
        ports.documents.get(tenant="t", kind="finding", id="a")


def test_the_ports_of_a_process_are_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORTEX_STATE", str(tmp_path))
    monkeypatch.setattr(bootstrap, "_built", None)
    with ThreadPoolExecutor(8) as pool:
        built = list(pool.map(lambda _: bootstrap.ports(), range(8)))
    assert {id(ports) for ports in built} == {id(built[0])}
    built[0].close()


def test_settings_choose_the_cloud(tmp_path: Path) -> None:
    settings = Settings(
        state=tmp_path / "state",
        cosmos_endpoint="https://name.documents.azure.com",
        storage_account_url="https://name.blob.core.windows.net",
    )
    with bootstrap.build(settings) as ports:
        assert isinstance(ports.documents, LargeDocuments)
        assert isinstance(ports.documents.items, GenerationDocuments)
        names = [type(port).__name__ for port in (ports.documents.items.items, ports.blobs, ports.queue)]
    assert names == ["CosmosDocuments", "StorageBlobs", "StorageQueue"]
    assert not settings.state.exists()


def test_only_the_chosen_adapters_are_loaded(tmp_path: Path) -> None:
    probe = (
        "import sys; from pathlib import Path; from shared import bootstrap; from shared.settings import Settings;"
        "early = 'sqlite3' in sys.modules; bootstrap.build(Settings(state=Path(sys.argv[1]))).close();"
        "print(early, sorted(name for name in sys.modules if name.startswith('azure.')))"
    )
    command = [sys.executable, "-c", probe, str(tmp_path)]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "False []\n"
