"""From settings to ports: the one place that chooses adapters."""

import atexit
import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pydantic import SecretStr

from shared.ports.blobs import Blobs
from shared.ports.catalog import Catalog
from shared.ports.clock import NewId, Now
from shared.ports.control import Control
from shared.ports.documents import Documents
from shared.ports.generations import Generations
from shared.ports.identity import Identity
from shared.ports.inventory import Inventory
from shared.ports.queue import Queue

# Adapters are imported where they are chosen: their SDKs would make every cold start pay for what it does not use.
if TYPE_CHECKING:
    from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Ports:
    """One adapter for each port. Services take the ones they use, as keyword arguments."""

    documents: Documents
    blobs: Blobs
    queue: Queue
    inventory: Inventory
    control: Control
    catalog: Catalog
    identity: Identity
    generations: Generations
    now: Now
    new_id: NewId

    def close(self) -> None:
        """Close the adapters that hold files or connections."""
        for field in fields(self):
            _close(getattr(self, field.name))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_built: Ports | None = None
_building = threading.Lock()


def ports() -> Ports:
    """Return the ports of this process, built from the environment on first use and closed when the process ends."""
    global _built  # noqa: PLW0603 - the one thing built once per process
    # Two first calls at once must not open the same files twice.
    with _building:
        if _built is None:
            _built = build(settings())
            atexit.register(_built.close)
        return _built


def settings() -> "Settings":
    """Read the settings from the environment as it is now; Misconfigured when they cannot be used."""
    from shared import settings

    return settings.read()


def throttling_counts() -> Mapping[str, int]:
    """Return how often the clouds and stores asked this process to wait, by which of them."""
    from shared.adapters import throttling

    return throttling.throttling_counts()


LOCAL_ADDRESS = "http://127.0.0.1:7071"
"""Where a host on this machine answers by default."""


def address() -> str | None:
    """Return where people reach the product, as settings have it: scheme, host and port; None when they do not say."""
    known = settings()
    if known.public_url or known.host_name is None:
        return known.public_url
    local = ":" in known.host_name  # a host on this machine is named with its port, the platform's names have none
    return f"http{'' if local else 's'}://{known.host_name}"


def build(settings: "Settings") -> Ports:
    """Build new ports, which the caller closes; none is left open when one of them cannot be built."""
    from shared.adapters.generation import GenerationDocuments, StoredGenerations
    from shared.adapters.large import LargeDocuments

    with ExitStack() as undo:
        # What is open is closed again when a later port cannot be built.
        blobs = _blobs(settings)
        undo.callback(_close, blobs)
        items = GenerationDocuments(_documents(settings))
        documents = LargeDocuments(items, blobs)
        undo.callback(_close, documents)
        inventory, control = _cloud(settings, items)
        ports = Ports(
            documents=documents,
            blobs=blobs,
            queue=_queue(settings),
            inventory=inventory,
            control=control,
            catalog=catalog(settings.assignments),
            identity=_identity(settings),
            generations=StoredGenerations(items, lambda found: LargeDocuments(found, blobs)),
            now=_now,
            new_id=_new_id,
        )
        undo.pop_all()
    return ports


def _close(adapter: object) -> None:
    close = getattr(adapter, "close", None)
    if close is not None:
        close()


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    """Return milliseconds since 1970 in hexadecimal, then 56 random bits: later ids sort later."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(7)}"


def catalog(assignments: Path | None = None) -> Catalog:
    """Return the packaged policies, and the assignments of a folder in addition to the default one."""
    from shared.adapters.local.catalog import PackagedCatalog

    return PackagedCatalog(Path(__file__).parent.parent / "catalog", assignments)


def _identity(settings: "Settings") -> Identity:
    from shared.adapters.local.identity import NoIdentity, SignedTokens

    secret = _secret_text(settings.local_token_secret)
    return SignedTokens(secret, _now) if secret else NoIdentity()


def _cloud(settings: "Settings", documents: Documents) -> tuple[Inventory, Control]:
    """Build what reads and what changes the cloud, over one connection and within one budget of calls."""
    if settings.cloud_endpoint is None:
        from shared.adapters.local.control import NoControl
        from shared.adapters.local.inventory import NoInventory

        return NoInventory(), NoControl()
    from shared.adapters.azure.arm import ArmConnection, StaticToken
    from shared.adapters.azure.control import ArmControl
    from shared.adapters.azure.inventory import ArmInventory
    from shared.adapters.azure.login import credential
    from shared.adapters.call_budget import StoredCallBudget

    token = _secret_text(settings.cloud_token)
    identity = StaticToken(token) if token else credential()
    budget = StoredCallBudget(documents, tenant=settings.tenant, instance=_new_id(), now=_now)
    connection = ArmConnection(settings.tenant, settings.cloud_endpoint, identity, budget)
    return ArmInventory(connection, resource_types=catalog().resource_types()), ArmControl(connection)


def _documents(settings: "Settings") -> Documents:
    from shared.adapters.index import INDEXES

    if settings.cosmos_endpoint:
        from shared.adapters.azure.documents import CosmosDocuments

        return CosmosDocuments(
            settings.cosmos_endpoint, settings.cosmos_database, key=_secret_text(settings.cosmos_key), indexes=INDEXES
        )
    from shared.adapters.local.documents import SqliteDocuments

    return SqliteDocuments(settings.state / "documents.db", indexes=INDEXES)


def _blobs(settings: "Settings") -> Blobs:
    if settings.storage_connection or settings.storage_account_url:
        from shared.adapters.azure.blobs import StorageBlobs

        return StorageBlobs(_secret_text(settings.storage_connection) or settings.storage_account_url or "")
    from shared.adapters.local.blobs import FileBlobs

    return FileBlobs(settings.state / "blobs")


def _queue(settings: "Settings") -> Queue:
    if settings.storage_connection or settings.storage_account_url:
        from shared.adapters.azure.queue import StorageQueue

        return StorageQueue(_secret_text(settings.storage_connection) or settings.storage_account_url or "")
    from shared.adapters.local.queue import SqliteQueue

    return SqliteQueue(settings.state / "queue.db")


def _secret_text(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
