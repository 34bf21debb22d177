"""Every adapter of the port `Documents`."""

from collections.abc import Callable, Iterator

import pytest

from shared.adapters.generation import GenerationDocuments
from shared.adapters.large import LargeDocuments
from shared.adapters.local.blobs import FileBlobs
from shared.adapters.local.documents import SqliteDocuments
from shared.adapters.record import BODY_BYTES
from shared.domain.model import DOCUMENT_BYTES
from shared.ports.documents import Documents
from tests.fakes.emulator import Cosmos

INDEXES = {"thing": ("colour", "size", "tags", "done"), "gadget": ("size",)}


@pytest.fixture(
    scope="module",
    params=[
        "sqlite",
        "sqlite-plain",
        "sqlite-generation",
        pytest.param("sqlite-large", marks=pytest.mark.slow),
        pytest.param("cosmos", marks=pytest.mark.emulator),
    ],
)
def documents(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Documents]:
    """Every adapter of the port; tests keep apart by tenant."""
    if request.param == "cosmos":
        from shared.adapters.azure.documents import CosmosDocuments  # noqa: PLC0415 - only where it is wanted

        emulator: Cosmos = request.getfixturevalue("cosmos_emulator")
        with CosmosDocuments(emulator.address, "cortex", indexes=INDEXES, **emulator.options) as store:
            yield store
        return
    indexes = None if request.param == "sqlite-plain" else INDEXES
    folder = tmp_path_factory.mktemp("documents")
    with SqliteDocuments(folder / "documents.db", indexes=indexes) as store:
        wrapped: dict[str, Callable[[], Documents]] = {
            "sqlite-large": lambda: LargeDocuments(store, FileBlobs(folder / "blobs")),
            "sqlite-generation": lambda: GenerationDocuments(store, fixed=7),
        }
        yield wrapped.get(request.param, lambda: store)()


@pytest.fixture
def largest(documents: Documents) -> int:
    """Bytes of the largest body that the adapter takes."""
    return DOCUMENT_BYTES if isinstance(documents, LargeDocuments) else BODY_BYTES
