from collections.abc import Iterator

import pytest

from shared.adapters.local.documents import SqliteDocuments
from shared.ports.documents import Documents

INDEXES = {"thing": ("colour", "size", "tags", "done")}


@pytest.fixture(scope="module", params=["sqlite", "sqlite-plain", pytest.param("cosmos", marks=pytest.mark.emulator)])
def documents(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Documents]:
    """Every adapter of the port; tests keep apart by tenant."""
    if request.param == "cosmos":
        from shared.adapters.azure.documents import CosmosDocuments  # noqa: PLC0415 - only where it is wanted

        emulator = request.getfixturevalue("cosmos_emulator")
        with CosmosDocuments(emulator.address, "cortex", indexes=INDEXES, **emulator.options) as store:
            yield store
        return
    indexes = INDEXES if request.param == "sqlite" else {}
    with SqliteDocuments(tmp_path_factory.mktemp("documents") / "documents.db", indexes=indexes) as store:
        yield store
