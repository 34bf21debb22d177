"""Every adapter of the port `Blobs`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.adapters.local.blobs import FileBlobs
from shared.ports.blobs import Blobs


@pytest.fixture(params=["files", pytest.param("storage", marks=pytest.mark.emulator)])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Blobs]:
    """Every adapter of the port; tests keep apart by tenant."""
    if request.param == "storage":
        from shared.adapters.azure.blobs import StorageBlobs  # noqa: PLC0415 - only where it is wanted

        with StorageBlobs(request.getfixturevalue("storage_emulator").address) as store:
            yield store
        return
    yield FileBlobs(tmp_path / "blobs")
